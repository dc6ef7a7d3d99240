"""The way in: validated inputs become a message, and the message is published."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from serverless_tasks.engine.definition.registry import definition_of
from serverless_tasks.engine.definition.schema import Definition
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.message import Message, expires_at
from serverless_tasks.engine.services import Services, current_services
from serverless_tasks.engine.submit.handle import Handle
from serverless_tasks.engine.submit.options import Options
from serverless_tasks.engine.submit.publication import Publication
from serverless_tasks.engine.submit.publish import publish
from serverless_tasks.engine.submit.reserve import Deduplication
from serverless_tasks.engine.submit.routing import check_reach, queue_of
from serverless_tasks.errors import InsufficientToken, UnknownOption

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from serverless_tasks.engine.definition.base import BaseTask
    from serverless_tasks.engine.submit.workflow import Signature
    from serverless_tasks.engine.tokens.token import Token


class Submission:
    """A task with options, ready to be submitted: what ``SumNumbers.options(delay=60)`` gives.

    Args:
        task: the task class.
        options: how to submit.
        services: the services to use; the process's own unless given.
    """

    def __init__(self, task: type[BaseTask], options: Options, services: Services | None = None) -> None:
        self._task = task
        self._options = options
        self._services = services

    def __repr__(self) -> str:
        return f"<Submission {self._task.name} {self._options!r}>"

    def submit(self, /, **inputs: Any) -> Handle:
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

    async def asubmit(self, /, **inputs: Any) -> Handle:
        """As `submit`, in a coroutine."""
        return await off_loop(self._services, self._options, partial(self.start, inputs))

    def signature(self, /, **inputs: Any) -> Signature:
        """Return the task with inputs and these options, for a group or a chain; see `Task.signature`."""
        from serverless_tasks.engine.submit import workflow  # most processes submit jobs alone

        return workflow.Signature(self._task, inputs, self._options, self.start)

    def submit_token(
        self, inputs: Any = None, /, *, minutes: float = 15, allow: Iterable[str] = ("read",)
    ) -> str:
        """Return a token with which a browser submits one job of these inputs; see `Task.submit_token`."""
        from serverless_tasks.engine.tokens.token import SUBMIT, Token, digest, expiry, scope

        services, options = self._services or current_services(), self._options
        if options.idempotency_key is not None:
            raise UnknownOption(
                "Option idempotency_key is not for tokens: one of them is one job in any case."
            )
        check_options(options, self._task.name, 1, unique=self._task.unique)
        definition = _definition(services, self._task)
        accepted = definition.accept({} if inputs is None else inputs)
        token = Token(
            uuid=options.uuid or str(uuid4()),
            allow=scope(allow) | {SUBMIT},
            expires=expiry(minutes, services.clock.now()),
            task=self._task.name,
            inputs=digest(definition.compared(accepted).made),
            options=options.to_json(),
        )
        return token.signed(services.token_keys)

    def submit_many(self, inputs: Iterable[Any]) -> list[Handle]:
        """Submit one job for each dictionary (or model), in as few calls as SQS and DynamoDB allow.

        Inputs are validated before the first job is sent. A handle whose job could not be sent has
        ``published = False`` and raises why when it is waited for; with a single job the error is raised here.

        Raises:
            InvalidInputs: some do not fit; nothing was published.
        """
        return self._publish(list(inputs))

    async def asubmit_many(self, inputs: Iterable[Any]) -> list[Handle]:
        """As `submit_many`, in a coroutine."""
        return await off_loop(self._services, self._options, partial(self.submit_many, list(inputs)))

    def start_json(self, inputs: Any, *, anonymous: bool = False) -> Handle:
        """As `start`, with inputs that came as JSON.

        Args:
            inputs: the decoded JSON value.
            anonymous: see `submit_json`.
        """
        (handle,) = self._publish([inputs], as_json=True, anonymous=anonymous)
        return handle

    def to_json(self, inputs: Any) -> dict[str, Any]:
        """Validate inputs and give them as they travel.

        Raises:
            InvalidInputs: they do not fit.
        """
        return _definition(self._services or current_services(), self._task).to_json(inputs)

    def _publish(
        self, inputs: Sequence[Any], *, as_json: bool = False, anonymous: bool = False
    ) -> list[Handle]:
        services, options, unique = self._services or current_services(), self._options, self._task.unique
        if services.backend_kind.in_process:
            services.registry.add(self._task)
        check_options(options, self._task.name, len(inputs), unique=unique)
        definition = _definition(services, self._task)
        accept = definition.accept_json if as_json else definition.accept
        accepted = [accept(given) for given in inputs]
        messages = [_message(services, definition, each.sent, options) for each in accepted]
        deduplication = deduplication_of(options, unique=unique, anonymous=anonymous)
        if deduplication.compares:
            deduplication = replace(deduplication, compared=[definition.compared(each) for each in accepted])
        return publish(services, messages, on_commit=options.on_commit, deduplication=deduplication)


async def off_loop[T](services: Services | None, options: Options, submit: Callable[[], T]) -> T:
    """Submit on a thread, and where jobs wait for a commit, on the one that sees the open transaction.

    Args:
        services: the services to use; the process's own unless given.
        options: how to submit.
        submit: does so.
    """
    beside = (services or current_services()).beside_transaction
    if options.on_commit and beside is not None:
        submitted: T = await beside(submit)
        return submitted
    from serverless_tasks.engine.backends.off_loop import in_thread

    return await in_thread(submit)


def submit_json(
    services: Services, task: str, inputs: Any, options: Options, *, anonymous: bool = False
) -> Handle:
    """Submit a task by its name, with inputs that came as JSON: what the HTTP endpoints call.

    Args:
        services: the services to use.
        task: a registered name.
        inputs: the decoded JSON value.
        options: how to submit.
        anonymous: whether the caller is nobody in particular; a unique task's live job is then no more theirs than
            anybody else's.

    Raises:
        UnknownTask: no such task is registered.
        InvalidInputs: the inputs do not fit; nothing was published.
        IdempotencyConflict: the idempotency key was used with other inputs.
        AlreadyRunning: another owner's job of a unique task lives.
        SubmitFailed: it was certainly not sent.
        SubmitUncertain: it may have been sent.
    """
    return Submission(services.registry.get(task), options, services).start_json(inputs, anonymous=anonymous)


def submit_with_token(services: Services, task: str, inputs: Any, token: Token) -> Handle:
    """Submit the one job that a token is for; whoever does so again is given that job.

    Args:
        services: the services to use.
        task: a registered name.
        inputs: the decoded JSON value.
        token: the token, which allows to submit.

    Raises:
        InsufficientToken: it is for another task, or for other inputs.
        InvalidInputs: the inputs do not fit the task.
        SubmitFailed: the job was certainly not sent.
        SubmitUncertain: it may have been sent.
    """
    from serverless_tasks.engine.tokens.token import digest

    definition = services.registry.definition(task)
    if services.registry.present_name(token.task or "") != definition.task.name:
        raise InsufficientToken(f"The token is not for task {task!r}.")
    if digest(definition.compared(definition.accept_json(inputs)).made) != token.inputs:
        raise InsufficientToken("The token is for other inputs; send those that it was made with.")
    record = services.store.read(token.uuid)
    if record is not None and not record.uncertain:
        sent = Publication(Message(uuid=record.uuid, task=record.task))
        sent.give_back(record)
        return Handle(sent, services.store, services.clock, services.cancel, services.browser_token)
    if record is None and services.store.deleted(token.uuid):
        raise InsufficientToken("The token's job was deleted, and a token is for one job.")
    # Two uses at one time send one job twice, which runs once.
    options = replace(Options.from_json(token.options), uuid=token.uuid, on_commit=False)
    return submit_json(services, definition.task.name, inputs, options, anonymous=options.owner is None)


def message_for(
    services: Services, task: type[BaseTask], inputs: dict[str, Any], options: Options
) -> Message:
    """The message of a job of a task, of inputs as its definition has accepted them."""
    return _message(services, _definition(services, task), inputs, options)


def _message(services: Services, definition: Definition, inputs: dict[str, Any], options: Options) -> Message:
    task = definition.task
    queue = queue_of(options, task.queue, task.priority)
    return new_message(services, task.name, inputs, options, queue, definition.secrets_in(inputs))


def new_message(
    services: Services, task: str, inputs: Any, options: Options, queue: str, secrets: tuple[str, ...] = ()
) -> Message:
    """A message of a job that is submitted now.

    Args:
        services: the services to use.
        task: the task's name.
        inputs: the inputs as they travel.
        options: how to submit.
        queue: the queue's name, decided already.
        secrets: the names of the inputs that hold a secret.

    Raises:
        TaskDefinitionError: no worker can know a task of this name.
    """
    check_reach(services, task)
    created = to_ms(services.clock.now())
    run_at = _due(options, created)
    return Message(
        uuid=options.uuid or str(uuid4()),
        task=task,
        inputs=inputs,
        secrets=secrets,
        owner=options.owner,
        queue=queue,
        created=created,
        expires=expires_at(created, run_at),
        run_at=run_at,
        options=options.travelling,
        build=services.config.build,
    )


def check_options(options: Options, task: str, jobs: int, *, unique: bool) -> None:
    """See that options fit what is submitted with them.

    Raises:
        UnknownOption: they do not.
    """
    for name in ("uuid", "idempotency_key"):
        if jobs > 1 and getattr(options, name) is not None:
            raise UnknownOption(f"Option {name} names one job; {jobs} were to be submitted with it.")
    if not options.track and (unique if options.unique is None else options.unique):
        raise UnknownOption(
            f"Option track is False, and jobs of task {task!r} are unique: of one that nobody has begun it could not "
            "be told whether it waits, and a second one would take its place. Give unique=False, or track the job."
        )


def deduplication_of(options: Options, *, unique: bool, anonymous: bool = False) -> Deduplication:
    """The deduplication that options and a task's ``unique`` make."""
    return Deduplication(
        key=options.idempotency_key,
        key_ttl=options.idempotency_ttl,
        unique=unique if options.unique is None else options.unique,
        anonymous=anonymous,
    )


def _definition(services: Services, task: type[BaseTask]) -> Definition:
    if task.name in services.registry and services.registry.get(task.name) is task:
        return services.registry.definition(task.name)
    return definition_of(task)


def _due(options: Options, now: int) -> int | None:
    """Return the time at which a job is due, in milliseconds since the epoch; None for at once."""
    due = now + options.delay * 1000 if options.run_at is None else to_ms(options.run_at.timestamp())
    return due if due > now else None
