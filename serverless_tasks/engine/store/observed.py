"""A store that tells which jobs were written through it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

from serverless_tasks.engine.job.message import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from serverless_tasks.engine.store.base import Store

# What of `Store` writes; each takes first the job's id, its message, or several messages.
WRITES: Final = (
    "put_jobs",
    "claim",
    "write_progress",
    "succeed",
    "fail",
    "retry",
    "release",
    "settle",
    "delete",
    "cancel",
)


def observed(store: Store, written: Callable[[str], object]) -> Store:
    """A store that does what another does, and tells of each job that it may have written.

    Args:
        store: the other.
        written: is called with the job's id once the write is over, whether it went well or not.
    """
    seen: Any = _ObservedStore(store, written)
    return seen  # type: ignore[no-any-return]


class _ObservedStore:
    def __init__(self, store: Store, written: Callable[[str], object]) -> None:
        self._store = store
        for name in WRITES:
            setattr(self, name, _telling(getattr(store, name), written))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def _telling(write: Callable[..., Any], written: Callable[[str], object]) -> Callable[..., Any]:
    @functools.wraps(write)
    def told(jobs: str | Message | Sequence[Message], /, *args: Any, **kwargs: Any) -> Any:
        try:
            return write(jobs, *args, **kwargs)
        finally:
            for uuid in _uuids(jobs):
                written(uuid)

    return told


def _uuids(jobs: str | Message | Sequence[Message]) -> Iterable[str]:
    if isinstance(jobs, str):
        return (jobs,)
    if isinstance(jobs, Message):
        return (jobs.uuid,)
    return (message.uuid for message in jobs)
