"""Stopping a task that runs longer than it may."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from serverless_tasks.errors import TaskTimeout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise `TaskTimeout` inside the block once so many seconds have passed.

    A signal does it, which ends a blocking call as well; Lambda runs handlers on the main thread. On other threads
    (the local poller's) nothing is raised, and the lease ends the attempt. A timer that was running before, such as
    that of an outer limit, goes on afterwards.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def expire(signum: int, frame: FrameType | None) -> None:
        raise TaskTimeout(f"The task ran longer than the {seconds:g} seconds that it has.")

    before = signal.signal(signal.SIGALRM, expire)
    left, interval = signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
    began = time.monotonic()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if left:
            signal.setitimer(signal.ITIMER_REAL, max(left - (time.monotonic() - began), 0.001), interval)
