"""Loading the tasks of the project that a command is run in."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING

from serverless_tasks.cli.output import say
from serverless_tasks.engine.definition.registry import Registry
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import ConfigurationError, ServerlessTasksError
from serverless_tasks.project.samconfig import FILE, deployed_parameters
from serverless_tasks.project.tasks import MODULES, SETTINGS, VARIABLES, modules_of, project_parameters

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NO_TASKS = (
    f"No tasks were found: run this in the project's directory with its {FILE}, or set SERVERLESS_TASKS_MODULES to"
    " the modules with tasks, or DJANGO_SETTINGS_MODULE for a Django project."
)
# The project's directory, set by `manage.py`, which may be run from elsewhere.
PROJECT: ContextVar[Path | None] = ContextVar("serverless_tasks_project", default=None)

_DJANGO = VARIABLES[SETTINGS]
_OURS = ("serverless_tasks", "django_integration")


class Tasks(Enum):
    """The tasks of the project that a command loads, beside those that the environment names."""

    NAMED = auto()
    """No others: it does without them as well."""
    WELCOME = auto()
    """Those that are deployed, to check inputs where their code is here; what cannot be loaded is said."""
    NEEDED = auto()
    """Those that are deployed; what cannot be loaded is an error."""


def load_project(tasks: Tasks = Tasks.NAMED, modules: Sequence[str] = ()) -> None:
    """Make the project importable, set Django up where settings are named, and import the modules with tasks.

    Args:
        tasks: which tasks are loaded. Those that are deployed are found as `dev` finds them.
        modules: modules in place of those that are deployed.

    Raises:
        ConfigurationError: Django, its settings, or a module with tasks cannot be used.
    """
    directory = _directory()
    for place in (str(directory), str(Path.cwd())):
        if place not in sys.path:
            sys.path.insert(0, place)
    deployed = {} if tasks is Tasks.NAMED else project_parameters(directory, directory / "manage.py")
    if named := os.environ.get(_DJANGO):
        with _code_of_the_project():
            _set_django_up(f"{_DJANGO} is {named!r}")
    elif SETTINGS in deployed:
        with _deployed_code(tasks):
            _set_deployed_django_up(deployed[SETTINGS])
    with _code_of_the_project():
        registry = current_services().registry
    if modules:
        with _code_of_the_project():
            registry.load(modules, said_by="--modules")
    elif MODULES in deployed and not current_services().config.modules:
        with _deployed_code(tasks):
            registry.load(modules_of(deployed[MODULES]), said_by=FILE)
    if tasks is Tasks.NEEDED:
        services = current_services()
        for fault in (services.problem, *services.registry.faults):
            if fault is not None:
                raise fault  # there are tasks that were not registered


def knows_tasks(registry: Registry) -> bool:
    """Return whether a task of the project was loaded; those of this library do not count."""
    return any(task.__module__.partition(".")[0] not in _OURS for task in registry)


def left_out(registry: Registry) -> list[str]:
    """The modules that the project deploys and that were not loaded: the environment names others, perhaps."""
    missing = []
    # If `manage.py` is in a subdirectory, samconfig.toml is in the working directory: check both.
    deployed = [deployed_parameters(place).get(MODULES, "") for place in {_directory(), Path.cwd()}]
    for module in sorted({module for names in deployed for module in modules_of(names)}):
        defined = Registry()
        if module in sys.modules:
            defined.add_defined_in(module)
        if module not in sys.modules or any(task.name not in registry for task in defined):
            missing.append(module)
    return missing


def _directory() -> Path:
    return PROJECT.get() or Path.cwd()


def _set_deployed_django_up(settings: str) -> None:
    os.environ[_DJANGO] = settings
    try:
        _set_django_up(f"The project is deployed with DJANGO_SETTINGS_MODULE={settings!r}")
    except BaseException:
        del os.environ[_DJANGO]
        raise


def _set_django_up(said: str) -> None:
    try:
        # Imported by name, since only Django projects have it installed.
        importlib.import_module("django").setup()
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"{said}, but {error.name!r} cannot be imported: run from the project's directory, in its environment."
        ) from error


@contextmanager
def _deployed_code(tasks: Tasks) -> Iterator[None]:
    """Load code that may be missing: a command that does without it goes on."""
    if tasks is Tasks.NEEDED:
        with _code_of_the_project():
            yield
        return
    try:
        yield
    except Exception as error:  # noqa: BLE001 - the project's own code, which may do anything
        reason = str(error) if isinstance(error, ServerlessTasksError) else f"{type(error).__name__}: {error}"
        say(
            f"Some tasks that {FILE} deploys could not be loaded, so their inputs are not validated here: {reason}"
        )


@contextmanager
def _code_of_the_project() -> Iterator[None]:
    """Show the traceback of the project's code, and raise an error whose exit code says that nothing was done."""
    try:
        yield
    except ServerlessTasksError:
        raise
    except Exception as error:
        traceback.print_exc()
        raise ConfigurationError(
            f"The project's code cannot be loaded: {type(error).__name__}: {error}"
        ) from error
