"""Row 10: what a task asks of AWS, and what a million of them cost, beside Celery with a results table."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from benchmarks import deployment
from benchmarks.cases.costs import CHUNK, JOBS
from benchmarks.measure import Case, Comparison, Spread
from benchmarks.null_aws.client import null_aws
from benchmarks.rows.warm_batch import TASKS

if TYPE_CHECKING:
    from collections.abc import Mapping

SIZES = {"100 B": 100, "10 kB": 10_000, "300 kB": 300_000}
UPDATES = (0, 10, 1000)
# A task that reports its progress does so ten times a second here; ours is written once a second.
A_SECOND = 10
# Dollars per million in us-east-1: requests of SQS, write and read units of DynamoDB, PUTs and GETs of S3.
PRICES = {"sqs": 0.40, "units": 0.625, "reads": 0.125, "s3_puts": 5.0, "s3_gets": 0.40}


def measure() -> list[Comparison]:
    """Each size of input with each number of updates."""
    with null_aws() as aws:
        environment = deployment.environment(aws, TASKS)
        told = {
            (kind, size): Case(("benchmarks.cases.costs", kind, str(length)), environment).run()
            for kind in ("ours", "celery")
            for size, length in SIZES.items()
        }
    return [
        _cell(size, updates, told["ours", size], told["celery", size])
        for size in SIZES
        for updates in UPDATES
    ]


def _cell(size: str, updates: int, ours: Mapping[str, float], celery: Mapping[str, float]) -> Comparison:
    mine = _dollars(ours, deletes=1 / JOBS, writes=updates / A_SECOND, reads=0)
    theirs = _dollars(celery, deletes=1, writes=updates, reads=updates)
    calls = [
        ours["calls"] / JOBS + 2 / JOBS + updates / A_SECOND,
        celery["calls"] / JOBS + 1 / JOBS + 1 + 2 * updates,
    ]
    return Comparison(
        10,
        f"a million tasks, {size}, {updates:,} updates",
        f"${mine:.2f}, {calls[0]:.1f} calls",
        f"Celery, SQS, DynamoDB: ${theirs:.2f}, {calls[1]:.1f} calls",
        Spread.of([mine / theirs]),
        "< 1",
        mine < theirs,
    )


def _dollars(told: Mapping[str, float], *, deletes: float, writes: float, reads: float) -> float:
    """What a million tasks cost.

    Args:
        told: what ten tasks asked for, without progress.
        deletes: deletions of a message a task; Lambda deletes a batch in one call, Celery each by itself.
        writes: writes of progress a task, a unit each.
        reads: reads that go with them.
    """
    billed = {name: told.get(name, 0) / JOBS for name in PRICES}
    received = math.ceil(max(1, told["body"]) / CHUNK) / JOBS
    billed["sqs"] += received + deletes
    billed["units"] += writes
    billed["reads"] += reads / 2
    return sum(billed[name] * price for name, price in PRICES.items())
