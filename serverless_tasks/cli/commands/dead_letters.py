"""The commands about dead letters: list, retry, purge."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serverless_tasks.cli.exit_codes import Exit
from serverless_tasks.cli.loading import Tasks
from serverless_tasks.cli.output import Output
from serverless_tasks.cli.parameters import DryRun, Json, Stack
from serverless_tasks.cli.progress import counting
from serverless_tasks.cli.session import connect
from serverless_tasks.engine.job.record import iso
from serverless_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from serverless_tasks.cli.session import Session
    from serverless_tasks.client.dead_letters import Resent
    from serverless_tasks.engine.job.dead_letter import DeadLetter

app = typer.Typer(help="List, resend and purge messages that no worker could run.")

Ids = Annotated[
    list[str] | None, typer.Argument(metavar="[ID...]", help="Ids, as shown by `list`.", show_default=False)
]
All = Annotated[bool, typer.Option("--all", help="All dead letters, instead of ids.")]
Before = Annotated[
    datetime | None,
    typer.Option(
        metavar="DATE",
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"],
        help="Only dead letters kept before this date (UTC).",
    ),
]


@app.command("list")
def list_letters(before: Before = None, stack: Stack = None, as_json: Json = False) -> None:
    """List the dead letters with their task, age and reason."""
    from serverless_tasks.cli.tables import dead_letters_table

    answer = Output(as_json)
    with answer.errors():
        session = connect(stack)
        letters = list(
            counting(
                session.client.dead_letters.all(before=_ms(before)),
                "Reading",
                total=None,
                silent=as_json,
            )
        )
        letters.sort(key=lambda letter: letter.kept)
        answer.document(
            [_shown(letter) for letter in letters],
            dead_letters_table(letters, round(session.clock.now() * 1000)),
        )


@app.command()
def retry(
    ids: Ids = None,
    all_letters: All = False,
    before: Before = None,
    dry_run: DryRun = False,
    stack: Stack = None,
    as_json: Json = False,
) -> None:
    """Send dead letters again: a settled job as a new job, an undecodable body unchanged to its queue."""
    from rich.text import Text

    answer = Output(as_json)
    with answer.errors():
        session = connect(stack, Tasks.WELCOME)
        chosen = _chosen(session, ids, all_letters, before)
        sent: list[Resent] = []
        refused: list[Resent] = []
        for resent in counting(
            session.client.dead_letters.retry(chosen, dry_run=dry_run),
            "Sending",
            total=None,
            silent=as_json,
        ):
            (refused if resent.outcome == "refused" else sent).append(resent)
            if resent.outcome == "refused":
                answer.say(f"{resent.letter.id} stays: {resent.reason}")
        told: dict[str, Any] = {
            "dry_run": dry_run,
            "sent": [
                {"id": resent.letter.id, "outcome": resent.outcome, "uuid": resent.uuid} for resent in sent
            ],
            "refused": [{"id": resent.letter.id, "reason": resent.reason} for resent in refused],
        }
        verb = "Would send" if dry_run else "Sent"
        answer.document(told, Text(f"{verb} {_letters(len(sent))} again; {len(refused)} refused."))
        if refused:
            raise typer.Exit(Exit.FAILED)


@app.command()
def purge(
    ids: Ids = None,
    all_letters: All = False,
    before: Before = None,
    dry_run: DryRun = False,
    stack: Stack = None,
    as_json: Json = False,
) -> None:
    """Delete dead letters. The records of settled jobs stay."""
    from rich.text import Text

    answer = Output(as_json)
    with answer.errors():
        session = connect(stack)
        chosen = _chosen(session, ids, all_letters, before)
        letters = chosen if dry_run else session.client.dead_letters.purge(chosen)
        purged = [letter.id for letter in counting(letters, "Purging", total=None, silent=as_json)]
        verb = "Would purge" if dry_run else "Purged"
        told = {"dry_run": dry_run, "purged": purged}
        answer.document(told, Text(f"{verb} {_letters(len(purged))}."))


def _chosen(
    session: Session, ids: list[str] | None, all_letters: bool, before: datetime | None
) -> Iterable[DeadLetter]:
    """The letters that the arguments name.

    Raises:
        ConfigurationError: they name none, or contradict themselves.
        LetterNotFound: there is none of an id.
    """
    everything = all_letters or before is not None
    if bool(ids) == everything:
        raise ConfigurationError("Pass the ids of dead letters, --all, or --before DATE.")
    letters = session.client.dead_letters
    return letters.all(before=_ms(before)) if everything else letters.named(list(dict.fromkeys(ids or [])))


def _shown(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "task": letter.task or None,
        "reason": letter.reason,
        "queue": letter.queue or None,
        "deliveries": letter.deliveries,
        "sent": iso(letter.sent or None),
        "kept": iso(letter.kept),
    }


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.replace(tzinfo=UTC).timestamp() * 1000)


def _letters(count: int) -> str:
    return f"{count} dead letter" if count == 1 else f"{count} dead letters"
