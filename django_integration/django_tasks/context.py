"""`ServerlessContext`: what a task with ``takes_context=True`` is given."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from django.tasks.base import TaskContext

if TYPE_CHECKING:
    from serverless_tasks.engine.job.execution import EarlierGroup
    from serverless_tasks.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerlessContext(TaskContext):  # type: ignore[misc, type-arg]  # only in its stub it has parameters
    """Django's context, and what a task of ours can say and ask while it runs.

    Attributes:
        run: the run.
    """

    run: Task = field(repr=False)

    @property
    def attempt(self) -> int:
        """The number of this attempt, from 1."""
        return self.run.execution.attempt

    @property
    def group(self) -> EarlierGroup | None:
        """The group whose members have ended before this job; see `serverless_tasks.Task.group`."""
        return self.run.group

    def retry(self, after: float | None = None, reason: str = "") -> NoReturn:
        """End this attempt and run the task again; see `serverless_tasks.Task.retry`.

        Args:
            after: seconds until then; the task's own backoff unless given.
            reason: why, for operators.
        """
        self.run.retry(after, reason)

    def set_target(self, target: float) -> None:
        """Say where the progress ends."""
        self.run.set_target(target)

    def set_progress(self, progress: float) -> None:
        """Say how far the task is; raises `TaskCancelled` once the job was cancelled."""
        self.run.set_progress(progress)

    def inc_progress(self, increment: float = 1) -> None:
        """Count the progress up; raises `TaskCancelled` once the job was cancelled."""
        self.run.inc_progress(increment)

    def add_message(self, message: str) -> None:
        """Tell the person who waits something."""
        self.run.add_message(message)

    def check_cancelled(self) -> None:
        """Raise `TaskCancelled` when the job was cancelled; asks the store once a second at most."""
        self.run.check_cancelled()
