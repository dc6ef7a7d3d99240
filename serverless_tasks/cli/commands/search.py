"""The command that looks for jobs: jobs."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serverless_tasks.cli.output import Output
from serverless_tasks.cli.parameters import Json, Stack
from serverless_tasks.cli.session import connect
from serverless_tasks.cli.times import moment
from serverless_tasks.client.search import JobFilter, JobsPage, duration, known_names, queue_wait, search_jobs
from serverless_tasks.engine.job.job_id import uuid_in
from serverless_tasks.engine.job.record import iso

if TYPE_CHECKING:
    from serverless_tasks.engine.job.record import Record

MOST = 500


class Status(StrEnum):
    """The statuses that are looked for."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    WAITING = "waiting"


class Time(StrEnum):
    """The times of a job that a range may be about."""

    SUBMITTED = "submitted"
    STARTED = "started"
    FINISHED = "finished"


def _beginning(text: str | None) -> str | None:
    if text is not None and not re.fullmatch(r"[0-9A-Fa-f-]{1,36}", text):
        raise typer.BadParameter(f"{text!r} is no beginning of a job's id.")
    return text


def _group(text: str | None) -> str | None:
    if text is None:
        return None
    if (uuid := uuid_in(text)) is None:
        raise typer.BadParameter(f"{text!r} is not a UUID.")
    return uuid


# These are listed by their end.
_BY_END = (Status.FAILED, Status.CANCELLED)
_WHEN = "WHEN"
_TIMES = "Which time"


def jobs(
    status: Annotated[
        Status | None,
        typer.Option(help="Only these; waiting: for a retry, or for a worker that has the task."),
    ] = None,
    task: Annotated[list[str] | None, typer.Option(help="Only of this task; may be repeated.")] = None,
    error: Annotated[
        str | None, typer.Option(metavar="TYPE", help="Only those that this error ended.")
    ] = None,
    fingerprint: Annotated[
        str | None, typer.Option(help="Only those that an error of this kind ended.", show_default=False)
    ] = None,
    owner: Annotated[str | None, typer.Option(help="Only of this owner.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Only of this tenant.")] = None,
    queue: Annotated[str | None, typer.Option(help="Only of this queue.")] = None,
    group: Annotated[
        str | None, typer.Option(metavar="UUID", help="Only the members of this group.", callback=_group)
    ] = None,
    job: Annotated[
        str | None,
        typer.Option("--id", metavar="ID", help="Only the id that begins so.", callback=_beginning),
    ] = None,
    longer_than: Annotated[
        float | None, typer.Option(metavar="SECONDS", min=0, help="Only those that ran, or run, longer.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar=_WHEN,
            help="The earliest time: 10:00, 30m, 2h, 7d, 2026-01-31, 2026-01-31T08:00:00+01:00.",
            rich_help_panel=_TIMES,
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(metavar=_WHEN, help="The first time that is too late.", rich_help_panel=_TIMES),
    ] = None,
    time: Annotated[
        Time, typer.Option(help="The time that --since and --until are about.", rich_help_panel=_TIMES)
    ] = Time.SUBMITTED,
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="How many jobs at most.")] = 50,
    cursor: Annotated[
        str | None, typer.Option(help="Go on where an earlier page ended; it names its cursor.")
    ] = None,
    stack: Stack = None,
    as_json: Json = False,
) -> None:
    """Find jobs by status, task, error, owner, time and more, newest first."""
    from serverless_tasks.cli.tables import jobs_picture

    output = Output(as_json)
    with output.errors():
        session = connect(stack)
        services, now = session.client.services, session.clock.now()
        filters = JobFilter(
            tasks=tuple(task or ()),
            status=status,
            owner=owner,
            tenant=tenant,
            queue=queue,
            error_type=error,
            fingerprint=fingerprint,
            group=group,
            time=time,
            since=0 if since is None else moment(since, now, "--since"),
            until=None if until is None else moment(until, now, "--until"),
            longer_than=longer_than,
            id_prefix=job or "",
        )
        page = search_jobs(services.store, filters, limit=limit, cursor=cursor, names=known_names(services))
        shown = "finished" if since is until is None and status in _BY_END else str(time)
        output.document(_document(page, now), jobs_picture(page, now, shown))
        if page.cursor is not None:
            by_earlier = page.looked_back_to is None and group is None
            which = " that workers of an earlier version have ended" if by_earlier else ""
            output.say(f"There may be more{which}: repeat the command with --cursor {page.cursor}")


def _document(page: JobsPage, now: float) -> dict[str, Any]:
    return {
        "jobs": [_job(record, now) for record in page.records],
        "cursor": page.cursor,
        "looked_at": page.looked_at,
        "looked_back_to": iso(page.looked_back_to),
    }


def _job(record: Record, now: float) -> dict[str, Any]:
    """Return a record with what only operators see of it."""
    return {
        **record.to_json(reveal=True),
        "owner": record.owner,
        "queue": record.queue or None,
        "tenant": record.tenant,
        "fingerprint": record.fingerprint or None,
        "duration": duration(record, now),
        "queue_wait": queue_wait(record),
    }
