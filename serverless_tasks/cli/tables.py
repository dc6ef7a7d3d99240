"""Tables and timelines of tasks and records, for people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from serverless_tasks.cli.output import visible
from serverless_tasks.cli.pictures.timeline import COLOURS, TimelineBars, messages_table
from serverless_tasks.cli.times import age, length, shown, shown_short, time_of_day
from serverless_tasks.client.job_filter import TIMES, duration, queue_wait
from serverless_tasks.client.timeline import milliseconds_of
from serverless_tasks.engine.job.record import CANCELLED, FAILED, PENDING, SUCCEEDED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from serverless_tasks.client.operations.story.picture import Picture
    from serverless_tasks.client.search import JobsPage
    from serverless_tasks.client.timeline import Event
    from serverless_tasks.engine.job.dead_letter import DeadLetter
    from serverless_tasks.engine.job.record import Members, Record


def status_text(status: str) -> Text:
    """A status in its colour."""
    return Text(status, style=COLOURS.get(status, ""))


def record_picture(record: Record) -> RenderableType:
    """A record, what is empty left out."""
    grid = details_grid()
    grid.add_row("task", _text(record.task))
    grid.add_row("uuid", record.uuid)
    stopping = record.cancel_requested and not record.ended
    grid.add_row("status", status_text(record.status) + Text(", asked to stop" if stopping else ""))
    _add_progress(grid, record)
    for label, time in (
        ("created", record.created),
        ("due", record.run_at if record.status == PENDING else None),
        ("started", record.started),
        ("finished", record.finished),
    ):
        if time is not None:
            grid.add_row(label, time_of_day(time))
    if record.attempt > 1:
        grid.add_row("attempt", str(record.attempt))
    _add_origin(grid, record)
    if record.messages:
        grid.add_row("messages", _text("\n".join(record.messages)))
    if record.failure:
        grid.add_row("error", _text(f"{record.failure.type}: {record.failure.message}", "red"))
    if record.returned:
        grid.add_row("waits", _text(f"{record.returned.type}: {record.returned.message}", "red"))
    if record.outputs:
        grid.add_row("outputs", outputs_picture(record.outputs))
    return grid


def _add_progress(grid: Table, record: Record) -> None:
    if record.members is not None:
        grid.add_row("members", _counts(record.members))
    elif record.progress or record.target is not None:
        grid.add_row("progress", how_far(record))
    if record.group is not None:
        grid.add_row("group", record.group)


def _add_origin(grid: Table, record: Record) -> None:
    if record.retry_of is not None:
        grid.add_row("retry of", record.retry_of)
    if record.retried_as:
        grid.add_row("retried as", "\n".join(record.retried_as))
    if record.build:
        grid.add_row("build", record.build)


def _counts(members: Members) -> Text:
    """How many members there are, and how those ended that have."""
    text = Text(f"{members.ended:,} of {members.total:,} ended")
    counts = {SUCCEEDED: members.succeeded, FAILED: members.failed, CANCELLED: members.cancelled}
    for status, count in counts.items():
        if count:
            text += Text(f", {count:,} ") + status_text(status)
    return text


def dead_letters_table(letters: Sequence[DeadLetter], now: int) -> RenderableType:
    """Dead letters, oldest first, and how many there are; ``now`` in milliseconds since the epoch."""
    if not letters:
        return Text("No dead letters.")
    table = Table(box=None, pad_edge=False)
    # Each id has a line of its own, so that it can be copied, and the rest fits a terminal of 80 columns.
    for column in ("age", "task", "id and reason"):
        table.add_column(column, overflow="fold")
    for letter in letters:
        table.add_row(
            age(max(0, now - letter.kept) / 1000), _text(letter.task), Text(letter.id, no_wrap=True)
        )
        table.add_row("", "", _text(letter.reason))
    count = "1 dead letter." if len(letters) == 1 else f"{len(letters)} dead letters."
    return Group(table, Text(count))


def jobs_picture(page: JobsPage, now: float, time: str) -> RenderableType:
    """Return a page of a search: a line for each job and, below it, its id, its tenant and why it failed or waits.

    Args:
        page: the page.
        now: the present, in seconds since the epoch.
        time: which time of a job is shown: ``submitted``, ``started`` or ``finished``.
    """
    count = len(page.records)
    text = "No jobs" if not count else "1 job" if count == 1 else f"{count} jobs"
    if page.looked_at > count:
        text += f" among the {page.looked_at:,} looked at"
    if page.looked_back_to is not None:
        text += f", back to {shown(page.looked_back_to)}"
    summary = Text(f"{text}.")
    return Group(_Jobs(page.records, now, time), summary) if count else summary


class _Jobs:
    """The lines of jobs, in columns that fit a terminal of 80: the task's has what the others leave."""

    def __init__(self, records: Sequence[Record], now: float, time: str) -> None:
        self._records = records
        self._now = now
        self._time = time

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        head = ("status", "task", "tries", "waited", "took", self._time)
        rows = [self._row(record) for record in self._records]
        widths = [max(len(row[index]) for row in (head, *rows)) for index in range(len(head))]
        others = sum(widths) - widths[1] + 2 * (len(widths) - 1)
        widths[1] = max(12, min(widths[1], options.max_width - others))
        yield self._line(head, widths, "bold")
        for record, row in zip(self._records, rows, strict=True):
            yield self._line(row, widths)
            yield self._said(record)

    def _row(self, record: Record) -> tuple[str, ...]:
        return (
            record.status,
            visible(record.task),
            str(record.attempt or ""),
            length(queue_wait(record)),
            length(duration(record, self._now)),
            shown_short(getattr(record, TIMES[self._time])),
        )

    def _line(self, row: Sequence[str], widths: Sequence[int], style: str = "") -> Text:
        line = Text(style=style, no_wrap=True, overflow="ignore")
        for index, (cell, width) in enumerate(zip(row, widths, strict=True)):
            # The end of a long name tells more than its beginning, which is a package's.
            shortened = cell if len(cell) <= width else "…" + cell[1 - width :]
            aligned = shortened.rjust(width) if index in (2, 3, 4) else shortened.ljust(width)
            line.append(aligned, COLOURS.get(cell, "") if index == 0 else "")
            line.append("  ")
        line.rstrip()
        return line

    def _said(self, record: Record) -> Text:
        why = record.failure or record.returned
        parts = [f"tenant {record.tenant}"] if record.tenant else []
        parts += [f"{why.type}: {why.message}"] if why else []
        text = Text(f"  {record.uuid}")
        if parts:
            text += _text("  " + "; ".join(parts).replace("\n", " "), "red" if why else "dim")
        text.no_wrap, text.overflow = True, "ellipsis"
        return text


def outputs_picture(outputs: dict[str, Any]) -> Text:
    """Outputs as indented JSON."""
    return _text(json.dumps(outputs, indent=2, ensure_ascii=False))


def how_far(record: Record) -> str:
    """Progress and target in words."""
    if record.target is None:
        return f"{record.progress:,}"
    failed = f", {record.members.failed:,} failed" if record.members and record.members.failed else ""
    return f"{record.progress:,} of {record.target:,}{failed}"


def tasks_picture(tasks: Sequence[dict[str, Any]]) -> RenderableType:
    """A table of tasks, as `list` describes each."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    scheduled = any(task["schedule"] for task in tasks)
    for column in ("task", "queue", "retries", "timeout", *(["schedule"] if scheduled else []), "inputs"):
        table.add_column(
            column, justify="right" if column in ("retries", "timeout") else "left", overflow="fold"
        )
    for task in tasks:
        schema = task["inputs"]
        inputs = task["signature"] or ", ".join(
            f"{name}{'' if name in schema.get('required', ()) else '?'}: {_kind(given)}"
            for name, given in schema.get("properties", {}).items()
        )
        schedule = [task["schedule"] or ""] if scheduled else []
        timeout = f"{task['timeout']:g} s"
        table.add_row(
            _text(task["name"]), task["queue"], str(task["retries"]), timeout, *schedule, _text(inputs)
        )
    return table


def timeline_picture(
    record: Record, events: Sequence[Event], picture: Picture | None = None
) -> RenderableType:
    """A job's timeline: its picture, its events, the messages of its attempts, and their tracebacks."""
    table = details_grid()
    said = ""
    for event in events:
        what = status_text(event.event)
        if event.uuid is not None:
            number = "" if event.event != "member" else f" {event.index}"
            what = (
                Text(f"{event.event}{number} ") + status_text(event.outcome or "") + Text(f"\n{event.uuid}")
            )
        if event.attempt is not None:
            what = Text(f"attempt {event.attempt} ") + status_text(str(event.outcome)) + Text(_lasted(event))
        why = ": ".join(filter(None, [event.type, event.reason]))
        # The job's reason repeats that of its last attempt: show it once.
        repeats = event.attempt is None and why == said
        details = [why] if why and not repeats else []
        details += [f"request {event.request_id}"] if event.request_id else []
        at = milliseconds_of(event.at)
        table.add_row("" if at is None else time_of_day(at), Text("\n").join([what, *map(_text, details)]))
        said = why
    head = details_grid()
    head.add_row("task", _text(record.task))
    head.add_row("uuid", record.uuid)
    if record.owner is not None:
        head.add_row("owner", _text(record.owner))
    _add_origin(head, record)
    parts: list[RenderableType] = [head, Text()]
    if picture is not None:
        parts += [TimelineBars(picture), Text()]
    parts.append(table)
    if record.messages_by_attempt:
        parts += [Text(), messages_table(record.messages_by_attempt)]
    parts += [_trace(event.attempt, event.traceback) for event in events if event.traceback]
    return Group(*parts)


def details_grid() -> Table:
    """A grid of names and what they are."""
    made = Table.grid(padding=(0, 2))
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    return made


def _text(text: str, style: str = "") -> Text:
    return Text(visible(text), style=style)


def _trace(attempt: int | None, traceback: str) -> Text:
    """A traceback with its lines as they are: a path that is broken in two cannot be opened or searched for."""
    text = _text(f"\nattempt {attempt}\n{traceback.rstrip()}", "dim")
    text.no_wrap, text.overflow = True, "ignore"
    return text


def _lasted(event: Event) -> str:
    began, ended = milliseconds_of(event.at), milliseconds_of(event.ended)
    return "" if began is None or ended is None else f" after {(ended - began) / 1000:.3f} s"


def _kind(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return " or ".join(json.dumps(value) for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_kind(option) for option in schema["anyOf"])
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    kind = schema.get("type", "anything")
    if kind == "array" and schema.get("items"):
        return f"array of {_kind(schema['items'])}"
    return " or ".join(kind) if isinstance(kind, list) else str(schema.get("format", kind))
