"""Looking for jobs by what is known of them: status, task, owner, time, error and more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from serverless_tasks.client.job_filter import JobFilter, duration, queue_wait
from serverless_tasks.client.members import members_of
from serverless_tasks.engine.job.job_id import uuid_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serverless_tasks.engine.job.record import Record
    from serverless_tasks.engine.services import Services
    from serverless_tasks.engine.store.base import Page, Store

__all__ = ["JobFilter", "JobsPage", "duration", "known_names", "queue_wait", "search_jobs"]

# What is not indexed is looked for in jobs one after another: in about so many for a page. Its cursor goes on.
LOOKED_AT: Final = 500
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
        looked_back_to: how far back, milliseconds since the epoch; None when all was seen.
    """

    records: tuple[Record, ...]
    cursor: str | None
    looked_at: int
    looked_back_to: int | None


def known_names(services: Services) -> tuple[str, ...]:
    """Return the names of all tasks that this process knows, and of groups and chains that were given no name.

    Args:
        services: the services to use.
    """
    return tuple(sorted({*(task.name for task in services.registry.listed()), *GROUPS}))


def search_jobs(
    store: Store,
    filters: JobFilter,
    *,
    limit: int,
    cursor: str | None = None,
    names: Sequence[str] = (),
) -> JobsPage:
    """Return a page of jobs, newest first.

    Args:
        store: where they are.
        filters: which.
        limit: how many at most, about.
        cursor: where the last page ended.
        names: the tasks that are searched where neither the filter nor an index names any; see `known_names`.

    Raises:
        InvalidCursor: no page has given that cursor.
        TaskNotFound: nothing is known of the filter's group.
        WorkflowError: it is no group.
        AwsError: the store could not be asked.
    """
    now = store.clock.now()
    if (uuid := uuid_in(filters.id_prefix)) is not None:
        record = store.read(uuid, whole=False)
        found = (record,) if record is not None and filters.fits(record, now) else ()
        return JobsPage(records=found, cursor=None, looked_at=0 if record is None else 1, looked_back_to=None)
    found_so_far: list[Record] = []
    looked_at = 0
    while True:
        page = _some(store, filters, limit, cursor, names)
        found_so_far += (record for record in page.records if filters.fits(record, now))
        looked_at += limit
        cursor = page.cursor
        if cursor is None or len(found_so_far) >= limit or looked_at >= LOOKED_AT:
            back_to = page.records[-1].created if cursor is not None and page.records else None
            return JobsPage(
                records=tuple(found_so_far), cursor=cursor, looked_at=looked_at, looked_back_to=back_to
            )


def _some(store: Store, filters: JobFilter, limit: int, cursor: str | None, names: Sequence[str]) -> Page:
    where: dict[str, Any] = {"limit": limit, "cursor": cursor, "whole": False}
    if filters.group is not None:
        return members_of(store, filters.group, **where)
    since = filters.since if filters.time == "submitted" else 0
    if filters.owner is None:
        tasks = filters.tasks or tuple(names)
        return store.list_tasks(tasks, since=since, until=filters.until, **where)
    return store.list_owner(filters.owner, since=since, **where)
