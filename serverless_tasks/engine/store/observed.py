"""A store that reports which jobs are written through it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.store.base import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


def observed(store: Store, on_write: Callable[[str], object]) -> Store:
    """Return a store that does what another does and reports each job that it may have written.

    Args:
        store: the other.
        on_write: is called with the job's id once the write is over, whether it went well or not.
    """
    made: Any = _ObservedStore(store, on_write)
    return made  # type: ignore[no-any-return]


def _reported(write: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(write)
    def reported(
        self: _ObservedStore, jobs: str | Message | Sequence[Message], /, *args: Any, **kwargs: Any
    ) -> Any:
        try:
            return getattr(self._store, write.__name__)(jobs, *args, **kwargs)
        finally:
            for uuid in _uuids(jobs):
                self._on_write(uuid)

    return reported


class _ObservedStore:
    """Passes everything to the other store. What writes takes first the job's id, its message, or several messages."""

    def __init__(self, store: Store, on_write: Callable[[str], object]) -> None:
        self._store = store
        self._on_write = on_write

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    put_jobs = _reported(Store.put_jobs)
    claim = _reported(Store.claim)
    write_progress = _reported(Store.write_progress)
    succeed = _reported(Store.succeed)
    fail = _reported(Store.fail)
    retry = _reported(Store.retry)
    release = _reported(Store.release)
    returned = _reported(Store.returned)
    settle = _reported(Store.settle)
    delete = _reported(Store.delete)
    cancel = _reported(Store.cancel)


def _uuids(jobs: str | Message | Sequence[Message]) -> Iterable[str]:
    if isinstance(jobs, str):
        return (jobs,)
    if isinstance(jobs, Message):
        return (jobs.uuid,)
    return (message.uuid for message in jobs)
