"""Pausing and resuming queues and tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from serverless_tasks.engine.aws.mappings import mappings_of, switch
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.worker.pauses import LONGEST_WHY, QUEUE, TASK, Pause
from serverless_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from datetime import datetime

    from serverless_tasks.engine.services import Services
    from serverless_tasks.engine.worker.pauses import Pauses

_SWITCH_ON = (
    "deploy the stack with TaskPauses=true (container workers: SERVERLESS_TASKS_PAUSES=true), and set"
    " SERVERLESS_TASKS_PAUSES=true here"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused:
    """The result of pausing or resuming.

    Attributes:
        pause: the pause; None when it is resumed.
        mappings: how many event source mappings were switched, or stood as wanted.
    """

    pause: Pause | None = None
    mappings: int = 0


def pause_queue(services: Services, queue: str, *, by: str = "", why: str = "") -> Paused:
    """Let nobody receive from a queue: its event source mappings are disabled, container workers stop receiving.

    Messages that were received already are run. Jobs can still be submitted; a queue keeps their messages for four
    days.

    Args:
        services: the services of the stack.
        queue: the queue's name.
        by: the operator.
        why: the operator's reason.

    Raises:
        ConfigurationError: there is no such queue, or nothing that could be paused.
        AwsError: AWS refused; repeat it.
    """
    pauses = _pauses(services)
    mappings = mappings_of(services.config.queue_url(queue))
    if not mappings and not services.config.pauses:
        raise ConfigurationError(
            f"Nothing was paused: no event source mapping receives from the queue {queue!r}, and container workers do"
            f" not look at pauses. To let them, {_SWITCH_ON}."
        )
    for mapping in mappings:
        if mapping.enabled:
            switch(mapping, on=False)
    pause = _made(services, QUEUE, queue, by, why)
    pauses.put(pause)
    return Paused(pause=pause, mappings=len(mappings))


def resume_queue(services: Services, queue: str) -> Paused:
    """Let messages of a queue be received again; one that is not paused stays as it is.

    Raises:
        ConfigurationError: there is no such queue.
        AwsError: AWS refused; repeat it.
    """
    pauses = _pauses(services)
    mappings = mappings_of(services.config.queue_url(queue))
    for mapping in mappings:
        if not mapping.enabled:
            switch(mapping, on=True)
    pauses.remove(QUEUE, queue)
    return Paused(mappings=len(mappings))


def pause_task(
    services: Services, task: str, *, by: str = "", why: str = "", until: datetime | None = None
) -> Paused:
    """Let workers begin no job of a task: within ten seconds they give its messages back to their queue.

    Args:
        services: the services of the stack.
        task: the task's name; it need not be known here.
        by: the operator.
        why: the operator's reason.
        until: when the pause ends by itself, with a time zone; None until it is resumed.

    Raises:
        ConfigurationError: workers do not look at pauses, or ``until`` is over.
        AwsError: AWS refused; repeat it.
    """
    pauses = _pauses(services)
    if not services.config.pauses:
        raise ConfigurationError(
            f"Nothing was paused: workers do not look at paused tasks. To let them, {_SWITCH_ON}. A queue can be paused"
            " now: `serverless-tasks pause QUEUE`."
        )
    end = None if until is None else to_ms(until.timestamp())
    if end is not None and end <= to_ms(services.clock.now()):
        raise ConfigurationError(f"Nothing was paused: {until:%Y-%m-%dT%H:%M:%S%z} is over.")
    pause = _made(services, TASK, task, by, why, end)
    pauses.put(pause)
    return Paused(pause=pause)


def resume_task(services: Services, task: str) -> Paused:
    """Let workers begin jobs of a task again; messages that were given back come again within 15 minutes.

    Raises:
        ConfigurationError: jobs run in this process.
        AwsError: AWS refused; repeat it.
    """
    _pauses(services).remove(TASK, task)
    return Paused()


def _made(services: Services, kind: str, name: str, by: str, why: str, until: int | None = None) -> Pause:
    now = to_ms(services.clock.now())
    return Pause(kind=kind, name=name, since=now, by=by, why=why.strip()[:LONGEST_WHY], until=until)


def _pauses(services: Services) -> Pauses:
    pauses = services.pauses
    if pauses is None:
        raise ConfigurationError(
            "There is nothing to pause: jobs run in the process that submits them, or no table is configured."
        )
    return pauses
