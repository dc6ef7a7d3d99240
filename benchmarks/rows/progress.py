"""Row 8: a million steps of progress."""

from __future__ import annotations

import tempfile

from benchmarks import deployment
from benchmarks.cases.progress import FEW, TIMES
from benchmarks.measure import Comparison, compare, in_turns, steps
from benchmarks.null_aws.client import null_aws
from benchmarks.rows.warm_batch import TASKS


def measure() -> list[Comparison]:
    """A job that counts to a million beside a database write for each step, which is scaled from a few."""
    with null_aws() as aws, tempfile.TemporaryDirectory(prefix="bench-") as files:
        environment = {**deployment.environment(aws, TASKS), "BENCH_FILES": files}
        ours, writes = in_turns(
            [
                steps("progress:ours", 1, environment, warm=0),
                steps("progress:task_api", 1, environment, warm=1),
            ],
            3,
        )
    each = [{key: told[key] * TIMES / FEW for key in ("cpu", "wall")} for told in writes]
    peer = "django-task-api, a save each, on SQLite"
    return [
        compare(8, f"a step of {TIMES:,}, {key}", key, ours, each, named=peer, goal=1 / 300, per=TIMES)
        for key in ("cpu", "wall")
    ]
