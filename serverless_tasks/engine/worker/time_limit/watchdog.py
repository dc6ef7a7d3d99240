"""Raising an exception in another thread, and never later than it should be.

`PyThreadState_SetAsyncExc` leaves an exception with a thread, which raises it between two of its next instructions:
https://docs.python.org/3/c-api/threads.html#c.PyThreadState_SetAsyncExc
"""

from __future__ import annotations

import ctypes
import math
import threading
import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from serverless_tasks.engine.job.forks import renew_when_forked

if TYPE_CHECKING:
    from collections.abc import Callable

    from serverless_tasks.engine.worker.time_limit.limit import Limit

# Seconds after which the watchdog looks again when nothing is to be watched.
_IDLE = 3600.0


class Watch:
    """A thread's run under a limit.

    Args:
        limit: what is to be kept.
        thread: the thread's identifier.

    Attributes:
        due: when to act next, on the watchdog's clock.
    """

    def __init__(self, limit: Limit, thread: int) -> None:
        self.limit = limit
        self.due = math.inf
        self._thread = thread
        # Reentrant: an exception that arrives just when it was taken leaves it taken, and `settle` is called again.
        self._lock = threading.RLock()

    def forked(self) -> None:
        """See `Renewed.forked`."""
        self._lock = threading.RLock()

    def fire(self) -> None:
        """Tell the task, unless it has just ended; called by the watchdog."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            raised = None if self.limit.closing else self.limit.expire()
            if raised is not None:
                _leave(self._thread, raised)
        finally:
            self._lock.release()

    def settle(self) -> None:
        """Take back what has been left with the thread and was not raised.

        That thread calls it, once the limit is closing.
        """
        with self._lock:
            if self.limit.told:
                _leave(self._thread, None)


class Watchdog:
    """One thread that keeps the limits of all others; it starts with the first.

    Args:
        now: its clock, in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        # Putting into it takes no lock of Python's, which an exception from outside could leave taken.
        self._arrived: SimpleQueue[Watch] = SimpleQueue()
        self._watches: list[Watch] = []
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        renew_when_forked(self)

    def forked(self) -> None:
        """See `Renewed.forked`: the threads that it has watched are the parent's, and others may be called as they."""
        for watch in self._watches:
            watch.forked()
        self._arrived, self._watches = SimpleQueue(), []
        self._starting, self._thread = threading.Lock(), None

    def keep(self, watch: Watch) -> None:
        """Keep a limit from now on, until it is closing."""
        watch.due = self._now() + watch.limit.pause
        self._arrived.put(watch)
        if self._thread is None or not self._thread.is_alive():
            self._start()

    def check(self, arrived: Watch | None = None) -> float:
        """Act on what is due; returns the seconds until something else is.

        Args:
            arrived: a watch to keep from now on.
        """
        if arrived is not None:
            self._watches.append(arrived)
        self._watches = [watch for watch in self._watches if not watch.limit.closing]
        now = self._now()
        for watch in self._watches:
            if watch.due <= now:
                watch.fire()
                watch.due = now + watch.limit.pause
        return min((watch.due - now for watch in self._watches), default=_IDLE)

    def _start(self) -> None:
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._loop, name="watchdog", daemon=True)
                self._thread.start()

    def _loop(self) -> None:
        pause = _IDLE
        while True:
            try:
                arrived = self._arrived.get(timeout=pause)
            except Empty:
                arrived = None
            pause = max(0.0, self.check(arrived))


def _leave(thread: int, exception: type[BaseException] | None) -> None:
    """Leave an exception with a thread, or take one back."""
    given = None if exception is None else ctypes.py_object(exception)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), given)


WATCHDOG = Watchdog()
