"""Counts of one task, of an hour or of any time: a plain value that is added up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from serverless_tasks.engine.statistics.histogram import Histogram

if TYPE_CHECKING:
    from collections.abc import Mapping

# Attributes of an item, of which a row of the table says the meaning: see `Counts`. Never renamed, since stored.
ENDS: Final = ("submitted", "succeeded", "failed", "retried", "cancelled", "lost")
SECONDS: Final = "seconds"
GB_SECONDS: Final = "gb_seconds"
# What the prefix of a bucket's number counts.
DURATION: Final = "d"
QUEUE_WAIT: Final = "q"
# Calls of AWS, and units of them that are billed: the attribute -> the name that readers have for it.
CALLS: Final = {
    "wu": "dynamodb_write_units",
    "ru": "dynamodb_read_units",
    "sqs": "sqs_requests",
    "lam": "lambda_requests",
    "s3p": "s3_puts",
    "s3g": "s3_gets",
    "sch": "schedules",
    "own": "statistics_write_units",
    # Of `gb_seconds`, those of arm64 functions.
    "arm": "arm_gb_seconds",
    # Of the submissions, as the worker reckons them from the messages.
    "sub_wu": "submit_write_units",
    "sub_sqs": "submit_sqs_requests",
    "sub_s3p": "submit_s3_puts",
    "sub_sch": "submit_schedules",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Counts of a task.

    Attributes:
        submitted: jobs that were submitted then, counted when a worker first had them.
        succeeded: jobs that ended so.
        failed: jobs that ended so, whatever the reason.
        retried: attempts after which the job waits for another one.
        cancelled: jobs that ended so.
        lost: attempts whose worker was lost.
        seconds: the sum of the durations.
        gb_seconds: memory times time of the functions that ran the attempts, overhead included; 0 outside Lambda.
        duration: how long the attempts ran.
        queue_wait: how long jobs waited from when they were due until their first attempt.
        calls: what the submissions and the attempts asked of AWS, by the names in `CALLS`: requests, and units of
            DynamoDB.
    """

    submitted: int = 0
    succeeded: int = 0
    failed: int = 0
    retried: int = 0
    cancelled: int = 0
    lost: int = 0
    seconds: float = 0.0
    gb_seconds: float = 0.0
    duration: Histogram = field(default_factory=Histogram)
    queue_wait: Histogram = field(default_factory=Histogram)
    calls: Mapping[str, float] = field(default_factory=dict)

    @property
    def ended(self) -> int:
        """The number of jobs that ended."""
        return self.succeeded + self.failed + self.cancelled

    @property
    def failure_rate(self) -> float | None:
        """The part of those that succeeded or failed which failed, from 0 to 1; None of none."""
        known = self.succeeded + self.failed
        return self.failed / known if known else None

    def __add__(self, other: Counts) -> Counts:
        """Return the counts of both."""
        names = {*self.calls, *other.calls}
        return Counts(
            **{name: getattr(self, name) + getattr(other, name) for name in ENDS},
            seconds=self.seconds + other.seconds,
            gb_seconds=self.gb_seconds + other.gb_seconds,
            duration=self.duration + other.duration,
            queue_wait=self.queue_wait + other.queue_wait,
            calls={name: self.calls.get(name, 0.0) + other.calls.get(name, 0.0) for name in names},
        )

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> Counts:
        """Read the attributes of an item; those that later code has added are passed over."""
        return cls(
            **{name: int(item.get(name, 0)) for name in ENDS},
            seconds=float(item.get(SECONDS, 0)),
            gb_seconds=float(item.get(GB_SECONDS, 0)),
            duration=_histogram(item, DURATION),
            queue_wait=_histogram(item, QUEUE_WAIT),
            calls={name: float(item[attribute]) for attribute, name in CALLS.items() if attribute in item},
        )

    def to_json(self) -> dict[str, Any]:
        """Return the counts as JSON, with percentiles in seconds in place of the histograms."""
        return {
            **{name: getattr(self, name) for name in ENDS},
            "seconds": round(self.seconds, 3),
            "gb_seconds": round(self.gb_seconds, 6),
            "duration": _percentiles(self.duration),
            "queue_wait": _percentiles(self.queue_wait),
            "calls": {name: round(count, 3) for name, count in sorted(self.calls.items())},
        }


def _histogram(item: Mapping[str, Any], prefix: str) -> Histogram:
    return Histogram(
        {
            int(name[1:]): int(count)
            for name, count in item.items()
            if name.startswith(prefix) and name[1:].isdecimal()
        }
    )


def _percentiles(histogram: Histogram) -> dict[str, Any]:
    times = {f"p{percent}": histogram.percentile(percent) for percent in (50, 95, 99)}
    return {"count": histogram.count} | {
        name: None if time is None else round(time, 4) for name, time in times.items()
    }
