"""Whether a worker's time is enough for its tasks: for more than one message of a batch."""

from __future__ import annotations

import json
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
# For what stands around the runs, in seconds.
_BESIDE: Final = 5


def worker_time_advice(seconds: float, tasks: Iterable[tuple[str, float]]) -> str | None:
    """Return what is wrong with a worker's timeout, None when nothing is.

    A message of a batch is begun only while its task's timeout still fits, so that what has begun has its time. A
    worker with less time than twice the longest timeout begins one of ten messages, and sends nine back, each time.

    Args:
        seconds: the worker function's timeout.
        tasks: the names of tasks with their timeouts, in seconds.
    """
    name, longest = max(tasks, key=lambda task: task[1], default=("", 0.0))
    least = 2 * longest + _BESIDE
    if seconds >= least:
        return None
    fitting = next((allowed for allowed in ALLOWED if allowed >= least), None)
    advice = (
        f"deploy with {PARAMETER}={fitting}, or reduce the task's timeout"
        if fitting is not None
        else f"{PARAMETER} is {ALLOWED[-1]} at most, so reduce the task's timeout, or run it in a container's worker"
    )
    return (
        f"The worker has {seconds:g} seconds ({PARAMETER}), less than {least:g}: twice the timeout of task {name!r}"
        f" ({longest:g} seconds) and {_BESIDE}. A batch's next message is begun only while its task's timeout still"
        f" fits, so most of a batch would be sent back: {advice}."
    )


def polled_by_others(directory: Path) -> frozenset[str]:
    """Return the queues that the stack's worker does not poll: a container's, and those with a worker of their own.

    Args:
        directory: where `init` was run.
    """
    try:
        options = json.loads((directory / STATE).read_text(encoding="utf-8"))["options"]
        own = [str(queue) for queue in options.get("queues") or ()]
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        own = []
    return frozenset({LONG, *(queue.partition(":")[0] for queue in own if "timeout=" in queue)})


def deployed_seconds(parameters: dict[str, str]) -> float | None:
    """Return the worker's timeout of a deployment; None when it is no number, which `sam deploy` says.

    Args:
        parameters: those that `samconfig.toml` gives.
    """
    try:
        return float(parameters.get(PARAMETER, DEFAULT))
    except ValueError:
        return None
