"""The application: every command by its name."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import typer

from serverless_tasks.cli.commands import (
    cost,
    dead_letters,
    deploy,
    doctor,
    errors,
    estimate,
    jobs,
    logs,
    outputs,
    project,
    queues,
    schedules,
    search,
    stack,
    stats,
    types,
)
from serverless_tasks.cli.commands import delete as operation
from serverless_tasks.cli.session import takes_env

if TYPE_CHECKING:
    from collections.abc import Callable

app = typer.Typer(
    help="Typed background tasks for Django that run on AWS Lambda.",
    epilog="Exit codes: 0 done, 1 the task failed, 2 usage, 3 not found, 4 already ended (or not yet), 5 AWS failed,"
    " 6 outcome unknown.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

_PROJECT: dict[str, Callable[..., None]] = {
    "init": project.init,
    "list": project.list_tasks,
    "dev": project.dev,
    "worker": project.worker,
    "estimate": estimate.estimate,
    "deploy": deploy.deploy,
    "outputs": outputs.outputs,
    "doctor": doctor.doctor,
    "types": types.types,
}
_JOBS: dict[str, Callable[..., None]] = {
    "jobs": search.jobs,
    "submit": jobs.submit,
    "run": jobs.run,
    "status": jobs.status,
    "watch": jobs.watch,
    "cancel": jobs.cancel,
    "retry": jobs.retry,
    "explain": jobs.explain,
    "logs": logs.logs,
    "delete": operation.delete,
    "errors": errors.errors,
    "stats": stats.stats,
    "cost": cost.cost,
}
_QUEUES: dict[str, Callable[..., None]] = {
    "queues": queues.queues,
    "stuck": queues.stuck,
    "pause": queues.pause,
    "resume": queues.resume,
}

for panel, commands in (("A project", _PROJECT), ("Tasks", _JOBS), ("Queues", _QUEUES)):
    for name, command in commands.items():
        app.command(name, rich_help_panel=panel)(command)
app.add_typer(dead_letters.app, name="dead-letters", rich_help_panel="Tasks", no_args_is_help=True)
app.add_typer(schedules.app, name="schedules", rich_help_panel="A project")
app.add_typer(stack.app, name="stack", rich_help_panel="A project", no_args_is_help=True)
for group in (app, dead_letters.app, schedules.app):
    for registered in group.registered_commands:
        if registered.callback is not None and "stack" in inspect.signature(registered.callback).parameters:
            registered.callback = takes_env(registered.callback)
