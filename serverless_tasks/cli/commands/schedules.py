"""The commands about recurring schedules: sync, list."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serverless_tasks.cli.loading import NO_TASKS, Tasks, knows_tasks, left_out
from serverless_tasks.cli.output import Output
from serverless_tasks.cli.parameters import DryRun, Json, Stack
from serverless_tasks.cli.session import Asked, connect
from serverless_tasks.engine.definition.schedule_sync import DELETE, KEEP, apply, plan
from serverless_tasks.errors import AwsError, ConfigurationError
from serverless_tasks.project.samconfig import FILE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serverless_tasks.cli.session import Session
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
    """Create, update and delete schedules to match those that the tasks declare, and record the tasks of this build."""
    output = Output(as_json)
    with output.errors():
        session = connect(stack, Tasks.NEEDED)
        if not knows_tasks(session.registry):
            raise ConfigurationError(NO_TASKS)
        changes = synchronise(output, session, dry_run=dry_run, yes=yes)
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
        _answer(output, rows, "No task declares a schedule, and none is deployed.")
        if not as_json:
            output.say(told(changes, dry_run=dry_run))


@app.command("list")
def list_schedules(stack: Stack = None, as_json: Json = False) -> None:
    """List the schedules that the tasks declare, whether they are deployed, and when each is due next."""
    output = Output(as_json)
    with output.errors():
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
        _answer(output, rows, "No task declares a schedule, and none is deployed.")
        if not knows_tasks(session.registry):
            output.say(NO_TASKS)
        elif not as_json and any(change.action != KEEP for change in changes):
            sync = (Asked() if stack is None else Asked.by_name(stack)).command("schedules sync")
            output.say(f"The deployed schedules differ from the declared ones: run {sync}.")


def synchronise(
    output: Output, session: Session, *, dry_run: bool = False, yes: bool = False
) -> list[ScheduleChange]:
    """Bring the deployed schedules to what the tasks declare, and record the tasks of this build.

    Args:
        output: where deletions are told of before they are made.
        session: the project's tasks, and the stack.
        dry_run: only find out what would change.
        yes: delete even where all deployed schedules, or those of tasks that are not loaded, would go.

    Raises:
        ConfigurationError: they would, without ``yes``.
        AwsError: the schedules could not be read or changed.
    """
    group = session.client.services.schedule_group
    changes = plan(session.registry, group)
    _tell_deletions(output, changes)
    if not dry_run:
        if not yes:
            _check_deletions(changes, session.registry)
        apply(changes, group)
        _record_build(output, session)
    return changes


def _record_build(output: Output, session: Session) -> None:
    """Write the manifest; who may sync schedules need not be allowed to, since the worker writes it as well."""
    if left_out(session.registry):
        return
    try:
        session.client.services.build_record.write()
    except AwsError as error:
        output.say(f"The manifest of this build was not written; the worker will write it: {error}")


def _tell_deletions(output: Output, changes: Sequence[ScheduleChange]) -> None:
    """Say what is to go before anything is done."""
    for change in changes:
        if change.action == DELETE:
            output.say(f"To delete: {change.task}, {_expression(change)} {_zone(change)}")


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


def told(changes: Sequence[ScheduleChange], *, dry_run: bool = False) -> str:
    """Return how many schedules were, or would be, created, updated and deleted, as a sentence."""
    counts = {
        action: sum(change.action == action for change in changes)
        for action in ("create", "update", "delete")
    }
    done = ", ".join(
        f"{count} to {action}" if dry_run else f"{count} {action}d" for action, count in counts.items()
    )
    return f"{done}, {sum(change.action == KEEP for change in changes)} unchanged."


def _answer(output: Output, rows: Sequence[dict[str, Any]], nothing: str) -> None:
    from rich.table import Table
    from rich.text import Text

    rows_told = [_for_people(row) for row in rows]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in rows_told[0] if rows_told else ():
        table.add_column(heading, overflow="fold")
    for row in rows_told:
        table.add_row(*(Text(cell) for cell in row.values()))
    output.document(list(rows), table if rows else Text(nothing))


def _for_people(row: dict[str, Any]) -> dict[str, str]:
    """A row that fits a terminal: a zone other than UTC beside its expression, times to the second, no long names."""
    document = {
        key: "" if value is None else str(value) for key, value in row.items() if key not in ("zone", "name")
    }
    if row["zone"] != "UTC":
        document["schedule"] += f" {row['zone']}"
    if "in_step" in row:
        # "missing" implies it.
        document["state"] += (
            "" if document.pop("in_step") == "True" or document["state"] == "missing" else ", out of sync"
        )
        document["next"] = re.sub(r"\.\d+", "", document["next"])
    return document
