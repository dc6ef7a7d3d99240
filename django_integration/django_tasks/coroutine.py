"""Coroutine functions of tasks: run to their end on this thread's behalf, and no longer than they may."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from asgiref.sync import async_to_sync

from serverless_tasks.errors import TaskTimeout

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


class CoroutineRun:
    """One call of a coroutine function.

    Django's asynchronous ORM calls come back to the thread that waits, so that they use its connections. Because the
    coroutine has a thread of its own, what interrupts the waiting one has to be carried over.

    Args:
        function: the function.
        seconds: how long it may run.
    """

    def __init__(self, function: Callable[..., Coroutine[Any, Any, Any]], seconds: float) -> None:
        self._function = function
        self._seconds = seconds
        self._running: tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]] | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run it.

        Raises:
            TaskTimeout: it ran longer than it may.
        """
        try:
            return async_to_sync(self._run)(*args, **kwargs)
        except BaseException:
            self._stop()
            raise

    async def _run(self, *args: Any, **kwargs: Any) -> Any:
        task = asyncio.current_task()
        assert task is not None
        self._running = asyncio.get_running_loop(), task
        limit = asyncio.timeout(self._seconds)
        try:
            async with limit:
                return await self._function(*args, **kwargs)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise TaskTimeout(
                f"The task ran longer than the {self._seconds:g} seconds that it has."
            ) from error
        finally:
            self._running = None

    def _stop(self) -> None:
        if (running := self._running) is not None:
            loop, task = running
            loop.call_soon_threadsafe(task.cancel)
