"""The command that looks for jobs, and acts on all that it finds: jobs."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from serverless_tasks.cli.exit_codes import Exit
from serverless_tasks.cli.output import Output
from serverless_tasks.cli.parameters import Json, Stack
from serverless_tasks.cli.session import connect, person
from serverless_tasks.cli.times import moment
from serverless_tasks.client.job_filter import duration, queue_wait
from serverless_tasks.client.search import JobFilter, JobsPage, by_all_names, known_names, search_jobs
from serverless_tasks.engine.job.job_id import uuid_in
from serverless_tasks.engine.job.record import iso
from serverless_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serverless_tasks.cli.session import Session
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
_ACT = "Act on all of them, not only on a page: by a job with a summary"

# So many are counted for the question, on so many pages of the search.
COUNTED: Final = 500
LOOKS: Final = 4
_QUESTIONS: Final = {
    "retry": "Submit {jobs} once more",
    "cancel": "Cancel those of {jobs} that have not ended",
    "delete": "Delete those of {jobs} that have ended, with their inputs, outputs, messages and errors",
}


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
    retry: Annotated[
        bool, typer.Option("--retry", help="Submit them once more.", rich_help_panel=_ACT)
    ] = False,
    cancel: Annotated[
        bool, typer.Option("--cancel", help="Cancel those that have not ended.", rich_help_panel=_ACT)
    ] = False,
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete those that have ended.", rich_help_panel=_ACT)
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Retry those that were retried before, too.", rich_help_panel=_ACT)
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing.", rich_help_panel=_ACT)] = False,
    stack: Stack = None,
    as_json: Json = False,
) -> None:
    """Find jobs by status, task, error, owner, time and more, newest first."""
    from serverless_tasks.cli.tables import jobs_picture

    asked = [name for name, given in (("retry", retry), ("cancel", cancel), ("delete", delete)) if given]
    output = Output(as_json, lines=bool(asked))
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
        if asked or again or yes:
            _act_on_all(output, session, asked, filters, again=again, yes=yes)
            return
        filters = by_all_names(services, filters)
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


def _act_on_all(
    output: Output, session: Session, asked: Sequence[str], filters: JobFilter, *, again: bool, yes: bool
) -> None:
    """Ask, submit an action on all jobs that match, and follow it until it ends.

    Args:
        output: the command's output.
        session: its session.
        asked: the actions that were asked for.
        filters: which jobs.
        again: whether jobs that were retried before are retried once more.
        yes: whether nothing is asked.

    Raises:
        ConfigurationError: it is not clear what is to be done, or a program has not said yes.
    """
    from serverless_tasks.cli.commands.jobs import submitted  # most searches only list
    from serverless_tasks.client.operations.bulk.submission import submit_bulk

    if len(asked) != 1:
        raise ConfigurationError("Give one of --retry, --cancel and --delete; --again and --yes go with one.")
    (action,) = asked
    if again and action != "retry":
        raise ConfigurationError("--again goes with --retry.")
    if output.as_json and not yes:
        raise ConfigurationError("Give --yes with --json: a program is not asked.")
    if not yes and not typer.confirm(_question(session, action, filters), err=True):
        raise typer.Exit(Exit.FAILED)
    services = session.client.services
    handle = submit_bulk(services, action, filters, by=person(), again=again)
    submitted(output, session, handle, watch=True)


def _question(session: Session, action: str, filters: JobFilter) -> str:
    from serverless_tasks.client.operations.bulk.submission import MOST_JOBS

    services, count, cursor = session.client.services, 0, None
    names, filters = known_names(services), by_all_names(services, filters)
    for _ in range(LOOKS):
        page = search_jobs(services.store, filters, limit=COUNTED, cursor=cursor, names=names)
        count, cursor = count + len(page.records), page.cursor
        if cursor is None or count >= COUNTED:
            break
    found = f"{count} job{'' if count == 1 else 's'}"
    if cursor is not None:
        found = f"{count} or more jobs ({MOST_JOBS} at most in one run)"
    return f"{_QUESTIONS[action].format(jobs=found)}?"
