"""Coroutines of tasks: run to their end on this thread's behalf, and no longer than they may."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from asgiref.sync import async_to_sync

from serverless_tasks.engine.definition.returned import run_to_end
from serverless_tasks.errors import TaskTimeout

if TYPE_CHECKING:
    from collections.abc import Coroutine


def completed(value: Any, seconds: float | None = None) -> Any:
    """Run what a function returned to its end; see `run_to_end`.

    Args:
        value: what it returned.
        seconds: how long a coroutine may run; None for as long as whoever waits may.

    Raises:
        TaskTimeout: it ran longer.
    """
    return run_to_end(value, CoroutineRun(seconds))


class CoroutineRun:
    """One run of a coroutine.

    Django's asynchronous ORM calls come back to the thread that waits, so that they use its connections. Because the
    coroutine has a thread of its own, what interrupts the waiting one has to be carried over.

    Args:
        seconds: how long it may run, or None.
    """

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._running: tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]] | None = None

    def __call__(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine.

        Raises:
            TaskTimeout: it ran longer than it may.
        """
        try:
            return async_to_sync(self._run)(coroutine)
        except BaseException:
            self._stop()
            raise

    async def _run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        task = asyncio.current_task()
        assert task is not None
        self._running = asyncio.get_running_loop(), task
        limit = asyncio.timeout(self._seconds)
        try:
            async with limit:
                return await coroutine
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise TaskTimeout(f"The task exceeded its timeout of {self._seconds:g} seconds.") from error
        finally:
            self._running = None

    def _stop(self) -> None:
        if (running := self._running) is not None:
            loop, task = running
            loop.call_soon_threadsafe(task.cancel)
