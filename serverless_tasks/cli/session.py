"""What a command works with: the project's tasks, and the stack that it talks to."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from serverless_tasks.client import TaskClient
from serverless_tasks.errors import ConfigurationError, ServerlessTasksError
from serverless_tasks.services import services

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serverless_tasks.clock import Clock
    from serverless_tasks.registry import Registry


@dataclass(frozen=True, slots=True)
class Session:
    """What a command works with.

    Attributes:
        client: the jobs.
        registry: the tasks whose code is here.
        clock: the time.
        remote: whether a deployed stack was named, whose tasks need not be here.
    """

    client: TaskClient
    registry: Registry
    clock: Clock
    remote: bool


def load_project() -> None:
    """Make the working directory importable, set Django up where ``DJANGO_SETTINGS_MODULE`` names settings, and import
    the modules with tasks.

    Raises:
        ConfigurationError: Django, the settings module or a module with tasks cannot be imported.
    """
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    with _code_of_the_project():
        if settings := os.environ.get("DJANGO_SETTINGS_MODULE"):
            _set_django_up(settings)
        _ = services().registry


def _set_django_up(settings: str) -> None:
    try:
        # By name: only a project that has Django needs it here.
        importlib.import_module("django").setup()
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"DJANGO_SETTINGS_MODULE is {settings!r}, but {error.name!r} cannot be imported: run from the project's"
            " directory, in its environment."
        ) from error


@contextmanager
def _code_of_the_project() -> Iterator[None]:
    """Where it fails is for its author to see, and that nothing was done for whoever reads the exit code."""
    try:
        yield
    except ServerlessTasksError:
        raise
    except Exception as error:
        traceback.print_exc()
        raise ConfigurationError(
            f"The project's code cannot be loaded: {type(error).__name__}: {error}"
        ) from error


def connect(stack: str | None) -> Session:
    """A session with a deployed stack, or with what the environment (or Django's settings) names.

    Args:
        stack: a CloudFormation stack's name.

    Raises:
        ConfigurationError: settings are missing, or the stack is none of ours.
        AwsError: there is no such stack, or it may not be read.
    """
    load_project()
    through = services()
    if stack is None:
        return Session(TaskClient(), through.registry, through.clock, remote=False)
    return Session(TaskClient.from_stack(stack), through.registry, through.clock, remote=True)
