"""Row 7: asking how far a task is."""

from __future__ import annotations

import tempfile

from benchmarks import deployment
from benchmarks.cases.status import STATE
from benchmarks.measure import Comparison, compare, in_turns, steps
from benchmarks.null_aws.client import null_aws
from benchmarks.rows.warm_batch import TASKS


def measure() -> list[Comparison]:
    """Our view beside django-task-api's, both in process and with their own reads."""
    with null_aws() as aws, tempfile.TemporaryDirectory(prefix="bench-") as files:
        aws.holds([STATE])
        environment = {**deployment.environment(aws, TASKS), "BENCH_FILES": files}
        ours, unchanged, drf = in_turns(
            [steps(f"status:{name}", 300, environment) for name in ("ours", "unchanged", "task_api")], 7
        )
    peer = "django-task-api on SQLite"
    return [
        compare(7, "status GET, cpu", "cpu", ours, drf, named=peer, goal=1.3),
        compare(
            7, "status GET that finds no change (304), cpu", "cpu", unchanged, ours, named="our 200", goal=1.0
        ),
    ]
