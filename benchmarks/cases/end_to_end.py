"""Submit jobs to workers that run already, and tell how fast all of it went.

``python -m benchmarks.cases.end_to_end ours|celery JOBS`` prints ``per_second``, and the seconds from the beginning of
the submitting call to a job's recorded end: ``p50`` and ``p99``. A few jobs before them are not counted.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

import boto3

from benchmarks.stand_in import RESULTS, TABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

WARM = 100
# Seconds between two looks at the queue, and until a run counts as stuck.
LOOK = 0.2
LIMIT = 120.0
_WAITING = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")


class Side(Protocol):
    """One of the two that are compared."""

    queue: str
    table: str

    def submit(self, jobs: int) -> None:
        """Submit so many jobs, in the fastest way that its documentation has."""

    def ended(self, item: dict[str, Any]) -> float | None:
        """When the job of an item of the table has succeeded, in seconds since the epoch; None when it has not."""


class Ours:
    """``submit_many``, and the workers of ``serverless-tasks worker``."""

    def __init__(self) -> None:
        from benchmarks.cases.tasks import Noop

        self._noop = Noop
        self.queue = str(json.loads(os.environ["SERVERLESS_TASKS_QUEUE_URLS"])["default"])
        self.table = TABLE

    def submit(self, jobs: int) -> None:
        """Submit so many jobs."""
        handles = self._noop.submit_many([{"numbers": [1, number]} for number in range(jobs)])
        assert all(handle.published for handle in handles)

    def ended(self, item: dict[str, Any]) -> float | None:
        """When it has succeeded."""
        if item.get("status") != {"S": "succeeded"}:
            return None
        return int(item["finished"]["N"]) / 1000


class Celery:
    """``group(...).apply_async()`` over one producer, and ``celery worker``."""

    def __init__(self) -> None:
        from benchmarks.cases.celery_queue import app, noop

        self._app, self._noop = app, noop
        self.queue = os.environ["BENCH_CELERY_QUEUE"]
        self.table = RESULTS

    def submit(self, jobs: int) -> None:
        """Submit so many jobs."""
        from celery import group

        signatures = group(self._noop.s([1, number]) for number in range(jobs))
        with self._app.producer_pool.acquire(block=True) as producer:
            signatures.apply_async(producer=producer)

    def ended(self, item: dict[str, Any]) -> float | None:
        """When it has succeeded."""
        meta = json.loads(item["result"]["B"])
        if meta["status"] != "SUCCESS":
            return None
        return datetime.fromisoformat(meta["date_done"]).timestamp()


class _Watch:
    """Waits for jobs' ends, with few and cheap questions."""

    def __init__(self, side: Side) -> None:
        self._side = side
        self._sqs = boto3.client("sqs")
        self._pages = boto3.client("dynamodb").get_paginator("scan")

    def ends(self, jobs: int) -> list[float]:
        """When the last ``jobs`` jobs have ended, once the queue is empty and all have."""
        limit = time.monotonic() + LIMIT
        while time.monotonic() < limit:
            time.sleep(LOOK)
            if self._waiting() == 0 and len(ends := sorted(self._ends())) >= jobs:
                return ends[-jobs:]
        raise TimeoutError(f"of {jobs} jobs {len(list(self._ends()))} have ended after {LIMIT:.0f} s")

    def _waiting(self) -> int:
        answer = self._sqs.get_queue_attributes(QueueUrl=self._side.queue, AttributeNames=list(_WAITING))
        return sum(map(int, answer["Attributes"].values()))

    def _ends(self) -> Iterator[float]:
        for page in self._pages.paginate(TableName=self._side.table):
            for item in page["Items"]:
                ended = self._side.ended(item)
                if ended is not None:
                    yield ended


def main(kind: str, jobs: int) -> None:
    """Submit and wait; print the figures."""
    side: Side = Ours() if kind == "ours" else Celery()
    watch = _Watch(side)
    side.submit(WARM)
    watch.ends(WARM)
    began = time.time()
    side.submit(jobs)
    ends = watch.ends(WARM + jobs)[WARM:]
    seconds = sorted(end - began for end in ends)
    told = {
        "per_second": jobs / seconds[-1],
        "p50": statistics.median(seconds),
        "p99": statistics.quantiles(seconds, n=100)[98],
    }
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
