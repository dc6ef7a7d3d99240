"""The index of states: which jobs failed, were cancelled, or wait long, the latest first."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from serverless_tasks.engine.aws.dynamodb.index_query import selection
from serverless_tasks.engine.aws.dynamodb.listing import Found
from serverless_tasks.engine.aws.dynamodb.manifest import PK, SK
from serverless_tasks.engine.store.items import INDEXED_SHARDS, index_key
from serverless_tasks.engine.store.listing import cursor_at, place_at, read_cursor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serverless_tasks.engine.aws.dynamodb.index_query import IndexPage, Selection
    from serverless_tasks.engine.aws.dynamodb.items import TableItems
    from serverless_tasks.engine.store.items import Item
    from serverless_tasks.engine.store.listing import IndexFilter

# As many states of a shard are looked at first where a filter leaves some out. Where that does not do, a page of
# DynamoDB's is: 1 MB, some thousands. So a page of this index is eight queries at most.
FIRST: Final = 500


class StateIndex:
    """The states that the index by task lists under their status.

    Args:
        items: the table's items.
    """

    def __init__(self, items: TableItems) -> None:
        self._items = items
        self._since: int | None = None

    def page(
        self,
        status: str,
        where: IndexFilter | None,
        limit: int,
        cursor: str | None,
        since: int = 0,
        until: int | None = None,
    ) -> Found:
        """Return the index's items of a status, the latest first; see `Store.list_states`.

        Raises:
            InvalidCursor: the cursor is not one of ours.
        """
        before = read_cursor(cursor) if cursor else "~" if until is None else place_at(until)
        after = place_at(since) if since else ""
        if before < after:  # DynamoDB refuses such a range
            return Found([], None, 0)
        only = selection(where)
        with ThreadPoolExecutor(INDEXED_SHARDS, thread_name_prefix="listing") as pool:

            def ask(positions: dict[int, str], size: int | None) -> dict[int, IndexPage]:
                pages = pool.map(
                    lambda number: self._shard(status, number, positions[number], after, size, only),
                    positions,
                )
                return dict(zip(positions, pages, strict=True))

            pages = ask(dict.fromkeys(range(INDEXED_SHARDS), before), limit + 1 if only is None else FIRST)
            looked_at = sum(page.looked_at for page in pages.values())
            items = _items(pages, where)
            ends = _ends(pages)
            if only is not None and ends and len(_seen_whole(items, ends)) <= limit:
                pages = ask(ends, None)
                looked_at += sum(page.looked_at for page in pages.values())
                items += _items(pages, where)
                ends = _ends(pages)
        found = _seen_whole(items, ends)
        page = found[:limit]
        end = max(ends.values(), default=None)
        if len(found) > limit:
            end = str(page[-1]["created_uuid"])
        return Found(page, None if end is None else cursor_at(end), len(page) if only is None else looked_at)

    def since(self) -> int | None:
        """Return since when the index is whole, as the manifest says, or None where it does not say so."""
        if self._since is None:
            item = self._items.get_many([PK], SK, ("indexed_since",)).get(PK, {})
            self._since = item.get("indexed_since")
        return self._since

    def _shard(
        self, status: str, number: int, before: str, after: str, size: int | None, only: Selection | None
    ) -> IndexPage:
        key = index_key(status, number)
        return self._items.newest(
            "by_task", "task_day", key, before=before, after=after, limit=size, only=only
        )


def _items(pages: Mapping[int, IndexPage], where: IndexFilter | None) -> list[Item]:
    items = [item for page in pages.values() for item in page.items]
    # DynamoDB compares with at most a hundred names.
    return items if where is None else [item for item in items if where.fits(item)]


def _ends(pages: Mapping[int, IndexPage]) -> dict[int, str]:
    return {number: page.end for number, page in pages.items() if page.end is not None}


def _seen_whole(items: list[Item], ends: dict[int, str]) -> list[Item]:
    """Return the items, the latest first, back to where the first of the shards has stopped."""
    end = max(ends.values(), default="")
    whole = [item for item in items if item["created_uuid"] >= end]
    return sorted(whole, key=lambda item: str(item["created_uuid"]), reverse=True)
