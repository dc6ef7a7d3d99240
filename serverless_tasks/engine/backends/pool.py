"""Threads for jobs: a few at once, of which those that wait for other jobs are not counted."""

from __future__ import annotations

import logging
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

logger = logging.getLogger(__name__)
# How many threads there are at most, with those that wait.
LARGEST = 1_000
# On a thread of a pool, the pool.
_here = threading.local()


class Pool:
    """Runs calls on threads, in the order in which they come.

    Args:
        size: how many run at once.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        # It keeps threads for the next calls, and sees to their end with the process. How many there are is said here.
        self._executor = ThreadPoolExecutor(LARGEST, thread_name_prefix="task")
        self._lock = threading.Lock()
        self._calls: deque[Callable[[], None]] = deque()
        self._threads = 0  # that run calls, or wait in one
        self._waiting: set[int] = set()

    def submit(self, call: Callable[[], None]) -> None:
        """Run a call as soon as there is a place."""
        with self._lock:
            self._calls.append(call)
        self._begin()

    @contextmanager
    def without_place(self) -> Iterator[None]:
        """Give this thread's place to another call meanwhile."""
        thread = threading.get_ident()
        with self._lock:
            self._waiting.add(thread)
        self._begin()
        try:
            yield
        finally:
            with self._lock:
                self._waiting.discard(thread)

    def _begin(self) -> None:
        """Start a thread, if there is a call for it and a place."""
        with self._lock:
            if not self._calls or self._threads - len(self._waiting) >= self._size:
                return
            self._threads += 1
        try:
            self._executor.submit(self._work)
        except RuntimeError:  # no more threads, or the process is ending
            with self._lock:
                self._threads -= 1
            raise

    def _work(self) -> None:
        _here.pool = self
        while (call := self._next()) is not None:
            try:
                call()
            except BaseException:  # its place is not lost with it
                logger.exception("a thread of tasks goes on after an error")

    def _next(self) -> Callable[[], None] | None:
        with self._lock:
            # A time limit may have ended the call while it waited, wherever it was.
            self._waiting.discard(threading.get_ident())
            if self._calls and self._threads - len(self._waiting) <= self._size:
                return self._calls.popleft()
            self._threads -= 1
            return None


@contextmanager
def giving_place() -> Iterator[None]:
    """Wait for another job in here: one that runs on a thread of a pool gives its place up meanwhile.

    Jobs that wait for those that they have submitted would else fill the pool, and wait for ever.
    """
    pool: Pool | None = getattr(_here, "pool", None)
    if pool is None:
        yield
    else:
        with pool.without_place():
            yield
