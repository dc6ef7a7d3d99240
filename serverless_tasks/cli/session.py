"""The session of a command: the project's tasks, and the stack that it talks to."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from typing import TYPE_CHECKING

from serverless_tasks.cli.loading import Tasks, load_project
from serverless_tasks.client.task_client import TaskClient
from serverless_tasks.engine.services import Services, current_services

if TYPE_CHECKING:
    from serverless_tasks.engine.definition.registry import Registry
    from serverless_tasks.engine.job.clock import Clock


@dataclass(frozen=True, slots=True)
class Session:
    """The session of a command.

    Attributes:
        client: the jobs.
        registry: the tasks whose code is here.
        clock: the time.
        remote: whether a deployed stack was named, whose tasks need not be here.
    """

    client: TaskClient
    registry: Registry
    clock: Clock
    remote: bool


def connect(stack: str | None, tasks: Tasks = Tasks.NAMED) -> Session:
    """A session with a deployed stack, or with what the environment (or Django's settings) names.

    Args:
        stack: a CloudFormation stack's name.
        tasks: which of the project's tasks are loaded.

    Raises:
        ConfigurationError: settings are missing, tasks cannot be loaded, or the stack is none of ours.
        AwsError: there is no such stack, or it may not be read.
    """
    load_project(tasks)
    services = current_services()
    if stack is None:
        return Session(TaskClient(), services.registry, services.clock, remote=False)
    config = TaskClient.from_stack(stack).services.config
    there = Services(config, registry=services.registry)
    return Session(TaskClient(services=there), services.registry, services.clock, remote=True)


def person() -> str:
    """Return the name of the person at the terminal, or "" where the machine does not know one."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return ""
