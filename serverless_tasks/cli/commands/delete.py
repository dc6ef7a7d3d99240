"""The commands of those who run the stack: delete."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serverless_tasks.cli.exit_codes import exit_code
from serverless_tasks.cli.loading import Tasks
from serverless_tasks.cli.output import Output
from serverless_tasks.cli.parameters import DryRun, Json, Stack
from serverless_tasks.cli.progress import counting
from serverless_tasks.cli.session import connect
from serverless_tasks.errors import ConfigurationError, NotFinished, TaskNotFound

if TYPE_CHECKING:
    from serverless_tasks.cli.session import Session

Uuids = Annotated[
    list[str] | None, typer.Argument(metavar="[UUID...]", help="The jobs' ids.", show_default=False)
]


def delete(
    uuids: Uuids = None,
    owner: Annotated[str | None, typer.Option(help="Delete all jobs of this owner, instead of ids.")] = None,
    wait: Annotated[
        float, typer.Option(min=0, help="With --owner: seconds to wait for running jobs to stop.")
    ] = 60,
    finished_before: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN", help="Jobs that ended before a date (UTC), or so long ago: 2026-01-31, 14d, 12h."
        ),
    ] = None,
    status: Annotated[
        list[str] | None,
        typer.Option(
            help="With --finished-before: only succeeded, failed or cancelled ones; may be repeated."
        ),
    ] = None,
    task: Annotated[
        list[str] | None,
        typer.Option(
            help="With --finished-before: only of this task; may be repeated. All whose code is here."
        ),
    ] = None,
    dry_run: DryRun = False,
    stack: Stack = None,
    as_json: Json = False,
) -> None:
    """Delete ended jobs: inputs, outputs, messages, errors. With --owner, cancel and delete all jobs of an owner."""
    answer = Output(as_json)
    with answer.errors():
        if [bool(uuids), owner is not None, finished_before is not None].count(True) != 1:
            raise ConfigurationError("Give the ids of jobs, or --owner, or --finished-before.")
        if finished_before is None and (status or task):
            raise ConfigurationError("--status and --task go with --finished-before.")
        if finished_before is not None:
            session = connect(stack, Tasks.NAMED if task else Tasks.NEEDED)
            before = _moment(finished_before, session.clock.now())
            _delete_finished(answer, session, before, task or [], status or [], dry_run)
            return
        session = connect(stack)
        if owner is not None:
            _delete_owner(answer, session, owner, wait, dry_run)
        else:
            _delete_jobs(answer, session, list(dict.fromkeys(uuids or [])), dry_run)


def _delete_jobs(answer: Output, session: Session, uuids: list[str], dry_run: bool) -> None:
    from rich.text import Text

    done: list[str] = []
    refused: list[tuple[str, TaskNotFound | NotFinished]] = []
    for uuid in counting(uuids, "Deleting", total=len(uuids), silent=answer.as_json):
        try:
            if not dry_run:
                session.client.delete(uuid)
            elif not (record := session.client.get(uuid)).ended:
                raise NotFinished(uuid, record.status)
            done.append(uuid)
        except (TaskNotFound, NotFinished) as error:
            refused.append((uuid, error))
    told: dict[str, Any] = {
        "deleted": [] if dry_run else done,
        "refused": [
            {"uuid": uuid, "type": type(reason).__name__, "message": str(reason)} for uuid, reason in refused
        ],
    }
    if dry_run:
        told["would_delete"] = done
    for _, reason in refused:
        answer.say(str(reason))
    answer.document(told, Text(f"{_verb(dry_run)} {_jobs(len(done))}."))
    if refused:
        raise typer.Exit(exit_code(refused[0][1]))


def _moment(given: str, now: float) -> datetime:
    """The time that a date, or an age, stands for.

    Raises:
        ConfigurationError: it is neither.
    """
    if age := re.fullmatch(r"(\d{1,4})([dh])", given):
        hours = int(age[1]) * (24 if age[2] == "d" else 1)
        return datetime.fromtimestamp(now, UTC) - timedelta(hours=hours)
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        raise ConfigurationError(
            f"--finished-before {given!r}: give a date such as 2026-01-31 or 2026-01-31T08:00:00, which is read as UTC,"
            " or an age in days or hours such as 14d or 12h."
        ) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _delete_finished(
    answer: Output, session: Session, before: datetime, tasks: list[str], statuses: list[str], dry_run: bool
) -> None:
    from rich.text import Text

    done: list[str] = []
    live: list[str] = []
    deletions = session.client.delete_finished(before, tasks=tasks, statuses=statuses, dry_run=dry_run)
    for deletion in counting(deletions, "Deleting", total=None, silent=answer.as_json):
        if deletion.outcome != "gone":
            (live if deletion.outcome == "live" else done).append(deletion.uuid)
    told = {"before": before.isoformat(), ("would_delete" if dry_run else "deleted"): done, "live": live}
    answer.document(told, Text(f"{_verb(dry_run)} {_jobs(len(done))}."))


def _delete_owner(answer: Output, session: Session, owner: str, wait: float, dry_run: bool) -> None:
    from rich.text import Text

    if dry_run:
        found = session.client.delete_owner(owner, dry_run=True).found
        told: dict[str, Any] = {"owner": owner, "would_delete": found}
        answer.document(told, Text(f"{_verb(dry_run)} {_jobs(found)} of {owner}."))
        return
    count = 0
    live: list[str] = []
    for erased in counting(
        session.client.erasing(owner, wait=wait), "Deleting", total=None, silent=answer.as_json
    ):
        count += erased.outcome == "deleted"
        if erased.outcome == "live":
            live.append(erased.uuid)
    answer.document(
        {"owner": owner, "deleted": count, "live": live}, Text(f"{_verb(dry_run)} {_jobs(count)} of {owner}.")
    )
    if live:
        running = "1 job is" if len(live) == 1 else f"{len(live)} jobs are"
        answer.say(f"{running} still running after being asked to stop; run the command again later.")
        raise typer.Exit(exit_code(NotFinished(live[0], "running")))


def _verb(dry_run: bool) -> str:
    return "Would delete" if dry_run else "Deleted"


def _jobs(count: int) -> str:
    return f"{count} job" if count == 1 else f"{count} jobs"
