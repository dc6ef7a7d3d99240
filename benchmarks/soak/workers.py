"""The worker processes: started, killed, and started again.

Each is the command `serverless-tasks worker`, started by a fork of a process that has imported it: hundreds of them
start in a run, and what Python's own start costs is not what is looked at.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerProcess
    from pathlib import Path

    from benchmarks.soak.plan import Plan

# What a worker imports when it starts.
_IMPORTED = [
    "benchmarks.soak.network",
    "lambda_handlers.worker",
    "serverless_tasks.cli.app",
    "serverless_tasks.poller",
]


class Workers:
    """A number of worker processes, until the block ends.

    Args:
        plan: how many, and what happens to them.
        log: where their output goes.
    """

    def __init__(self, plan: Plan, log: Path) -> None:
        self._plan = plan
        self._log = log
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_IMPORTED)
        self._running: dict[int, ForkServerProcess] = {}
        self._started = 0
        self.kills = 0
        self.crashes = 0

    def kill(self, pid: int) -> None:
        """Kill a worker with SIGKILL and start another in its place; nothing when it is dead already."""
        process = self._running.pop(pid, None)
        if process is None:
            return
        process.kill()
        process.join()
        self.kills += 1
        self._start()

    def mend(self) -> None:
        """Start another worker for each that has ended although nobody killed it."""
        for pid, process in list(self._running.items()):
            if process.exitcode is not None:
                del self._running[pid]
                self.crashes += 1
                self._start()

    def __enter__(self) -> Self:
        """Start them."""
        for _ in range(self._plan.workers):
            self._start()
        return self

    def __exit__(self, *_: object) -> None:
        """End them."""
        for process in self._running.values():
            process.kill()
            process.join()

    def _start(self) -> None:
        self._started += 1
        process = self._context.Process(target=work, args=(self._log, self._plan, self._started), daemon=True)
        process.start()
        assert process.pid is not None
        self._running[process.pid] = process


def work(log: Path, plan: Plan, number: int) -> None:
    """Be a worker, until the process is killed.

    Args:
        log: where output goes.
        plan: what happens to it.
        number: which worker it is of those that the run has started.
    """
    from benchmarks.soak.network import disturb, doom
    from serverless_tasks.cli.app import app

    # Ctrl-C reaches the whole group; the run's own process is the one to end the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(file, sys.stdout.fileno())
    os.dup2(file, sys.stderr.fileno())
    seed = f"worker {number} {plan.seed}"
    disturb(plan.throttles, seed)
    doom(plan.counting_kills, plan.closing_kills, f"doomed {seed}")
    app(["worker", "default", "--concurrency", str(plan.threads)], prog_name="serverless-tasks")
