"""`task`: what an endpoint does besides answering, within the request."""

from __future__ import annotations

import copy
import math
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, Self

from django_integration.declarative.definitions import adopt
from django_integration.declarative.order import Step, arrange
from django_integration.django_tasks.coroutine import completed
from serverless_tasks.errors import TaskDefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    type Dependency = str | EndpointTask

_numbers = count()
# Where an endpoint keeps what has been run for it: one instance serves one request.
_RUN = "_endpoint_tasks_run"


class EndpointTask:
    """``@task`` on a method: it is run once for each request, before the response is made.

    ``@task``, ``@task(priority=-1)`` and ``check = task(task_runner=a_function)`` declare one. It holds nothing of a
    request; that is kept with the endpoint's instance.

    Args:
        task_runner: the decorated method, or a function that is called with the endpoint. Where the task decorates a
            method as well, how that is run: it is called with the method, bound to the endpoint.
        depends_on: the task that runs before this one, whatever the priorities: its name or itself, or several.
        priority: lower ones run first; those of one priority as they are defined.
        name: what it is called in errors and jobs; the attribute that holds it, unless given.
        required: kept for readers of the endpoint, as the next three are; changes nothing.
        description: a sentence on the task.
        hidden: whether its readers are to leave it out.
        advanced: whether it is for advanced ones.

    Attributes:
        task_runner: what runs the task, called with the endpoint; for a unit test as well.
        attribute_number: which of all tasks it is; django-declarative-apis sorts by it.

    Raises:
        TaskDefinitionError: an argument does not fit.
    """

    deferred: ClassVar[bool] = False

    def __init__(
        self,
        task_runner: Callable[..., Any] | None = None,
        depends_on: Dependency | Sequence[Dependency] | None = None,
        priority: float = 0,
        *,
        name: str | None = None,
        required: bool = False,
        description: str | None = None,
        hidden: bool = False,
        advanced: bool = False,
    ) -> None:
        if (
            isinstance(priority, bool)
            or not isinstance(priority, (int, float))
            or not math.isfinite(priority)
        ):
            raise TaskDefinitionError(f"The task's priority is {priority!r}; give a number.")
        self.name = name or ""
        self.required = required
        self.description = description
        self.hidden = hidden
        self.advanced = advanced
        self.attribute_number = next(_numbers)
        self.priority = priority
        self.depends_on = depends_on
        self.task_runner = None if task_runner is None else self._accept(task_runner)
        self._depends_on = _several(depends_on)
        self._held = False

    def __call__(self, method: Callable[..., Any]) -> Self:
        if self._held:
            raise TypeError(
                f"Task {self.name!r} is run by its endpoint; it cannot be called. In a test, call its task_runner."
            )
        decorated = copy.copy(self)
        decorated.attribute_number = next(_numbers)
        decorated.task_runner = self._decorate(self._accept(method))
        return decorated

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = self.name or name
        self._held = True
        if self.task_runner is None:
            raise TaskDefinitionError(f"{_place(owner)}.{name} decorates nothing; put a method below it.")
        _arranged(owner, tasks_of(owner), strict=False)
        adopt(type(self), deferred=self.deferred)

    def run(self, endpoint: Any) -> None:
        """Run the task for an endpoint, what it depends on first, unless it has been run for it already.

        Raises:
            TaskDefinitionError: the endpoint's tasks contradict each other.
        """
        TaskRun.of(endpoint).run(self)

    def execute(self, endpoint: Any) -> None:
        """Do the work, a coroutine's or a generator's to its end; `run` sees to the order."""
        assert self.task_runner is not None
        completed(self.task_runner(endpoint))

    def needs(self, tasks: Mapping[str, EndpointTask]) -> Iterator[str]:
        """The names, among an endpoint's tasks, of those that run before this one."""
        for dependency in self._depends_on:
            if isinstance(dependency, str):
                yield dependency
                continue
            yield next((name for name, task in tasks.items() if task is dependency), dependency.name)

    def _accept(self, method: Callable[..., Any]) -> Callable[..., Any]:
        if isinstance(method, (staticmethod, classmethod)) or not callable(method):
            raise TaskDefinitionError(f"@task decorates {method!r}; put it on a method that takes self.")
        return method

    def _decorate(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """Return what runs a decorated method."""
        if (runner := self.task_runner) is None:
            return method
        return lambda endpoint: runner(method.__get__(endpoint))


class TaskRun:
    """The tasks of one request, and which of them have been run.

    Args:
        endpoint: the instance that serves the request.

    Raises:
        TaskDefinitionError: its class's tasks contradict each other.
    """

    def __init__(self, endpoint: Any) -> None:
        self._endpoint = endpoint
        self._tasks = tasks_of(type(endpoint))
        self._order = _arranged(type(endpoint), self._tasks, strict=True)
        self._done: set[EndpointTask] = set()

    @classmethod
    def of(cls, endpoint: Any) -> TaskRun:
        """The run of this instance's request, begun by whoever asks first."""
        run: TaskRun | None = vars(endpoint).get(_RUN)
        if run is None:
            run = vars(endpoint)[_RUN] = cls(endpoint)
        return run

    def run(self, task: EndpointTask) -> None:
        """Run a task, what it depends on first."""
        if task in self._done:
            return
        for need in task.needs(self._tasks):
            self.run(self._tasks[need])
        self._done.add(task)
        task.execute(self._endpoint)

    def run_all(self) -> None:
        """Run all tasks: those of the request in their order, then those that can be deferred."""
        for name in self._order:
            self.run(self._tasks[name])


def run_tasks(endpoint: Any) -> None:
    """Run the tasks of an endpoint: an instance, made for one request, of a class that has tasks and a ``resource``.

    Raises:
        TaskDefinitionError: the tasks contradict each other.
    """
    TaskRun.of(endpoint).run_all()


def tasks_of(owner: type) -> dict[str, EndpointTask]:
    """The tasks of a class by name, its bases' first; an attribute of a subclass takes the place of a base's."""
    found: dict[str, EndpointTask] = {}
    for klass in reversed(owner.__mro__):
        for name, value in vars(klass).items():
            if isinstance(value, EndpointTask):
                found[name] = value
            else:
                found.pop(name, None)
    return found


def _arranged(owner: type, tasks: Mapping[str, EndpointTask], *, strict: bool) -> list[str]:
    """The order of a class's tasks. A class may be a mixin: only a `strict` one must have all that its tasks need."""
    where = _place(owner)
    steps: dict[str, Step] = {}
    for name, task in tasks.items():
        needs = tuple(task.needs(tasks))
        for need in needs:
            if need in tasks and tasks[need].deferred:
                raise TaskDefinitionError(
                    f"Task {name!r} of {where} depends on {need!r}, which is deferrable and not waited for."
                    " Depend on a @task."
                )
            if need not in tasks and strict:
                raise TaskDefinitionError(
                    f"Task {name!r} of {where} depends on {need!r}, which is not one of its tasks; they are"
                    f" {', '.join(tasks)}."
                )
        known = tuple(need for need in needs if need in tasks)
        steps[name] = Step((task.deferred, task.priority), known)
    return arrange(steps, where)


def _several(given: Dependency | Sequence[Dependency] | None) -> tuple[Dependency, ...]:
    if given is None:
        return ()
    several = tuple(given) if isinstance(given, (list, tuple)) else (given,)
    for dependency in several:
        if not isinstance(dependency, (str, EndpointTask)):
            raise TaskDefinitionError(f"depends_on is {dependency!r}; expected a task or its name.")
    return several


def _place(owner: type) -> str:
    return f"{owner.__module__}.{owner.__qualname__}"


task = EndpointTask
