"""Looking for jobs by what is known of them: task, owner, status, time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from serverless_tasks.engine.store.base import Page

if TYPE_CHECKING:
    from serverless_tasks.engine.job.record import Record
    from serverless_tasks.engine.store.base import Store

# Statuses are not indexed: at most this many jobs are read for a page, and the cursor continues after them.
LOOKED_AT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The filter of a search for jobs.

    Attributes:
        tasks: names of tasks; with an owner, those among the owner's jobs, and none means all of them.
        owner: whose jobs, or None for everybody's, those without an owner among them.
        status: ``pending``, ``running``..., or None for all.
        since: the earliest time of submission, milliseconds since the epoch.
    """

    tasks: tuple[str, ...]
    owner: str | None = None
    status: str | None = None
    since: int = 0

    def fits(self, record: Record) -> bool:
        """Return whether a job matches; the store has filtered by owner and time already."""
        named = not self.tasks or record.task in self.tasks
        return named and (self.status is None or record.status == self.status)


def search_jobs(store: Store, filters: Wanted, *, limit: int, cursor: str | None = None) -> Page:
    """A page of jobs, newest first, without the outputs that lie in the bucket: hundreds are looked at for one page.

    Args:
        store: where they are.
        filters: which.
        limit: how many are enough: a page has fewer only when no more were found among `LOOKED_AT`, and twice as
            many at most.
        cursor: where the last page ended.

    Raises:
        InvalidCursor: no page has given that cursor.
        AwsError: the store could not be asked.
    """
    found: list[Record] = []
    looked_at = 0
    while True:
        where: dict[str, Any] = {"limit": limit, "cursor": cursor, "since": filters.since, "whole": False}
        if filters.owner is None:
            page = store.list_tasks(filters.tasks, **where)
        else:
            page = store.list_owner(filters.owner, **where)
        found += filter(filters.fits, page.records)
        looked_at += limit
        cursor = page.cursor
        if cursor is None or len(found) >= limit or looked_at >= LOOKED_AT:
            return Page(records=tuple(found), cursor=cursor)
