"""Rows 2 and 3: a batch of ten records whose task does nothing."""

from __future__ import annotations

from benchmarks import deployment
from benchmarks.cases.batch import RECORDS
from benchmarks.measure import Comparison, compare, in_turns, steps
from benchmarks.null_aws.client import null_aws

TASKS = "benchmarks.cases.tasks"
# What a call to AWS takes at its best, in seconds.
LATENCY = 0.005
# What switches the overrides of botocore off.
PLAIN = {"SERVERLESS_TASKS_BOTOCORE_OVERRIDES": "off"}


def processor_time() -> list[Comparison]:
    """Row 2: our handler beside Powertools' batch processor, with two bare writes and with its idempotency."""
    with null_aws() as aws:
        environment = deployment.environment(aws, TASKS)
        ours, bare, idempotent, plain = in_turns(
            [
                *(steps(f"batch:{name}", 50, environment) for name in ("ours", "powertools", "idempotent")),
                steps("batch:ours", 50, environment | PLAIN),
            ],
            7,
        )
    return [
        compare(2, "a record of ten, cpu", "cpu", ours, peer, named=named, goal=goal, per=RECORDS)
        for peer, named, goal in (
            (bare, "Powertools batch, two bare writes", 1.15),
            (idempotent, "Powertools batch and idempotency", 1.0),
            (plain, "ours without the overrides of botocore", None),
        )
    ]


def with_latency() -> list[Comparison]:
    """Row 3: the same where each call takes 5 ms, beside the bare writes one after another."""
    with null_aws(LATENCY) as aws:
        environment = deployment.environment(aws, TASKS)
        ours, bare, plain = in_turns(
            [
                *(steps(f"batch:{name}", 10, environment, warm=3) for name in ("ours", "powertools")),
                steps("batch:ours", 10, environment | PLAIN, warm=3),
            ],
            5,
        )
    return [
        compare(3, "batch of ten, 5 ms a call, wall", "wall", ours, peer, named=named, goal=goal)
        for peer, named, goal in (
            (bare, "bare writes one after another", 0.55),
            (plain, "ours without the overrides of botocore", None),
        )
    ] + _with_pauses()


def _with_pauses() -> list[Comparison]:
    """Row 3: what the overlap of calls earns where tasks take 20 and 100 ms."""
    rows = []
    with null_aws(LATENCY) as aws:
        for milliseconds in (20, 100):
            environment = deployment.environment(aws, TASKS) | {"BENCH_PAUSE": str(milliseconds / 1000)}
            ours, apart = in_turns(
                [
                    steps(f"batch:{name}", 3, environment, warm=1)
                    for name in ("pausing", "pausing_without_overlap")
                ],
                3,
            )
            measure = f"batch of ten, 5 ms a call, task of {milliseconds} ms, wall"
            rows.append(compare(3, measure, "wall", ours, apart, named="ours without the overlap"))
    return rows
