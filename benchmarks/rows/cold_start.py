"""Row 1: from a new process to the first record done."""

from __future__ import annotations

import json

from benchmarks import deployment
from benchmarks.measure import Case, Comparison, compare, in_turns
from benchmarks.null_aws.client import null_aws

ROUNDS = 15


def measure() -> list[Comparison]:
    """Our worker beside the plain imports, and beside a Django site."""
    with null_aws() as aws:
        event = json.dumps(deployment.event("sum", {"numbers": [1, 2]}, 1))
        ours = {**deployment.environment(aws, "examples.tasks"), "BENCH_EVENT": event}
        worker, plain, site = in_turns(
            [
                Case(("benchmarks.cold.worker",), ours),
                Case(("benchmarks.cold.plain",), aws.environment),
                Case(("benchmarks.cold.site",), aws.environment),
            ],
            ROUNDS,
        )
    return [
        compare(1, f"cold start, {key}", key, worker, peer, named=named, goal=goal)
        for peer, named, goal in ((plain, "plain imports and writes", 1.0), (site, "Django site", 0.75))
        for key in ("cpu", "wall")
    ]
