"""A thousand jobs and more: submitted at once, or handled batch by batch. A child tells what one job has cost.

``python -m benchmarks.cases.growth submit|drain JOBS``
"""

from __future__ import annotations

import json
import resource
import sys
import time

from benchmarks import deployment
from benchmarks.context import CONTEXT

BATCH = 10


def submit(jobs: int) -> None:
    """Submit so many jobs at once."""
    from benchmarks.cases.tasks import Noop

    handles = Noop.submit_many([{"numbers": [1, number]} for number in range(jobs)])
    assert all(handle.published for handle in handles)


def drain(jobs: int) -> None:
    """Handle so many jobs in batches of ten."""
    from lambda_handlers.worker import handler

    event = deployment.event("noop", {"numbers": [1, 2]}, BATCH)
    for _ in range(jobs // BATCH):
        assert handler(event, CONTEXT) == {"batchItemFailures": []}


def main(kind: str, jobs: int) -> None:
    """Print the seconds of one job (``cpu``, ``wall``), and the bytes by which memory ``grew`` past the first 1,000."""
    work = {"submit": submit, "drain": drain}[kind]
    work(1000)
    early = _peak()
    wall, cpu = time.perf_counter(), time.process_time()
    work(jobs)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    told = {"cpu": cpu / jobs, "wall": wall / jobs, "grew": _peak() - early, "peak": _peak()}
    print(json.dumps(told), flush=True)


def _peak() -> float:
    """The most memory that this process has had so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
