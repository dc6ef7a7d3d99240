"""`python -m benchmarks.outage`: the week in a local stack with an admin site, until Ctrl-C."""

from __future__ import annotations

import argparse
import logging
import shlex
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.outage.load import load
from benchmarks.outage.plan import outage
from benchmarks.outage.site import PASSWORD, USER, serve, set_up
from benchmarks.outage.week import live_through
from serverless_tasks.engine.job.record import iso
from serverless_tasks.local.in_process import local_stack

TASKS = "benchmarks.outage.tasks"


def main() -> int:
    """Make the week, serve it, say how to look at it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.outage", description=__doc__)
    parser.add_argument("--jobs", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--port", type=int, default=8000, help="of the site")
    chosen = parser.parse_args()
    logging.getLogger("django.server").setLevel(logging.WARNING)
    end = time.time()
    _say(f"{chosen.jobs:,} jobs of twelve tasks in seven days, seed {chosen.seed}")
    week = live_through(chosen.jobs, end, chosen.seed)
    with tempfile.TemporaryDirectory(prefix="outage-") as folder, local_stack(modules=[TASKS]) as stack:
        _say(f"{len(week.items):,} items, {len(week.waiting):,} messages that wait: they are loaded")
        load(week)
        set_up(Path(folder))
        down_from, down_to = (iso(int(moment * 1000)) for moment in outage(end))
        _say(f"The payment gateway was down from {down_from} to {down_to}.")
        _say(f"Admin: http://127.0.0.1:{chosen.port}/admin/ ({USER}, {PASSWORD}). For the command line:")
        variables = {
            name: value
            for name, value in stack.environment.items()
            if name.startswith(("AWS_", "SERVERLESS_TASKS_"))
        }
        _say("  export " + " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items()))
        try:
            serve(chosen.port)
        except KeyboardInterrupt:
            _say("Stopped.")
    return 0


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
