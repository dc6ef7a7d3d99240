"""From a call of ``enqueue`` to the job that is submitted for it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.tasks.signals import task_enqueued
from django.utils import timezone

from django_integration.django_tasks.function import normalized
from django_integration.django_tasks.result import result_of, unsent
from django_integration.django_tasks.task import ENQUEUE_OPTIONS, function_of
from serverless_tasks.engine.definition.values.unlike_json import changed_value
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.encoding import encode, other_key
from serverless_tasks.engine.job.record import FAILED, Record
from serverless_tasks.engine.services import current_services
from serverless_tasks.engine.submit.options import Options
from serverless_tasks.engine.submit.submission import Submission
from serverless_tasks.engine.worker.outcome import failure_of
from serverless_tasks.errors import ConfigurationError, ServerlessTasksError, UnknownOption, WorkflowError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from django.tasks.base import Task

    from django_integration.django_tasks.function import FunctionTask
    from django_integration.django_tasks.result import ServerlessResult
    from django_integration.django_tasks.settings import BackendOptions
    from serverless_tasks.engine.submit.handle import Handle
    from serverless_tasks.engine.submit.workflow import Signature


@dataclass(frozen=True, slots=True)
class Enqueueing:
    """A checked call of ``enqueue``.

    Attributes:
        task: the task, ``run_after`` a time.
        args: the positional arguments, as JSON brings them there.
        kwargs: those by name.
        function: the task of ours that runs it.
        options: how it is submitted.
    """

    task: Task[..., Any]
    args: list[Any]
    kwargs: dict[str, Any]
    function: type[FunctionTask]
    options: Options

    @classmethod
    def of(
        cls, task: Task[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], given: BackendOptions
    ) -> Enqueueing:
        """Check a call.

        Raises:
            TypeError: an argument has no form in JSON.
            ValueError: a number is none that JSON has, such as NaN; or two keys of a dictionary are one text.
            UnknownOption: an option does not fit.
        """
        task = _dated(task)
        normal: Any = normalized([list(args), dict(kwargs)])
        encoded = encode(normal)
        if other_key(normal) is not None or changed_value(normal) is not None:
            normal = json.loads(encoded, object_pairs_hook=_without_doubles)
        normal_args, normal_kwargs = normal
        services = current_services()
        queue = given.queue(task.queue_name, task.priority, services.config.queue_urls)
        said = {name: getattr(task, name, None) for name in ENQUEUE_OPTIONS}
        options = Options.parse(
            {"queue": queue, "on_commit": given.on_commit, "run_at": task.run_after, **said}
        )
        return cls(task, normal_args, normal_kwargs, function_of(task), options)

    @property
    def inputs(self) -> dict[str, Any]:
        """The job's inputs."""
        given: dict[str, Any] = {"args": self.args, "kwargs": self.kwargs}
        changes = self.function.changes(self.task)
        if self.function.unique or self.options.idempotency_key is not None:
            # What makes two jobs one are their inputs: how each was enqueued is not for them to say.
            changes = {name: value for name, value in changes.items() if name == "backend"}
        return {**given, "using": json.loads(encode(changes))} if changes else given

    def result(self, handle: Handle) -> ServerlessResult:
        """The result of the job that was submitted, and its signal once it is sent."""
        result = result_of(
            self.task,
            unsent(handle),
            self.args,
            self.kwargs,
            handle=None if handle.published else handle,
        )
        # Of a job that is run while it is enqueued, `deliveries.middleware` tells in good time.
        if not handle.repeated and not current_services().backend_kind.synchronous:
            sender = type(self.task.get_backend())
            # Robust: the task is sent, and an error here would make the caller enqueue it again.
            handle.when_published(partial(task_enqueued.send_robust, sender, task_result=result))
        return result

    def failed(self, error: ServerlessTasksError) -> ServerlessResult:
        """The result of what could not be submitted."""
        now = to_ms(current_services().clock.now())
        record = Record(
            uuid=getattr(error, "uuid", None) or str(uuid4()),
            task=self.function.name,
            status=FAILED,
            created=now,
            finished=now,
            failure=failure_of(error),
        )
        return result_of(self.task, record, self.args, self.kwargs)


def submit(enqueueing: Enqueueing) -> Handle:
    """Submit one.

    Raises:
        ServerlessTasksError: it was not, or perhaps not, sent.
    """
    _register(enqueueing.function)
    return Submission(enqueueing.function, enqueueing.options).start(enqueueing.inputs)


def submit_many(enqueueings: Sequence[Enqueueing]) -> list[ServerlessResult]:
    """Submit many: those of one function and the same options together, as few calls as SQS allows.

    Returns:
        A result for each, failed with the reason where it was not, or perhaps not, sent.

    Raises:
        UnknownOption: an id or a key is given for several; nothing was sent.
        ConfigurationError: a setting is missing; nothing was sent.
    """
    results: dict[int, ServerlessResult] = {}
    groups: dict[tuple[type[FunctionTask], Options], list[int]] = {}
    for index, each in enumerate(enqueueings):
        _register(each.function)
        groups.setdefault((each.function, each.options), []).append(index)
    for (function, options), places in groups.items():
        if len(places) > 1 and (options.uuid is not None or options.idempotency_key is not None):
            raise UnknownOption(
                f"{function.name}: an id or a key names one job, and was given for {len(places)}."
            )
    for (function, options), places in groups.items():
        chosen = [enqueueings[place] for place in places]
        try:
            handles = Submission(function, options).submit_many([each.inputs for each in chosen])
        except ServerlessTasksError as error:
            # Nothing of this group was sent, for sure unless it is a single job.
            if isinstance(error, ConfigurationError) and not results:
                raise
            results |= {place: each.failed(error) for place, each in zip(places, chosen, strict=True)}
            continue
        for place, each, handle in zip(places, chosen, handles, strict=True):
            results[place] = each.result(handle)
    return [results[place] for place in range(len(enqueueings))]


def signature_of(
    task: Task[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], given: BackendOptions
) -> Signature:
    """Return a call as a part of a workflow; nothing is sent.

    Raises:
        WorkflowError: the task is to run at a time of its own.
        TypeError, ValueError, UnknownOption: as `Enqueueing.of`.
    """
    from serverless_tasks.engine.submit.references import without_references
    from serverless_tasks.engine.submit.workflow import Signature  # most sites have none

    after: Any = task.run_after
    if after is not None and not isinstance(after, timedelta):
        raise WorkflowError(
            f"{task.module_path}: run_after is {after!r}, and a job of a workflow is sent when its turn comes. Give a"
            " timedelta, which counts from then."
        )
    known, inside = without_references({"args": list(args), "kwargs": dict(kwargs)})
    enqueueing = Enqueueing.of(replace(task, run_after=None), known["args"], known["kwargs"], given)
    # All of a workflow is sent in one place: whether that waits for a commit is its own option.
    options = replace(enqueueing.options, on_commit=True)
    if after is not None:
        options = replace(options, delay=Options.parse({"delay": after}).delay)

    def start(inputs: dict[str, Any]) -> Handle:
        return submit(Enqueueing.of(task, args, kwargs, given))

    return Signature(enqueueing.function, enqueueing.inputs, options, start, inside)


def _register(function: type[FunctionTask]) -> None:
    """A job that this process runs itself finds its function, wherever it was defined."""
    current_services().registry.add(function)


def _without_doubles(members: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(members)
    if len(made) < len(members):
        raise ValueError(
            f"Of a dictionary's keys two are the same text in JSON: {sorted(name for name, _ in members)}."
        )
    return made


def _dated(task: Task[..., Any]) -> Task[..., Any]:
    after: datetime | timedelta | None = task.run_after
    if isinstance(after, timedelta):
        return replace(task, run_after=datetime.fromtimestamp(current_services().clock.now(), UTC) + after)
    if after is not None and timezone.is_naive(after):
        return replace(task, run_after=timezone.make_aware(after))
    return task
