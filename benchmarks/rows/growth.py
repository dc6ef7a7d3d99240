"""Rows 11 and 12: what a job costs among ever more, and the memory of a worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks import deployment
from benchmarks.cases.growth import WARM
from benchmarks.measure import Case, Comparison, Spread, compare
from benchmarks.null_aws.client import null_aws
from benchmarks.rows.warm_batch import TASKS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.null_aws.client import NullAws

FEW, SOME, MANY = 1_000, 10_000, 100_000
ROUNDS = 2
# What is no growth: less than a page for each hundred tasks, in bytes.
STEADY = 1_000_000
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class _Run:
    """What one process told, at each of its marks.

    Attributes:
        marks: jobs so far -> what they cost.
        calls: operation -> calls for each job.
    """

    marks: Mapping[int, Mapping[str, float]]
    calls: Mapping[str, float]


def measure() -> list[Comparison]:
    """A job among many beside a job among a thousand: processor time, and calls."""
    with null_aws() as aws:
        _run(aws, "submit", FEW)
        submits = [{jobs: _run(aws, "submit", jobs) for jobs in (FEW, SOME, MANY)} for _ in range(ROUNDS)]
        _run(aws, "drain", FEW)
        # A hundred thousand take minutes, so they run once, with short runs before and after them.
        few = [_run(aws, "drain", FEW) for _ in range(ROUNDS)]
        many = _run(aws, "drain", FEW, SOME, MANY)
        few += [_run(aws, "drain", FEW) for _ in range(ROUNDS)]
    submitted = {jobs: [each[jobs].marks[jobs] for each in submits] for jobs in (FEW, SOME, MANY)}
    handled = [each.marks[FEW] for each in few]
    calls = [each[jobs].calls for each in submits for jobs in (FEW, SOME, MANY)]
    return [
        *(_line("submit", jobs, submitted[jobs], submitted[FEW], _same(calls)) for jobs in (SOME, MANY)),
        *(
            _line(
                "run",
                jobs,
                [many.marks[jobs]] * len(few),
                handled,
                _same([*(r.calls for r in few), many.calls]),
            )
            for jobs in (SOME, MANY)
        ),
        *(_memory(many.marks[jobs], jobs) for jobs in (SOME, MANY)),
    ]


def _run(aws: NullAws, kind: str, *marks: int) -> _Run:
    """Run one process to the last of its marks."""
    case = Case(
        ("benchmarks.cases.growth", kind, *map(str, marks)),
        deployment.environment(aws, TASKS),
    )
    aws.counts()
    told = case.run()["marks"]
    calls = {operation: counted[0] / (WARM + marks[-1]) for operation, counted in aws.counts().items()}
    return _Run({each["jobs"]: each for each in told}, calls)


def _same(calls: Sequence[Mapping[str, float]]) -> str:
    """Whether a job took the same calls in all runs, in words."""
    return "the same calls a job" if all(each == calls[0] for each in calls) else f"calls a job {list(calls)}"


def _line(
    kind: str, jobs: int, ours: Sequence[Mapping[str, float]], base: Sequence[Mapping[str, float]], same: str
) -> Comparison:
    measure = f"{kind} of {jobs:,}, a job, cpu"
    return compare(11, measure, "cpu", ours, base, named=f"of {FEW:,} ({same})", goal=1.10)


def _memory(told: Mapping[str, float], jobs: int) -> Comparison:
    peak, early = told["peak"], told["peak"] - told["grew"]
    return Comparison(
        12,
        f"memory of a worker after {jobs:,} tasks",
        f"{peak / MIB:.0f} MiB",
        f"after {WARM:,}: {early / MIB:.0f} MiB",
        Spread.of([peak / early]),
        "no growth",
        told["grew"] < STEADY,
    )
