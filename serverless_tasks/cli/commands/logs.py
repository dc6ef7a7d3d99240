"""The command about what a job has logged: logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from serverless_tasks.cli.commands.jobs import Uuid
from serverless_tasks.cli.output import Output, visible
from serverless_tasks.cli.parameters import Json, Stack
from serverless_tasks.cli.session import connect
from serverless_tasks.cli.times import time_of_day
from serverless_tasks.client.operations.story.logs import follow_log, job_log

if TYPE_CHECKING:
    from serverless_tasks.client.operations.story.logs import LogLine

_NOTHING = (
    "No lines (yet): CloudWatch shows them some seconds after they were written, and drops them in the end."
)

_ELSEWHERE = (
    "The workers of a container or a server write to their standard output: look where that is collected, for lines"
    " with the job's id."
)


def logs(
    uuid: Uuid,
    follow: Annotated[
        bool, typer.Option("--follow", help="Print lines as they come, until the job has ended.")
    ] = False,
    stack: Stack = None,
    as_json: Json = False,
) -> None:
    """Print what a job has logged, from CloudWatch Logs; with --json one line for each line of the log."""
    output = Output(as_json, lines=True)
    with output.errors():
        client = connect(stack).client
        record = client.get(uuid)
        if not client.services.config.log_group:
            output.say(_ELSEWHERE)
        told = 0
        for line in follow_log(client.services, uuid) if follow else job_log(client.services, record):
            told += 1
            if as_json:
                output.line(line.to_json())
            else:
                output.console.print(_text(line), soft_wrap=True)
        if not told:
            output.say(_NOTHING)


def _text(line: LogLine) -> str:
    parts = [
        time_of_day(line.at),
        f"{line.level:<8}" if line.level else "",
        visible(line.message.expandtabs(2)),
    ]
    text = " ".join(part for part in parts if part)
    if line.fields:
        text += " " + " ".join(visible(f"{name}={value}") for name, value in line.fields.items())
    return f"{text}\n{visible(line.exception.rstrip())}" if line.exception else text
