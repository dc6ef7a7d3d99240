"""``TASKS_BACKEND``: a backend with ``run(task)``, in the shape that django-generic-tasks gave it."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from django.db import connections

from django_integration import conf
from django_integration.own_backend import execute, hand_over
from serverless_tasks.engine.backends.base import Backend
from serverless_tasks.engine.definition.registry import definition_of
from serverless_tasks.engine.job.execution import Execution
from serverless_tasks.engine.services import current_services
from serverless_tasks.engine.submit.options import Options
from serverless_tasks.engine.submit.submission import message_for
from serverless_tasks.errors import (
    ConfigurationError,
    ServerlessTasksError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serverless_tasks.engine.definition.base import BaseTask
    from serverless_tasks.engine.job.message import Message

# Where a task that a backend is given keeps its job; no name that a user's class would have.
_JOB = "_serverless_tasks_job"


class TasksBackend(Protocol):
    """The protocol of ``TASKS_BACKEND``: an object, or a class that is made without arguments."""

    def run(self, task: Any) -> None:
        """See to it that a task is run.

        Args:
            task: the task with its ``params``. ``task.run()`` runs it here, and records progress and result under
                ``task.execution.uuid``.
        """


class ThreadingBackend:
    """Runs each task on a thread of its own. The process ends when its threads have."""

    def run(self, task: Any) -> None:
        """See `TasksBackend.run`."""
        threading.Thread(target=_run_and_close, args=(task,), name=f"task {task.name}").start()


class GenericBackend(Backend):
    """Hands jobs to a ``TASKS_BACKEND``.

    Args:
        backend: the backend.
    """

    runs_workflows = False

    def __init__(self, backend: TasksBackend) -> None:
        self._backend = backend
        # A backend that carries its jobs to another process says so with `runs_here = False`.
        self.in_process = bool(getattr(backend, "runs_here", True))

    def publish(self, messages: Sequence[Message]) -> list[ServerlessTasksError | None]:
        """See `Backend.publish`."""
        return [self._publish(message) for message in messages]

    def _publish(self, message: Message) -> ServerlessTasksError | None:
        name = f"{type(self._backend).__qualname__}.run()"
        return hand_over(message, lambda: self._backend.run(_task(message)), name)


def backend_of(entry: Any) -> TasksBackend:
    """The backend that ``TASKS_BACKEND`` stands for: a dotted path, a class, or an object.

    Raises:
        ConfigurationError: it cannot be imported, cannot be made, or has no ``run``.
    """
    found = conf.imported("TASKS_BACKEND", entry)
    if isinstance(found, type):
        try:
            found = found()
        except TypeError as error:
            raise ConfigurationError(
                f"TASKS_BACKEND is {entry!r}, which cannot be instantiated without arguments ({error}); pass an object."
            ) from error
    if not callable(getattr(found, "run", None)):
        raise ConfigurationError(f"TASKS_BACKEND is {entry!r}, which has no run(task).")
    backend: TasksBackend = found
    return backend


def job_of(task: Any) -> Message:
    """The job of a task that a backend was given; a new one for a task that was made by hand.

    Raises:
        InvalidInputs: its params do not survive JSON.
    """
    known: Message | None = vars(task).get(_JOB)
    if known is not None:
        return known
    kind = type(task)
    return message_for(current_services(), kind, definition_of(kind).to_json(task.params), Options())


def _task(message: Message) -> BaseTask:
    """The task of a job, its ``run`` replaced by one that records."""
    definition = current_services().registry.definition(message.task)
    task = definition.instance(
        definition.parse_json(message.inputs), Execution(uuid=message.uuid, owner=message.owner)
    )
    vars(task)[_JOB] = message
    vars(task)["run"] = partial(_execute, message)
    return task


def _execute(message: Message) -> None:
    clock = current_services().clock
    if delay := message.delay(clock.now()):
        clock.sleep(delay)
    execute(message.encode())


def _run_and_close(task: Any) -> None:
    try:
        task.run()
    finally:
        connections.close_all()
