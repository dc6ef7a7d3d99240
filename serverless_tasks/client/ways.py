"""The ways in which jobs of a filter are looked for: by an index of the store where there is one, else job by job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from serverless_tasks.client.members import members_page
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.record import CANCELLED, ENDED, FAILED, TASK_CANCELLED
from serverless_tasks.engine.store.base import Listed
from serverless_tasks.engine.store.items import DAY_MS, LISTED_DAYS, WAITING
from serverless_tasks.engine.store.listing import IndexFilter, cursor_at, moment_of, read_cursor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from serverless_tasks.client.job_filter import JobFilter
    from serverless_tasks.engine.store.base import Store

# What no index tells of jobs is looked for in about so many of them for a page.
LOOKED_AT: Final = 500
INDEXED: Final = (FAILED, CANCELLED, WAITING)
# For so long workers of the version before may run beside the new ones while these are deployed.
MARGIN_MS: Final = DAY_MS


def _moment_of(cursor: str) -> int | None:
    return moment_of(read_cursor(cursor))


def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way to look for jobs.

    Attributes:
        name: its name in cursors.
        look: returns a page, by the cursor of the one before and its size.
        exact: whether it lists nothing but what is wanted, so that no more need be looked at than the page is to have.
        once: whether it is asked once for a page, for `LOOKED_AT`; else first for some, and then for the rest of them.
        quick: whether the next way is taken at once where this one finds nothing.
        is_needed: whether it can find anything; asked when the way before it is at its end.
        cursor_at: returns the cursor of what comes after a place in its pages.
        moment_of: returns the time that one of its cursors stands for, milliseconds since the epoch.
    """

    name: str
    look: Callable[[str | None, int], Listed]
    exact: bool = False
    once: bool = False
    quick: bool = False
    is_needed: Callable[[], bool] = _always
    cursor_at: Callable[[str], str] = cursor_at
    moment_of: Callable[[str], int | None] = _moment_of


def ways_of(store: Store, filters: JobFilter, names: Sequence[str]) -> list[Way]:
    """Return the ways in which the jobs of a filter are looked for, one after another.

    Args:
        store: where they are.
        filters: which.
        names: the tasks that are searched where nothing names any.
    """
    if filters.uuid is not None:
        return [_by_id(store, filters.uuid)]
    if filters.group is not None:
        return [_by_group(store, filters, filters.group)]
    status = _status(filters)
    if status == WAITING:
        return [_by_status(store, filters, status)]
    if status in (FAILED, CANCELLED):
        return [_by_status(store, filters, status), _unindexed(store, filters, names)]
    if filters.id_prefix and status is None:
        return [_among_the_indexed(store, filters), _by_submission(store, filters, names)]
    return [_by_submission(store, filters, names)]


def _status(filters: JobFilter) -> str | None:
    """Return the status that a filter is about: that of an error, where it names one."""
    if filters.status is None and filters.error_type == TASK_CANCELLED.type:
        return CANCELLED
    if filters.status is None and (filters.error_type is not None or filters.fingerprint is not None):
        return FAILED
    return filters.status


def _by_id(store: Store, uuid: str) -> Way:
    def look(cursor: str | None, limit: int) -> Listed:
        record = store.read(uuid, whole=False)
        found = () if record is None else (record,)
        return Listed(records=found, positions=(uuid,) * len(found), looked_at=len(found))

    return Way(name="id", look=look, once=True)


def _by_group(store: Store, filters: JobFilter, group: str) -> Way:
    status = filters.status if filters.status in ENDED else None

    def look(cursor: str | None, limit: int) -> Listed:
        page = members_page(store, group, status=status, cursor=cursor, limit=limit, whole=False)
        return Listed(
            records=page.records,
            positions=tuple(map(str, page.indices)),
            cursor=page.cursor,
            looked_at=len(page.records),
        )

    return Way(name="member", look=look, cursor_at=str, moment_of=lambda cursor: None)


def _by_status(store: Store, filters: JobFilter, status: str) -> Way:
    """By the index of states, which is sorted by the end, or by when the job began to wait."""
    by_end = filters.time == "finished"
    # Nothing ends, or waits for long, before it was submitted or started.
    since = 0 if by_end and status == WAITING else filters.since
    until = filters.until if by_end and status != WAITING else None
    where = _where(filters)

    def look(cursor: str | None, limit: int) -> Listed:
        return store.list_states(status, limit=limit, cursor=cursor, since=since, until=until, where=where)

    exact = not _hidden(filters) and (filters.time != "started" or not _is_timed(filters))
    return Way(name=status, look=look, exact=exact, once=True)


def _unindexed(store: Store, filters: JobFilter, names: Sequence[str]) -> Way:
    """By submission, the jobs that workers of the version before have ended: these are in no index of states."""

    def last() -> int | None:
        since = store.indexed_since()
        return None if since is None else since + MARGIN_MS

    def look(cursor: str | None, limit: int) -> Listed:
        ends = [end for end in (filters.until, last()) if end is not None]
        where = _where(filters, until=min(ends) if ends else None)
        return store.find_jobs(where, names, limit=limit, cursor=cursor, indexed=False)

    def is_needed() -> bool:
        kept = to_ms(store.clock.now()) - LISTED_DAYS * DAY_MS
        end = last()
        return end is None or end > max(kept, filters.since)

    return Way(name="unindexed", look=look, once=True, is_needed=is_needed)


def _among_the_indexed(store: Store, filters: JobFilter) -> Way:
    """A first look for a job's id among the jobs that somebody is most likely to ask about."""
    where = _where(filters)

    def look(cursor: str | None, limit: int) -> Listed:
        pages = [store.list_states(status, where=where, limit=limit) for status in INDEXED]
        found = [pair for page in pages for pair in zip(page.positions, page.records, strict=True)]
        found.sort(key=lambda pair: pair[0], reverse=True)
        return Listed(
            records=tuple(record for _, record in found[:limit]),
            positions=tuple(position for position, _ in found[:limit]),
            looked_at=sum(page.looked_at for page in pages),
        )

    return Way(name="indexed", look=look, exact=True, once=True, quick=True)


def _by_submission(store: Store, filters: JobFilter, names: Sequence[str]) -> Way:
    is_listed = filters.owner is None or not filters.tasks  # an index has these jobs and no others
    exact = not _hidden(filters) and filters.status is None
    exact = exact and (filters.time == "submitted" or not _is_timed(filters))
    where = _where(filters, until=filters.until)

    def find(cursor: str | None, limit: int) -> Listed:
        return store.find_jobs(where, names, limit=limit, cursor=cursor)

    def newest(cursor: str | None, limit: int) -> Listed:
        if filters.owner is not None:
            return store.list_owner(
                filters.owner, limit=limit, cursor=cursor, since=where.since, until=where.until, whole=False
            )
        return store.list_tasks(
            filters.tasks or names,
            limit=limit,
            cursor=cursor,
            since=where.since,
            until=where.until,
            whole=False,
        )

    plain = exact and is_listed and not filters.id_prefix
    return Way(
        name="submitted",
        look=newest if plain else find,
        exact=exact,
        once=bool(filters.id_prefix) or not is_listed,
    )


def _where(filters: JobFilter, *, until: int | None = None) -> IndexFilter:
    """Return what the indexes can tell of a filter.

    Args:
        filters: the filter.
        until: a bound of the submission that follows from one of another time.
    """
    by_submission = filters.time == "submitted"
    return IndexFilter(
        tasks=filters.tasks,
        owner=filters.owner,
        id_prefix=filters.id_prefix.lower(),
        since=filters.since if by_submission else 0,
        until=filters.until if by_submission and until is None else until,
    )


def _hidden(filters: JobFilter) -> bool:
    """Return whether a filter is about what no index tells."""
    asked = (filters.tenant, filters.queue, filters.error_type, filters.fingerprint, filters.longer_than)
    return any(each is not None for each in asked)


def _is_timed(filters: JobFilter) -> bool:
    return bool(filters.since) or filters.until is not None
