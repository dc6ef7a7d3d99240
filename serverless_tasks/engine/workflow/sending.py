"""The messages of a workflow's jobs, and sending them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from serverless_tasks.engine.job.message import OPEN, SETTLE, Message, expires_at
from serverless_tasks.engine.job.options import JobOptions
from serverless_tasks.engine.store.groups import expires_after
from serverless_tasks.errors import SubmitUncertain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from serverless_tasks.engine.job.place import Place
    from serverless_tasks.engine.job.plan import Step
    from serverless_tasks.errors import ServerlessTasksError

    type Publish = Callable[[Sequence[Message]], list[ServerlessTasksError | None]]

# What a worker is to see to keeps nothing of its own: the group has its job item.
_UNTRACKED: Final = JobOptions(track=False)


def message_of(
    step: Step,
    *,
    uuid: str,
    now: int,
    owner: str | None,
    member: Place | None = None,
    previous: str | None = None,
    follows: str | None = None,
    build: str = "",
) -> Message:
    """The message of a step of a workflow that is sent now.

    Args:
        step: the step.
        uuid: the job's id.
        now: the present, in milliseconds since the epoch.
        owner: whose the workflow is.
        member: its place.
        previous: what its references speak of.
        follows: the job whose end is its own, if one has the place of a unique task.
        build: the id of the code that submitted the workflow, where that is known.
    """
    run_at = now + step.delay * 1000 if step.delay else None
    return Message(
        uuid=uuid,
        task=step.task,
        inputs=step.inputs if step.plan is None else step.plan.to_json(),
        owner=owner,
        queue=step.queue,
        created=now,
        expires=expires_at(now, run_at),
        secrets=step.secrets,
        options=JobOptions.decode(step.options),
        member=member,
        references=step.references,
        previous=previous,
        follows=follows,
        workflow=None if step.plan is None else OPEN,
        run_at=run_at,
        build=build,
    )


def settling_message(uuid: str, queue: str, task: str, *, now: int, run_at: int | None = None) -> Message:
    """The message that lets a worker see whether all members of a group have ended.

    It says nothing of an owner: a schedule keeps it until the deadline, even of a group that is deleted before.

    Args:
        uuid: the group's id.
        queue: the queue that it travels through.
        task: the group's name.
        now: the present, in milliseconds since the epoch.
        run_at: when that is due, likewise; now unless given.
    """
    return Message(
        uuid=uuid,
        task=task,
        queue=queue,
        created=now,
        expires=expires_after(max(now, run_at or 0)),
        options=_UNTRACKED,
        workflow=SETTLE,
        run_at=run_at,
    )


def send(publish: Publish, messages: Sequence[Message]) -> None:
    """Send messages of a workflow, all of them.

    Raises:
        ServerlessTasksError: one was not sent, or perhaps not.
    """
    errors = [error for error in publish(messages) if error is not None]
    for error in errors:
        if not isinstance(error, SubmitUncertain):
            raise error
    if errors:
        raise errors[0]
