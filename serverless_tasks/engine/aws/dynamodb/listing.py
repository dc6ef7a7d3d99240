"""Listings by the indexes, whose keys hold the day and a shard: day by day backwards, the shards merged."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.store.items import DAY_MS, LISTED_DAYS, Item, day_of
from serverless_tasks.errors import InvalidCursor

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from serverless_tasks.engine.aws.dynamodb.items import TableItems
    from serverless_tasks.engine.job.clock import Clock

# As many queries wait for their answers at one time.
AT_ONCE = 8
# What the indexes are sorted by: the time of creation and the uuid.
_POSITION = re.compile(r"[0-9]{13}#[0-9a-f-]{36}")


class Listing:
    """An index of the table.

    Args:
        items: the table's items.
        clock: the time.
        index: the index's name.
        key: its partition key, ``<value>#<day>#<shard>``.
        shards: how many shards a day has.
    """

    def __init__(self, items: TableItems, clock: Clock, index: str, key: str, shards: int) -> None:
        self._items = items
        self._clock = clock
        self._index = index
        self._key = key
        self._shards = shards

    def page(
        self,
        values: Sequence[str],
        limit: int,
        cursor: str | None,
        since: int = 0,
        until: int | None = None,
    ) -> tuple[list[Item], str | None]:
        """The index's items of these values, newest first, and the cursor of the next page.

        Days are asked in waves that double, 1, 2, 4 and so on, each wave's queries at one time: a page that the
        newest day fills costs one query a shard, and an empty listing is five waves and not thirty rounds.

        Args:
            values: the owner, or the tasks' names.
            limit: how many items at most.
            cursor: where the page before has ended, or None.
            since: the earliest submission that is wanted, milliseconds since the epoch.
            until: the first that is no longer wanted; None for all.

        Raises:
            InvalidCursor: the cursor is not one of ours.
        """
        from concurrent.futures import ThreadPoolExecutor  # a worker lists nothing: not in its cold start

        now = to_ms(self._clock.now())
        moment, before = (now, "~") if until is None else (until, f"{until:013d}")
        if cursor:
            moment, before = _read_cursor(cursor)
        moment = min(moment, now)  # a made-up cursor of the year 9999 would ask for every day until then
        found: list[Item] = []
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="listing") as pool:
            for days in _waves(moment, max(since // DAY_MS, now // DAY_MS - LISTED_DAYS) * DAY_MS):
                keys = [
                    f"{value}#{day}#{shard}"
                    for day in days
                    for value in values
                    for shard in range(self._shards)
                ]
                pages = pool.map(
                    lambda key: self._items.newest(self._index, self._key, key, before, limit + 1), keys
                )
                of_wave = [item for page in pages for item in page if item["created"] >= since]
                found += sorted(of_wave, key=lambda item: str(item["created_uuid"]), reverse=True)
                if len(found) > limit:
                    break
        page = found[:limit]
        return page, _cursor(page[-1]) if len(found) > limit else None


def _waves(moment: int, oldest: int) -> Iterator[list[str]]:
    size = 1
    while moment >= oldest:
        days = [moment - index * DAY_MS for index in range(size)]
        yield [day_of(day) for day in days if day >= oldest]
        moment -= size * DAY_MS
        size *= 2


def _cursor(last: Item) -> str:
    return base64.urlsafe_b64encode(str(last["created_uuid"]).encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[int, str]:
    """The moment and the sort key that a cursor stands for.

    Raises:
        InvalidCursor: it is not one of ours.
    """
    try:
        position = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except ValueError:
        position = ""
    if not _POSITION.fullmatch(position):
        raise InvalidCursor(f"The cursor {cursor[:100]!r} was not returned by a listing.")
    return int(position.split("#")[0]), position
