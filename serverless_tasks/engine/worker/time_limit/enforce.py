"""Stopping a task that runs longer than it may, on whatever thread it runs."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from serverless_tasks.errors import TaskStopped, TaskTimeout

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from serverless_tasks.engine.worker.time_limit.limit import Limit
    from serverless_tasks.engine.worker.time_limit.watchdog import Watch, Watchdog

# The functions of `signal` by which a task takes the alarm, and the first argument of those that are of others too.
_OF_THE_ALARM: Final[dict[str, int | None]] = {
    "alarm": None,
    "pthread_sigmask": None,
    "setitimer": signal.ITIMER_REAL,
    "signal": signal.SIGALRM,
}


def within[T](limit: Limit, work: Callable[[], T]) -> T:
    """Run something under a limit; nothing is raised by the limit once it has returned.

    On the main thread, where Lambda runs its handlers, a signal does it, which ends a blocking call as well. On others
    a watchdog raises the exception from outside, and it arrives once a blocking call has returned.

    Raises:
        TaskTimeout: the time was over.
    """
    run = _by_signal if threading.current_thread() is threading.main_thread() else _by_watchdog
    try:
        return run(limit, work)
    except TaskStopped as stopped:
        raise limit.timeout() from stopped
    except TaskTimeout as timeout:
        if not timeout.args:
            timeout.args = limit.timeout().args
        raise


def _by_signal[T](limit: Limit, work: Callable[[], T]) -> T:
    alarm = _Alarm(limit)
    try:
        alarm.set()
        return _settled(limit, work, alarm.settle)
    finally:
        alarm.reset()


class _Alarm:
    """The alarm of the main thread while it keeps a limit.

    A timer that was running before, such as that of an outer limit, goes on afterwards. A task that sets the alarm
    itself has it, and the watchdog keeps its limit from then on.

    Args:
        limit: the limit.
    """

    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._watch: Watch | None = None
        self._over = False
        self._left = self._interval = 0.0
        self._began = time.monotonic()
        self._functions = {name: getattr(signal, name) for name in _OF_THE_ALARM}
        self._setitimer = _Noticing.original(signal.setitimer)
        self._signal = _Noticing.original(signal.signal)
        self._before = self._signal(signal.SIGALRM, self._expire)

    def set(self) -> None:
        """Set it for the limit."""
        for name, function in self._functions.items():
            setattr(signal, name, _Noticing(function, _OF_THE_ALARM[name], self._give_up))
        self._left, self._interval = self._setitimer(signal.ITIMER_REAL, self._limit.pause)

    def settle(self) -> None:
        """Take back what the watchdog has raised and has not arrived."""
        if self._watch is not None:
            self._watch.settle()

    def reset(self) -> None:
        """Leave the alarm as it was before."""
        self._over = True  # an alarm that has just come would set the timer once more
        self._setitimer(signal.ITIMER_REAL, 0)
        self._signal(signal.SIGALRM, self._before)
        for name, function in self._functions.items():
            setattr(signal, name, function)
        if self._left:
            left = max(self._left - (time.monotonic() - self._began), 0.001)
            self._setitimer(signal.ITIMER_REAL, left, self._interval)

    def _expire(self, signum: int, frame: FrameType | None) -> None:
        if self._over or self._limit.closing or self._watch is not None:
            return
        raised = self._limit.expire()
        self._setitimer(signal.ITIMER_REAL, self._limit.pause)
        if raised is not None:
            raise raised(str(self._limit.timeout()))

    def _give_up(self) -> None:
        if self._watch is None and not self._limit.closing:
            self._watch = _watch(self._limit, threading.main_thread().ident or 0)
            self._limit.pause, _ = self._setitimer(signal.ITIMER_REAL, 0)
            _watchdog().keep(self._watch)


class _Noticing:
    """A function of the module `signal` that says so when it is called for the alarm.

    Args:
        function: the function.
        first: the first argument of such a call, or None for all calls.
        notice: what is called then.
    """

    def __init__(self, function: Callable[..., Any], first: int | None, notice: Callable[[], None]) -> None:
        self._function = function
        self._first = first
        self._notice = notice

    def __call__(self, *given: Any, **named: Any) -> Any:
        if self._first is None or given[:1] == (self._first,):
            self._notice()
        return self._function(*given, **named)

    @staticmethod
    def original(function: Callable[..., Any]) -> Callable[..., Any]:
        """The function below those that an outer limit has put in its place: an inner limit is nothing to notice."""
        while isinstance(function, _Noticing):
            function = function._function
        return function


def _by_watchdog[T](limit: Limit, work: Callable[[], T]) -> T:
    watch = _watch(limit, threading.get_ident())

    def watched() -> T:
        _watchdog().keep(watch)
        return work()

    return _settled(limit, watched, watch.settle)


def _settled[T](limit: Limit, work: Callable[[], T], settle: Callable[[], None]) -> T:
    """Run something, after which nothing is raised by the limit any more."""
    try:
        try:
            return work()
        finally:
            # An attribute is set without a moment at which a signal could be handled, so this is the last one. What was
            # raised from outside before may still be on its way, and arrives in `settle` at the latest.
            limit.closing = True
            settle()
    except (TaskTimeout, TaskStopped):
        settle()
        raise


def _watch(limit: Limit, thread: int) -> Watch:
    from serverless_tasks.engine.worker.time_limit.watchdog import (
        Watch,
    )  # it needs ctypes, which Lambda does not

    return Watch(limit, thread)


def _watchdog() -> Watchdog:
    from serverless_tasks.engine.worker.time_limit.watchdog import WATCHDOG

    return WATCHDOG
