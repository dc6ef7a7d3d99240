"""The listings of a table: by owner, by task, and by the status of those that did not succeed or wait long."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from serverless_tasks.engine.aws.dynamodb.listing import Found, Listing
from serverless_tasks.engine.aws.dynamodb.manifest import Beginning
from serverless_tasks.engine.aws.dynamodb.state_index import StateIndex
from serverless_tasks.engine.store.items import OWNER_SHARDS, TASK_SHARDS
from serverless_tasks.engine.store.listing import IndexFilter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serverless_tasks.engine.aws.dynamodb.items import TableItems
    from serverless_tasks.engine.job.clock import Clock

# As many queries look for jobs before a page ends that has not found enough: those of one day, if these are more.
SEARCHED: Final = 128


class Listings:
    """The listings of a table.

    Args:
        items: the table's items.
        clock: the time.
    """

    def __init__(self, items: TableItems, clock: Clock) -> None:
        beginning = Beginning(items, clock)
        self._by_owner = Listing(items, clock, "by_owner", "owner_day", OWNER_SHARDS, beginning)
        self._by_task = Listing(items, clock, "by_task", "task_day", TASK_SHARDS, beginning)
        self.by_status = StateIndex(items)

    def of_owner(
        self,
        owner: str,
        limit: int,
        cursor: str | None,
        since: int = 0,
        until: int | None = None,
        *,
        anew: bool = False,
    ) -> Found:
        """Return an owner's items; see `Store.list_owner` and `Listing.page`.

        Raises:
            InvalidCursor: the cursor is not one of ours.
        """
        where = IndexFilter(since=since, until=until)
        return self._by_owner.page([owner], where, limit, cursor, anew=anew)

    def of_tasks(
        self, tasks: Sequence[str], limit: int, cursor: str | None, since: int = 0, until: int | None = None
    ) -> Found:
        """Return the items of several tasks; see `Store.list_tasks`.

        Raises:
            InvalidCursor: the cursor is not one of ours.
        """
        return self._by_task.page(tasks, IndexFilter(since=since, until=until), limit, cursor)

    def find(self, where: IndexFilter, names: Sequence[str], limit: int, cursor: str | None) -> Found:
        """Return the items of the index that holds what a filter is about; see `Store.find_jobs`.

        Raises:
            InvalidCursor: the cursor is not one of ours.
        """
        if where.owner is not None:
            others = replace(where, owner=None)  # its key says so
            return self._by_owner.page([where.owner], others, limit, cursor, most=SEARCHED)
        others = replace(where, tasks=())
        return self._by_task.page(where.tasks or names, others, limit, cursor, most=SEARCHED)
