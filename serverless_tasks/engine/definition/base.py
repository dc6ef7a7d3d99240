"""The declaration of a task class, checked when the class is made."""

from __future__ import annotations

import math
from inspect import isabstract
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from serverless_tasks.engine.definition.schedule import Schedule
from serverless_tasks.engine.job.encoding import is_json
from serverless_tasks.engine.job.retry import BASE, CAP, LONGEST_WAIT
from serverless_tasks.errors import TaskDefinitionError, TaskRetry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pydantic import BaseModel

    from serverless_tasks.engine.job.execution import Execution
    from serverless_tasks.params import Parameter

DEFAULT_TIMEOUT = 60
LONGEST_NAME = 200
QUEUES = ("high", "default", "low")
# Names that came to `Task` when there were tasks: an attribute of a class's own of such a name is its own.
LATER_NAMES = ("group", "signature", "asubmit", "asubmit_many")
# Told of every class that is made. Django's registration by import listens while its apps are loaded.
CLASS_HOOKS: list[Callable[[type[BaseTask]], None]] = []


class BaseTask:
    """The class attributes of a task: its name, its types, and how it wants to be run.

    Attributes:
        name: what callers call it; the class's dotted path unless given.
        aliases: names that it had before: jobs, schedules and calls that use one are this task's. A derived class has
            none of its base's.
        inputs: dictionary style: input name -> parameter.
        outputs: dictionary style: output name -> parameter.
        queue: the queue that it is sent to; unless given, the priority decides.
        priority: above 0 means queue ``high``, below 0 ``low``, 0 ``default``.
        retries: how often it is run again after an exception.
        retry_on: the exceptions after which it is run again.
        never_retry: those of them after which it is not.
        backoff: the longest wait before the first retry, in seconds; each further one may be twice as long.
        backoff_cap: the longest wait before any retry, in seconds.
        timeout: the longest run of one attempt, in seconds.
        on_lost: what becomes of a job whose worker was lost: ``"retry"``, or ``"fail"`` for one that must not run
            twice.
        unique: whether one job of the same inputs may wait or run at a time.
        schedule: when it runs by itself: what `cron` or `rate` gives.
        schedule_inputs: the inputs of those runs.
        overlap: what becomes of a time at which the run before it has not ended: ``"skip"``, or ``"allow"``.
        http: False keeps a pydantic task out of the router of typed endpoints.
        params_model: pydantic style: the model in ``Task[Params]``.
        params: pydantic style: this run's inputs.
        execution: the run that an instance is in.
    """

    name: ClassVar[str] = ""
    aliases: ClassVar[Sequence[str]] = ()
    inputs: ClassVar[Mapping[str, Parameter]] = {}
    outputs: ClassVar[Mapping[str, Parameter]] = {}
    queue: ClassVar[str | None] = None
    priority: ClassVar[int] = 0
    retries: ClassVar[int] = 0
    retry_on: ClassVar[tuple[type[BaseException], ...]] = (Exception,)
    never_retry: ClassVar[tuple[type[BaseException], ...]] = ()
    backoff: ClassVar[float] = BASE
    backoff_cap: ClassVar[float] = CAP
    timeout: ClassVar[float] = DEFAULT_TIMEOUT
    on_lost: ClassVar[Literal["retry", "fail"]] = "retry"
    unique: ClassVar[bool] = False
    schedule: ClassVar[Schedule | None] = None
    schedule_inputs: ClassVar[Any] = {}
    overlap: ClassVar[Literal["skip", "allow"]] = "skip"
    http: ClassVar[bool] = True
    params_model: ClassVar[type[BaseModel] | None] = None

    params: Any
    execution: Execution

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in cls.__dict__:
            cls.name = f"{cls.__module__}.{cls.__qualname__}"
        if "aliases" not in cls.__dict__:
            cls.aliases = ()
        _check_methods(cls)
        _check_name(cls)
        _check_aliases(cls)
        _check_numbers(cls)
        _check_retries(cls)
        _check_schedule(cls)
        if cls.params_model is not None and (cls.inputs or cls.outputs):
            raise TaskDefinitionError(
                f"{cls.__qualname__} has both a pydantic model and inputs/outputs dictionaries; use one style."
            )
        for watch in CLASS_HOOKS:
            watch(cls)

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Do the work; every task defines it."""
        raise NotImplementedError(f"{type(self).__qualname__} does not define run().")

    @classmethod
    def is_listed(cls) -> bool:
        """Return whether lists of tasks show it; a framework's own task is hidden where nothing uses it."""
        return True

    @classmethod
    def usual_queue(cls) -> str:
        """Return the queue of a job whose submission names neither a queue nor a priority, for lists of tasks."""
        return queue_for(cls.queue, cls.priority)

    @classmethod
    def call_signature(cls) -> str | None:
        """Return the signature of the function that the task stands for; None where its inputs say it all."""
        return None

    def retries_after(self, error: BaseException) -> int:
        """Return how often this job may be run again after an error: ``retries``, if it is one to retry on.

        Args:
            error: what ``run`` raised, `TaskRetry` when it called ``retry()``; asked after each failure anew.
        """
        asked_for = isinstance(error, TaskRetry)
        wanted = isinstance(error, self.retry_on) and not isinstance(error, self.never_retry)
        return self.retries if asked_for or wanted else 0


def is_task_class(candidate: object) -> bool:
    """Return whether an object is a runnable task: derived from ``Task``, with a ``run``, and not abstract."""
    return (
        isinstance(candidate, type)
        and issubclass(candidate, BaseTask)
        and candidate.run is not BaseTask.run
        and not isabstract(candidate)
        and not getattr(candidate.run, "__isabstractmethod__", False)
    )


def replaced_names(task: type[BaseTask]) -> tuple[str, ...]:
    """Return the names that came later to `Task` and that a class has for something of its own."""

    def is_ours(owner: type) -> bool:
        return owner.__module__.partition(".")[0] == "serverless_tasks"

    owners = {name: [owner for owner in task.__mro__ if name in vars(owner)] for name in LATER_NAMES}
    return tuple(name for name, found in owners.items() if found and not is_ours(found[0]))


def _check_name(cls: type[BaseTask]) -> None:
    if not isinstance(cls.name, str) or not cls.name or len(cls.name) > LONGEST_NAME:
        raise TaskDefinitionError(
            f"{cls.__qualname__}.name is {cls.name!r}; expected a string of 1 to {LONGEST_NAME} characters."
        )


def _check_aliases(cls: type[BaseTask]) -> None:
    wants = f"{cls.__qualname__}.aliases is {cls.aliases!r}; expected"
    if not isinstance(cls.aliases, list | tuple):
        raise TaskDefinitionError(f"{wants} a list of names that the task had before, such as ['shop.send'].")
    for alias in cls.aliases:
        if not isinstance(alias, str) or not 0 < len(alias) <= LONGEST_NAME:
            raise TaskDefinitionError(f"{wants} strings of 1 to {LONGEST_NAME} characters, not {alias!r}.")
    if cls.name in cls.aliases:
        raise TaskDefinitionError(f"{wants} names that the task had before; {cls.name!r} is its name now.")


def _check_methods(cls: type[BaseTask]) -> None:
    """An attribute such as ``retry = 3`` would silently take the place of a method."""
    for name, value in cls.__dict__.items():
        if name in LATER_NAMES:
            continue
        method = not name.startswith("__") and callable(getattr(super(cls, cls), name, None))
        if not method or callable(value) or hasattr(value, "__get__"):
            continue
        raise TaskDefinitionError(
            f"{cls.__qualname__} has {name} = {value!r}, which hides the method {name}(); rename it."
        )


def _check_retries(cls: type[BaseTask]) -> None:
    wants = f"{cls.__qualname__} has"
    if isinstance(cls.retries, bool) or not isinstance(cls.retries, int) or cls.retries < 0:
        raise TaskDefinitionError(f"{wants} retries = {cls.retries!r}; expected a whole number from 0.")
    for name in ("retry_on", "never_retry"):
        kinds = getattr(cls, name)
        if not isinstance(kinds, tuple) or not all(
            isinstance(kind, type) and issubclass(kind, BaseException) for kind in kinds
        ):
            raise TaskDefinitionError(
                f"{wants} {name} = {kinds!r}; expected a tuple of exception classes, such as (OSError,)."
            )
    if not _is_seconds(cls.backoff) or cls.backoff < 0:
        raise TaskDefinitionError(f"{wants} backoff = {cls.backoff!r}; expected seconds, from 0.")
    if not _is_seconds(cls.backoff_cap) or not max(1, cls.backoff) <= cls.backoff_cap <= LONGEST_WAIT:
        raise TaskDefinitionError(
            f"{wants} backoff_cap = {cls.backoff_cap!r}; expected seconds, from 1, from its backoff of"
            f" {cls.backoff!r}, and up to {LONGEST_WAIT}."
        )
    if cls.on_lost not in ("retry", "fail"):
        raise TaskDefinitionError(f"{wants} on_lost = {cls.on_lost!r}; expected 'retry' or 'fail'.")


def _check_schedule(cls: type[BaseTask]) -> None:
    wants = f"{cls.__qualname__} has"
    if cls.schedule is not None and not isinstance(cls.schedule, Schedule):
        raise TaskDefinitionError(
            f"{wants} schedule = {cls.schedule!r}; expected"
            " cron('0 6 * * ? *', zone='Europe/Vienna') or rate(minutes=5)."
        )
    if cls.overlap not in ("skip", "allow"):
        raise TaskDefinitionError(f"{wants} overlap = {cls.overlap!r}; expected 'skip' or 'allow'.")


def _is_seconds(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _check_numbers(cls: type[BaseTask]) -> None:
    wants = f"{cls.__qualname__} has"
    if not isinstance(cls.timeout, (int, float)) or not 0 < cls.timeout <= 43_200:
        raise TaskDefinitionError(
            f"{wants} timeout = {cls.timeout!r}; expected seconds, above 0 and up to 43200."
        )
    if not isinstance(cls.unique, bool):
        raise TaskDefinitionError(f"{wants} unique = {cls.unique!r}; expected True or False.")
    if not isinstance(cls.priority, int):
        raise TaskDefinitionError(f"{wants} priority = {cls.priority!r}; expected a whole number.")
    if cls.queue is not None and (not isinstance(cls.queue, str) or not cls.queue or not is_json(cls.queue)):
        raise TaskDefinitionError(f"{wants} queue = {cls.queue!r}; expected a queue's name.")


def queue_for(explicit: str | None, priority: int) -> str:
    """The queue of a job: an explicit one wins, else the priority's sign decides."""
    if explicit is not None:
        return explicit
    if priority == 0:
        return "default"
    return "high" if priority > 0 else "low"
