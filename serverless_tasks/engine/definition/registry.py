"""The registry of tasks: a message or a caller can name these and nothing else."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

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
    from collections.abc import Iterable, Iterator, Sequence


class Registry:
    """Task classes by name.

    Args:
        growing: lists of classes that belong in it and that may grow: what is new there is registered before the next
            look, and two tasks of one name raise `DuplicateTask` at every look.

    Attributes:
        faults: why tasks that belong in it may be missing: of each module that could not be imported, say.
    """

    def __init__(self, *growing: Sequence[type[BaseTask]]) -> None:
        self._tasks: dict[str, type[BaseTask]] = {}
        self._definitions: dict[str, Definition] = {}
        self._growing = growing
        self._seen = [0] * len(growing)
        self.faults: list[ConfigurationError] = []

    def add(self, task: type[BaseTask]) -> None:
        """Register a task class; doing so twice is fine.

        Raises:
            DuplicateTask: another class has the name.
        """
        known = self._tasks.setdefault(task.name, task)
        if known is not task and _place(known) != _place(task):
            raise DuplicateTask(
                f"Two tasks are named {task.name!r}: {_place(known)} and {_place(task)}. Rename one of them."
            )
        if known is not task:  # the same class after its module was loaded again
            self._tasks[task.name] = task
            self._definitions.pop(task.name, None)

    def load(self, modules: Iterable[str], *, said_by: str = "SERVERLESS_TASKS_MODULES") -> None:
        """Import modules and register the tasks that they define.

        Args:
            modules: dotted names.
            said_by: what names them, for the error.

        Raises:
            ConfigurationError: a module does not exist.
        """
        for name in modules:
            try:
                import_module(name)
            except ModuleNotFoundError as error:
                if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                    raise
                raise ConfigurationError(
                    f"{said_by} names {name!r}, which cannot be imported: {error}."
                ) from error
            self.add_defined_in(name)

    def add_defined_in(self, module: str) -> None:
        """Register the tasks that an imported module, or a module below it, defines and that it holds."""
        for candidate in list(vars(sys.modules[module]).values()):
            if is_task_class(candidate) and f"{candidate.__module__}.".startswith(f"{module}."):
                self.add(candidate)

    def get(self, name: str) -> type[BaseTask]:
        """The task class of this name.

        Raises:
            UnknownTask: there is none.
        """
        try:
            return self._known()[name]
        except KeyError:
            raise UnknownTask(name) from None

    def definition(self, name: str) -> Definition:
        """The definition of the task of this name, made when it is first asked for.

        Raises:
            UnknownTask: there is none.
            TaskDefinitionError: the class contradicts itself.
        """
        definition = self._definitions.get(name)
        if definition is None:
            definition = self._definitions[name] = definition_of(self.get(name))
        return definition

    def listed(self) -> list[type[BaseTask]]:
        """The tasks that people are shown, by name."""
        return sorted((task for task in self if task.is_listed()), key=lambda task: task.name)

    def __contains__(self, name: object) -> bool:
        return name in self._known()

    def __iter__(self) -> Iterator[type[BaseTask]]:
        return iter(self._known().values())

    def __len__(self) -> int:
        return len(self._known())

    def _known(self) -> dict[str, type[BaseTask]]:
        for source, classes in enumerate(self._growing):
            for place in range(self._seen[source], len(classes)):
                if is_task_class(candidate := classes[place]):
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


def _place(task: type[BaseTask]) -> str:
    return f"{task.__module__}.{task.__qualname__}"
