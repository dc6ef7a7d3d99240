"""Rows 11 and 12: what a job costs among ever more, and the memory of a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import deployment
from benchmarks.measure import Case, Comparison, Spread, compare, in_turns
from benchmarks.null_aws.client import null_aws
from benchmarks.rows.warm_batch import TASKS

if TYPE_CHECKING:
    from benchmarks.null_aws.client import NullAws

FEW, SOME, MANY = 1_000, 10_000, 100_000
# What is no growth: less than a page for each hundred tasks, in bytes.
STEADY = 1_000_000
MIB = 1 << 20


def _calls(aws: NullAws, case: Case, jobs: int) -> dict[str, float]:
    """The calls of a run for each of its jobs."""
    aws.counts()
    case.run()
    return {operation: counted[0] / jobs for operation, counted in aws.counts().items()}


def measure() -> list[Comparison]:
    """A job among many beside a job among a thousand: processor time, and calls."""
    with null_aws() as aws:
        environment = deployment.environment(aws, TASKS)

        def case(kind: str, jobs: int) -> Case:
            return Case(("benchmarks.cases.growth", kind, str(jobs)), environment)

        few, some, many = in_turns([case("submit", jobs) for jobs in (FEW, SOME, MANY)], 2)
        handled_few, handled_some = in_turns([case("drain", jobs) for jobs in (FEW, SOME)], 3)
        calls = [_calls(aws, case("submit", jobs), FEW + jobs) for jobs in (FEW, SOME)]
    same = "the same calls a job" if calls[0] == calls[1] else f"calls a job {calls}"
    lines = [
        compare(
            11, f"{kind} of {jobs:,}, a job, cpu", "cpu", ours, base, named=f"of {FEW:,} ({same})", goal=1.10
        )
        for kind, jobs, ours, base in (
            ("submit", SOME, some, few),
            ("submit", MANY, many, few),
            ("run", SOME, handled_some, handled_few),
        )
    ]
    grown = Spread.of([told["grew"] for told in handled_some])
    peak = Spread.of([told["peak"] for told in handled_some])
    memory = Comparison(
        12,
        f"memory of a worker after {SOME:,} tasks",
        f"{peak.median / MIB:.0f} MiB",
        f"after {FEW:,}: {(peak.median - grown.median) / MIB:.0f} MiB",
        Spread.of([told["peak"] / (told["peak"] - told["grew"]) for told in handled_some]),
        "no growth",
        grown.median < STEADY,
    )
    return [*lines, memory]
