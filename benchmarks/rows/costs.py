"""Row 10: what a task asks of AWS, and what a million of them cost, beside Celery with a results table.

The rules are those of AWS's price lists: https://aws.amazon.com/sqs/pricing/,
https://aws.amazon.com/dynamodb/pricing/on-demand/ and https://aws.amazon.com/s3/pricing/. Free tiers, storage, Lambda's
and the workers' own time are left out on both sides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from benchmarks import deployment
from benchmarks.cases.costs import CHUNK, JOBS
from benchmarks.measure import Case, Comparison, Spread
from benchmarks.null_aws.client import null_aws
from benchmarks.rows.warm_batch import TASKS

if TYPE_CHECKING:
    from collections.abc import Mapping

SIZES = {"100 B": 100, "10 kB": 10_000, "300 kB": 300_000}
# Of JSON as people send it.
RECORDS = 10_000
OF_RECORDS = "10 kB of records"
UPDATES = (0, 10, 1000)
# A task that reports its progress does so ten times a second here; ours is written once a second.
A_SECOND = 10
# Of a letter again and again, as in the rows by size, compressing would leave nothing.
PLAIN = {"SERVERLESS_TASKS_COMPRESS_INPUTS": "false"}
COMPRESSED = {"SERVERLESS_TASKS_COMPRESS_INPUTS": "true"}
OURS = {"tracked": "tracked", "untracked": "track=False"}
# Dollars per million in us-east-1: requests of SQS, write units and half read units of DynamoDB, PUTs and GETs of S3.
PRICES = {"sqs": 0.40, "units": 0.625, "half reads": 0.0625, "s3_puts": 5.0, "s3_gets": 0.40}


@dataclass(frozen=True, slots=True)
class Cost:
    """What a task asks of AWS.

    Attributes:
        dollars: of a million tasks.
        calls: of SQS, DynamoDB and S3.
        units: write units of DynamoDB.
        kilobytes: in requests, in messages received, and in what S3 gives back.
    """

    dollars: float
    calls: float
    units: float
    kilobytes: float

    @classmethod
    def of(cls, told: Mapping[str, float], *, deletes: float, updates: float) -> Self:
        """From what ten tasks, and one update of progress, have asked for.

        Args:
            told: that.
            deletes: calls that delete a message, a task; Lambda deletes a batch in one call, Celery each by itself.
            updates: writes of progress a task.
        """
        task = {
            name: told.get(name, 0) / JOBS + updates * told.get(f"update {name}", 0)
            for name in ("calls", "bytes", *PRICES)
        }
        # Ten messages are received with one call.
        task["sqs"] += math.ceil(max(1, told["body"]) / CHUNK) / JOBS + deletes
        return cls(
            dollars=sum(task[name] * price for name, price in PRICES.items()),
            calls=task["calls"] + 1 / JOBS + deletes,
            units=task["units"],
            kilobytes=(task["bytes"] + told["body"] / JOBS) / 1000,
        )

    def __str__(self) -> str:
        """In one cell of the table."""
        return (
            f"${self.dollars:.2f}, {self.calls:.1f} calls, {self.units:.1f} units, {self.kilobytes:,.1f} kB"
        )


def measure() -> list[Comparison]:
    """Each size of input with each number of updates, tracked and not, and records compressed and not."""
    with null_aws() as aws:
        environment = deployment.environment(aws, TASKS)
        told = {
            (kind, size): Case(
                ("benchmarks.cases.costs", kind, "text", str(length)), environment | PLAIN
            ).run()
            for kind in (*OURS, "celery")
            for size, length in SIZES.items()
        }
        plain, compressed, celery = (
            Case(("benchmarks.cases.costs", kind, "records", str(RECORDS)), environment | how).run()
            for kind, how in (("tracked", PLAIN), ("tracked", COMPRESSED), ("celery", {}))
        )
    return [
        *(
            _cell(kind, size, updates, told[kind, size], told["celery", size])
            for kind in OURS
            for size in SIZES
            for updates in UPDATES
        ),
        *(_cell("tracked", OF_RECORDS, updates, compressed, celery) for updates in UPDATES),
        _compressed(compressed, plain),
    ]


def _cell(
    kind: str, size: str, updates: int, ours: Mapping[str, float], celery: Mapping[str, float]
) -> Comparison:
    mine = Cost.of(ours, deletes=1 / JOBS, updates=updates / A_SECOND)
    theirs = Cost.of(celery, deletes=1, updates=updates)
    ratio = mine.dollars / theirs.dollars
    return Comparison(
        10,
        f"a million tasks, {OURS[kind]}, {size}, {updates:,} updates",
        str(mine),
        f"Celery, SQS, DynamoDB: {theirs}",
        Spread.of([ratio]),
        "< 1",
        ratio < 1,
    )


def _compressed(compressed: Mapping[str, float], plain: Mapping[str, float]) -> Comparison:
    mine, before = (Cost.of(told, deletes=1 / JOBS, updates=0) for told in (compressed, plain))
    return Comparison(
        10,
        f"a million tasks, tracked, {OF_RECORDS}, 0 updates",
        str(mine),
        f"ours without compressing: {before}",
        Spread.of([mine.dollars / before.dollars]),
        "",
        None,
    )
