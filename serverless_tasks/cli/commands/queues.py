"""The commands about queues: queues, stuck, pause, resume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from serverless_tasks.cli.output import Output, visible
from serverless_tasks.cli.parameters import Json, Stack
from serverless_tasks.cli.session import connect, person
from serverless_tasks.cli.times import age, shown, zoned
from serverless_tasks.engine.job.job_id import job_id
from serverless_tasks.engine.job.record import iso
from serverless_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from serverless_tasks.client.operations.queues import Queues, QueueState
    from serverless_tasks.client.operations.stuck import StuckPage

Queue = Annotated[str | None, typer.Argument(metavar="[QUEUE]", help="The queue's name.", show_default=False)]
TaskOption = Annotated[str | None, typer.Option("--task", metavar="NAME", help="A task, instead of a queue.")]


def queues(
    sample: Annotated[
        bool, typer.Option("--sample/--no-sample", help="Look for the tenants whose jobs wait.")
    ] = True,
    stack: Stack = None,
    as_json: Json = False,
) -> None:
    """Show each queue: messages, the age of the oldest, scheduled jobs, pauses, and whose jobs wait."""
    from serverless_tasks.client.operations.queues import read_queues

    output = Output(as_json)
    with output.errors():
        found = read_queues(connect(stack).client.services, sample=sample)
        output.document(found.to_json(), _queues_picture(found))
        for sentence in found.unknown:
            output.say(sentence)


def stuck(
    cursor: Annotated[
        str | None, typer.Option(help="Look at older jobs: the cursor of the page before.")
    ] = None,
    look: Annotated[
        int, typer.Option(min=1, max=10_000, metavar="JOBS", help="How many of the newest jobs to look at.")
    ] = 500,
    end: Annotated[
        list[str] | None,
        typer.Option(
            metavar="UUID", help="End a job whose worker is gone as lost, so that it can be retried."
        ),
    ] = None,
    stack: Stack = None,
    as_json: Json = False,
) -> None:
    """List jobs that do not get on, with what to do: the worker gone, no message behind them, or given back."""
    from rich.text import Text

    from serverless_tasks.client.operations.stuck import end_lost, find_stuck

    output = Output(as_json)
    with output.errors():
        services = connect(stack).client.services
        if end:
            ended = [end_lost(services, job_id(uuid)) for uuid in end]
            document = [record.to_json(reveal=True) for record in ended]
            output.document(document, Text(f"Ended: {', '.join(record.uuid for record in ended)}"))
            return
        page = find_stuck(services, cursor=cursor, look=look)
        output.document(page.to_json(), _stuck_picture(page))
        for sentence in page.queues.unknown:
            output.say(sentence)
        if not as_json:
            output.say(_looked(page))


def pause(
    queue: Queue = None,
    task: TaskOption = None,
    why: Annotated[str, typer.Option(metavar="TEXT", help="The reason, shown with the pause.")] = "",
    until: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="With --task: when the pause ends by itself, in ISO 8601 with a zone."
        ),
    ] = None,
    stack: Stack = None,
    as_json: Json = False,
) -> None:
    """Pause a queue, or with --task a task: no job of it is begun until it is resumed."""
    from rich.text import Text

    from serverless_tasks.client.operations.pausing import pause_queue, pause_task

    output = Output(as_json)
    with output.errors():
        _check(queue, task)
        services = connect(stack).client.services
        by = person()
        if task is not None:
            end = None if until is None else zoned(until, "--until", ConfigurationError)
            paused = pause_task(services, task, by=by, why=why, until=end)
        else:
            if until is not None:
                raise ConfigurationError(
                    "--until is for tasks: nothing would enable the queue's mapping then."
                )
            paused = pause_queue(services, str(queue), by=by, why=why)
        assert paused.pause is not None, "what was paused has a pause"
        document = {**paused.pause.to_json(), "mappings": paused.mappings}
        output.document(document, Text(visible(paused.pause.sentence)))
        if task is None and not services.config.pauses:
            output.say(
                "Container workers do not look at pauses here and go on: SERVERLESS_TASKS_PAUSES is not set."
            )


def resume(
    queue: Queue = None,
    task: TaskOption = None,
    stack: Stack = None,
    as_json: Json = False,
) -> None:
    """Resume a queue, or with --task a task."""
    from rich.text import Text

    from serverless_tasks.client.operations.pausing import resume_queue, resume_task

    output = Output(as_json)
    with output.errors():
        _check(queue, task)
        services = connect(stack).client.services
        resumed = resume_queue(services, str(queue)) if task is None else resume_task(services, task)
        kind, name = ("queue", queue) if task is None else ("task", task)
        document = {"kind": kind, "name": name, "paused": False, "mappings": resumed.mappings}
        output.document(document, Text(visible(f"The {kind} {name} is resumed.")))


def _check(queue: str | None, task: str | None) -> None:
    if (queue is None) == (task is None):
        raise ConfigurationError("Name a queue, or a task with --task NAME.")


def _queues_picture(found: Queues) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    parts: list[Any] = []
    table = _table("queue", "visible", "in flight", "delayed", "scheduled", "oldest", "state")
    rows = [*found.queues, *([found.dead_letters] if found.dead_letters else [])]
    for queue in rows:
        more = "+" if found.scheduled is not None and found.scheduled.more else ""
        table.add_row(
            queue.name,
            f"{queue.visible:,}",
            f"{queue.in_flight:,}",
            f"{queue.delayed:,}",
            "" if queue.scheduled is None else f"{queue.scheduled:,}{more}",
            "" if queue.oldest is None else age(queue.oldest),
            Text(_state(queue), style="yellow" if queue.stopped else ""),
        )
    parts.append(table)
    if found.scheduled is not None and found.scheduled.other:
        parts.append(
            Text(f"{found.scheduled.other:,} more scheduled jobs have a tenant; their queue is not listed.")
        )
    if found.scheduled is not None and found.scheduled.more:
        parts.append(Text("Only the first 1,000 schedules were counted."))
    parts += [Text(visible(pause.sentence), style="yellow") for pause in found.pauses]
    if found.sample is not None:
        parts += _sample_picture(found)
    return Group(*parts)


def _sample_picture(found: Queues) -> list[Any]:
    from rich.text import Text

    sample = found.sample
    assert sample is not None, "asked of a sample"
    back = f", submitted since {iso(sample.looked_back_to)}" if sample.looked_back_to is not None else ""
    head = f"\nOf the newest {sample.looked_at:,} jobs{back}, {sample.waiting:,} wait (a sample)."
    if not sample.counts:
        return [Text(head)]
    table = _table("queue", "tenant", "waiting")
    for count in sample.counts[:20]:
        table.add_row(count.queue or "-", visible(count.tenant or "-"), f"{count.jobs:,}")
    return [Text(head), table]


def _stuck_picture(page: StuckPage) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    from serverless_tasks.client.operations.stuck import ADVICE

    if not page.jobs:
        return Text("No stuck jobs found.")
    parts: list[Text] = []
    for group in page.groups:
        count = "1 job" if len(group.jobs) == 1 else f"{len(group.jobs):,} jobs"
        parts.append(Text(f"{_KINDS[group.kind.value]}: {count} of {visible(group.task)}", style="bold"))
        some = group.jobs[:_SHOWN]
        parts += [Text(f"  {job.record.uuid}  since {shown(job.since)}") for job in some]
        if len(group.jobs) > _SHOWN:
            parts.append(Text(f"  and {len(group.jobs) - _SHOWN:,} more: --json has all"))
        parts += [Text(f"  {visible(group.reason)}", style="red")] if group.reason else []
        parts += [Text(f"  {ADVICE[group.kind]}"), Text()]
    return Group(*parts)


# Jobs of a group of stuck ones that are listed, and how many it advises to look at.
_SHOWN, _LOOK = 3, 5_000
_KINDS = {
    "lost": "Lease over, no message",
    "lease_over": "Lease over",
    "no_message": "Waits, no message",
    "paused": "Paused",
    "returned": "Given back",
}


def _looked(page: StuckPage) -> str:
    text = f"Looked at {page.looked_at:,} jobs"
    if page.looked_back_to is not None:
        text += f", submitted since {shown(page.looked_back_to)}"
    if page.cursor is None:
        return f"{text}."
    more = "" if page.looked_at >= _LOOK else f"To look at more: --look {_LOOK}. "
    return f"{text}. {more}To look further: --cursor {page.cursor}"


def _state(queue: QueueState) -> str:
    if queue.pause is not None:
        return "paused"
    return "disabled" if queue.receiving is False else ""


def _table(*columns: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
