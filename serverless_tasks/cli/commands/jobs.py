"""The commands about jobs: submit, run, status, watch, cancel, retry, explain."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serverless_tasks.cli.exit_codes import Exit
from serverless_tasks.cli.inputs import named_task, read_inputs
from serverless_tasks.cli.loading import Tasks
from serverless_tasks.cli.options import parsed, takes_options
from serverless_tasks.cli.output import Output
from serverless_tasks.cli.parameters import Json, Stack
from serverless_tasks.cli.progress import follow, show
from serverless_tasks.cli.session import connect
from serverless_tasks.client.timeline import timeline
from serverless_tasks.engine.job.record import SUCCEEDED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from serverless_tasks.cli.session import Session
    from serverless_tasks.engine.job.record import Record

TaskName = Annotated[str, typer.Argument(metavar="TASK", help="The task's name.")]
Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME=VALUE...", help="An input; NAME=@FILE reads the value from a file.", show_default=False
    ),
]
Document = Annotated[
    str | None,
    typer.Option(
        "--inputs", metavar="JSON", help="Inputs as a JSON object, or @FILE to read them from a file."
    ),
]
Uuid = Annotated[str, typer.Argument(metavar="UUID", help="The job's id.")]
Interval = Annotated[float, typer.Option(min=0.1, help="Seconds between two polls.")]
Timeout = Annotated[
    float | None, typer.Option(min=0, help="Maximum seconds to wait.", show_default="no limit")
]


@takes_options
def submit(
    task: TaskName,
    words: Words = None,
    inputs: Document = None,
    *,
    watch: Annotated[
        bool, typer.Option("--watch", help="Follow the job until it ends, like `watch`.")
    ] = False,
    stack: Stack = None,
    as_json: Json = False,
    **options: Any,
) -> None:
    """Publish a job and print its id."""
    from rich.text import Text

    answer = Output(as_json, lines=watch)
    with answer.errors():
        chosen = parsed(options)
        session = connect(stack, Tasks.WELCOME)
        named = named_task(session, task)
        given = read_inputs(session, named, words or [], inputs)
        handle = session.client.submit_json(named, given, **chosen)
        if watch:
            answer.say(f"Submitted {handle.uuid}.")
            _watch(answer, session, lambda: handle.refresh().record)
        else:
            answer.document(handle.record.to_json(reveal=True), Text(handle.uuid))


def run(
    task: TaskName, words: Words = None, inputs: Document = None, stack: Stack = None, as_json: Json = False
) -> None:
    """Run a task in Lambda by direct invoke, wait, and print its outputs."""
    from rich.console import Console
    from rich.text import Text

    from serverless_tasks.cli.tables import outputs_picture

    answer = Output(as_json)
    with answer.errors():
        session = connect(stack, Tasks.WELCOME)
        named = named_task(session, task)
        given = read_inputs(session, named, words or [], inputs)
        with nullcontext() if as_json else Console(stderr=True).status(Text(f"Running {task}")):
            outputs = session.client.run_json(named, given)
        answer.document({"task": task, "status": SUCCEEDED, "outputs": outputs}, outputs_picture(outputs))


def status(uuid: Uuid, stack: Stack = None, as_json: Json = False) -> None:
    """Print a job's record."""
    from serverless_tasks.cli.tables import record_picture

    answer = Output(as_json)
    with answer.errors():
        record = connect(stack).client.get(uuid)
        answer.document(record.to_json(reveal=True), record_picture(record))


def watch(
    uuid: Uuid, interval: Interval = 1.0, timeout: Timeout = None, stack: Stack = None, as_json: Json = False
) -> None:
    """Follow a job until it ends, with a live progress bar; with --json one line for each change."""
    answer = Output(as_json, lines=True)
    with answer.errors():
        session = connect(stack)
        _watch(answer, session, lambda: session.client.get(uuid), interval=interval, timeout=timeout)


def cancel(uuid: Uuid, stack: Stack = None, as_json: Json = False) -> None:
    """Cancel a job: a waiting one never starts, a running one is asked to stop."""
    from serverless_tasks.cli.tables import record_picture

    answer = Output(as_json)
    with answer.errors():
        record = connect(stack).client.cancel(uuid)
        answer.document(record.to_json(reveal=True), record_picture(record))


def retry(
    uuid: Uuid,
    new_uuid: Annotated[
        str | None,
        typer.Option("--uuid", help="The new job's id, to repeat a retry that may have been sent."),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Follow the job until it ends, like `watch`.")
    ] = False,
    stack: Stack = None,
    as_json: Json = False,
) -> None:
    """Submit an ended job again, with the same inputs, and print the new job's id."""
    from rich.text import Text

    answer = Output(as_json, lines=watch)
    with answer.errors():
        session = connect(stack, Tasks.WELCOME)
        handle = session.client.retry(uuid, new_uuid=new_uuid)
        if watch:
            answer.say(f"Submitted {handle.uuid}.")
            _watch(answer, session, lambda: handle.refresh().record)
        else:
            answer.document(handle.record.to_json(reveal=True), Text(handle.uuid))


def explain(uuid: Uuid, stack: Stack = None, as_json: Json = False) -> None:
    """Print a job's timeline: its attempts with times, reasons, request ids and tracebacks."""
    from serverless_tasks.cli.tables import timeline_picture

    answer = Output(as_json)
    with answer.errors():
        record = connect(stack).client.get(uuid)
        events = timeline(record)
        told = {
            "uuid": record.uuid,
            "task": record.task,
            "status": record.status,
            "owner": record.owner,
            "timeline": [event.to_json() for event in events],
        }
        answer.document(told, timeline_picture(record, events))


def _watch(answer: Output, session: Session, look: Callable[[], Record], **pace: Any) -> None:
    from rich.console import Console

    from serverless_tasks.cli.tables import record_picture

    console = Console(stderr=True, highlight=False, markup=False)
    try:
        if answer.as_json:
            last = _lines(answer, follow(session, look, idle=answer.say, **pace))
        else:
            last = show(follow(session, look, idle=console.print, **pace), console)
    except KeyboardInterrupt:
        answer.say("Stopped watching; the job continues.")
        raise
    if not answer.as_json:
        answer.console.print(record_picture(last))
    if last.status != SUCCEEDED:
        raise typer.Exit(Exit.FAILED)


def _lines(answer: Output, records: Iterator[Record]) -> Record:
    last = next(records)
    answer.line(last.to_json(reveal=True))
    for last in records:
        answer.line(last.to_json(reveal=True))
    return last
