"""`python -m benchmarks.soak`: run it, print what became of the jobs; exit code 1 when a count is not zero."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.soak.plan import Plan
from benchmarks.soak.run import run
from tests.support.ministack import MissingTool

if TYPE_CHECKING:
    from benchmarks.soak.run import Result

_NAMES = {
    "lost": "jobs lost",
    "run_twice": "run twice although finished",
    "left_open": "left open",
    "members_open": "members of groups without an end",
    "groups_open": "groups that have not succeeded",
    "continuations_early": "continuations begun before all members had ended",
    "continuations_lost": "continuations that have not had all results",
    "messages_left": "messages left in a queue",
    "unseen": "jobs of a run in which no end was seen",
    "seconds": "seconds",
    "seconds_until_90": "seconds until 90 % had ended",
    "jobs_per_second": "jobs per second until then",
    "doubled": "messages sent twice",
    "kills": "workers killed in a task, or counting members",
    "crashes": "workers that ended by themselves",
    "continuations": "continuations that ran",
    "attempts": "attempts begun",
    "attempts_lost": "attempts lost",
    "throttles": "calls throttled",
}


def main() -> int:
    """Run the soak; returns the exit code."""
    arguments = _arguments()
    as_json = vars(arguments).pop("json")
    plan = Plan(**vars(arguments))
    directory = Path(tempfile.mkdtemp(prefix="soak-"))
    print(
        f"{plan.jobs:,} jobs, {plan.groups} groups of {plan.members:,}, "
        f"{plan.workers} workers of {plan.threads} threads, seed {plan.seed}",
        file=sys.stderr,
    )
    try:
        result = run(plan, directory, lambda text: print(text, file=sys.stderr, flush=True))
    except MissingTool as missing:
        sys.exit(str(missing))
    told = figures(plan, result)
    if as_json:
        print(json.dumps({"plan": asdict(plan), **told}))
    else:
        for name, value in told.items():
            print(f"{_NAMES[name]:<40}{value:>10,}")
    if not result.verdict.holds:
        print(f"It does not hold; the workers' log and the diary are in {directory}.", file=sys.stderr)
        return 1
    shutil.rmtree(directory)
    return 0


def figures(plan: Plan, result: Result) -> dict[str, Any]:
    """What is printed, by the names of ``--json``."""
    most = 0.9 * plan.tasks / result.seconds_until_90 if result.seconds_until_90 else 0.0
    return {
        **asdict(result.verdict),
        "seconds": result.seconds,
        "seconds_until_90": result.seconds_until_90,
        "jobs_per_second": round(most, 1),
        "doubled": len(plan.doubled),
        "kills": result.kills,
        "crashes": result.crashes,
        **asdict(result.seen),
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--json", action="store_true", help="answer with JSON, for programs")
    for field in fields(Plan):
        parser.add_argument(f"--{field.name}", type=type(field.default), default=field.default)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
