"""Whether a worker's time is enough for its tasks: for more than one message of a batch."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PARAMETER: Final = "WorkerTimeout"
# As template.yaml has it, in seconds.
DEFAULT: Final = 300.0
ALLOWED: Final = tuple(range(60, 901, 30))
STATE: Final = "infra/lambda/.generated.json"
"""The file in which `init` remembers its options, the queues among them."""
LONG: Final = "long"
"""The queue of a container's worker, whose tasks may take longer than a function: no function polls it."""
_TIMEOUT = re.compile(r"\btimeout=(\d+)")
# For what stands around the runs, in seconds.
_BESIDE: Final = 5


def worker_times_advice(
    seconds: float | None, tasks: Iterable[tuple[str, float, str | None]], directory: Path
) -> list[str]:
    """Return what is wrong with the timeouts of the stack's worker, and of queues that have a worker of their own.

    Args:
        seconds: the timeout of the stack's worker; None where it is not known.
        tasks: the names of tasks with their timeouts, in seconds, and their queues.
        directory: where `init` was run.
    """
    tasks, own = list(tasks), own_workers(directory)
    others = {LONG, *own}
    mine = [(name, timeout) for name, timeout, queue in tasks if queue not in others]
    said = [None if seconds is None else worker_time_advice(seconds, mine)]
    for queue, its_own in own.items():
        said.append(
            worker_time_advice(
                its_own, [(name, timeout) for name, timeout, of in tasks if of == queue], queue
            )
        )
    return [sentence for sentence in said if sentence is not None]


def worker_time_advice(seconds: float, tasks: Iterable[tuple[str, float]], queue: str = "") -> str | None:
    """Return what is wrong with a worker's timeout, None when nothing is.

    A message of a batch is begun only while its task's timeout still fits, so that what has begun has its time. A
    worker with less time than twice the longest timeout begins one of ten messages, and sends nine back, each time.

    Args:
        seconds: the worker function's timeout.
        tasks: the names of tasks with their timeouts, in seconds.
        queue: the queue that has this worker for its own; "" for the stack's worker.
    """
    name, longest = max(tasks, key=lambda task: task[1], default=("", 0.0))
    least = 2 * longest + _BESIDE
    if seconds >= least:
        return None
    fitting = next((allowed for allowed in ALLOWED if allowed >= least), None)
    parameter = f"--queue {queue}:timeout" if queue else PARAMETER
    advice = (
        f"deploy with {parameter}={fitting}, or reduce the task's timeout"
        if fitting is not None
        else f"{parameter} is {ALLOWED[-1]} at most, so reduce the task's timeout, or run it in a container's worker"
    )
    return (
        f"The worker has {seconds:g} seconds ({parameter}), less than {least:g}: twice the timeout of task {name!r}"
        f" ({longest:g} seconds) and {_BESIDE}. A batch's next message is begun only while its task's timeout still"
        f" fits, so most of a batch would be sent back: {advice}."
    )


def own_workers(directory: Path) -> dict[str, int]:
    """Return the queues that have a worker function of their own, with its timeout in seconds.

    Args:
        directory: where `init` was run.
    """
    try:
        options = json.loads((directory / STATE).read_text(encoding="utf-8"))["options"]
        queues = [str(queue) for queue in options.get("queues") or ()]
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return {}
    found = {queue.partition(":")[0]: _TIMEOUT.search(queue) for queue in queues}
    return {name: int(timeout[1]) for name, timeout in found.items() if timeout is not None}


def deployed_seconds(parameters: dict[str, str]) -> float | None:
    """Return the worker's timeout of a deployment; None when it is no number, which `sam deploy` says.

    Args:
        parameters: those that `samconfig.toml` gives.
    """
    try:
        return float(parameters.get(PARAMETER, DEFAULT))
    except ValueError:
        return None
