"""Submitting an ended job once more, under a new id."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from serverless_tasks.engine.job.job_id import job_id
from serverless_tasks.engine.submit.options import Options
from serverless_tasks.engine.submit.publish import publish
from serverless_tasks.engine.submit.reserve import Deduplication
from serverless_tasks.engine.submit.submission import new_message
from serverless_tasks.errors import InputsUnavailable, NotFinished, TaskNotFound, UnknownOption

if TYPE_CHECKING:
    from serverless_tasks.engine.definition.accepted import Accepted
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.services import Services
    from serverless_tasks.engine.submit.handle import Handle


def resubmit(services: Services, uuid: str, *, new_uuid: str | None = None, on_commit: bool = True) -> Handle:
    """Submit an ended job once more: the same task, inputs, owner, queue and tenant under a new id.

    The new job says which one it repeats (`Message.retry_of`); the old one stays as it is.

    Args:
        services: the services to use.
        uuid: the ended job.
        new_uuid: the new job's id, to repeat a retry that may have been sent already.
        on_commit: inside a database transaction, publish on commit instead of at once.

    Raises:
        TaskNotFound: nothing is known of it.
        NotFinished: it has not ended.
        InputsUnavailable: its inputs are not all kept.
        InvalidInputs: the task's present code refuses them; nothing was published.
        UnknownOption: the new id is no UUID, or the old one's.
        SubmitFailed, SubmitUncertain: it was certainly not sent, or may have been.
    """
    if new_uuid is not None and job_id(new_uuid) == uuid:
        raise UnknownOption(
            f"The new job's id is {new_uuid!r}, which is the old job's; pass another, or none."
        )
    record = services.store.read(uuid, whole=False)
    if record is None:
        raise TaskNotFound(uuid)
    if not record.ended:
        raise NotFinished(uuid, record.status)
    job = services.store.job(uuid)
    if job is None:
        raise InputsUnavailable(
            uuid, "its inputs were never kept (track=False, a direct invoke, or a broken-off submit)"
        )
    if job.inputs_key is not None:
        raise InputsUnavailable(uuid, "the bucket no longer has its inputs")
    if job.secrets:
        raise InputsUnavailable(uuid, f"secret inputs are not kept ({', '.join(job.secrets)})")
    return submit_again(services, job, new_uuid=new_uuid, on_commit=on_commit)


def submit_again(services: Services, job: Message, *, new_uuid: str | None, on_commit: bool) -> Handle:
    """Submit what a message says once more, under a new id; see `resubmit`. All its inputs are there."""
    accepted = accept_again(services, job)
    unique = job.task in services.registry and services.registry.get(job.task).unique
    # The place of a unique job is held by what is known of it.
    track = job.options.track or unique
    options = Options.again(
        job.options, uuid=Options.parse({"uuid": new_uuid}).uuid, owner=job.owner, track=track
    )
    inputs, secrets, deduplication = job.inputs, job.secrets, Deduplication(unique=unique)
    if accepted is not None:
        definition = services.registry.definition(job.task)
        inputs, secrets = accepted.sent, definition.secrets_in(accepted.sent)
        deduplication = Deduplication(
            unique=unique, compared=[definition.compared(accepted)] if unique else ()
        )
    message = replace(new_message(services, job.task, inputs, options, job.queue, secrets), retry_of=job.uuid)
    (handle,) = publish(services, [message], on_commit=on_commit, deduplication=deduplication)
    return handle


def accept_again(services: Services, job: Message) -> Accepted | None:
    """Validate a job's inputs with the task's present code; None where that code is not here.

    Raises:
        InvalidInputs: it refuses them.
    """
    if job.task not in services.registry:
        return None
    return services.registry.definition(job.task).accept_json(job.inputs)
