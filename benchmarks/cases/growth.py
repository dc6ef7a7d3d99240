"""A thousand jobs and more: submitted at once, or handled batch by batch. A child tells what one job has cost.

``python -m benchmarks.cases.growth submit JOBS``, or ``drain JOBS MORE ...``, which tells at each of the numbers.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import TYPE_CHECKING

from benchmarks import deployment
from benchmarks.context import CONTEXT

if TYPE_CHECKING:
    from collections.abc import Sequence

BATCH = 10
WARM = 1_000


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


def main(kind: str, marks: Sequence[int]) -> None:
    """Print for each mark the jobs so far, the seconds of one (``cpu``), and the bytes by which memory ``grew`` past
    the first 1,000, which are not counted.
    """
    work = {"submit": submit, "drain": drain}[kind]
    work(WARM)
    early = _peak()
    told: list[dict[str, float]] = []
    done, began = 0, time.process_time()
    for mark in marks:
        work(mark - done)
        done = mark
        cpu = (time.process_time() - began) / done
        told.append({"jobs": done, "cpu": cpu, "grew": _peak() - early, "peak": _peak()})
    print(json.dumps({"marks": told}), flush=True)


def _peak() -> float:
    """The most memory that this process has had so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0


if __name__ == "__main__":
    main(sys.argv[1], [int(mark) for mark in sys.argv[2:]])
