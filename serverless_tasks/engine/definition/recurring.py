"""Recurring schedules as tasks declare them, and the message that each firing sends."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from serverless_tasks.engine.definition.base import queue_for
from serverless_tasks.engine.job.encoding import encode
from serverless_tasks.engine.job.message import VERSION_ALONE
from serverless_tasks.errors import PayloadTooLarge

if TYPE_CHECKING:
    from collections.abc import Iterable

    from serverless_tasks.engine.definition.base import BaseTask
    from serverless_tasks.engine.definition.registry import Registry
    from serverless_tasks.engine.definition.schedule import Schedule

# Other schedules of the group, one-time ones among them, are not ours to change.
PREFIX = "task-"
# EventBridge Scheduler puts the time in the place of these words:
# https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
SCHEDULED_TIME = "<aws.scheduler.scheduled-time>"
_PLACEHOLDER = "<aws.scheduler."
_ESCAPED = "\\u003caws.scheduler."
# A schedule takes 256 KB: https://docs.aws.amazon.com/scheduler/latest/UserGuide/scheduler-quotas.html
LARGEST_TICK = 250_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurring:
    """A schedule that a task declares.

    Attributes:
        name: what EventBridge Scheduler calls it.
        task: the task's name.
        schedule: when.
        queue: the queue that its messages go to.
        body: the message, with `SCHEDULED_TIME` where the time belongs.
    """

    name: str
    task: str
    schedule: Schedule
    queue: str
    body: str

    def tick(self, scheduled: str) -> str:
        """The message of one time.

        Args:
            scheduled: the time in ISO 8601, as EventBridge Scheduler writes it: ``2030-01-31T08:00:00Z``.
        """
        return self.body.replace(SCHEDULED_TIME, scheduled)


def recurring_schedules(registry: Registry) -> list[Recurring]:
    """The schedules that the registered tasks declare, by their tasks' names.

    Raises:
        TaskDefinitionError: a task's ``schedule_inputs`` do not fit it.
        PayloadTooLarge: they are too large to travel with a schedule.
    """
    return [recurring_of(registry, task) for task in _scheduled(registry)]


def recurring_of(registry: Registry, task: type[BaseTask]) -> Recurring:
    """The schedule that a task declares.

    Raises:
        TaskDefinitionError: its ``schedule_inputs`` do not fit it.
        PayloadTooLarge: they are too large to travel with a schedule.
    """
    assert task.schedule is not None, "asked of tasks that have one"
    definition = registry.definition(task.name)
    inputs = definition.to_json(task.schedule_inputs)
    name = task_schedule_name(task.name)
    queue = queue_for(task.queue, task.priority)
    body = _body(name, task.name, inputs, queue, definition.secrets_in(inputs))
    if len(body.encode()) > LARGEST_TICK:
        raise PayloadTooLarge(f"schedule_inputs of task {task.name!r}", len(body.encode()), LARGEST_TICK)
    return Recurring(name=name, task=task.name, schedule=task.schedule, queue=queue, body=body)


def task_schedule_name(task: str) -> str:
    """Return the name of a task's schedule: at most 64 characters that EventBridge Scheduler accepts."""
    readable = re.sub(r"[^0-9a-zA-Z_.-]+", "-", task)[-48:]
    return f"{PREFIX}{readable}-{sha256(task.encode()).hexdigest()[:10]}"


def without_placeholders(text: str) -> str:
    """JSON text in which EventBridge Scheduler finds nothing to replace, whatever users have written."""
    return text.replace(_PLACEHOLDER, _ESCAPED)


def _body(name: str, task: str, inputs: dict[str, Any], queue: str, secrets: tuple[str, ...]) -> str:
    whole = {
        "v": VERSION_ALONE,
        "schedule": name,
        "task": task,
        "inputs": inputs,
        "options": {"queue": queue},
    }
    if secrets:
        whole["secrets"] = list(secrets)
    text = without_placeholders(encode(whole))
    return f'{text[:-1]},"scheduled":"{SCHEDULED_TIME}"}}'


def _scheduled(registry: Registry) -> Iterable[type[BaseTask]]:
    return sorted((task for task in registry if task.schedule is not None), key=lambda task: task.name)
