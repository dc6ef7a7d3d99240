"""Submitting an ended job once more, under a new id."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from serverless_tasks.engine.job.job_id import job_id
from serverless_tasks.engine.submit.by_name import deployed_task
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

    Of a group or a chain, what has not succeeded is submitted once more. A member of one is retried by itself, and is
    no member then; inputs that are outputs of earlier jobs are taken from these again.

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
    if job.workflow is not None:
        from serverless_tasks.engine.submit.groups import retry_failed  # most jobs are no group

        return retry_failed(services, uuid, new_uuid=new_uuid)
    return submit_again(services, job, new_uuid=new_uuid, on_commit=on_commit)


def submit_again(services: Services, job: Message, *, new_uuid: str | None, on_commit: bool) -> Handle:
    """Submit what a message says once more, under a new id; see `resubmit`. All its inputs are there."""
    accepted = accept_again(services, job)
    unique, inputs, secrets, compared = False, job.inputs, job.secrets, None
    if accepted is not None:
        definition = services.registry.definition(job.task)
        unique, inputs, secrets = definition.task.unique, accepted.sent, definition.secrets_in(accepted.sent)
        compared = definition.compared(accepted) if unique else None
    elif not job.references:
        deployed = deployed_task(services, job.task, [job.inputs])
        unique = deployed.unique
        secrets = tuple(sorted({*job.secrets, *deployed.secrets_in(inputs)}))
        compared = deployed.compared(job.inputs) if unique else None
    # A unique job must be tracked, because its lock relies on the stored job.
    track = job.options.track or unique
    options = Options.again(
        job.options, uuid=Options.parse({"uuid": new_uuid}).uuid, owner=job.owner, track=track
    )
    deduplication = Deduplication(unique=unique, compared=() if compared is None else [compared])
    message = replace(
        new_message(services, job.task, inputs, options, job.queue, secrets),
        retry_of=job.uuid,
        references=job.references,
        previous=job.previous,
    )
    (handle,) = publish(services, [message], on_commit=on_commit, deduplication=deduplication)
    return handle


def accept_again(services: Services, job: Message) -> Accepted | None:
    """Validate a job's inputs with the task's present code.

    Returns:
        None where that code is not here, and the manifest has to do; and where some inputs are outputs of earlier jobs,
        so that the worker which takes them validates all.

    Raises:
        InvalidInputs: they are refused.
    """
    if job.references:
        return None
    if job.task not in services.registry:
        deployed_task(services, job.task, [job.inputs])
        return None
    return services.registry.definition(job.task).accept_json(job.inputs)
