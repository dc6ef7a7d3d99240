"""Tasks that a module holds although another backend's ``@task`` made them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.tasks import task_backends
from django.tasks.base import Task
from django.tasks.exceptions import InvalidTaskBackend

from django_integration.django_tasks.task import ServerlessTask, function_of
from django_integration.tasks_backend import ServerlessBackend

if TYPE_CHECKING:
    from types import ModuleType


def adopt(module: ModuleType) -> None:
    """Register the tasks of a module that were made for another backend: ``using(backend=...)`` may send them to ours.

    What ``@task`` made for ours has registered itself. Without a backend of ours, nothing is registered.
    """
    foreign_tasks = [
        value
        for value in vars(module).values()
        if isinstance(value, Task) and not isinstance(value, ServerlessTask)
    ]
    if foreign_tasks and our_backends():
        for task in foreign_tasks:
            function_of(task)


def our_backends() -> list[ServerlessBackend]:
    """The backends of ours that ``TASKS`` names; one that cannot be made is left to Django's own check."""
    found = []
    for alias in task_backends:
        try:
            backend = task_backends[alias]
        except InvalidTaskBackend:
            continue
        if isinstance(backend, ServerlessBackend):
            found.append(backend)
    return found
