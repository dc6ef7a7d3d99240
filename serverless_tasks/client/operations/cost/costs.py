"""What tasks have cost, from what workers have counted, at the prices of the table that `estimate` uses too."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from serverless_tasks.client.operations.cost.model import (
    LOGGED_ATTEMPT,
    LOGGED_BATCH,
    Usage,
    dollars,
    time_dollars,
)
from serverless_tasks.client.operations.statistics import Hour
from serverless_tasks.engine.job.record import iso
from serverless_tasks.engine.statistics.counts import Counts
from serverless_tasks.engine.statistics.items import HOUR_MS, hour_of, whole_hours
from serverless_tasks.engine.store.items import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from serverless_tasks.client.operations.cost.prices import Prices
    from serverless_tasks.engine.services import Services
    from serverless_tasks.engine.statistics.base import StatisticsStore

# A use -> what is counted of it: by the attempts and their batches, and of the submissions.
_COUNTED: Final = {
    "sqs": ("sqs_requests",),
    "writes": ("dynamodb_write_units", "statistics_write_units"),
    "reads": ("dynamodb_read_units",),
    "s3_puts": ("s3_puts",),
    "s3_gets": ("s3_gets",),
    "invocations": ("lambda_requests",),
    "arm_gb_seconds": ("arm_gb_seconds",),
    "schedules": ("schedules",),
}
_SUBMITTED: Final = {
    "sqs": ("submit_sqs_requests",),
    "writes": ("submit_write_units",),
    "s3_puts": ("submit_s3_puts",),
    "schedules": ("submit_schedules",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCost:
    """The cost of a task in a time of whole hours, in dollars.

    Attributes:
        task: the task's name.
        total: what was counted of it.
        submitting: the cost of its submissions by service, as workers reckon it from the messages.
        running: the cost of its attempts by service, as it was counted; that of logs is reckoned from their number.
        time: of ``running``, the part for the GB-seconds of Lambda.
        hours: each hour with its counts, the earliest first.
        by_hour: the cost of each of these hours by service.
    """

    task: str
    total: Counts
    submitting: Mapping[str, float]
    running: Mapping[str, float]
    time: float
    hours: tuple[Hour, ...]
    by_hour: tuple[Mapping[str, float], ...]

    @property
    def by_service(self) -> dict[str, float]:
        """The cost by service."""
        return added((self.running, self.submitting))

    @property
    def dollars(self) -> float:
        """The whole cost."""
        return sum(self.by_service.values())

    @property
    def jobs(self) -> int:
        """The jobs that ended in this time."""
        return self.total.ended

    @property
    def a_job(self) -> float | None:
        """The cost for each job that ended, or None where none has."""
        return self.dollars / self.jobs if self.jobs else None

    @property
    def by_day(self) -> dict[int, float]:
        """The cost of each day of UTC: when it begins, milliseconds since the epoch."""
        days: dict[int, float] = {}
        for hour, cost in zip(self.hours, self.by_hour, strict=True):
            day = hour.start // DAY_MS * DAY_MS
            days[day] = days.get(day, 0.0) + sum(cost.values())
        return days

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "task": self.task,
            "jobs": self.jobs,
            "dollars": self.dollars,
            "dollars_per_job": self.a_job,
            "submitting": dict(self.submitting),
            "running": dict(self.running),
            "gb_seconds": self.total.gb_seconds,
            "calls": dict(sorted(self.total.calls.items())),
            "days": [
                {"day": str(iso(day))[:10], "dollars": each} for day, each in self.by_day.items() if each
            ],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """The costs of tasks in a time.

    Attributes:
        since: when the first hour begins, milliseconds since the epoch.
        until: when the last hour ends.
        tasks: the tasks that have cost something, the dearest first.
        prices: the prices.
        prices_from: where prices in place of the table's are from; "" where there are none.
        region: the region of the stack, or None where that is not known.
    """

    since: int
    until: int
    tasks: tuple[TaskCost, ...]
    prices: Prices
    prices_from: str = ""
    region: str | None = None

    @property
    def dollars(self) -> float:
        """All tasks together."""
        return sum(each.dollars for each in self.tasks)

    @property
    def jobs(self) -> int:
        """The jobs that ended."""
        return sum(each.jobs for each in self.tasks)

    @property
    def by_service(self) -> dict[str, float]:
        """The cost by service, of all tasks."""
        return added(each.by_service for each in self.tasks)

    @property
    def elsewhere(self) -> bool:
        """True if the prices are those of another region than the stack's."""
        return self.region not in (None, self.prices.region)

    def share(self, cost: float) -> float:
        """Return a cost as a part of all, from 0 to 1."""
        return cost / self.dollars if self.dollars else 0.0

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "since": iso(self.since),
            "until": iso(self.until),
            "prices": asdict(self.prices),
            "prices_from": self.prices_from or None,
            "region": self.region,
            "jobs": self.jobs,
            "dollars": self.dollars,
            "by_service": self.by_service,
            "tasks": [each.to_json() for each in self.tasks],
        }


def costs_of(
    store: StatisticsStore,
    tasks: Iterable[str],
    prices: Prices,
    *,
    since: int,
    until: int,
    prices_from: str = "",
    region: str | None = None,
) -> Costs:
    """Return the costs of tasks in a time, with one query of the table for each megabyte of a task's counts.

    Args:
        store: where the counts are.
        tasks: the tasks' names.
        prices: the prices.
        since: the time's beginning, milliseconds since the epoch; its whole hour is read.
        until: its end, exclusive; the whole hour of the moment before it is read.
        prices_from: where prices in place of the table's are from.
        region: the region of the stack, or None.

    Raises:
        AwsError: the store could not be asked.
    """
    starts = whole_hours(since, until)
    first, end = starts[0], starts[-1] + HOUR_MS
    found = []
    for task in tasks:
        counted = store.hours(task, hour_of(first), hour_of(end))
        if counted:
            hours = [Hour(start=start, counts=counted.get(hour_of(start), Counts())) for start in starts]
            found.append(_task_cost(task, hours, prices))
    found.sort(key=lambda each: (-each.dollars, each.task))
    return Costs(
        since=first, until=end, tasks=tuple(found), prices=prices, prices_from=prices_from, region=region
    )


def region_of(services: Services) -> str | None:
    """Return the region of the table, or None where jobs run in this process."""
    if services.backend_kind.in_process and not services.config.table:
        return None
    from serverless_tasks.engine.aws.session import client

    return str(client("dynamodb").meta.region_name)


def counted_usage(counts: Counts) -> Usage:
    """Return what the attempts asked for: what was counted, and their logs as they are reckoned."""
    usage = _usage(counts, _COUNTED)
    logs = LOGGED_ATTEMPT * counts.duration.count + LOGGED_BATCH * usage.invocations
    return usage + Usage(gb_seconds=counts.gb_seconds, logs=logs if usage.invocations else 0.0)


def submitted_usage(counts: Counts) -> Usage:
    """Return what the submissions asked for, as workers have reckoned it."""
    return _usage(counts, _SUBMITTED)


def _usage(counts: Counts, uses: Mapping[str, Sequence[str]]) -> Usage:
    return Usage(**{use: sum(counts.calls.get(name, 0.0) for name in names) for use, names in uses.items()})


def _task_cost(task: str, hours: Sequence[Hour], prices: Prices) -> TaskCost:
    total = sum((hour.counts for hour in hours), Counts())
    running = counted_usage(total)
    return TaskCost(
        task=task,
        total=total,
        submitting=dollars(submitted_usage(total), prices),
        running=dollars(running, prices),
        time=time_dollars(running, prices),
        hours=tuple(hours),
        by_hour=tuple(
            dollars(counted_usage(hour.counts) + submitted_usage(hour.counts), prices) for hour in hours
        ),
    )


def added(costs: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Return costs by service, added up."""
    total: dict[str, float] = {}
    for each in costs:
        for name, cost in each.items():
            total[name] = total.get(name, 0.0) + cost
    return total
