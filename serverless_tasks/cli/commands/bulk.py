"""The part of `jobs` that acts on all jobs that it finds."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Final

import typer

from serverless_tasks.cli.commands.jobs import submitted
from serverless_tasks.cli.exit_codes import Exit
from serverless_tasks.client.operations.bulk_submission import MOST_JOBS, submit_bulk
from serverless_tasks.client.search import known_names, search_jobs
from serverless_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serverless_tasks.cli.output import Output
    from serverless_tasks.cli.session import Session
    from serverless_tasks.client.search import JobFilter

# So many are counted for the question, on so many pages of the search.
COUNTED: Final = 500
LOOKS: Final = 4
_QUESTIONS: Final = {
    "retry": "Submit {jobs} once more",
    "cancel": "Cancel those of {jobs} that have not ended",
    "delete": "Delete those of {jobs} that have ended, with their inputs, outputs, messages and errors",
}


def act_on_all(
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
    handle = submit_bulk(services, action, filters, by=_person(), again=again)
    submitted(output, session, handle, watch=True)


def _question(session: Session, action: str, filters: JobFilter) -> str:
    services, count, cursor = session.client.services, 0, None
    names = known_names(services)
    for _ in range(LOOKS):
        page = search_jobs(services.store, filters, limit=COUNTED, cursor=cursor, names=names)
        count, cursor = count + len(page.records), page.cursor
        if cursor is None or count >= COUNTED:
            break
    found = f"{count} job{'' if count == 1 else 's'}"
    if cursor is not None:
        found = f"{count} or more jobs ({MOST_JOBS} at most in one run)"
    return f"{_QUESTIONS[action].format(jobs=found)}?"


def _person() -> str:
    """Return the name of the person at the terminal, or "" where the machine does not know one."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""
