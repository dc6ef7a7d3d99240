"""Rows 4, 5 and 6: submitting one job, and ten thousand."""

from __future__ import annotations

import statistics
from tempfile import TemporaryDirectory

from benchmarks import deployment
from benchmarks.cases.submit import MANY
from benchmarks.measure import Comparison, compare, in_turns, steps
from benchmarks.null_aws.client import null_aws
from benchmarks.rows.warm_batch import LATENCY, TASKS


def one() -> list[Comparison]:
    """Row 4: a submit beside the same two calls with boto3, and beside Celery's one call."""
    names = ("ours", "bare", "untracked", "celery", "django_tasks_db")
    with null_aws() as aws, TemporaryDirectory() as files:
        environment = {**deployment.environment(aws, TASKS), "BENCH_FILES": files}
        ours, bare, untracked, celery, database = in_turns(
            [steps(f"submit:{name}", 300, environment) for name in names], 9
        )
    return [
        compare(4, "submit, cpu", "cpu", ours, bare, named="two bare boto3 calls", goal=1.10),
        compare(
            4, "submit with track=False, cpu", "cpu", untracked, celery, named="Celery delay()", goal=1.0
        ),
        compare(4, "submit, cpu", "cpu", ours, celery, named="Celery delay(), which keeps nothing"),
        compare(4, "submit, cpu", "cpu", ours, database, named="django-tasks-db enqueue(), on SQLite"),
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
    """Row 6: ten thousand at once, beside the faster of Celery's ways over one producer."""
    names = ("ours_many", "celery_group", "celery_send")
    with null_aws() as aws:
        environment = deployment.environment(aws, TASKS)
        ours, group, send = in_turns(
            [steps(f"submit:{name}", 1, environment, warm=0) for name in names],
            3,
            warm=[steps(f"submit:{name}", 1, environment, warm=0) for name in ("ours", "celery")],
        )
    lines = []
    for key in ("cpu", "wall"):
        peers = {"Celery group()": group, "Celery send_task()": send}
        named = min(peers, key=lambda name: statistics.median(told[key] for told in peers[name]))
        measure = f"each of {MANY:,} submits, {key}"
        lines.append(compare(6, measure, key, ours, peers[named], named=named, goal=1 / 6, per=MANY))
    return lines
