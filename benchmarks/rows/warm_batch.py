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
    ]
