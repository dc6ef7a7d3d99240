"""Listings by the indexes, whose keys hold the day and a shard: day by day backwards, the shards merged."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from serverless_tasks.engine.aws.dynamodb.empty_days import EmptyDays
from serverless_tasks.engine.aws.dynamodb.index_query import selection
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.store.items import DAY_MS, LISTED_DAYS, Item, day_of
from serverless_tasks.engine.store.listing import cursor_at, moment_of, place_at, read_cursor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from serverless_tasks.engine.aws.dynamodb.index_query import IndexPage, Selection
    from serverless_tasks.engine.aws.dynamodb.items import TableItems
    from serverless_tasks.engine.aws.dynamodb.manifest import Beginning
    from serverless_tasks.engine.job.clock import Clock
    from serverless_tasks.engine.store.listing import IndexFilter

# As many queries wait for their answers at one time.
AT_ONCE: Final = 8
# So many days are asked before it is read when the table began.
FEW: Final = 3


@dataclass(frozen=True, slots=True)
class Found:
    """What a listing has found.

    Attributes:
        items: the items of the index, newest first.
        cursor: where it goes on; None when there is no more.
        looked_at: how many items were looked at.
    """

    items: list[Item]
    cursor: str | None
    looked_at: int


class Listing:
    """An index of the table.

    Args:
        items: the table's items.
        clock: the time.
        index: the index's name.
        key: its partition key, ``<value>#<day>#<shard>``.
        shards: how many shards a day has.
        beginning: when the table began.
    """

    def __init__(
        self, items: TableItems, clock: Clock, index: str, key: str, shards: int, beginning: Beginning
    ) -> None:
        self._items = items
        self._clock = clock
        self._index = index
        self._key = key
        self._shards = shards
        self._empty = EmptyDays(clock)
        self._beginning = beginning

    def page(
        self,
        values: Sequence[str],
        where: IndexFilter,
        limit: int,
        cursor: str | None,
        *,
        most: int | None = None,
        anew: bool = False,
    ) -> Found:
        """The index's items of these values that a filter selects, newest first.

        Days are asked in waves that double, 1, 2, 4 and so on, each wave's queries at one time: a page that the
        newest day fills costs one query a shard, and an empty listing is five waves and not thirty rounds. A day that
        was seen empty is not asked again; see `EmptyDays`. Nor are days before the table's, once three have been asked;
        see `Beginning`.

        Args:
            values: the owner, or the tasks' names.
            where: which. Where it leaves some out by more than their time, or ``most`` is given, a page may have fewer
                items than ``limit`` although it has a cursor.
            limit: how many items at most.
            cursor: where the page before has ended, or None.
            most: how many queries at most, but for those of the first day; None for as many as it takes.
            anew: ask for all days, also for those that were seen empty.

        Raises:
            InvalidCursor: the cursor is not one of ours.
        """
        before = read_cursor(cursor) if cursor else "~" if where.until is None else place_at(where.until)
        only = selection(replace(where, since=0, until=None))
        found: list[Item] = []
        looked_at, asked, end = 0, 0, None
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="listing") as pool:
            for wave in self._waves(values, before, where.since, anew=anew):
                days = wave if most is None else self._affordable(wave, most - asked, least=0 if asked else 1)
                asked += self._queries(days)
                pages = self._ask(pool, days, before, limit + 1 if only is None else None, only)
                looked_at += sum(page.looked_at for page in pages)
                end = max((page.end for page in pages if page.end is not None), default=None)
                items = [item for page in pages for item in page.items if where.fits(item)]
                found += _newest_first(item for item in items if end is None or item["created_uuid"] >= end)
                if end is None and len(days) < len(wave):
                    end = _last_of(wave[len(days)].number)
                if end is not None or len(found) > limit:
                    break
        page = found[:limit]
        if len(found) > limit:
            end = str(page[-1]["created_uuid"])
        return Found(page, None if end is None else cursor_at(end), len(page) if only is None else looked_at)

    def _waves(
        self, values: Sequence[str], before: str, since: int, *, anew: bool
    ) -> Iterator[Sequence[_Day]]:
        """Yield the days that may hold something, the newest first, in waves."""
        days = self._days(values, before, since, anew=anew)
        start, size = 0, 1
        while start < len(days):
            if not anew:
                first = self._beginning.day(ask=start >= FEW)
                days = [day for day in days if day.number >= first]
            if wave := days[start : start + size]:
                yield wave
            start += size
            size *= 2

    def _days(self, values: Sequence[str], before: str, since: int, *, anew: bool) -> list[_Day]:
        """Return the days of which it is not known that they hold nothing, the newest first."""
        now = to_ms(self._clock.now())
        # A made-up cursor of the year 9999 would ask for every day until then.
        newest = now if before == "~" else min(moment_of(before), now)
        oldest = max(since // DAY_MS, now // DAY_MS - LISTED_DAYS)
        empty = {value: frozenset() if anew else self._empty.of(value) for value in dict.fromkeys(values)}
        days = (
            _Day(number, [value for value, known in empty.items() if number not in known])
            for number in range(newest // DAY_MS, oldest - 1, -1)
        )
        return [day for day in days if day.values]

    def _ask(
        self,
        pool: ThreadPoolExecutor,
        days: Sequence[_Day],
        before: str,
        limit: int | None,
        only: Selection | None,
    ) -> list[IndexPage]:
        """Return the pages of all shards of these days, and remember which days are empty."""
        asked = [(day.number, value) for day in days for value in day.values]
        keys = [
            f"{value}#{day_of(number * DAY_MS)}#{shard}"
            for number, value in asked
            for shard in range(self._shards)
        ]
        pages = list(
            pool.map(
                lambda key: self._items.newest(
                    self._index, self._key, key, before=before, limit=limit, only=only
                ),
                keys,
            )
        )
        for index, (number, value) in enumerate(asked):
            shards = pages[index * self._shards : (index + 1) * self._shards]
            is_whole = before == "~" or moment_of(before) >= (number + 1) * DAY_MS
            if is_whole and not any(page.looked_at or page.end for page in shards):
                self._empty.add(value, number)
        return pages

    def _queries(self, days: Sequence[_Day]) -> int:
        return sum(len(day.values) for day in days) * self._shards

    def _affordable(self, wave: Sequence[_Day], left: int, *, least: int) -> Sequence[_Day]:
        """Return the first days of a wave for which the queries that are left suffice, and so many in any case."""
        count = len(wave)
        while count > least and self._queries(wave[:count]) > left:
            count -= 1
        return wave[:count]


@dataclass(frozen=True, slots=True)
class _Day:
    number: int  # since the epoch
    values: list[str]


def _newest_first(items: Iterable[Item]) -> list[Item]:
    return sorted(items, key=lambda item: str(item["created_uuid"]), reverse=True)


def _last_of(day: int) -> str:
    """Return the last place of a day in a listing."""
    return f"{(day + 1) * DAY_MS - 1:013d}#ffffffff-ffff-ffff-ffff-ffffffffffff"
