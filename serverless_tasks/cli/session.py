"""The session of a command: the project's tasks, and the stack that it talks to, by its name or its environment's."""

from __future__ import annotations

import functools
import getpass
import inspect
import os
import shlex
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serverless_tasks.cli.loading import PROJECT, Tasks, load_project
from serverless_tasks.cli.output import Output
from serverless_tasks.cli.parameters import Env
from serverless_tasks.client.task_client import TaskClient
from serverless_tasks.engine.services import Services, current_services
from serverless_tasks.errors import ConfigurationError
from serverless_tasks.project.samconfig import DEFAULT, ENVIRONMENT, Environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from serverless_tasks.engine.definition.registry import Registry
    from serverless_tasks.engine.job.clock import Clock


@dataclass(frozen=True, slots=True)
class Session:
    """The session of a command.

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The stack that a command was asked about, and how other commands name it.

    Attributes:
        stack: its name; None where none is named.
        environment: the environment that deploys it; None where another project deploys it, or none is named.
        no_stack: why no stack is named; "" where one is.
    """

    stack: str | None = None
    environment: Environment | None = None
    no_stack: str = ""

    @classmethod
    def by_name(cls, stack: str) -> Asked:
        """The stack of this name: that of the environment that the command acts in, or another one."""
        try:
            environment = Environment.read(PROJECT.get() or Path.cwd(), ENVIRONMENT.get())
        except ConfigurationError:
            return cls(stack=stack)
        here = environment.variables.items() <= os.environ.items()
        return cls(stack=stack, environment=environment if here and environment.stack == stack else None)

    def command(self, words: str) -> str:
        """Return a command of ours that takes ``--stack`` and ``--env``, so that it is about this stack when pasted."""
        if self.environment is not None:
            words = f"{words} --env {shlex.quote(self.environment.name)}"
        elif self.stack is not None:
            words = f"{words} --stack {shlex.quote(self.stack)}"
        return f"`serverless-tasks {words}`"

    def sam(self, words: str) -> str:
        """Return a command of `sam` for the environment."""
        name = DEFAULT if self.environment is None else self.environment.name
        return f"`sam {words}`" if name == DEFAULT else f"`sam {words} --config-env {shlex.quote(name)}`"


def connect(stack: str | None, tasks: Tasks = Tasks.NAMED) -> Session:
    """A session with a deployed stack, or with what the environment (or Django's settings) names.

    Args:
        stack: a CloudFormation stack's name.
        tasks: which of the project's tasks are loaded.

    Raises:
        ConfigurationError: settings are missing, tasks cannot be loaded, or the stack is none of ours.
        AwsError: there is no such stack, or it may not be read.
    """
    load_project(tasks)
    services = current_services()
    if stack is None:
        return Session(TaskClient(), services.registry, services.clock, remote=False)
    config = TaskClient.from_stack(stack).services.config
    there = Services(config, registry=services.registry)
    return Session(TaskClient(services=there), services.registry, services.clock, remote=True)


def person() -> str:
    """Return the name of the person at the terminal, or "" where the machine does not know one."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return ""


def takes_env(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command that takes ``stack`` the option ``--env`` beside it, which names the stack and its region."""
    signature = inspect.signature(command, eval_str=True)
    own = list(signature.parameters.values())
    place = next(number for number, each in enumerate(own) if each.name == "stack") + 1
    kind = own[place - 1].kind
    env = inspect.Parameter("env", kind, default=None, annotation=Env)

    @functools.wraps(command)
    def in_environment(*args: Any, env: str | None = None, **options: Any) -> None:
        if env is None:
            command(*args, **options)
            return
        as_json = bool(options.get("as_json")) or options.get("form") == "json"
        with Output(as_json).errors():
            if options.get("stack") is not None:
                raise ConfigurationError("--env and --stack both name a stack: give one of them.")
            with acting_in(env) as environment:
                command(*args, **{**options, "stack": environment.stack})

    made: Any = in_environment
    made.__signature__ = signature.replace(parameters=[*own[:place], env, *own[place:]])
    made.__annotations__ = {each.name: each.annotation for each in made.__signature__.parameters.values()}
    return in_environment


@contextmanager
def acting_in(name: str | None) -> Iterator[Environment]:
    """Act in an environment of the project: with its region and profile, and the tasks that it deploys.

    Args:
        name: its name; None for the default one.

    Raises:
        ConfigurationError: ``samconfig.toml`` has no such environment.
    """
    directory = PROJECT.get() or Path.cwd()
    environment = Environment.read(directory, name or DEFAULT)
    before = {variable: os.environ.get(variable) for variable in environment.variables}
    os.environ.update(environment.variables)
    token = ENVIRONMENT.set(environment.name)
    try:
        yield environment
    finally:
        ENVIRONMENT.reset(token)
        for variable, value in before.items():
            if value is None:
                del os.environ[variable]
            else:
                os.environ[variable] = value
