"""The commands about recurring schedules: sync, list."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serverless_tasks.cli.loading import NO_TASKS, Tasks, knows_tasks, left_out
from serverless_tasks.cli.output import Output
from serverless_tasks.cli.parameters import DryRun, Json, Stack
from serverless_tasks.cli.session import connect
from serverless_tasks.engine.definition.schedule_sync import DELETE, KEEP, apply, plan
from serverless_tasks.errors import ConfigurationError
from serverless_tasks.project.samconfig import FILE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serverless_tasks.engine.definition.registry import Registry
    from serverless_tasks.engine.definition.schedule_sync import ScheduleChange

Yes = Annotated[
    bool,
    typer.Option(
        "--yes", help="Delete even if all deployed schedules, or those of tasks not loaded here, would go."
    ),
]

app = typer.Typer(
    help="Sync and list the EventBridge schedules that tasks declare.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.command("sync")
def sync(dry_run: DryRun = False, yes: Yes = False, stack: Stack = None, as_json: Json = False) -> None:
    """Create, update and delete schedules to match those that the tasks declare."""
    answer = Output(as_json)
    with answer.errors():
        session = connect(stack, Tasks.NEEDED)
        if not knows_tasks(session.registry):
            raise ConfigurationError(NO_TASKS)
        group = session.client.services.schedule_group
        changes = plan(session.registry, group)
        _tell_deletions(answer, changes)
        if not dry_run:
            if not yes:
                _check_deletions(changes, session.registry)
            apply(changes, group)
        rows = [
            {
                "action": change.action,
                "task": change.task,
                "schedule": _expression(change),
                "zone": _zone(change),
                "name": change.name,
            }
            for change in changes
        ]
        _answer(answer, rows, "No task declares a schedule, and none is deployed.")
        if not as_json:
            answer.say(_told(changes, dry_run=dry_run))


@app.command("list")
def list_schedules(stack: Stack = None, as_json: Json = False) -> None:
    """List the schedules that the tasks declare, whether they are deployed, and when each is due next."""
    answer = Output(as_json)
    with answer.errors():
        session = connect(stack, Tasks.NEEDED)
        now = datetime.fromtimestamp(session.clock.now(), UTC)
        changes = plan(session.registry, session.client.services.schedule_group)
        rows = [
            {
                "task": change.task,
                "schedule": _expression(change),
                "zone": _zone(change),
                "state": change.state,
                "in_step": change.action == KEEP,
                "next": due.isoformat().replace("+00:00", "Z") if (due := change.next(now)) else None,
                "name": change.name,
            }
            for change in changes
        ]
        _answer(answer, rows, "No task declares a schedule, and none is deployed.")
        if not knows_tasks(session.registry):
            answer.say(NO_TASKS)
        elif not as_json and any(change.action != KEEP for change in changes):
            answer.say(
                "The deployed schedules differ from the declared ones: run `serverless-tasks schedules sync`."
            )


def _tell_deletions(answer: Output, changes: Sequence[ScheduleChange]) -> None:
    """Say what is to go before anything is done."""
    for change in changes:
        if change.action == DELETE:
            answer.say(f"To delete: {change.task}, {_expression(change)} {_zone(change)}")


def _check_deletions(changes: Sequence[ScheduleChange], registry: Registry) -> None:
    """Refuse to delete what is deployed because its code was not loaded.

    Raises:
        ConfigurationError: everything would go, or what is not known here while modules were left out.
    """
    going = [change for change in changes if change.action == DELETE]
    if going and len(going) == sum(change.deployed is not None for change in changes):
        raise ConfigurationError(
            f"Nothing was changed: all {len(going)} deployed schedules would be deleted. Check that this project"
            " belongs to the stack, and pass --yes to delete them."
        )
    unknown = sorted({change.task for change in going if change.task not in registry})
    if unknown and (modules := left_out(registry)):
        raise ConfigurationError(
            f"Nothing was changed: {', '.join(modules)}, which {FILE} deploys, was not loaded and may define the tasks"
            f" {', '.join(unknown)}. Add it to SERVERLESS_TASKS_MODULES, or pass --yes to delete their schedules."
        )


def _expression(change: ScheduleChange) -> str:
    if change.declared is not None:
        return change.declared.schedule.expression
    return str(change.deployed.settings["ScheduleExpression"]) if change.deployed else ""


def _zone(change: ScheduleChange) -> str:
    if change.declared is not None:
        return change.declared.schedule.zone
    return str(change.deployed.settings["ScheduleExpressionTimezone"]) if change.deployed else ""


def _told(changes: Sequence[ScheduleChange], *, dry_run: bool) -> str:
    counts = {
        action: sum(change.action == action for change in changes)
        for action in ("create", "update", "delete")
    }
    done = ", ".join(
        f"{count} to {action}" if dry_run else f"{count} {action}d" for action, count in counts.items()
    )
    return f"{done}, {sum(change.action == KEEP for change in changes)} unchanged."


def _answer(answer: Output, rows: Sequence[dict[str, Any]], nothing: str) -> None:
    from rich.table import Table
    from rich.text import Text

    told = [_for_people(row) for row in rows]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in told[0] if told else ():
        table.add_column(heading, overflow="fold")
    for row in told:
        table.add_row(*(Text(cell) for cell in row.values()))
    answer.document(list(rows), table if rows else Text(nothing))


def _for_people(row: dict[str, Any]) -> dict[str, str]:
    """A row that fits a terminal: a zone other than UTC beside its expression, times to the second, no long names."""
    told = {
        key: "" if value is None else str(value) for key, value in row.items() if key not in ("zone", "name")
    }
    if row["zone"] != "UTC":
        told["schedule"] += f" {row['zone']}"
    if "in_step" in row:
        # "missing" implies it.
        told["state"] += (
            "" if told.pop("in_step") == "True" or told["state"] == "missing" else ", out of sync"
        )
        told["next"] = re.sub(r"\.\d+", "", told["next"])
    return told
