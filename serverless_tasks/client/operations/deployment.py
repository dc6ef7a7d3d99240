"""The comparison of this code with the deployed build, before one of them is deployed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from serverless_tasks.engine.definition.manifest.build import Manifest
from serverless_tasks.engine.definition.manifest.compare import compare

if TYPE_CHECKING:
    from serverless_tasks.engine.definition.manifest.compare import TaskChange
    from serverless_tasks.engine.services import Services

_OURS = ("serverless_tasks", "django_integration")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentChanges:
    """The differences of this code and the deployed build of which jobs would fail.

    Attributes:
        deployed: the id of the deployed build, or "" where it has none.
        tasks: the tasks, by name.
    """

    deployed: str
    tasks: tuple[TaskChange, ...]


def compare_with_deployed(services: Services) -> DeploymentChanges | None:
    """Compare the inputs of this code's tasks with those of the deployed build; one read of the table.

    Args:
        services: the services to use: their registry and the table of the stack.

    Returns:
        What differs; None where no manifest is kept: the stack has run no batch yet, or jobs run in this process.

    Raises:
        AwsError: the table could not be read.
    """
    store = services.manifest_store
    deployed = None if store is None else store.read()
    if deployed is None:
        return None
    here = Manifest.of(services.registry, services.started, services.config.build)
    # Tasks of this library come with its Django app, whether or not the project uses them; a worker without Django has
    # none of them.
    own = {task.name for task in services.registry if task.__module__.partition(".")[0] in _OURS}
    changes = compare(
        {name: task for name, task in here.tasks.items() if name not in own or name in deployed.tasks},
        deployed.tasks,
    )
    return DeploymentChanges(deployed=deployed.build_id, tasks=tuple(changes))
