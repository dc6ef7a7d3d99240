"""The command `stats`: what tasks did, hour by hour."""

from __future__ import annotations

from typing import Annotated

import typer

from serverless_tasks.cli.output import Output
from serverless_tasks.cli.parameters import Json, Since, Stack, Until
from serverless_tasks.cli.session import connect
from serverless_tasks.cli.times import span


def stats(
    task: Annotated[
        str | None,
        typer.Argument(metavar="TASK", help="One task, compared with the time before.", show_default=False),
    ] = None,
    since: Since = "24h",
    until: Until = None,
    stack: Stack = None,
    as_json: Json = False,
) -> None:
    """Print how many jobs of each task ended how, how long they took and waited, and which tasks are getting slower."""
    from serverless_tasks.cli.insight.statistics import statistics_picture, statistics_table
    from serverless_tasks.client.operations.statistics import all_statistics, known_tasks, task_statistics

    output = Output(as_json)
    with output.errors():
        session = connect(stack)
        services = session.client.services
        time = span(since, until, session.clock.now())
        if task is not None:
            one = task_statistics(services.statistics_store, task, **time)
            output.document(one.to_json(), statistics_picture(one))
            return
        found = all_statistics(services.statistics_store, known_tasks(services), **time)
        found.sort(key=lambda each: -each.total.ended)
        output.document({"tasks": [each.to_json() for each in found]}, statistics_table(found))
