"""Reading the counts of tasks: totals, percentiles and hours of a time, compared with the time before it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from serverless_tasks.engine.job.record import iso
from serverless_tasks.engine.statistics.counts import Counts
from serverless_tasks.engine.statistics.items import HOUR_MS, hour_of, hour_start, whole_hours

if TYPE_CHECKING:
    from collections.abc import Iterable

    from serverless_tasks.engine.services import Services
    from serverless_tasks.engine.statistics.base import StatisticsStore

# A task is slower when its median or its 95th percentile has grown by so much, and by as many seconds; both times need
# so many attempts, of which the 95th percentile of fewer is an accident.
ENOUGH: Final = 100
SLOWER_P50: Final = 1.25
SLOWER_P95: Final = 1.5
NOTICEABLE: Final = 0.01


class Pace(StrEnum):
    """The comparison of a task's durations with those of the time before.

    Attributes:
        SLOWER: its median is longer by a quarter, or its 95th percentile by half.
        FASTER: it is not slower, and the time before was slower than it.
        STEADY: neither.
        UNKNOWN: there are too few attempts to say.
    """

    SLOWER = "slower"
    FASTER = "faster"
    STEADY = "steady"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """An hour of a task.

    Attributes:
        start: when it begins, milliseconds since the epoch.
        counts: its counts; all zero where nothing was counted.
    """

    start: int
    counts: Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStatistics:
    """The counts of a task in a time of whole hours.

    Attributes:
        task: the task's name.
        since: when the first hour begins, milliseconds since the epoch.
        until: when the last hour ends.
        total: the counts of all hours.
        before: those of as many hours before.
        hours: every hour, the earliest first.
        pace: whether it is getting slower.
    """

    task: str
    since: int
    until: int
    total: Counts
    before: Counts
    hours: tuple[Hour, ...]
    pace: Pace

    @property
    def seen(self) -> bool:
        """True if anything was counted, in this time or in the one before."""
        return any(counts != Counts() for counts in (self.total, self.before))

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON; of the hours those with counts."""
        return {
            "task": self.task,
            "since": iso(self.since),
            "until": iso(self.until),
            "pace": self.pace.value,
            "total": self.total.to_json(),
            "before": self.before.to_json(),
            "hours": [
                {"hour": iso(hour.start), **hour.counts.to_json()}
                for hour in self.hours
                if hour.counts != Counts()
            ],
        }


def task_statistics(store: StatisticsStore, task: str, *, since: int, until: int) -> TaskStatistics:
    """Read the counts of a task, for as long a time before as well, with one query of the table for each megabyte.

    Args:
        store: where they are.
        task: the task's name.
        since: the time's beginning, milliseconds since the epoch; its whole hour is read.
        until: its end, exclusive; the whole hour of the moment before it is read.

    Raises:
        AwsError: the store could not be asked.
    """
    starts = whole_hours(since, until)
    first, end = starts[0], starts[-1] + HOUR_MS
    start = first - (end - first)
    counted = store.hours(task, hour_of(start), hour_of(end))
    known = {hour_start(hour): counts for hour, counts in counted.items()}
    hours = tuple(Hour(start=each, counts=known.get(each, Counts())) for each in starts)
    total = sum((hour.counts for hour in hours), Counts())
    before = sum((counts for each, counts in known.items() if each < first), Counts())
    return TaskStatistics(
        task=task,
        since=first,
        until=end,
        total=total,
        before=before,
        hours=hours,
        pace=pace_of(total, before),
    )


def all_statistics(
    store: StatisticsStore, tasks: Iterable[str], *, since: int, until: int
) -> list[TaskStatistics]:
    """Read the counts of several tasks; those of which nothing was counted are left out. See `task_statistics`."""
    found = (task_statistics(store, task, since=since, until=until) for task in tasks)
    return [statistics for statistics in found if statistics.seen]


def known_tasks(services: Services) -> list[str]:
    """Return the names of the tasks whose code is here, and of those that the manifest of the deployed build has."""
    here = (name for task in services.registry for name in (task.name, *task.aliases))
    return sorted({*here, *services.deployed_tasks.names()})


def pace_of(now: Counts, before: Counts) -> Pace:
    """Return whether a task's attempts take longer than before, by the rule of `Pace`."""
    if min(now.duration.count, before.duration.count) < ENOUGH:
        return Pace.UNKNOWN
    if _is_slower(now, before):
        return Pace.SLOWER
    return Pace.FASTER if _is_slower(before, now) else Pace.STEADY


def _is_slower(now: Counts, before: Counts) -> bool:
    for percent, factor in ((50, SLOWER_P50), (95, SLOWER_P95)):
        later, earlier = now.duration.percentile(percent), before.duration.percentile(percent)
        if later is None or earlier is None:
            continue
        if later >= earlier * factor and later - earlier >= NOTICEABLE:
            return True
    return False
