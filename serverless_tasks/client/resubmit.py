"""Submitting an ended job once more, under a new id."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from serverless_tasks.engine.job.job_id import job_id
from serverless_tasks.engine.submit.options import Options
from serverless_tasks.engine.submit.publish import check_retry, publish
from serverless_tasks.engine.submit.reserve import Deduplication
from serverless_tasks.engine.submit.routing import deployed_task
from serverless_tasks.engine.submit.submission import new_message
from serverless_tasks.errors import InputsUnavailable, NotFinished, TaskNotFound, UnknownOption, WorkflowError

if TYPE_CHECKING:
    from serverless_tasks.engine.definition.accepted import Compared
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.services import Services
    from serverless_tasks.engine.submit.handle import Handle


def resubmit(
    services: Services,
    uuid: str,
    *,
    new_uuid: str | None = None,
    on_commit: bool = True,
    again: bool = True,
) -> Handle:
    """Submit an ended job once more: the same task, inputs, owner, queue and tenant under a new id.

    The new job says which one it repeats (`Message.retry_of`). The old one stays as it is, but for the new one's id
    (`Record.retried_as`), which it notes once that was sent. A member of a group is submitted as a job of its own: the
    group has counted it, and counts nothing of the new one.

    Args:
        services: the services to use.
        uuid: the ended job.
        new_uuid: the new job's id, to repeat a retry that may have been sent already.
        on_commit: inside a database transaction, publish on commit instead of at once.
        again: whether to retry it also if it was retried before, under another id.

    Raises:
        TaskNotFound: nothing is known of it.
        NotFinished: it has not ended.
        AlreadyRetried: it was retried before, and ``again`` is False.
        WorkflowError: it is a group or a chain.
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
    if record.members is not None:
        raise WorkflowError(
            f"Job {uuid} is a group or a chain: submit those of its members that did not succeed once more, with"
            f" TaskClient.retry_failed or `serverless-tasks retry {uuid} --failed`."
        )
    if not record.ended:
        raise NotFinished(uuid, record.status)
    if not again:
        check_retry(uuid, record.retried_as, new_uuid)
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
    inputs, secrets, unique, compared = accept_again(services, job)
    # A unique job must be tracked, because its lock relies on the stored job.
    track = job.options.track or unique
    options = Options.again(
        job.options, uuid=Options.parse({"uuid": new_uuid}).uuid, owner=job.owner, track=track
    )
    deduplication = Deduplication(unique=unique, compared=() if compared is None else [compared])
    message = replace(
        new_message(services, services.registry.present_name(job.task), inputs, options, job.queue, secrets),
        retry_of=job.uuid,
        references=job.references,
        previous=job.previous,
    )
    (handle,) = publish(services, [message], on_commit=on_commit, deduplication=deduplication)
    return handle


class Again(NamedTuple):
    """The inputs of a job that is submitted once more, as they are accepted now."""

    inputs: dict[str, Any]
    secrets: tuple[str, ...]
    unique: bool
    compared: Compared | None


def accept_again(services: Services, job: Message) -> Again:
    """Validate a job's inputs with the task's present code; where it is not here, the manifest has to do.

    Raises:
        InvalidInputs: they are refused.
    """
    taken: list[str] = []
    if job.references:
        from serverless_tasks.engine.worker.references import whole_inputs  # most jobs have none

        taken = whole_inputs(job.references)
    if job.task not in services.registry:
        deployed = deployed_task(services, job.task, [job.inputs], taken)
        unique = deployed.unique and not job.references
        secrets = tuple(sorted({*job.secrets, *deployed.secrets_in(job.inputs)}))
        return Again(job.inputs, secrets, unique, deployed.compared(job.inputs) if unique else None)
    definition = services.registry.definition(job.task)
    if job.references:  # what the worker takes from other jobs is validated there
        sent = definition.accept_partial(job.inputs, taken, as_json=True)
        return Again(sent, definition.secrets_in(sent), unique=False, compared=None)
    accepted = definition.accept_json(job.inputs)
    unique = definition.task.unique
    compared = definition.compared(accepted) if unique else None
    return Again(accepted.sent, definition.secrets_in(accepted.sent), unique, compared)
