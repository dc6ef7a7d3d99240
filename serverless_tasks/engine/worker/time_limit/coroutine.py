"""Running a coroutine to its end, under a limit."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asyncio import Task
    from collections.abc import Callable, Coroutine

    from serverless_tasks.engine.worker.time_limit.limit import Limit


def finish(coroutine: Coroutine[Any, Any, Any], limit: Limit | None = None) -> Any:
    """Run what a task whose ``run`` is ``async`` returned, to its end.

    Args:
        coroutine: the task's.
        limit: what the run is under: the coroutine is cancelled when its time is over.

    Raises:
        TaskTimeout: it was.
    """
    import asyncio

    async def limited() -> Any:
        this, loop = asyncio.current_task(), asyncio.get_running_loop()

        def cancel() -> None:
            with suppress(RuntimeError):  # the loop is closed already
                loop.call_soon_threadsafe(_cancel, this)

        if limit is not None:
            limit.attach(cancel)
        return await coroutine

    try:
        return _on_a_loop(lambda: asyncio.run(limited()))
    except asyncio.CancelledError as error:  # it is no Exception, and would pass for the process's own end
        if limit is not None and limit.told:
            raise limit.timeout() from error
        raise RuntimeError("The task's coroutine cancelled itself.") from error
    finally:
        with suppress(RuntimeError):  # it goes on in spite of that too
            coroutine.close()
        if limit is not None:
            limit.detach()


def _on_a_loop[T](work: Callable[[], T]) -> T:
    """Do what starts an event loop; beside this thread where one is running, which is one that may not wait."""
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return work()
    from concurrent.futures import ThreadPoolExecutor
    from contextvars import copy_context

    beside = ThreadPoolExecutor(1, "serverless-tasks-coroutine")
    try:
        return beside.submit(copy_context().run, work).result()
    finally:
        beside.shutdown(wait=False)


def _cancel(task: Task[Any] | None) -> None:
    if task is not None:
        task.cancel()
