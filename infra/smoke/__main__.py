"""Deploys the product into one's own AWS account, runs jobs in every way, deletes all, and writes a report.

It costs cents. Without ``--confirm`` it says what it would do, and where, and does nothing.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.text import Text

from infra.smoke import bill, checks, project, report
from infra.smoke.account import Account, secrets
from infra.smoke.confirmation import refused, refused_here, refused_name
from infra.smoke.remains import SAM_STACK, Remains, stack_is_there
from infra.smoke.run import Outcome, Run, State
from infra.smoke.stack import PREFIX, Stack
from infra.smoke.step import Step
from serverless_tasks.engine.job.clock import Clock
from serverless_tasks.errors import ServerlessTasksError
from serverless_tasks.project.sam import missing_tools

if TYPE_CHECKING:
    from collections.abc import Sequence

REPORT: Final = project.ROOT / "build/aws-smoke.md"
REFUSED: Final = 2
# Those that wait for something of their own minute come after those that do not.
STEPS: Final = (
    Step(name="project", seconds=300, script=project.make, needed=True),
    Step(name="deployment", seconds=1800, script=project.deploy, needed=True),
    Step(name="direct invoke", seconds=120, script=checks.direct_invoke),
    Step(name="queue", seconds=180, script=checks.queue),
    Step(name="status URL", seconds=180, script=checks.status),
    Step(name="group", seconds=300, script=checks.workflow),
    Step(name="dead letter", seconds=300, script=checks.dead_letter),
    Step(name="one-time schedule", seconds=300, script=checks.one_time_schedule),
    Step(name="recurring schedule", seconds=300, script=checks.recurring_schedule),
    Step(name="lost worker", seconds=300, script=checks.lost_worker),
    Step(name="cost", seconds=60, script=bill.cost),
)
DELETION: Final = Step(name="deletion", seconds=1800, script=project.delete)
_ENDS: Final = {"passed": "passed", "failed": "failed", "interrupted": "been interrupted"}
_STYLES: Final = {
    State.PASSED: "green",
    State.FAILED: "red bold",
    State.INTERRUPTED: "yellow",
    State.NOT_RUN: "dim",
}


def main(words: Sequence[str]) -> int:
    """Say what would be done or do it.

    Args:
        words: the command line.

    Returns:
        The exit code: 0 when all passed and nothing is left, or nothing was to be done; 1 when something failed; 2 when
        it was refused; 130 when it was interrupted.
    """
    parser = argparse.ArgumentParser(prog="python -m infra.smoke", description=__doc__)
    parser.add_argument("--confirm", metavar="ACCOUNT", default="", help="the number of the account: do it")
    parser.add_argument("--report", type=Path, default=REPORT, help="where the report is written")
    parser.add_argument("--delete", metavar="STACK", default="", help="only delete what a run has left")
    given = parser.parse_args(words)
    console = Console(highlight=False, soft_wrap=True)
    why = refused_here(os.environ) or (refused_name(given.delete) if given.delete else "")
    if why:
        return _refuse(console, why)
    try:
        account = Account.read()
        name = given.delete or f"{PREFIX}{uuid.uuid4().hex[:8]}"
        _tell(console, account, name, only_deletes=bool(given.delete))
        if not given.confirm:
            console.print(f"Nothing was done. To do it: [bold]{_again(account, given.delete)}[/]")
            return 0
        if why := refused(given.confirm, account.id) or " ".join(missing_tools(project.ROOT)):
            return _refuse(console, why)
        return _run(console, account, name, given.report, () if given.delete else STEPS)
    except ServerlessTasksError as error:
        return _refuse(console, str(error))


def _tell(console: Console, account: Account, name: str, *, only_deletes: bool) -> None:
    where = f"at {account.endpoint}, and not on AWS" if account.endpoint else "on AWS"
    console.print(f"Account [bold]{account.id}[/], region [bold]{account.region}[/], {where}.")
    console.print(Text(f"As {account.caller}", style="dim"))
    if only_deletes:
        console.print(f"Deletes the stack {name}, and all that is named after it.")
        return
    console.print(
        f"Deploys this checkout as the stack {name}, sends some 40 jobs through it, and deletes the stack, its table,"
        f" its bucket, its logs and its artefacts. It takes about 10 minutes, and costs at most ${bill.AT_MOST:.2f}."
    )


def _again(account: Account, delete: str) -> str:
    return f"make aws-smoke CONFIRM={account.id}{f' DELETE={delete}' if delete else ''}"


def _run(console: Console, account: Account, name: str, path: Path, steps: Sequence[Step]) -> int:
    # A terminal that is closed, and whoever ends this process, are to leave as little behind as Ctrl-C.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    clock = Clock()
    # Now: at the end they may be over, and not to be had again.
    hidden = (*secrets(), account.id)
    began = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    remains = Remains(name, account.region, clock, sam_stack=bool(steps) and not stack_is_there(SAM_STACK))
    with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
        stack = Stack(name, account.region, Path(folder))
        stack.project.mkdir()
        result = Run(steps, DELETION, remains, stack, clock, lambda said: _show(console, said)).go()
    if steps:
        about = report.facts(account.region, account.endpoint, began)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(report.rendered(result, about, hidden), encoding="utf-8")
        console.print(f"The report, for an issue: {path}", markup=False)
    for each in result.deleted.left:
        console.print(f"[red bold]left[/]: {each.what}; to delete it: {each.command}")
    for problem in result.deleted.problems:
        console.print(Text(problem, style="red"))
    if result.deleted.left or result.deleted.problems:
        console.print(f"All at once: [bold]{_again(account, name)}[/]")
    style = "green bold" if result.passed else "red bold"
    console.print(Text(f"The smoke test has {_ENDS[result.verdict]}.", style=style))
    return result.code


def _show(console: Console, said: str | Outcome) -> None:
    if isinstance(said, str):
        if console.is_terminal:
            console.print(Text(f"{said} ...", style="dim"))
        return
    console.print(
        Text.assemble(
            (f"{said.state:<12}", _STYLES[said.state]),
            f"{said.name:<20}",
            f"{said.seconds:7.1f} s  ",
            said.said,
        )
    )


def _refuse(console: Console, why: str) -> int:
    console.print(Text(why, style="red"))
    return REFUSED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
