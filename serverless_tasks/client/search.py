"""Looking for jobs by what is known of them: status, task, owner, time, error and more."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from serverless_tasks.client.job_filter import JobFilter
from serverless_tasks.client.ways import LOOKED_AT, ways_of
from serverless_tasks.errors import InvalidCursor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serverless_tasks.client.ways import Way
    from serverless_tasks.engine.job.record import Record
    from serverless_tasks.engine.services import Services
    from serverless_tasks.engine.store.base import Store

__all__ = ["JobFilter", "JobsPage", "known_names", "search_jobs"]

# The names of groups and chains that were given none.
GROUPS: Final = ("chain", "group")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsPage:
    """A page of a search.

    Attributes:
        records: the jobs, as their states alone tell of them: without messages, and without outputs and texts of
            errors that are kept beside the state.
        cursor: asks for the next page, or to look further back; None at the end.
        looked_at: how many jobs were looked at.
        looked_back_to: how far back, milliseconds since the epoch; None when all was seen, for a group's members, and
            where the next page is of jobs that workers of the version before have ended, which no index lists.
    """

    records: tuple[Record, ...]
    cursor: str | None
    looked_at: int
    looked_back_to: int | None


def known_names(services: Services) -> tuple[str, ...]:
    """Return the names of the tasks that this process and the deployed build have, and the common ones of groups.

    Args:
        services: the services to use.
    """
    here = (name for task in services.registry.listed() for name in (task.name, *task.aliases))
    return tuple(sorted({*here, *services.deployed_tasks.names(), *GROUPS}))


def by_all_names(services: Services, filters: JobFilter) -> JobFilter:
    """Return a filter that asks for its tasks under the names that they had before, too; see `BaseTask.aliases`."""
    if not filters.tasks:
        return filters
    names: dict[str, None] = {}
    for task in filters.tasks:
        here = task in services.registry
        names |= dict.fromkeys(
            services.registry.names_of(task) if here else services.deployed_tasks.names_of(task)
        )
    return replace(filters, tasks=tuple(names))


def search_jobs(
    store: Store,
    filters: JobFilter,
    *,
    limit: int,
    cursor: str | None = None,
    names: Sequence[str] = (),
) -> JobsPage:
    """Return a page of jobs, newest first: the failed, the cancelled and those that wait long by when they began to be
    so, members of a group by their index, and others by their submission.

    A page ends when it is full, or when `LOOKED_AT` jobs were looked at; where an index lists the jobs of the filter,
    it costs at most eight queries however many there are.

    Args:
        store: where they are.
        filters: which.
        limit: how many at most.
        cursor: where the last page ended.
        names: the tasks that are searched where neither the filter nor an index names any; see `known_names`.

    Raises:
        InvalidCursor: no page has given that cursor.
        TaskNotFound: nothing is known of the filter's group.
        WorkflowError: it is no group.
        AwsError: the store could not be asked.
    """
    ways = ways_of(store, filters, names)
    number, inner = _read_cursor(cursor, ways)
    looked_at = 0
    while True:
        way = ways[number]
        page = _look(way, filters, limit, inner, store.clock.now())
        looked_at += page.looked_at
        if page.cursor is not None:
            return replace(page, cursor=f"{way.name}.{page.cursor}", looked_at=looked_at)
        number, inner = number + 1, None
        if number == len(ways) or not ways[number].is_needed():
            return replace(page, looked_at=looked_at)
        if page.records or not way.quick:
            return replace(page, cursor=f"{ways[number].name}.", looked_at=looked_at)


def _look(way: Way, filters: JobFilter, limit: int, cursor: str | None, now: float) -> JobsPage:
    """Return what one way finds, with its own cursor."""
    found: list[Record] = []
    looked_at = 0
    size = limit if way.exact else LOOKED_AT if way.once else min(2 * limit, LOOKED_AT)
    while True:
        listed = way.look(cursor, size)
        looked_at += listed.looked_at
        cursor = listed.cursor
        for index, (record, position) in enumerate(zip(listed.records, listed.positions, strict=True), 1):
            if filters.fits(record, now):
                found.append(record)
                if len(found) == limit:
                    cursor = way.cursor_at(position) if index < len(listed.records) else cursor
                    break
        done = cursor is None or len(found) >= limit or looked_at >= LOOKED_AT
        if done or way.once or listed.looked_at < size:
            break
        size = LOOKED_AT - looked_at
    back_to = None if cursor is None else way.moment_of(cursor)
    return JobsPage(records=tuple(found), cursor=cursor, looked_at=looked_at, looked_back_to=back_to)


def _read_cursor(cursor: str | None, ways: Sequence[Way]) -> tuple[int, str | None]:
    """Return the number of the way that a cursor goes on with, and this way's own cursor.

    Raises:
        InvalidCursor: no page of these ways has given it.
    """
    if cursor is None:
        return 0, None
    name, _, inner = cursor.partition(".")
    for number, way in enumerate(ways):
        if way.name == name:
            return number, inner or None
    raise InvalidCursor(f"The cursor {cursor[:100]!r} was not returned by a page of this search.")
