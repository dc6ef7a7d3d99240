"""A thousand jobs and more: submitted at once, or handled batch by batch. A child tells what one job has cost.

``python -m benchmarks.cases.growth submit JOBS`` submits them at once, again and again until it is 10,000 at least.
``drain JOBS MORE ...`` tells at each of the numbers, and what a fresh process needed for 1,000 there: a long run and
the short ones beside it see the same machine.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import deployment
from benchmarks.context import CONTEXT

if TYPE_CHECKING:
    from collections.abc import Sequence

BATCH = 10
WARM = 1_000
# What takes less is too short a time to be told from the machine's moods.
LEAST = 10_000
# The first processes that a process starts cost it 1 MB of its own, which is none of the worker's.
UNCOUNTED = 2


def submit(jobs: int) -> None:
    """Submit so many jobs at once."""
    from benchmarks.cases.tasks import Noop

    handles = Noop.submit_many([{"numbers": [1, number]} for number in range(jobs)])
    assert all(handle.published for handle in handles)


def drain(jobs: int) -> None:
    """Handle so many jobs, each a new one, in batches of ten."""
    from lambda_handlers.worker import handler

    for _ in range(jobs // BATCH):
        event = deployment.event("noop", {"numbers": [1, 2]}, BATCH, new=True)
        assert handler(event, CONTEXT) == {"batchItemFailures": []}


def main(kind: str, marks: Sequence[int]) -> None:
    """Print for each mark the jobs so far, the seconds of one (``cpu``), the memory at its ``peak`` in bytes, and by
    how much it ``grew`` past the first 1,000, which are not counted.
    """
    {"submit": submit, "drain": drain}[kind](WARM)
    for _ in range(UNCOUNTED if len(marks) > 1 else 0):
        _few()
    early = _peak()
    told: list[dict[str, float]] = []
    done, cpu = 0, 0.0
    for mark in marks:
        began = time.process_time()
        if kind == "drain":
            drain(mark - done)
            done = mark
        else:
            for _ in range(max(1, LEAST // mark)):
                submit(mark)
                done += mark
        cpu += time.process_time() - began
        beside = _few() if len(marks) > 1 else 0.0
        peak = _peak()
        told.append({"jobs": mark, "cpu": cpu / done, "few": beside, "grew": peak - early, "peak": peak})
    print(json.dumps({"marks": told}), flush=True)


def _few() -> float:
    """The seconds of one job of a thousand, which a process of their own handles now."""
    command = [sys.executable, "-m", "benchmarks.cases.growth", "drain", str(WARM)]
    ended = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return float(json.loads(ended.stdout.splitlines()[-1])["marks"][0]["cpu"])


def _peak() -> float:
    """The most memory that this process has had so far, in bytes.

    ``ru_maxrss`` would begin at the peak of the process that started this one:
    https://man7.org/linux/man-pages/man2/getrusage.2.html
    """
    status = Path("/proc/self/status").read_text()
    (peak,) = re.findall(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(peak) * 1024.0


if __name__ == "__main__":
    main(sys.argv[1], [int(mark) for mark in sys.argv[2:]])
