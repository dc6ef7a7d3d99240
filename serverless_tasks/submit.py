"""The way in: validated inputs become a message, and the message is published."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from serverless_tasks.clock import to_ms
from serverless_tasks.declaration import LONGEST_NAME, queue_for
from serverless_tasks.encoding import encode, is_json
from serverless_tasks.errors import (
    FieldError,
    InputsUnavailable,
    InvalidInputs,
    NotFinished,
    TaskNotFound,
    UnknownOption,
    UnknownTask,
)
from serverless_tasks.handle import Handle, Publication
from serverless_tasks.message import Message, expires_at
from serverless_tasks.options import Options
from serverless_tasks.schema import Definition
from serverless_tasks.services import Services, services
from serverless_tasks.styles import define

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from serverless_tasks.declaration import Declaration


class Submission:
    """A task with options, ready to be submitted: what ``SumNumbers.options(delay=60)`` gives.

    Args:
        task: the task class.
        options: how to submit.
        through: the services to use; the process's own unless given.
    """

    def __init__(self, task: type[Declaration], options: Options, through: Services | None = None) -> None:
        self._task = task
        self._options = options
        self._through = through

    def submit(self, **inputs: Any) -> Handle:
        """Validate inputs and publish the job.

        Raises:
            InvalidInputs: they do not fit; nothing was published.
            SubmitFailed: it was certainly not sent.
            SubmitUncertain: it may have been sent.
        """
        return self.start(inputs)

    def start(self, inputs: Any) -> Handle:
        """As `submit`, with the inputs as one dictionary or one instance of the task's model."""
        (handle,) = self.submit_many([inputs])
        return handle

    def submit_many(self, inputs: Iterable[Any]) -> list[Handle]:
        """Submit one job for each dictionary (or model), in as few calls as SQS and DynamoDB allow.

        Inputs are validated before the first job is sent. A handle whose job could not be sent has
        ``published = False`` and raises why when it is waited for; with a single job the error is raised here.

        Raises:
            InvalidInputs: some do not fit; nothing was published.
        """
        through = self._through or services()
        if through.runs_here:
            through.registry.add(self._task)
        given_inputs = list(inputs)
        if self._options.uuid is not None and len(given_inputs) > 1:
            raise UnknownOption(
                f"Option uuid names one job; {len(given_inputs)} were to be submitted with it."
            )
        messages = [
            message_for(through, self._task, self.to_json(given), self._options) for given in given_inputs
        ]
        return publish(through, messages, on_commit=self._options.on_commit)

    def to_json(self, inputs: Any) -> dict[str, Any]:
        """Validate inputs and give them as they travel.

        Raises:
            InvalidInputs: they do not fit.
        """
        return _definition(self._through or services(), self._task).to_json(inputs)


def submit_json(through: Services, task: str, inputs: Any, options: Options) -> Handle:
    """Submit a task by its name, with inputs that came as JSON: what the HTTP endpoints call.

    Args:
        through: the services to use.
        task: a registered name.
        inputs: the decoded JSON value.
        options: how to submit.

    Raises:
        UnknownTask: no such task is registered.
        InvalidInputs: the inputs do not fit; nothing was published.
        SubmitFailed: it was certainly not sent.
        SubmitUncertain: it may have been sent.
    """
    definition = through.registry.definition(task)
    definition.parse_json(inputs)
    (handle,) = publish(
        through, [message_for(through, definition.task, inputs, options)], on_commit=options.on_commit
    )
    return handle


def submit_unchecked(through: Services, task: str, inputs: Sequence[Any], options: Options) -> list[Handle]:
    """Submit jobs of a task whose code this process does not have; the worker validates them.

    Raises:
        UnknownTask: no task can have that name.
        InvalidInputs: inputs are not an object.
    """
    if not 0 < len(task) <= LONGEST_NAME or not is_json(task):
        raise UnknownTask(task)
    for given in inputs:
        check_json(task, given)
    messages = [
        _message(through, task, given, options, queue_for(options.queue, options.priority or 0))
        for given in inputs
    ]
    return publish(through, messages, on_commit=options.on_commit)


def resubmit(through: Services, uuid: str, *, new_uuid: str | None = None, on_commit: bool = True) -> Handle:
    """Submit an ended job once more: the same task, inputs, owner, queue and tenant under a new id.

    The new job says which one it repeats (`Message.retry_of`); the old one stays as it is.

    Args:
        through: the services to use.
        uuid: the ended job.
        new_uuid: the new job's id, to repeat a retry that may have been sent already.
        on_commit: inside a database transaction, publish on commit instead of at once.

    Raises:
        TaskNotFound: nothing is known of it.
        NotFinished: it has not ended.
        InputsUnavailable: its inputs are not all kept.
        InvalidInputs: the task's present code refuses them; nothing was published.
        UnknownOption: the new id is no UUID.
        SubmitFailed: it was certainly not sent.
        SubmitUncertain: it may have been sent.
    """
    record = through.store.read(uuid)
    if record is None:
        raise TaskNotFound(uuid)
    if not record.ended:
        raise NotFinished(uuid, record.status)
    job = through.store.job(uuid)
    if job is None:
        raise InputsUnavailable(
            uuid, "its inputs were never kept (a direct invoke, or a submit that was cut short)"
        )
    if job.inputs_key is not None:
        raise InputsUnavailable(uuid, "the bucket no longer has its inputs")
    if job.task in through.registry:
        through.registry.definition(job.task).parse_json(job.inputs)
    options = replace(Options.parse({"uuid": new_uuid}), owner=job.owner, tenant=job.tenant)
    message = replace(_message(through, job.task, job.inputs, options, job.queue), retry_of=uuid)
    (handle,) = publish(through, [message], on_commit=on_commit)
    return handle


def check_json(task: str, inputs: Any) -> None:
    """See that inputs are a JSON object; of a task without its code that is all that can be seen.

    Raises:
        InvalidInputs: they are not.
    """
    if not isinstance(inputs, dict):
        raise InvalidInputs(task, [FieldError("", f"must be an object, not {type(inputs).__name__}")])
    for name, value in inputs.items():
        try:
            encode({name: value})
        except (ValueError, TypeError, RecursionError) as error:
            raise InvalidInputs(task, [FieldError(str(name), str(error), (str(name),), "json")]) from None


def message_for(
    through: Services, task: type[Declaration], inputs: dict[str, Any], options: Options
) -> Message:
    """The message of a job of a task, inputs validated already."""
    priority = task.priority if options.priority is None else options.priority
    explicit = options.queue or (task.queue if options.priority is None else None)
    return _message(through, task.name, inputs, options, queue_for(explicit, priority))


def publish(through: Services, messages: Sequence[Message], *, on_commit: bool) -> list[Handle]:
    """Publish messages, or leave it to the open transaction's commit.

    Raises:
        ConfigurationError: a message is due later than this deployment can hold one back; none was published.
        ServerlessTasksError: the only message could not be published.
    """
    through.require_reach(messages)
    publications = [Publication(message) for message in messages]
    if not (on_commit and through.defer is not None and through.defer(through, publications)):
        publish_now(through, publications)
    if len(publications) == 1 and publications[0].error is not None:
        raise publications[0].error
    return [Handle(publication, through.store, through.clock) for publication in publications]


def publish_now(through: Services, publications: Sequence[Publication]) -> None:
    """Hand publications to the backend; each learns what became of it."""
    errors = through.backend.publish([publication.message for publication in publications])
    for publication, error in zip(publications, errors, strict=True):
        publication.settle(error)


def _definition(through: Services, task: type[Declaration]) -> Definition:
    if task.name in through.registry and through.registry.get(task.name) is task:
        return through.registry.definition(task.name)
    return define(task)


def _message(through: Services, task: str, inputs: dict[str, Any], options: Options, queue: str) -> Message:
    created = to_ms(through.clock.now())
    run_at = _due(options, created)
    return Message(
        uuid=options.uuid or str(uuid4()),
        task=task,
        inputs=inputs,
        owner=options.owner,
        queue=queue,
        tenant=options.tenant,
        created=created,
        expires=expires_at(created, run_at),
        run_at=run_at,
    )


def _due(options: Options, now: int) -> int | None:
    """When a job is due, in milliseconds since the epoch; None for at once."""
    due = now + options.delay * 1000 if options.run_at is None else to_ms(options.run_at.timestamp())
    return due if due > now else None
