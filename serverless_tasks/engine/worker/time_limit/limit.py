"""The time limit of a run, and its escalation once it is exceeded."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from serverless_tasks.errors import TaskStopped, TaskTimeout

if TYPE_CHECKING:
    from collections.abc import Callable

    from serverless_tasks.engine.job.progress import Progress

# Seconds between a task's `TaskTimeout` and the first `TaskStopped`: the time that it has to clean up.
GRACE = 5.0
# Seconds between one `TaskStopped` and the next.
REPEAT = 1.0
# Seconds to wait for a task that is inside a progress call.
SHORTLY = 0.01


class Limit:
    """The time limit of one run, and its escalation once it is exceeded.

    First it is told by a `TaskTimeout`, which it may catch to clean up (a coroutine is cancelled instead); one that
    goes on is told again, by `TaskStopped`, until it ends.

    Args:
        seconds: how long it may run.
        progress: its counters; their calls raise as well.
        latest: seconds, from the beginning, after which the grace is over in any case.

    Attributes:
        pause: seconds until the next `expire`.
        told: how often the task has been told.
        closing: set by the thread that runs the task, once it has ended: from then on nothing is raised in it.
    """

    def __init__(self, seconds: float, progress: Progress, latest: float = math.inf) -> None:
        self.seconds = seconds
        self.pause = max(seconds, 0.001)
        self.told = 0
        self.closing = False
        self._grace = max(0.1, min(GRACE, latest - seconds))
        self._progress = progress
        self._cancel: Callable[[], Any] | None = None

    def timeout(self) -> TaskTimeout:
        """Return the error that is recorded for a stopped run."""
        return TaskTimeout(f"The task exceeded its timeout of {self.seconds:g} seconds.")

    def attach(self, cancel: Callable[[], Any]) -> None:
        """Let a coroutine be told by being cancelled; ``cancel`` is called from any thread."""
        self._cancel = cancel

    def detach(self) -> None:
        """The coroutine has ended."""
        self._cancel = None

    def expire(self) -> type[BaseException] | None:
        """Tell the task that its time is over; says what to raise in its thread, if anything."""
        if self._progress.signalling:  # raised inside it, an exception could leave a lock behind
            self.pause = SHORTLY
            return None
        self.told += 1
        first, cancel = self.told == 1, self._cancel
        self.pause = self._grace if first else REPEAT
        if not first:
            self._progress.stop(TaskStopped(str(self.timeout())))
        elif cancel is not None:
            self._progress.stop(self.timeout())
        if cancel is not None:
            cancel()
            return None if first else TaskStopped
        return TaskTimeout if first else TaskStopped
