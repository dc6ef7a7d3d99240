"""The command `errors`: which kinds of failures occurred."""

from __future__ import annotations

from typing import Annotated

import typer

from serverless_tasks.cli.output import Output
from serverless_tasks.cli.parameters import Json, Since, Stack, Until
from serverless_tasks.cli.session import connect
from serverless_tasks.cli.times import span
from serverless_tasks.engine.job.record import iso
from serverless_tasks.errors import KindNotFound


def errors(
    fingerprint: Annotated[
        str | None,
        typer.Argument(metavar="FINGERPRINT", help="One kind of failure, with examples.", show_default=False),
    ] = None,
    since: Since = "24h",
    until: Until = None,
    task: Annotated[str | None, typer.Option(metavar="TASK", help="Only of this task.")] = None,
    stack: Stack = None,
    as_json: Json = False,
) -> None:
    """Print which kinds of failures occurred, how often, when, and examples of them."""
    from serverless_tasks.cli.insight.errors import error_picture, errors_table
    from serverless_tasks.client.operations.errors import list_errors, read_error

    output = Output(as_json)
    with output.errors():
        session = connect(stack)
        time = span(since, until, session.clock.now())
        store = session.client.services.statistics_store
        if fingerprint is None:
            found = list_errors(store, **time, task=task)
            document = {"since": iso(time["since"]), "errors": [each.to_json() for each in found]}
            output.document(document, errors_table(found))
            return
        error = read_error(store, fingerprint, **time)
        if error is None:
            ends = "" if until is None else f" until {iso(time['until'])}"
            raise KindNotFound(fingerprint, f"since {iso(time['since'])}{ends}")
        output.document(error.to_json(), error_picture(error))
