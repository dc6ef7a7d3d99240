"""Row 9: a thousand tasks end to end through a stand-in of AWS, beside Celery on SQS with its DynamoDB results."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from benchmarks.measure import ROOT, Case, Comparison, Spread, duration
from benchmarks.rows.warm_batch import TASKS
from benchmarks.stand_in import stand_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.stand_in import StandIn

JOBS = 1_000
ROUNDS = 3
# Processes that run tasks, on each side; Celery has one more, which receives for them.
PROCESSES = 2
# Messages that Celery takes ahead for each process: its default, and what its documentation says for many short tasks
# (https://docs.celeryq.dev/en/stable/userguide/optimizing.html#prefetch-limits).
PREFETCH = (4, 64)
GOAL = 1.5
# Seconds in which a worker has to be ready.
PATIENCE = 60.0

_OURS = ("serverless_tasks.cli", "worker", "default")
_CELERY = ("celery", "-A", "benchmarks.cases.celery_queue", "worker", "--loglevel=WARNING")
_QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat")


def measure() -> list[Comparison]:
    """Throughput, and the time from submission to end, of a thousand tasks that are submitted at once."""
    told = [(_ours(), [_celery(prefetch) for prefetch in PREFETCH]) for _ in range(ROUNDS)]
    ours = [mine for mine, _ in told]
    by_setting = [[theirs[number] for _, theirs in told] for number in range(len(PREFETCH))]
    best = max(by_setting, key=lambda rounds: statistics.median(told["per_second"] for told in rounds))
    named = f"Celery, SQS, DynamoDB, prefetch {PREFETCH[by_setting.index(best)]}"
    return [_throughput(ours, best, named), *(_latency(key, ours, best, named) for key in ("p50", "p99"))]


def _throughput(
    ours: Sequence[dict[str, float]], theirs: Sequence[dict[str, float]], named: str
) -> Comparison:
    middle = [statistics.median(told["per_second"] for told in side) for side in (ours, theirs)]
    ratio = Spread.of(
        [mine["per_second"] / peer["per_second"] for mine, peer in zip(ours, theirs, strict=True)]
    )
    return Comparison(
        9,
        f"{JOBS:,} tasks end to end, {PROCESSES} processes",
        f"{middle[0]:.0f} a second",
        f"{named}: {middle[1]:.0f} a second",
        ratio,
        f">= {GOAL:.2f}",
        ratio.median >= GOAL,
    )


def _latency(
    key: str, ours: Sequence[dict[str, float]], theirs: Sequence[dict[str, float]], named: str
) -> Comparison:
    middle = [statistics.median(told[key] for told in side) for side in (ours, theirs)]
    ratio = Spread.of([mine[key] / peer[key] for mine, peer in zip(ours, theirs, strict=True)])
    return Comparison(
        9,
        f"from the submitting call to the end, {key}",
        duration(middle[0]),
        f"{named}: {duration(middle[1])}",
        ratio,
        f"<= {1 / GOAL:.2f}",
        ratio.median <= 1 / GOAL,
    )


def _ours() -> dict[str, Any]:
    """One run of ours, on a new stand-in."""
    with stand_in(TASKS) as aws, _workers(aws, _OURS, PROCESSES, "Working on"):
        return Case(("benchmarks.cases.end_to_end", "ours", str(JOBS)), aws.environment).run()


def _celery(prefetch: int) -> dict[str, Any]:
    """One run of Celery, on a new stand-in."""
    command = (*_CELERY, f"--concurrency={PROCESSES}", f"--prefetch-multiplier={prefetch}", *_QUIET)
    with stand_in(TASKS) as aws, _workers(aws, command, 1, "the worker is ready"):
        return Case(("benchmarks.cases.end_to_end", "celery", str(JOBS)), aws.environment).run()


@contextmanager
def _workers(aws: StandIn, command: Sequence[str], processes: int, ready: str) -> Iterator[None]:
    """So many processes of a command, once each has said that it is ready, until the block ends.

    Raises:
        RuntimeError: one was not ready in time; with what it printed.
    """
    logs = [aws.directory / f"worker-{number}.log" for number in range(processes)]
    with ExitStack() as started:
        for log in logs:
            output = started.enter_context(log.open("wb"))
            process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=ROOT,
                env=dict(aws.environment),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            started.callback(_end, process)
        limit = time.monotonic() + PATIENCE
        while not all(ready in log.read_text() for log in logs):
            if time.monotonic() > limit:
                raise RuntimeError(f"{command[0]} was not ready: {logs[0].read_text()[-3000:]}")
            time.sleep(0.05)
        yield


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill it and its children: all that it was given has ended, and waiting for its long poll takes up to 10 s."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
