"""The command that looks for what is wrong."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from serverless_tasks.cli.exit_codes import Exit
from serverless_tasks.cli.loading import PROJECT
from serverless_tasks.cli.output import Output
from serverless_tasks.cli.parameters import Json, Stack
from serverless_tasks.cli.session import Asked, acting_in
from serverless_tasks.errors import ConfigurationError
from serverless_tasks.project.samconfig import DEFAULT, Environment

if TYPE_CHECKING:
    from collections.abc import Iterator


def doctor(stack: Stack = None, as_json: Json = False) -> None:
    """Look at the project, this environment and the stack, and say what is wrong, with the cure of each."""
    from serverless_tasks.cli.doctor import as_document, examine, picture

    output = Output(as_json)
    directory = PROJECT.get() or Path.cwd()
    with output.errors(), _asked(directory, stack) as asked:
        sections = examine(directory, asked)
        output.document(as_document(sections), picture(sections))
        if any(section.has_errors for section in sections):
            raise typer.Exit(Exit.FAILED)


@contextmanager
def _asked(directory: Path, stack: str | None) -> Iterator[Asked]:
    """The stack that is named, else that of the default environment; or why there is none."""
    if stack is not None:
        yield Asked.by_name(stack)
        return
    try:
        Environment.read(directory, DEFAULT)
    except ConfigurationError as error:
        yield Asked(no_stack=str(error))
        return
    with acting_in(None) as environment:
        yield Asked(stack=environment.stack, environment=environment)
