"""Rows 4, 5 and 6: submitting one job, and ten thousand."""

from __future__ import annotations

from benchmarks import deployment
from benchmarks.cases.submit import MANY
from benchmarks.measure import Comparison, compare, in_turns, steps
from benchmarks.null_aws.client import null_aws
from benchmarks.rows.warm_batch import LATENCY, TASKS


def one() -> list[Comparison]:
    """Row 4: a submit beside the same two calls with boto3, and beside Celery's one call."""
    with null_aws() as aws:
        environment = deployment.environment(aws, TASKS)
        ours, bare, untracked, celery = in_turns(
            [steps(f"submit:{name}", 300, environment) for name in ("ours", "bare", "untracked", "celery")],
            9,
        )
    return [
        compare(4, "submit, cpu", "cpu", ours, bare, named="two bare boto3 calls", goal=1.10),
        compare(
            4, "submit with track=False, cpu", "cpu", untracked, celery, named="Celery delay()", goal=1.0
        ),
        compare(4, "submit, cpu", "cpu", ours, celery, named="Celery delay(), which keeps nothing"),
    ]


def with_latency() -> list[Comparison]:
    """Row 5: a submit where each call takes 5 ms, beside one call."""
    with null_aws(LATENCY) as aws:
        environment = deployment.environment(aws, TASKS)
        ours, bare = in_turns(
            [steps(f"submit:{name}", 100, environment) for name in ("ours", "bare_send")], 5
        )
    return [compare(5, "submit, 5 ms a call, wall", "wall", ours, bare, named="one bare call", goal=2.1)]


def many() -> list[Comparison]:
    """Row 6: ten thousand at once, beside Celery's group over one producer."""
    with null_aws() as aws:
        environment = deployment.environment(aws, TASKS)
        ours, celery = in_turns(
            [steps(f"submit:{name}", 1, environment, warm=0) for name in ("ours_many", "celery_many")],
            3,
            warm=[steps(f"submit:{name}", 1, environment, warm=0) for name in ("ours", "celery")],
        )
    return [
        compare(
            6,
            f"each of {MANY:,} submits, {key}",
            key,
            ours,
            celery,
            named="Celery group()",
            goal=1 / 6,
            per=MANY,
        )
        for key in ("cpu", "wall")
    ]
