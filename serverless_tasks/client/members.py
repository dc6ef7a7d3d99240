"""The members of a group or a chain, page by page, in the order of their index."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from serverless_tasks.engine.job.job_id import job_id
from serverless_tasks.engine.job.place import SHARD_MEMBERS, member_id
from serverless_tasks.engine.job.record import ENDED
from serverless_tasks.engine.store.base import Page
from serverless_tasks.engine.store.groups import member_ids, status_of
from serverless_tasks.errors import ConfigurationError, InvalidCursor, TaskNotFound, WorkflowError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from serverless_tasks.engine.store.base import Store
    from serverless_tasks.engine.store.group import Group, Shard


@dataclass(frozen=True, slots=True, kw_only=True)
class MembersPage(Page):
    """A page of members, in the order of their index; ``indices`` has the index of each record."""

    indices: tuple[int, ...]


def members_page(
    store: Store,
    uuid: str | UUID,
    *,
    status: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
    whole: bool = True,
    among: Sequence[int] | None = None,
) -> MembersPage:
    """Return a page of the members of a group or a chain.

    A member of which nothing is known is left out: a step of a chain before it is sent, or a deleted job. So a page may
    have fewer than ``limit``, and only one without a cursor is the last.

    Args:
        store: where they are.
        uuid: the group.
        status: ``succeeded``, ``failed`` or ``cancelled``: those that ended so, as the group counts them; None for all
            members, also those that have not ended.
        cursor: where the page before ended.
        limit: how many at most.
        whole: see `Store.read`.
        among: only members of these indices, in place of a ``status``; all of them unless given.

    Raises:
        TaskNotFound: nothing is known of the group.
        WorkflowError: the job is no group and no chain.
        ConfigurationError: members are not told apart by this status.
        InvalidCursor: no page of this group has given that cursor.
        AwsError: the store or the bucket could not be asked.
    """
    known = job_id(uuid)
    if status is not None and status not in ENDED:
        raise ConfigurationError(
            f"The members of a group are not counted as {status!r}; name {', '.join(sorted(ENDED))}, or none."
        )
    group = store.groups.get(known)
    if group is None:
        if store.read(known, whole=False) is None:
            raise TaskNotFound(known)
        raise WorkflowError(f"Job {known} is no group and no chain: it has no members.")
    first = _first(cursor, group.total)
    shards: Sequence[Shard] = ()
    if status is not None or group.retry_of is not None:
        shards = store.groups.shards(group.uuid, group.total)
    matching: Iterable[int] = range(first, group.total) if among is None else among
    if status is not None:
        matching = _ended_so(status, first, shards)
    indices = list(islice(matching, limit + 1))
    has_more, indices = len(indices) > limit, indices[:limit]
    ids = _ids(group, indices, shards, store)
    records = store.read_many(ids, whole=whole)
    found = [(index, records[uuid]) for index, uuid in zip(indices, ids, strict=True) if uuid in records]
    return MembersPage(
        records=tuple(record for _, record in found),
        indices=tuple(index for index, _ in found),
        cursor=str(indices[-1]) if has_more else None,
    )


def _ids(group: Group, indices: Sequence[int], shards: Sequence[Shard], store: Store) -> list[str]:
    if group.retry_of is None:
        return [member_id(group.uuid, index) for index in indices]
    return member_ids(group, indices, shards, store.groups)


def _ended_so(status: str, first: int, shards: Sequence[Shard]) -> Iterable[int]:
    """Yield the indices from one on of the members that ended with a status."""
    for shard in shards[first // SHARD_MEMBERS :]:
        matching = (position for position in shard.ended if status_of(shard, position) == status)
        yield from (index for index in shard.indices(matching) if index >= first)


def _first(cursor: str | None, total: int) -> int:
    """Return the index after the one at which a page ended."""
    if cursor is None:
        return 0
    if not (
        cursor.isascii() and cursor.isdecimal() and len(cursor) <= len(str(total)) and int(cursor) < total
    ):
        raise InvalidCursor(
            f"The cursor {cursor[:100]!r} was not returned by a page of this group's members."
        )
    return int(cursor) + 1
