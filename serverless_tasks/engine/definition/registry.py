"""The registry of tasks: a message or a caller can name these and nothing else."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Final

from serverless_tasks.engine.definition.base import BaseTask, is_task_class
from serverless_tasks.engine.definition.dictionary import DictionaryDefinition
from serverless_tasks.engine.definition.model import ModelDefinition
from serverless_tasks.engine.definition.schema import Definition
from serverless_tasks.errors import (
    ConfigurationError,
    DuplicateTask,
    InvalidInputs,
    TaskDefinitionError,
    UnknownTask,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

# The tasks of the library that operators submit: the module and the class of each. Nothing but a message that names one
# has its module imported, and nothing else finds one: it is not listed, not served, and not submitted by its name.
OPERATIONS: Final[Mapping[str, tuple[str, str]]] = {
    "serverless-tasks.bulk": ("serverless_tasks.client.operations.bulk.action", "BulkAction"),
}


class Registry:
    """Task classes by name.

    Args:
        growing: lists of classes that belong in it and that may grow: what is new there is registered before the next
            look, and two tasks of one name raise `DuplicateTask` at every look.
        served: gives the names of those that a site serves to browsers; None where there is no site.

    Attributes:
        faults: why tasks that belong in it are missing: of each module that could not be imported, say.
    """

    def __init__(
        self, *growing: Sequence[type[BaseTask]], served: Callable[[], Iterable[str]] | None = None
    ) -> None:
        self._tasks: dict[str, type[BaseTask]] = {}
        self._aliases: dict[str, type[BaseTask]] = {}
        self._definitions: dict[str, Definition] = {}
        self._operations: dict[str, Definition] = {}
        self._imported: set[str] = set()
        self._growing = growing
        self._seen = [0] * len(growing)
        self._broken: set[str] = set()
        self.faults: list[ConfigurationError] = []
        self._served = served

    def add(self, task: type[BaseTask]) -> None:
        """Register a task class; doing so twice is fine.

        Raises:
            DuplicateTask: another class has the name, or one of the two has the other's among its ``aliases``.
        """
        if task.name in OPERATIONS:
            if _place(task) != ".".join(OPERATIONS[task.name]):
                raise DuplicateTask(
                    f"{_place(task)} is named {task.name!r}, as a task of this library is. Rename it."
                )
            return
        if task.name in self._imported:
            self._imported.remove(task.name)
            self._definitions.pop(task.name, None)
            self._drop_aliases(task.name)
            del self._tasks[task.name]
        self._check_aliases(task)
        known = self._tasks.setdefault(task.name, task)
        if known is not task and _place(known) != _place(task):
            raise DuplicateTask(
                f"Two tasks are named {task.name!r}: {_place(known)} and {_place(task)}. Rename one of them."
            )
        if known is not task:  # the same class after its module was loaded again
            self._tasks[task.name] = task
            self._definitions.pop(task.name, None)
            self._drop_aliases(task.name)
        for alias in task.aliases:
            self._aliases[alias] = task

    def _check_aliases(self, task: type[BaseTask]) -> None:
        """See that no name means two tasks.

        Raises:
            DuplicateTask: one does.
        """
        other = self._aliases.get(task.name)
        if other is not None and other.name != task.name:
            raise DuplicateTask(
                f"{_place(task)} is named {task.name!r}, which {_place(other)} has in its aliases. Rename the one, or"
                " take the name out of the aliases of the other."
            )
        for alias in task.aliases:
            other = self._aliases.get(alias) or self._tasks.get(alias)
            if alias in OPERATIONS or (other is not None and other.name != task.name):
                owner = "a task of this library" if other is None else _place(other)
                raise DuplicateTask(
                    f"{_place(task)} has {alias!r} in its aliases, which is a name of {owner}. Take it out of the one"
                    " or the other."
                )

    def _drop_aliases(self, name: str) -> None:
        if self._aliases:
            self._aliases = {alias: task for alias, task in self._aliases.items() if task.name != name}

    def load(self, modules: Iterable[str], *, said_by: str = "SERVERLESS_TASKS_MODULES") -> None:
        """Import modules and register the tasks that they define or import; a broken one leaves the others alone.

        Args:
            modules: dotted names.
            said_by: what names them, for the error.

        Raises:
            ConfigurationError: none of them can be imported, and there are no other tasks.
        """
        known = len(self.faults)
        for name in modules:
            if self.import_tasks(name, f"{said_by} names {name!r}, which"):
                self.add_defined_in(name)
        if len(self.faults) > known and not len(self):
            fault = self.faults[known]
            del self.faults[known:]
            raise fault

    def import_tasks(self, module: str, subject: str, hint: str = "") -> bool:
        """Import a module of tasks, or keep the reason in `faults`.

        What it had defined before its error is left out: that lacks what comes after.

        Args:
            module: its dotted name.
            subject: how the sentence of the reason begins.
            hint: how it ends.

        Returns:
            Whether it was imported.
        """
        try:
            import_module(module)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a script may exit where it is imported
            reason = (
                str(error) if isinstance(error, TaskDefinitionError) else f"{type(error).__name__}: {error}"
            )
            fault = ConfigurationError(f"{subject} cannot be imported: {reason.removesuffix('.')}.{hint}")
            fault.__cause__ = error
            self.faults.append(fault)
            self._broken.add(module)
            return False
        self._broken.discard(module)
        return True

    def add_defined_in(self, module: str) -> None:
        """Register the tasks that an imported module holds.

        One that it imports from elsewhere is registered too, as long as no module defines another task of its name: it
        may be there to be derived from.
        """
        held = [candidate for candidate in vars(sys.modules[module]).values() if is_task_class(candidate)]
        own = [task for task in held if f"{task.__module__}.".startswith(f"{module}.")]
        for task in own:
            self.add(task)
        for task in held:
            if task.name not in self._known() and not _is_of_the_library(task):
                self.add(task)
                self._imported.add(task.name)

    def get(self, name: str) -> type[BaseTask]:
        """The task class of this name, or the one that had it before: see `BaseTask.aliases`.

        Raises:
            UnknownTask: there is none.
        """
        task = self._known().get(name) or self._aliases.get(name)
        if task is None:
            raise UnknownTask(name)
        return task

    def definition(self, name: str) -> Definition:
        """The definition of the task of this name, made when it is first asked for.

        Raises:
            UnknownTask: there is none.
            TaskDefinitionError: the class contradicts itself.
        """
        definition = self._definitions.get(name)
        if definition is None:
            task = self.get(name)
            if task.name != name:
                return self.definition(task.name)
            definition = self._definitions[name] = definition_of(task)
        return definition

    def present_name(self, name: str) -> str:
        """Return what a task is called now that had a name before; of a task that is not here, the name itself."""
        return self.get(name).name if name in self else name

    def names_of(self, name: str) -> tuple[str, ...]:
        """The names under which a task's jobs were submitted: its own, and those that it had before.

        Args:
            name: one of them; of a task that is not here, the only one.
        """
        if name not in self:
            return (name,)
        task = self.get(name)
        return (task.name, *task.aliases)

    def for_message(self, name: str) -> type[BaseTask]:
        """The task class that a message names: a registered one, or one of `OPERATIONS`.

        Raises:
            UnknownTask: there is none.
        """
        return self._operation(name).task if name in OPERATIONS else self.get(name)

    def definition_for_message(self, name: str) -> Definition:
        """The definition of the task that a message names; see `for_message`.

        Raises:
            UnknownTask: there is none.
            TaskDefinitionError: the class contradicts itself.
        """
        return self._operation(name) if name in OPERATIONS else self.definition(name)

    def _operation(self, name: str) -> Definition:
        if name not in self._operations:
            module, attribute = OPERATIONS[name]
            self._operations[name] = definition_of(getattr(import_module(module), attribute))
        return self._operations[name]

    def served(self) -> set[str]:
        """The names of the tasks that browsers may submit; where there is no site, of all that people are shown."""
        return {task.name for task in self.listed()} if self._served is None else set(self._served())

    def listed(self) -> list[type[BaseTask]]:
        """The tasks that people are shown, by name."""
        return sorted((task for task in self if task.is_listed()), key=lambda task: task.name)

    def __contains__(self, name: object) -> bool:
        return name in self._known() or name in self._aliases

    def __iter__(self) -> Iterator[type[BaseTask]]:
        return iter(self._known().values())

    def __len__(self) -> int:
        return len(self._known())

    def _known(self) -> dict[str, type[BaseTask]]:
        for source, classes in enumerate(self._growing):
            for place in range(self._seen[source], len(classes)):
                candidate = classes[place]
                if is_task_class(candidate) and candidate.__module__ not in self._broken:
                    self.add(candidate)
                self._seen[source] = place + 1
        return self._tasks


def definition_of(task: type[BaseTask]) -> Definition:
    """Return the definition of a task class, in the style that it is written in.

    Raises:
        TaskDefinitionError: when the class contradicts itself.
    """
    model = task.params_model
    made = DictionaryDefinition(task) if model is None else ModelDefinition(task, model)
    if task.schedule is not None:
        try:
            made.to_json(task.schedule_inputs)
        except InvalidInputs as error:
            raise TaskDefinitionError(f"{task.__qualname__}.schedule_inputs are invalid: {error}") from error
    return made


def _is_of_the_library(task: type[BaseTask]) -> bool:
    """Return whether a task is a framework's of ours, which registers itself where it is used."""
    return task.__module__.partition(".")[0] in ("serverless_tasks", "django_integration")


def _place(task: type[BaseTask]) -> str:
    return f"{task.__module__}.{task.__qualname__}"
