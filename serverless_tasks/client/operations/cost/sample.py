"""Costs by owner and by tenant, estimated from a sample of jobs, since counts are kept by task alone.

The jobs of each task are looked at in several places of the time, between any two of which equally many were submitted:
a burst of one tenant is then in the sample as it is among all jobs.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from serverless_tasks.client.search import JobFilter, search_jobs
from serverless_tasks.client.ways import LOOKED_AT
from serverless_tasks.engine.job.record import PENDING, iso
from serverless_tasks.engine.statistics.items import HOUR_MS
from serverless_tasks.engine.store.items import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from serverless_tasks.client.operations.cost.costs import Costs, TaskCost
    from serverless_tasks.engine.job.record import Record
    from serverless_tasks.engine.store.base import Store

# Jobs that are looked at, and places in which they are looked for, about: each takes a query of every shard of a day.
JOBS: Final = 600
PLACES: Final = 24
# All jobs of a task that has few are looked at where the time is not longer, since each of its days takes as many.
LONGEST: Final = 8 * DAY_MS
OWNER: Final = "owner"
TENANT: Final = "tenant"


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The part of an owner or a tenant in the costs.

    Attributes:
        name: the owner or the tenant; None for jobs without one.
        jobs: about how many jobs.
        dollars: about how much they have cost.
        seen: how many of them are in the sample.
    """

    name: str | None
    jobs: float
    dollars: float
    seen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CostSample:
    """Costs by owner or tenant, as a sample tells them.

    Attributes:
        by: ``owner`` or ``tenant``.
        shares: the parts, the dearest first.
        unknown: dollars of tasks of which the sample has no job.
        looked_at: how many jobs are in the sample.
        oldest: when the first of them was submitted, milliseconds since the epoch; None of no jobs.
        newest: when the last of them was.
    """

    by: str
    shares: tuple[Share, ...]
    unknown: float
    looked_at: int
    oldest: int | None = None
    newest: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "by": self.by,
            "estimated": True,
            "looked_at": self.looked_at,
            "oldest": iso(self.oldest),
            "newest": iso(self.newest),
            "unknown_dollars": self.unknown,
            "shares": [
                {
                    self.by: each.name,
                    "jobs": round(each.jobs),
                    "dollars": each.dollars,
                    "dollars_per_job": each.dollars / each.jobs if each.jobs else None,
                    "sampled": each.seen,
                }
                for each in self.shares
            ],
        }


def sample_costs(
    store: Store, costs: Costs, by: str, *, jobs: int = JOBS, places: int = PLACES
) -> CostSample:
    """Estimate costs by owner or tenant.

    The jobs of the sample share what their task has cost: that of the time by their own, the rest equally.

    Args:
        store: where the jobs are.
        costs: the costs by task.
        by: ``owner`` or ``tenant``.
        jobs: how many jobs to look at, at most.
        places: in how many places, about; the dearest tasks have the most.

    Raises:
        AwsError: the store could not be asked.
    """
    dollars: defaultdict[str | None, float] = defaultdict(float)
    numbers: defaultdict[str | None, float] = defaultdict(float)
    seen: defaultdict[str | None, int] = defaultdict(int)
    times: list[int] = []
    unknown = 0.0
    now = store.clock.now()
    for cost, count, size in _plan(costs, jobs, places):
        records = _sampled(store, costs, cost, count, size) if count else []
        times += [record.created for record in records]
        if not records:
            unknown += cost.dollars
        for record, weight in zip(records, _weights(cost, records, now), strict=True):
            name = getattr(record, by)
            dollars[name] += weight
            numbers[name] += cost.jobs / len(records)
            seen[name] += 1
    shares = [
        Share(name=name, jobs=numbers[name], dollars=cost, seen=seen[name]) for name, cost in dollars.items()
    ]
    shares.sort(key=lambda each: (-each.dollars, each.name or ""))
    return CostSample(
        by=by,
        shares=tuple(shares),
        unknown=unknown,
        looked_at=len(times),
        oldest=min(times, default=None),
        newest=max(times, default=None),
    )


def _plan(costs: Costs, jobs: int, places: int) -> Iterator[tuple[TaskCost, int, int]]:
    """Yield each task with the number of places, and of jobs in each: 0 for the cheapest of very many tasks."""
    tasks = costs.tasks[:places]
    counts = [max(1, int(places * costs.share(each.dollars))) for each in tasks]
    size = max(1, jobs // max(1, sum(counts)))
    for task, count in zip(tasks, counts, strict=True):
        yield task, count, size
    for task in costs.tasks[places:]:
        yield task, 0, 0


def _sampled(store: Store, costs: Costs, cost: TaskCost, places: int, size: int) -> list[Record]:
    """Return jobs of a task: all of few, else the newest of several hours, many of one in which many were submitted."""
    few = cost.total.submitted <= places * size and costs.until - costs.since <= LONGEST
    hours = {costs.until: places} if few else _hours(cost, places)
    found: dict[str, Record] = {}
    for end, count in hours.items():
        since = costs.since if few else max(costs.since, end - DAY_MS)
        filters = JobFilter(tasks=(cost.task,), since=since, until=end)
        for record in _newest(store, filters, count * size):
            if record.attempt or record.ended:
                found[record.uuid] = record
    return list(found.values())


def _newest(store: Store, filters: JobFilter, most: int) -> list[Record]:
    found: list[Record] = []
    cursor = None
    while len(found) < most:
        page = search_jobs(store, filters, limit=min(LOOKED_AT, most - len(found)), cursor=cursor)
        found += page.records
        cursor = page.cursor
        if cursor is None:
            break
    return found


def _hours(cost: TaskCost, places: int) -> dict[int, int]:
    """Return the ends of hours with the number of places in each, between any two of which as many were submitted."""
    total = cost.total.submitted
    wanted = [(place + 0.5) * total / places for place in range(places)]
    hours: dict[int, int] = {}
    before = 0
    for hour in cost.hours:
        before += hour.counts.submitted
        while wanted and wanted[0] <= before:
            wanted.pop(0)
            hours[hour.start + HOUR_MS] = hours.get(hour.start + HOUR_MS, 0) + 1
    return hours


def _weights(cost: TaskCost, records: Sequence[Record], now: float) -> list[float]:
    """Return the dollars of each job of a sample, all of which stand for the whole task."""
    if not records:
        return []
    seconds = [_seconds(record, now) for record in records]
    whole, rest = sum(seconds), (cost.dollars - cost.time) / len(records)
    return [rest + (cost.time * each / whole if whole else cost.time / len(records)) for each in seconds]


def _seconds(record: Record, now: float) -> float:
    """Return about how long a job's attempts ran: its last one is known."""
    if record.attempted is None or record.status == PENDING:  # it waits for another attempt
        return 0.0
    end = now * 1000 if record.finished is None else record.finished
    return max(0.0, end - record.attempted) / 1000 * max(1, record.attempt)
