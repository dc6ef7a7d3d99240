"""`FunctionTask`: the task of our registry that runs a function which Django's ``@task`` decorated."""

from __future__ import annotations

import inspect
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, get_type_hints

from django.apps import apps
from django.tasks.signals import task_started
from django.utils.json import normalize_json
from pydantic import TypeAdapter

from django_integration.django_tasks.context import ServerlessContext
from django_integration.django_tasks.coroutine import completed
from django_integration.django_tasks.result import RETURN_VALUE, result_of
from django_integration.django_tasks.running import CURRENT, FunctionRun, seconds_left
from django_integration.django_tasks.settings import BackendOptions
from serverless_tasks import Task
from serverless_tasks.engine.definition.json_schema import Described
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.job.record import RUNNING, Record
from serverless_tasks.engine.services import current_services
from serverless_tasks.engine.worker.delivery import Delivery
from serverless_tasks.errors import TaskDefinitionError
from serverless_tasks.params import DictParameter, ListParameter, Parameter, plain_advice

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from django.tasks.base import Task as DjangoTask

# What one enqueueing changed of the task, and what of it travels.
CHANGED = ("priority", "queue_name", "backend")


class ReturnValue(Parameter):
    """What a function returns, described by its annotation where that says it: any JSON else.

    Args:
        function: the function.
    """

    def __init__(self, function: Callable[..., Any] | None = None) -> None:
        super().__init__()
        self._function = function

    def json_schema(self) -> dict[str, Any]:
        """See `Parameter.json_schema`."""
        if self._function is None:
            return {}
        # The annotation may name what is there for type checkers alone, or nothing that is JSON.
        with suppress(Exception):
            annotation = get_type_hints(self._function).get("return", Any)
            schema = TypeAdapter(annotation).json_schema(mode="serialization", schema_generator=Described)
            return {} if "$defs" in schema else schema
        return {}


class FunctionTask(Task):
    """The base of the classes that `declared` makes.

    Attributes:
        task: the task as it was defined.
        options_given: the options of ours that it was defined with.
        late: whether it was defined after Django had loaded the project's apps, as a worker does it.
        unfit: what Django raised of this run's return value, which is no JSON; the name of the error is Django's.
    """

    http = False
    inputs = {
        "args": ListParameter(Parameter()),
        "kwargs": DictParameter(),
        "using": DictParameter(required=False),
    }
    outputs = {RETURN_VALUE: ReturnValue()}

    task: ClassVar[DjangoTask[..., Any]]
    options_given: ClassVar[Mapping[str, Any]] = {}
    late: ClassVar[bool] = False
    unfit: BaseException | None = None

    def retries_after(self, error: BaseException) -> int:
        """See `BaseTask.retries_after`; what was returned would be no JSON the next time either."""
        return 0 if error is self.unfit else super().retries_after(error)

    @classmethod
    def usual_queue(cls) -> str:
        """See `BaseTask.usual_queue`."""
        options = BackendOptions.parse(cls.task.backend, cls.task.get_backend().options)
        return options.queue(cls.task.queue_name, cls.task.priority, current_services().config.queue_urls)

    @classmethod
    def call_signature(cls) -> str:
        """Return the signature of the function, without the context."""
        signature = inspect.signature(cls.task.func)
        given = list(signature.parameters.values())[1 if cls.task.takes_context else 0 :]
        return str(signature.replace(parameters=given))

    @classmethod
    def as_enqueued(cls, using: Mapping[str, Any]) -> DjangoTask[..., Any]:
        """The task with what its enqueueing changed.

        Args:
            using: as `changes` gave it.
        """
        changed = dict(using)
        if "run_after" in changed:
            changed["run_after"] = datetime.fromisoformat(changed["run_after"])
        return replace(cls.task, **changed) if changed else cls.task

    @classmethod
    def changes(cls, task: DjangoTask[..., Any]) -> dict[str, Any]:
        """Return what an enqueued task changes of its definition, in JSON."""
        changed = {
            name: getattr(task, name) for name in CHANGED if getattr(task, name) != getattr(cls.task, name)
        }
        if task.run_after is not None:
            changed["run_after"] = task.run_after.isoformat()
        return changed


def _run(
    self: FunctionTask, args: list[Any], kwargs: dict[str, Any], using: Mapping[str, Any] | None = None
) -> Any:
    task = self.as_enqueued(using or {})
    attempt = CURRENT.get() or FunctionRun(_here_and_now(self))
    result = result_of(task, _begun(attempt.delivery, self), args, kwargs)
    attempt.result, attempt.execution = result, self.execution
    # Robust: a receiver's error is its own, and is logged; the task is not to blame.
    task_started.send_robust(type(task.get_backend()), task_result=result)
    given = [ServerlessContext(task_result=result, run=self), *args] if task.takes_context else args
    returned = completed(task.func(*given, **kwargs), seconds_left(self))
    try:
        value = normalized(returned)
    except (TypeError, ValueError) as error:
        self.unfit = error
        raise
    attempt.outputs = {RETURN_VALUE: value}
    return value


def normalized(value: Any) -> Any:
    """Return a value as JSON brings it there.

    Raises:
        TypeError: it has no form in JSON.
        ValueError: as `normalize_json`.
    """
    try:
        return normalize_json(value)
    except TypeError as error:
        error.args = (f"{error}{plain_advice(value)}",)
        raise


def declared(task: DjangoTask[..., Any], options: Mapping[str, Any]) -> type[FunctionTask]:
    """The class that runs a task's function, made when it is first asked for, and registered.

    Args:
        task: the task.
        options: the class attributes that say how it is run: retries, timeout and so on.

    Raises:
        TaskDefinitionError: an option does not fit, or the function has others already.
    """
    known = _functions.get(task.module_path)
    if known is not None and known.task.func is task.func:
        if known.options_given != options:
            raise TaskDefinitionError(
                f"{task.module_path} is already a task, with the options {dict(known.options_given)}; it cannot have"
                f" {dict(options)} as well."
            )
        return known
    function = task.func
    made = type(
        function.__name__,
        (FunctionTask,),
        {
            "__doc__": function.__doc__,
            "__module__": function.__module__,
            "__qualname__": function.__qualname__,
            "name": task.module_path,
            "task": task,
            "options_given": dict(options),
            "late": apps.ready,
            "run": _run,
            "outputs": {RETURN_VALUE: ReturnValue(function)},
            **options,
        },
    )
    _functions[task.module_path] = made
    MADE.append(made)
    return made


def function_named(name: str) -> type[FunctionTask] | None:
    """The class that runs the task of this module path, or had it before; None when this process has no such task."""
    known = _functions.get(name)
    if known is None:
        known = next((each for each in _functions.values() if name in each.aliases), None)
    return known


def all_declared() -> list[type[FunctionTask]]:
    """The classes of all tasks that were defined in this process."""
    return list(_functions.values())


# Every class that `declared` has made, for the registry.
MADE: list[type[FunctionTask]] = []
# By module path. A module that is loaded again puts its new functions in the place of the old ones.
_functions: dict[str, type[FunctionTask]] = {}


def _begun(delivery: Delivery, run: FunctionTask) -> Record:
    """The record at this moment; later attempts ask the store for what the earlier ones left."""
    message, execution = delivery.message, run.execution
    if execution.attempt > 1:
        known = current_services().store.read(message.uuid)
        if known is not None:
            return known
    now = to_ms(current_services().clock.now())
    return Record.of(
        message,
        status=RUNNING,
        attempt=execution.attempt,
        started=now,
        attempted=now,
        request_id=delivery.request_id,
    )


def _here_and_now(run: FunctionTask) -> Delivery:
    """Of a run that no message asked for."""
    now = to_ms(current_services().clock.now())
    return Delivery(message=Message(uuid=run.execution.uuid, task=run.name, created=now))
