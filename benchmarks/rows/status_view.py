"""Row 7: asking how far a task is."""

from __future__ import annotations

import tempfile

from benchmarks import deployment
from benchmarks.cases.status import STATE
from benchmarks.measure import Comparison, compare, in_turns, steps
from benchmarks.null_aws.client import null_aws
from benchmarks.rows.warm_batch import TASKS


def measure() -> list[Comparison]:
    """Our view beside django-task-api's, both in process and with their own reads; and where many share one."""
    with null_aws() as aws, tempfile.TemporaryDirectory(prefix="bench-") as files:
        aws.holds([STATE])
        alone = {**deployment.environment(aws, TASKS), "BENCH_FILES": files}
        sharing = {**alone, "BENCH_SHARED_READ": "1"}
        ours, unchanged, shared, shared_unchanged, drf = in_turns(
            [
                steps("status:ours", 300, alone),
                steps("status:unchanged", 300, alone),
                steps("status:ours", 1_500, sharing),
                steps("status:unchanged", 1_500, sharing),
                steps("status:task_api", 300, alone),
            ],
            7,
        )
    peer = "django-task-api on SQLite"
    return [
        compare(7, "status GET with its read, cpu", "cpu", ours, drf, named=peer, goal=1.3),
        compare(7, "status GET that shares a read, cpu", "cpu", shared, drf, named=peer, goal=0.5),
        compare(7, "304 with its read, cpu", "cpu", unchanged, ours, named="our 200", goal=1.0),
        compare(
            7,
            "304 that shares a read, cpu",
            "cpu",
            shared_unchanged,
            shared,
            named="our 200 that shares",
            goal=1.0,
        ),
    ]
