"""Rows 11 and 12: what a job costs among ever more, and the memory of a worker."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmarks import deployment
from benchmarks.cases.growth import LEAST, UNCOUNTED, WARM
from benchmarks.measure import Case, Comparison, Spread, compare
from benchmarks.null_aws.client import null_aws
from benchmarks.rows.warm_batch import TASKS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.null_aws.client import NullAws

FEW, SOME, MANY = 1_000, 10_000, 100_000
ROUNDS = 2
# A round of submits: the long one between short ones.
_ROUND = {"few": FEW, "some": SOME, "many": MANY, "some again": SOME, "few again": FEW}
# Where the one long run of a worker is looked at, and a short one made beside it.
MARKS = (FEW, 5_000, SOME, 50_000, MANY)
# What is no growth: less than a page for each hundred tasks, in bytes.
STEADY = 1_000_000
MIB = 1 << 20
SAME = "the same calls a job"


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
        submits = [{name: _run(aws, "submit", jobs) for name, jobs in _ROUND.items()} for _ in range(ROUNDS)]
        drained = _run(aws, "drain", *MARKS)
        handled_few = _run(aws, "drain", FEW)
    runs = [run for each in submits for run in each.values()]
    few, some, many = (
        [run.marks[jobs] for run in runs for _ in range(2 if jobs == MANY else 1) if jobs in run.marks]
        for jobs in (FEW, SOME, MANY)
    )
    same = _same([run.calls for run in runs])
    lines = [_line("submit", jobs, told, few, same) for jobs, told in ((SOME, some), (MANY, many))]
    same = _same([drained.calls, handled_few.calls])
    for jobs in (SOME, MANY):
        beside = [{"cpu": drained.marks[mark]["few"]} for mark in MARKS if mark <= jobs]
        lines.append(_line("run", jobs, [drained.marks[jobs]] * len(beside), beside, same))
    return [*lines, *(_memory(drained.marks[jobs], jobs) for jobs in (SOME, MANY))]


def _run(aws: NullAws, kind: str, *marks: int) -> _Run:
    """Run one process to the last of its marks."""
    case = Case(("benchmarks.cases.growth", kind, *map(str, marks)), deployment.environment(aws, TASKS))
    aws.counts()
    told = case.run()["marks"]
    counts = {operation: counted[0] for operation, counted in aws.counts().items()}
    jobs = WARM + (marks[-1] if kind == "drain" else max(marks[-1], LEAST))
    jobs += 2 * WARM * (len(marks) + UNCOUNTED) if len(marks) > 1 else 0
    return _Run({each["jobs"]: each for each in told}, {name: count / jobs for name, count in counts.items()})


def _same(calls: Sequence[Mapping[str, float]]) -> str:
    """Whether a job took the same calls in all runs, in words; what a process does once is none of a job's."""
    rounded = [{name: round(each, 2) for name, each in run.items() if round(each, 2)} for run in calls]
    return SAME if all(each == rounded[0] for each in rounded) else f"calls a job {rounded}"


def _line(
    kind: str, jobs: int, ours: Sequence[Mapping[str, float]], base: Sequence[Mapping[str, float]], same: str
) -> Comparison:
    measure = f"{kind} of {jobs:,}, a job, cpu"
    line = compare(11, measure, "cpu", ours, base, named=f"of {FEW:,} ({same})", goal=1.10)
    return line if same == SAME else replace(line, met=False)


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
