"""Processor time and wall time of cases that run in child processes, taken in turns and compared as ratios."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).resolve().parents[1]
# A case that has not ended by then never will, in seconds.
LONGEST = 600


@dataclass(frozen=True, slots=True)
class Case:
    """Something to be measured in a process of its own.

    Attributes:
        command: what follows ``python -m``.
        environment: what is set in addition to this process's environment.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self) -> dict[str, Any]:
        """Run it once; returns what its last line of output told, in JSON.

        Raises:
            RuntimeError: the process failed; with what it printed.
        """
        # Modules are compiled by the first run, which is not counted, as they are in a Lambda artefact.
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        ended = subprocess.run(
            [sys.executable, "-m", *self.command],
            cwd=ROOT,
            env={**inherited, **self.environment, "BENCH_STARTED": repr(time.monotonic())},
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )
        if ended.returncode != 0:
            raise RuntimeError(f"{' '.join(self.command)} failed: {ended.stderr[-3000:]}")
        told: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
        return told


def steps(function: str, times: int, environment: Mapping[str, str], *, warm: int = 20) -> Case:
    """A case that takes a step again and again; see `benchmarks.child`.

    Args:
        function: ``module:function``, below ``benchmarks.cases``.
        times: how many steps are counted.
        environment: the child's.
        warm: how many steps are taken before.
    """
    return Case(("benchmarks.child", function, str(times), str(warm)), environment)


def in_turns(
    cases: Sequence[Case], rounds: int, *, warm: Sequence[Case] | None = None
) -> list[list[dict[str, Any]]]:
    """Run all cases in turns, so that what else the machine does falls on all of them.

    Args:
        cases: what is compared.
        rounds: how often.
        warm: what is run before, uncounted, so that modules are compiled: the same cases, or shorter ones of theirs.

    Returns:
        For each case what it told in each round.
    """
    for case in cases if warm is None else warm:
        case.run()
    told = [[case.run() for case in cases] for _ in range(rounds)]
    return [list(of_case) for of_case in zip(*told, strict=True)]


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle of several figures, and the outermost."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> Spread:
        """The spread of these figures."""
        return cls(statistics.median(figures), min(figures), max(figures))


@dataclass(frozen=True, slots=True)
class Comparison:
    """One line of the table.

    Attributes:
        row: the row's number.
        measure: what was measured, and in what.
        ours: our figure, as text with its unit.
        peer: what it is compared with, and its figure.
        ratio: ours to the peer's, a ratio for each round.
        goal: the goal as text, such as ``<= 1.10``; "" where there is none.
        met: whether it was met; None where there is none.
    """

    row: int
    measure: str
    ours: str
    peer: str
    ratio: Spread | None
    goal: str
    met: bool | None


def compare(
    row: int,
    measure: str,
    key: str,
    ours: Sequence[Mapping[str, float]],
    peer: Sequence[Mapping[str, float]],
    *,
    named: str,
    goal: float | None = None,
    per: int = 1,
) -> Comparison:
    """Compare one figure of two cases that were run in turns.

    Args:
        row: the row's number.
        measure: what is measured.
        key: ``"cpu"`` or ``"wall"``, in seconds.
        ours: what ours told in each round.
        peer: what the peer told in each round.
        named: the peer's name.
        goal: what the ratio may be at most.
        per: how many things one figure stands for.
    """
    ratio = Spread.of([mine[key] / theirs[key] for mine, theirs in zip(ours, peer, strict=True)])
    middle = [statistics.median(each[key] for each in side) / per for side in (ours, peer)]
    return Comparison(
        row,
        measure,
        duration(middle[0]),
        f"{named}: {duration(middle[1])}",
        ratio,
        "" if goal is None else f"<= {goal:.2f}" if goal >= 0.01 else f"<= 1/{1 / goal:.0f}",
        None if goal is None else ratio.median <= goal,
    )


def duration(seconds: float) -> str:
    """Seconds as text, in the unit that fits."""
    if seconds >= 1:
        return f"{seconds:.2f} s"
    if seconds >= 0.001:
        return f"{seconds * 1000:.2f} ms"
    return f"{seconds * 1_000_000:.2f} us"
