"""The plan of the week: which job is submitted when, how long it takes, and how it ends. The same for a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.outage import tasks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serverless_tasks import Task

HOUR = 3600.0
DAY = 24 * HOUR
DAYS = 7
# The outage: the payment gateway is down for 90 minutes in the middle of the week.
OUTAGE_DAY, OUTAGE_FROM, OUTAGE_TO = 4, 10 * HOUR, 11.5 * HOUR
# From when the monthly reports take longer, in days before the end.
SLOWER = 1.0
# A tenant that floods a queue in the last half hour: how many jobs of 50,000.
FLOOD = 3_000
# From when no worker has the task of the search index, in seconds before the end, and its jobs from then on.
UNDEPLOYED, UNDEPLOYED_JOBS = HOUR / 2, 40
TENANTS = ("acme", "bertha", "corvus", "delta", "egon", "fabrik")
# Task, its share of the jobs, its seconds.
SHARES: tuple[tuple[type[Task], int, float], ...] = (
    (tasks.ChargeCard, 12, 0.9),
    (tasks.SendInvoice, 12, 0.6),
    (tasks.Refund, 2, 1.2),
    (tasks.ReserveStock, 12, 0.2),
    (tasks.SyncStock, 6, 3.0),
    (tasks.PrintLabel, 10, 1.1),
    (tasks.TrackParcel, 14, 0.3),
    (tasks.Newsletter, 8, 0.4),
    (tasks.Receipt, 12, 0.3),
    (tasks.ResizePhoto, 6, 2.2),
    (tasks.MonthlyReport, 2, 4.0),
    (tasks.SearchIndex, 4, 0.5),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One job: when it is submitted (seconds since the epoch), of which task, for whom, and what it does."""

    at: float
    task: type[Task]
    tenant: str
    owner: str
    number: int
    seconds: float
    fails: str = ""


def plan(jobs: int, end: float, seed: int = 1) -> list[Planned]:
    """Return the jobs of the week that ends at ``end``, by the time of their submission."""
    chance = random.Random(seed)
    flood = jobs * FLOOD // 50_000
    usual = jobs - flood - UNDEPLOYED_JOBS
    planned = [*_usual(usual, end, chance), *_flood(flood, end, chance), *_undeployed(end, chance)]
    return sorted(planned, key=lambda job: job.at)


def outage(end: float) -> tuple[float, float]:
    """Return when the gateway is down, in the week that ends at ``end``."""
    midnight = (end - OUTAGE_DAY * DAY) // DAY * DAY
    return midnight + OUTAGE_FROM, midnight + OUTAGE_TO


def _usual(jobs: int, end: float, chance: random.Random) -> Iterator[Planned]:
    down_from, down_to = outage(end)
    weights = [share for _, share, _ in SHARES]
    for number, (task, _, usual) in enumerate(chance.choices(SHARES, weights, k=jobs)):
        at = end - chance.random() * DAYS * DAY
        if chance.random() < 0.7:  # most of it by day
            at = at // DAY * DAY + chance.triangular(7, 22, 14) * HOUR
        if not end - DAYS * DAY <= at < end - 60:
            at = end - DAY - chance.random() * DAY
        seconds = usual * chance.lognormvariate(0, 0.35)
        fails = _failure(task, chance) if at < end - HOUR else ""
        if task in (tasks.ChargeCard, tasks.Refund) and down_from <= at < down_to:
            seconds, fails = 10.0, "gateway"
        if task is tasks.MonthlyReport and at > end - SLOWER * DAY:
            seconds *= 2.5
        yield Planned(
            at=at,
            task=task,
            tenant=chance.choices(TENANTS, (30, 25, 20, 12, 8, 5))[0],
            owner=str(chance.randrange(400)),
            number=number,
            seconds=round(seconds, 3),
            fails=fails,
        )


def _failure(task: type[Task], chance: random.Random) -> str:
    if task is tasks.ReserveStock and chance.random() < 0.02:
        return "stock"
    return "address" if task is tasks.PrintLabel and chance.random() < 0.015 else ""


def _flood(jobs: int, end: float, chance: random.Random) -> Iterator[Planned]:
    seconds = 2.0 * FLOOD / max(jobs, 1)  # fewer of them fill the queue as well
    for number in range(jobs):
        yield Planned(
            at=end - chance.uniform(60, HOUR / 2),
            task=tasks.Newsletter,
            tenant="acme",
            owner="17",
            number=900_000 + number,
            seconds=round(seconds * chance.lognormvariate(0, 0.35), 3),
        )


def _undeployed(end: float, chance: random.Random) -> Iterator[Planned]:
    for number in range(UNDEPLOYED_JOBS):
        yield Planned(
            at=end - chance.uniform(60, UNDEPLOYED),
            task=tasks.SearchIndex,
            tenant=chance.choice(TENANTS),
            owner=str(chance.randrange(400)),
            number=800_000 + number,
            seconds=0.5,
        )
