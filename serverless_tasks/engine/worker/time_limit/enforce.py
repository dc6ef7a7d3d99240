"""Stopping a task that runs longer than it may, on whatever thread it runs."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING

from serverless_tasks.errors import TaskStopped, TaskTimeout

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from serverless_tasks.engine.worker.time_limit.limit import Limit


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
    """A timer that was running before, such as that of an outer limit, goes on afterwards."""

    def expire(signum: int, frame: FrameType | None) -> None:
        if limit.closing:
            return
        raised = limit.expire()
        signal.setitimer(signal.ITIMER_REAL, limit.pause)
        if raised is not None:
            raise raised(str(limit.timeout()))

    left = interval = 0.0
    began = time.monotonic()
    before = signal.signal(signal.SIGALRM, expire)
    try:
        left, interval = signal.setitimer(signal.ITIMER_REAL, limit.pause)
        return work()
    finally:
        # An attribute is set without a moment at which a signal could be handled, so this is the last one.
        limit.closing = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if left:
            signal.setitimer(signal.ITIMER_REAL, max(left - (time.monotonic() - began), 0.001), interval)


def _by_watchdog[T](limit: Limit, work: Callable[[], T]) -> T:
    from serverless_tasks.engine.worker.time_limit.watchdog import (  # it needs ctypes, which Lambda does not
        WATCHDOG,
        Watch,
    )

    watch = Watch(limit, threading.get_ident())
    try:
        try:
            WATCHDOG.keep(watch)
            return work()
        finally:
            # As above; what was raised before may still be on its way, and arrives in `settle` at the latest.
            limit.closing = True
            watch.settle()
    except (TaskTimeout, TaskStopped):
        watch.settle()
        raise
