"""What a task class declares, checked when the class is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from serverless_tasks.errors import TaskDefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import BaseModel

    from serverless_tasks.execution import Execution
    from serverless_tasks.params import Parameter

DEFAULT_TIMEOUT = 60
LONGEST_NAME = 200
QUEUES = ("high", "default", "low")
# Told of every class that is made. Django's registration by import listens while its apps are loaded.
WATCHERS: list[Callable[[type[Declaration]], None]] = []


class Declaration:
    """The class attributes of a task: its name, its types, and how it wants to be run.

    Attributes:
        name: what callers call it; the class's dotted path unless given.
        inputs: dictionary style: input name -> parameter.
        outputs: dictionary style: output name -> parameter.
        queue: the queue that it is sent to; unless given, the priority decides.
        priority: above 0 means queue ``high``, below 0 ``low``, 0 ``default``.
        retries: how often it is run again after an exception.
        timeout: the longest run of one attempt, in seconds.
        http: False keeps a pydantic task out of the router of typed endpoints.
        params_model: pydantic style: the model in ``Task[Params]``.
        params: pydantic style: this run's inputs.
        execution: the run that an instance is in.
    """

    name: ClassVar[str] = ""
    inputs: ClassVar[Mapping[str, Parameter]] = {}
    outputs: ClassVar[Mapping[str, Parameter]] = {}
    queue: ClassVar[str | None] = None
    priority: ClassVar[int] = 0
    retries: ClassVar[int] = 0
    timeout: ClassVar[float] = DEFAULT_TIMEOUT
    http: ClassVar[bool] = True
    params_model: ClassVar[type[BaseModel] | None] = None

    params: Any
    execution: Execution

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in cls.__dict__:
            cls.name = f"{cls.__module__}.{cls.__qualname__}"
        _check_name(cls)
        _check_numbers(cls)
        if cls.params_model is not None and (cls.inputs or cls.outputs):
            raise TaskDefinitionError(
                f"{cls.__qualname__} has both a pydantic model and inputs/outputs dictionaries; keep one of the styles."
            )
        for watch in WATCHERS:
            watch(cls)

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Do the work; every task defines it."""
        raise NotImplementedError(f"{type(self).__qualname__} does not define run().")

    def retries_after(self, error: BaseException) -> int:
        """How often this job may be run again after such an error: ``retries``, unless a task says otherwise.

        Args:
            error: what ``run`` raised; asked after each failure anew.
        """
        return self.retries


def is_task_class(candidate: object) -> bool:
    """Whether this is a task that can be run: a class derived from ``Task`` that defines ``run``."""
    return (
        isinstance(candidate, type)
        and issubclass(candidate, Declaration)
        and candidate.run is not Declaration.run
    )


def _check_name(cls: type[Declaration]) -> None:
    if not isinstance(cls.name, str) or not cls.name or len(cls.name) > LONGEST_NAME:
        raise TaskDefinitionError(
            f"{cls.__qualname__}.name is {cls.name!r}; give it a text of 1 to {LONGEST_NAME} characters."
        )


def _check_numbers(cls: type[Declaration]) -> None:
    wants = f"{cls.__qualname__} has"
    if isinstance(cls.retries, bool) or not isinstance(cls.retries, int) or cls.retries < 0:
        raise TaskDefinitionError(f"{wants} retries = {cls.retries!r}; give a whole number from 0.")
    if not isinstance(cls.timeout, (int, float)) or not 0 < cls.timeout <= 43_200:
        raise TaskDefinitionError(
            f"{wants} timeout = {cls.timeout!r}; give seconds, above 0 and up to 43200."
        )
    if not isinstance(cls.priority, int):
        raise TaskDefinitionError(f"{wants} priority = {cls.priority!r}; give a whole number.")
    if cls.queue is not None and (not isinstance(cls.queue, str) or not cls.queue):
        raise TaskDefinitionError(f"{wants} queue = {cls.queue!r}; give a queue's name.")


def queue_for(explicit: str | None, priority: int) -> str:
    """The queue of a job: an explicit one wins, else the priority's sign decides."""
    if explicit is not None:
        return explicit
    if priority == 0:
        return "default"
    return "high" if priority > 0 else "low"
