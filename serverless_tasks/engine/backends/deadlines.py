"""Messages that are due in days, for a process that keeps them itself: one thread waits for all of them."""

from __future__ import annotations

import heapq
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from serverless_tasks.engine.job.clock import Clock


class Deadlines:
    """Waits for the deadlines of groups. Its thread is a daemon: a process ends without waiting for it.

    Args:
        clock: the time.
        run: is called with the body of each message that is due.
    """

    def __init__(self, clock: Clock, run: Callable[[str], None]) -> None:
        self._clock = clock
        self._run = run
        self._lock = threading.Lock()
        self._waiting: list[tuple[float, str]] = []
        self._changed = threading.Event()
        self._has_thread = False

    def add(self, body: str, delay: float) -> None:
        """Let a message be run when so many seconds are over."""
        with self._lock:
            heapq.heappush(self._waiting, (self._clock.now() + delay, body))
            self._changed.set()
            if self._has_thread:
                return
            self._has_thread = True
        threading.Thread(target=self._work, name="deadlines", daemon=True).start()

    def _work(self) -> None:
        while (left := self._left()) is not None:
            if left > 0:
                self._clock.wait(self._changed, left)
                continue
            with self._lock:
                _, body = heapq.heappop(self._waiting)
            self._run(body)

    def _left(self) -> float | None:
        """Return the seconds to the first deadline; None where there is none, and no thread any more."""
        with self._lock:
            self._changed.clear()
            self._has_thread = bool(self._waiting)
            return self._waiting[0][0] - self._clock.now() if self._waiting else None
