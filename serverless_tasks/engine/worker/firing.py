"""The check of a message against the schedule that is said to have sent it.

The id of a schedule's job is made of the schedule's name and the time, so anybody can work it out. A message that has
it must do no harm to the job of that time: it is neither run nor settled before the time has come, nor for a task that
does not have that schedule. Whether the time is one of the schedule's own is not asked: until `schedules sync` has run
after a deployment the stack fires at the times of the code before, and another time is another job.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from serverless_tasks.errors import NotDue, UnknownSchedule

if TYPE_CHECKING:
    from serverless_tasks.engine.definition.base import BaseTask
    from serverless_tasks.engine.definition.registry import Registry
    from serverless_tasks.engine.job.message import Message

# How much before its time the message of a schedule may run, in seconds: the scheduler's clock is not ours.
SKEW = 5.0
# For how long one that came early is held back, in seconds: an hour less than SQS can hide what it has delivered.
LONGEST_HELD = 39_600


def task_for(message: Message, registry: Registry, now: float) -> type[BaseTask]:
    """The class of the task that a message is to run.

    Args:
        message: the job.
        registry: the tasks.
        now: the present, seconds since the epoch.

    Raises:
        UnknownSchedule: the task does not have the schedule that the message names.
        NotDue: the schedule's time is still to come.
        UnknownTask: there is no such task.
    """
    if message.schedule is None:
        return registry.for_message(message.task)
    from serverless_tasks.engine.definition.recurring import task_schedule_name

    if message.schedule != task_schedule_name(message.task):
        raise UnknownSchedule(message.task, message.schedule)
    early = message.created / 1000 - now
    if early > SKEW:
        raise NotDue(message.schedule, early)
    task = registry.get(message.task)
    if task.schedule is None:
        raise UnknownSchedule(message.task, message.schedule)
    return task
