"""Calls that block, from coroutines: on a few threads of their own, so that the event loop goes on."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from serverless_tasks.engine.job.forks import call_when_forked, notice_fork

if TYPE_CHECKING:
    from collections.abc import Callable

# Calls that are answered at once: reads and sends. More than that wait for a thread.
THREADS: Final = 8
# Calls that last as long as a task does. As many as a client of ours has connections.
LONG_CALLS: Final = 32

_threads: ThreadPoolExecutor | None = None
_lock = threading.Lock()
_long_calls: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


async def in_thread[T](call: Callable[[], T]) -> T:
    """Make a call on one of `THREADS` threads, in the context of the caller.

    A coroutine that is cancelled takes back a call that has not begun; one that has begun ends by itself, and what it
    returns is dropped.
    """
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(_pool(), context.run, call)


async def in_own_thread[T](call: Callable[[], T]) -> T:
    """Make a call that may last for minutes, of which `LONG_CALLS` are made at once.

    Its thread keeps no process alive: one that was cancelled and waits for an answer ends with the process.
    """
    loop = asyncio.get_running_loop()
    place = _long_calls.setdefault(loop, asyncio.Semaphore(LONG_CALLS))
    await place.acquire()
    context = contextvars.copy_context()
    answered: asyncio.Future[T] = loop.create_future()

    def settle(done: Future[T]) -> None:
        place.release()
        if answered.done():  # it was cancelled
            return
        if (error := done.exception()) is None:
            answered.set_result(done.result())
        else:
            answered.set_exception(error)

    def run() -> None:
        done: Future[T] = Future()
        try:
            done.set_result(context.run(call))
        except BaseException as error:  # noqa: BLE001 - it is raised where the call is awaited
            done.set_exception(error)
        with suppress(RuntimeError):  # the loop has been closed: nobody waits
            loop.call_soon_threadsafe(settle, done)

    try:
        threading.Thread(target=run, name="serverless-tasks-call", daemon=True).start()
    except RuntimeError:  # no more threads
        place.release()
        raise
    return await answered


def _pool() -> ThreadPoolExecutor:
    global _threads  # noqa: PLW0603 - made by the first call, for the process
    notice_fork()
    with _lock:
        if _threads is None:
            _threads = ThreadPoolExecutor(THREADS, thread_name_prefix="serverless-tasks")
        return _threads


@call_when_forked
def _forked() -> None:
    global _threads, _lock  # the threads are the parent's
    _threads, _lock = None, threading.Lock()
