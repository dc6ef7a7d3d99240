"""The commands of those who run the stack: delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from serverless_tasks.cli.commands.jobs import Json, Stack
from serverless_tasks.cli.exit_codes import exit_code
from serverless_tasks.cli.output import Output
from serverless_tasks.cli.progress import counting
from serverless_tasks.cli.session import connect
from serverless_tasks.errors import ConfigurationError, NotFinished, TaskNotFound

if TYPE_CHECKING:
    from serverless_tasks.cli.session import Session

Uuids = Annotated[
    list[str] | None, typer.Argument(metavar="[UUID...]", help="The jobs' ids.", show_default=False)
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be done without doing it.")]


def delete(
    uuids: Uuids = None,
    owner: Annotated[str | None, typer.Option(help="Delete all jobs of this owner, instead of ids.")] = None,
    wait: Annotated[
        float, typer.Option(min=0, help="With --owner: seconds to wait for running jobs to stop.")
    ] = 60,
    dry_run: DryRun = False,
    stack: Stack = None,
    as_json: Json = False,
) -> None:
    """Delete ended jobs: inputs, outputs, messages, errors. With --owner, cancel and delete all jobs of an owner."""
    answer = Output(as_json)
    with answer.errors():
        if (owner is None) == (not uuids):
            raise ConfigurationError("Pass the ids of jobs, or --owner.")
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
