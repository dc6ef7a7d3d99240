"""The commands about jobs: submit, run, status, watch, cancel, retry, explain."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serverless_tasks.cli.exit_codes import Exit
from serverless_tasks.cli.inputs import named_task, read_inputs
from serverless_tasks.cli.lines import read_lines, with_references
from serverless_tasks.cli.loading import Tasks
from serverless_tasks.cli.options import parsed, takes_options
from serverless_tasks.cli.output import Output
from serverless_tasks.cli.parameters import Json, Stack
from serverless_tasks.cli.progress import follow, sending, show
from serverless_tasks.cli.session import connect
from serverless_tasks.client.operations.story.picture import picture_of
from serverless_tasks.client.operations.story.spans import spans_of
from serverless_tasks.client.timeline import messages_json, timeline_of
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.job_id import uuid_in
from serverless_tasks.engine.job.record import SUCCEEDED
from serverless_tasks.errors import AlreadyRetried, UnknownOption

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from serverless_tasks.cli.session import Session
    from serverless_tasks.engine.definition.base import BaseTask
    from serverless_tasks.engine.job.record import Record
    from serverless_tasks.engine.submit.handle import Handle

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


def _uuid(text: str) -> str:
    if (uuid := uuid_in(text)) is None:
        raise typer.BadParameter(f"{text!r} is not a UUID.")
    return uuid


Uuid = Annotated[str, typer.Argument(metavar="UUID", help="The job's id.", callback=_uuid)]
Interval = Annotated[float, typer.Option(min=0.1, help="Seconds between two polls.")]
Timeout = Annotated[
    float | None, typer.Option(min=0, help="Maximum seconds to wait.", show_default="no limit")
]


_GROUP = "A group, with --each"


class On(StrEnum):
    """The ends of a group after which its continuation is sent."""

    SUCCESS = "success"
    END = "end"


@takes_options
def submit(
    task: TaskName,
    words: Words = None,
    inputs: Document = None,
    *,
    each: Annotated[
        str | None,
        typer.Option(
            metavar="@FILE",
            help="Submit a group with one member for each line, a JSON object of inputs; - reads standard input.",
            rich_help_panel=_GROUP,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="The group's name in lists.", show_default="group", rich_help_panel=_GROUP),
    ] = None,
    deadline: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="When members that have not ended are ended.",
            show_default="4 days",
            rich_help_panel=_GROUP,
        ),
    ] = None,
    then: Annotated[
        str | None,
        typer.Option(metavar="TASK", help="The task that runs after all members.", rich_help_panel=_GROUP),
    ] = None,
    then_inputs: Annotated[
        str | None,
        typer.Option(
            metavar="JSON",
            help='Its inputs, or @FILE; {"$results": "NAME"} stands for the list of that output of all members.',
            rich_help_panel=_GROUP,
        ),
    ] = None,
    on: Annotated[
        On | None,
        typer.Option(
            help="Run it only if all members succeeded, or in any case.",
            show_default="success",
            rich_help_panel=_GROUP,
        ),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Follow the job until it ends, like `watch`.")
    ] = False,
    stack: Stack = None,
    as_json: Json = False,
    **options: Any,
) -> None:
    """Publish a job and print its id; with --each a group of jobs."""
    output = Output(as_json, lines=watch)
    with output.errors():
        chosen = parsed(options)
        group = _GroupWords(name=name, deadline=deadline, then=then, then_inputs=then_inputs, on=on)
        if each is None:
            group.refuse()
        session = connect(stack, Tasks.WELCOME)
        named = named_task(session, task)
        given = read_inputs(session, named, words or [], inputs)
        if each is None:
            handle = session.client.submit_json(named, given, **chosen)
        else:
            handle = _submit_each(session, named, each, given, group, chosen, silent=as_json)
        submitted(output, session, handle, watch=watch)


def run(
    task: TaskName, words: Words = None, inputs: Document = None, stack: Stack = None, as_json: Json = False
) -> None:
    """Run a task in Lambda by direct invoke, wait, and print its outputs."""
    from rich.console import Console
    from rich.text import Text

    from serverless_tasks.cli.tables import outputs_picture

    output = Output(as_json)
    with output.errors():
        session = connect(stack, Tasks.WELCOME)
        named = named_task(session, task)
        given = read_inputs(session, named, words or [], inputs)
        with nullcontext() if as_json else Console(stderr=True).status(Text(f"Running {task}")):
            outputs = session.client.run_json(named, given)
        output.document({"task": task, "status": SUCCEEDED, "outputs": outputs}, outputs_picture(outputs))


def status(uuid: Uuid, stack: Stack = None, as_json: Json = False) -> None:
    """Print a job's record."""
    from serverless_tasks.cli.tables import record_picture

    output = Output(as_json)
    with output.errors():
        record = connect(stack).client.get(uuid)
        output.document(record.to_json(reveal=True), record_picture(record))


def watch(
    uuid: Uuid, interval: Interval = 1.0, timeout: Timeout = None, stack: Stack = None, as_json: Json = False
) -> None:
    """Follow a job or a group until it ends, with a progress bar; with --json one line for each change."""
    output = Output(as_json, lines=True)
    with output.errors():
        session = connect(stack)
        _watch(output, session, lambda: session.client.get(uuid), interval=interval, timeout=timeout)


def cancel(uuid: Uuid, stack: Stack = None, as_json: Json = False) -> None:
    """Cancel a job: a waiting one never starts, a running one is asked to stop; of a group all members."""
    from serverless_tasks.cli.tables import record_picture

    output = Output(as_json)
    with output.errors():
        record = connect(stack).client.cancel(uuid)
        output.document(record.to_json(reveal=True), record_picture(record))


def retry(
    uuid: Uuid,
    failed: Annotated[
        bool,
        typer.Option("--failed", help="Of a group: submit the members that did not succeed, in a new group."),
    ] = False,
    new_uuid: Annotated[
        str | None,
        typer.Option("--uuid", help="The new job's id, to repeat a retry that may have been sent."),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Do not ask when the job was retried before.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Follow the job until it ends, like `watch`.")
    ] = False,
    stack: Stack = None,
    as_json: Json = False,
) -> None:
    """Submit an ended job again, with the same inputs, and print the new job's id."""
    output = Output(as_json, lines=watch)
    with output.errors():
        session = connect(stack, Tasks.WELCOME)
        submit_again = session.client.retry_failed if failed else session.client.retry
        try:
            handle = submit_again(uuid, new_uuid=new_uuid, again=again)
        except AlreadyRetried as error:
            if as_json or not output.interactive:
                output.say("To retry it once more, add --again.")
                raise
            output.say(_retries(session, error))
            if not typer.confirm("Retry it once more?", err=True):
                raise typer.Exit(Exit.FINISHED) from None
            handle = submit_again(uuid, new_uuid=new_uuid)
        submitted(output, session, handle, watch=watch)


def _retries(session: Session, error: AlreadyRetried) -> str:
    """Say as which job one was retried last, and how that stands."""
    last = error.retried_as[-1]
    record = session.client.services.store.read(last, whole=False)
    stands = "deleted" if record is None else record.status
    return f"Job {error.uuid} was retried already, as {last} ({stands})."


def explain(uuid: Uuid, stack: Stack = None, as_json: Json = False) -> None:
    """Print a job's timeline: attempts with times, reasons, request ids and tracebacks; of a group its members."""
    from serverless_tasks.cli.tables import timeline_picture

    output = Output(as_json)
    with output.errors():
        client = connect(stack).client
        record = client.get(uuid)
        services = client.services
        job = services.store.job(uuid)
        events = timeline_of(services, record, job)
        now = to_ms(services.clock.now())
        spans = spans_of(services, record, job)
        document = {
            "uuid": record.uuid,
            "task": record.task,
            "status": record.status,
            "owner": record.owner,
            "retry_of": record.retry_of,
            "retried_as": list(record.retried_as),
            "timeline": [event.to_json() for event in events],
            "spans": [span.to_json(now) for span in spans],
            "messages": messages_json(record),
        }
        output.document(document, timeline_picture(record, events, picture_of(spans, now)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _GroupWords:
    name: str | None
    deadline: float | None
    then: str | None
    then_inputs: str | None
    on: On | None

    def refuse(self) -> None:
        """See that nothing is said of a group."""
        for each in fields(self):
            if getattr(self, each.name) is not None:
                raise UnknownOption(f"--{each.name.replace('_', '-')} goes with --each.")


def _submit_each(
    session: Session,
    task: type[BaseTask] | str,
    source: str,
    common: dict[str, Any],
    words: _GroupWords,
    options: dict[str, Any],
    *,
    silent: bool,
) -> Handle:
    from serverless_tasks.engine.submit.each import Continuation, submit_each
    from serverless_tasks.engine.submit.options import Options
    from serverless_tasks.engine.submit.workflow import group

    given = {name: getattr(words, name) for name in ("name", "deadline")}
    empty = group(**{name: value for name, value in given.items() if value is not None})
    then = None
    if words.then is not None:
        following = named_task(session, words.then)
        inputs = with_references(read_inputs(session, following, [], words.then_inputs))
        then = Continuation(task=following, inputs=inputs, on=words.on or On.SUCCESS)
    elif words.then_inputs is not None or words.on is not None:
        raise UnknownOption("--then-inputs and --on go with --then.")
    lines = read_lines(task if isinstance(task, str) else task.name, source, common)
    with sending(len(lines), silent=silent) as sent:
        return submit_each(
            session.client.services, task, lines, Options.parse(options), empty=empty, then=then, sent=sent
        )


def submitted(output: Output, session: Session, handle: Handle, *, watch: bool) -> None:
    """Tell the id of a job that was submitted, or follow it until it ends."""
    from rich.text import Text

    if watch:
        output.say(f"Submitted {handle.uuid}.")
        _watch(output, session, lambda: handle.refresh().record)
    else:
        output.document(handle.record.to_json(reveal=True), Text(handle.uuid))


def _watch(output: Output, session: Session, look: Callable[[], Record], **pace: Any) -> None:
    from rich.console import Console

    from serverless_tasks.cli.tables import record_picture

    console = Console(stderr=True, highlight=False, markup=False)
    try:
        if output.as_json:
            last = _lines(output, follow(session, look, idle=output.say, **pace))
        else:
            last = show(follow(session, look, idle=console.print, **pace), console)
    except KeyboardInterrupt:
        output.say("Stopped watching; the job continues.")
        raise
    if not output.as_json:
        output.console.print(record_picture(last))
    if last.status != SUCCEEDED:
        raise typer.Exit(Exit.FAILED)


def _lines(output: Output, records: Iterator[Record]) -> Record:
    last = next(records)
    output.line(last.to_json(reveal=True))
    for last in records:
        output.line(last.to_json(reveal=True))
    return last
