"""`Asked`: the stack that `doctor` was asked about, and how other commands name it."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from serverless_tasks.errors import ConfigurationError
from serverless_tasks.project.samconfig import DEFAULT, ENVIRONMENT, Environment

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The stack that `doctor` was asked about.

    Attributes:
        stack: its name; None where none is named.
        environment: the environment that deploys it; None where another project deploys it, or none is named.
        no_stack: why no stack is named; "" where one is.
    """

    stack: str | None = None
    environment: Environment | None = None
    no_stack: str = ""

    @classmethod
    def by_name(cls, directory: Path, stack: str) -> Asked:
        """The stack of this name: that of the environment that the command acts in, or another one.

        Args:
            directory: the project's.
            stack: the name.
        """
        try:
            environment = Environment.read(directory, ENVIRONMENT.get())
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
