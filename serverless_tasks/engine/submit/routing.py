"""The queue of a job, and what the workers behind it know of its task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serverless_tasks.engine.definition.base import queue_for
from serverless_tasks.engine.submit.publish import made
from serverless_tasks.errors import InvalidInputs, TaskDefinitionError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from serverless_tasks.engine.definition.manifest.entry import DeployedTask
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


def deployed_task(
    services: Services, name: str, inputs: Sequence[dict[str, Any]], missing: Collection[str] = ()
) -> DeployedTask:
    """The deployed task of a name, which accepts these inputs; one without any declaration where none is known.

    Args:
        services: the services to use.
        name: the name.
        inputs: the inputs of each job.
        missing: the names of inputs that are not known yet, of each.

    Raises:
        InvalidInputs: the inputs are not the task's.
    """
    # Most processes submit by class, and do without it.
    from serverless_tasks.engine.definition.manifest.entry import DeployedTask

    tasks = made(lambda: services.deployed_tasks)
    task = tasks.find(name)
    if task is None:
        tasks.warn(name)
        return DeployedTask(name=name)
    try:
        for given in inputs:
            task.check(given, missing)
    except InvalidInputs:
        if not tasks.refresh():
            raise
        return deployed_task(services, name, inputs, missing)
    return task
