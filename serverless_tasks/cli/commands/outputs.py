"""The command that prints the settings of a site from a stack's outputs."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from serverless_tasks.cli.output import Output
from serverless_tasks.cli.parameters import Stack
from serverless_tasks.cli.session import acting_in
from serverless_tasks.engine.aws.stacks import stack_outputs
from serverless_tasks.project.site_settings import as_django, as_environment, settings_of


class Format(StrEnum):
    """The forms of the settings."""

    DJANGO = "django"
    ENV = "env"
    JSON = "json"


def outputs(
    stack: Stack = None,
    form: Annotated[
        Format, typer.Option("--format", help="A Django setting, variables of an environment, or JSON.")
    ] = Format.DJANGO,
) -> None:
    """Print the settings that a site or a script needs to speak with a deployed stack."""
    output = Output(form is Format.JSON)
    with output.errors():
        if stack is None:
            with acting_in(None) as environment:
                settings = settings_of(stack_outputs(environment.stack), environment.stack)
        else:
            settings = settings_of(stack_outputs(stack), stack)
        if form is Format.JSON:
            output.line(settings, indent=2)
        else:
            typer.echo(as_django(settings) if form is Format.DJANGO else as_environment(settings))
