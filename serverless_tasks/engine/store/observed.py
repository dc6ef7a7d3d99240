"""A store that reports which jobs are written through it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.store.base import Store
from serverless_tasks.engine.store.group import Groups

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    type Written = str | Message | dict[str, Any] | Sequence[Message]


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
    def reported(self: _Observed, written: Written, /, *args: Any, **kwargs: Any) -> Any:
        try:
            return getattr(self._inner, write.__name__)(written, *args, **kwargs)
        finally:
            for uuid in _uuids(written):
                self._on_write(uuid)

    return reported


class _Observed:
    """Passes everything on. What writes takes first the job's id, its message, its state, or several messages."""

    def __init__(self, inner: Any, on_write: Callable[[str], object]) -> None:
        self._inner = inner
        self._on_write = on_write

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _ObservedGroups(_Observed):
    """The groups: a member that is counted is a write of its group."""

    open = _reported(Groups.open)
    count = _reported(Groups.count)
    fill = _reported(Groups.fill)
    close = _reported(Groups.close)


class _ObservedStore(_Observed):
    @functools.cached_property
    def groups(self) -> _ObservedGroups:
        """See `Store.groups`."""
        return _ObservedGroups(self._inner.groups, self._on_write)

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
    note_retry = _reported(Store.note_retry)


def _uuids(written: Written) -> Iterable[str]:
    if isinstance(written, str):
        return (written,)
    if isinstance(written, Message):
        return (written.uuid,)
    if isinstance(written, dict):
        return (written["pk"],)
    return (message.uuid for message in written)
