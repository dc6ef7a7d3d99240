"""The command that makes TypeScript types of the tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from serverless_tasks.cli.exit_codes import Exit
from serverless_tasks.cli.loading import NO_TASKS, Tasks, load_project
from serverless_tasks.cli.output import Output
from serverless_tasks.cli.typescript.document import document
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import ConfigurationError


def types(
    check: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Compare with a file and write nothing: code 1 if it is out of date."
        ),
    ] = None,
) -> None:
    """Write TypeScript types of the tasks to standard output: inputs, outputs and the fields of errors.

    In a Django project, tasks that the site does not serve to browsers have outputs alone.
    """
    output = Output(as_json=False)
    with output.errors():
        load_project(Tasks.NEEDED)
        registry = current_services().registry
        names = [task.name for task in registry.listed()]
        if not names:
            raise ConfigurationError(NO_TASKS)
        made = document(registry, registry.served(), names)
        if check is None:
            typer.echo(made, nl=False)
        elif not check.is_file() or check.read_text(encoding="utf-8") != made:
            reason = "is out of date" if check.is_file() else "is missing"
            output.say(f"{check} {reason}. Run: serverless-tasks types > {check}")
            raise typer.Exit(Exit.FAILED)
        else:
            output.say(f"{check} is up to date.")
