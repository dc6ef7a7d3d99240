"""The queue of a job, and whether the workers behind it can know its task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serverless_tasks.engine.definition.base import queue_for
from serverless_tasks.errors import TaskDefinitionError

if TYPE_CHECKING:
    from serverless_tasks.engine.services import Services
    from serverless_tasks.engine.submit.options import Options


def queue_of(options: Options, queue: str | None, priority: int) -> str:
    """The queue of a job: what the submission says counts before what the task does."""
    if options.priority is not None:
        return queue_for(options.queue, options.priority)
    return queue_for(options.queue or queue, priority)


def check_reach(services: Services, task: str) -> None:
    """See that the workers of a queue can know a task.

    Raises:
        TaskDefinitionError: its class belongs to the script that runs.
    """
    if task.startswith("__main__.") and services.backend_kind.has_queue:
        raise TaskDefinitionError(
            f"Task {task!r} is defined in the script that runs, which no worker imports: define it in a module that"
            " SERVERLESS_TASKS_MODULES names, and import it from there."
        )
