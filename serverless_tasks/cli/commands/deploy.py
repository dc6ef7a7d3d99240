"""The command that deploys a project: build, changes shown, deployment, schedules, and the settings of the site."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serverless_tasks.cli.commands.schedules import synchronise, told
from serverless_tasks.cli.exit_codes import Exit
from serverless_tasks.cli.loading import PROJECT, Tasks, knows_tasks
from serverless_tasks.cli.output import Output
from serverless_tasks.cli.parameters import DryRun, Json
from serverless_tasks.cli.session import acting_in, connect
from serverless_tasks.engine.aws.stacks import stack_outputs
from serverless_tasks.engine.definition.manifest.compare import Order
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import AwsError, ConfigurationError, ServerlessTasksError, StackNotFound
from serverless_tasks.project import sam
from serverless_tasks.project.site_settings import as_django, differences, settings_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from serverless_tasks.engine.aws.changesets import Change
    from serverless_tasks.engine.definition.manifest.compare import TaskChange
    from serverless_tasks.project.samconfig import Environment

Yes = Annotated[
    bool,
    typer.Option("--yes", help="Deploy without asking, also what takes data away."),
]


def deploy(
    env: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The environment in samconfig.toml; default: 'default'."),
    ] = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Build the project, show what would change, deploy it, sync its schedules, and compare the site's settings."""
    output = Output(as_json)
    with output.errors(), acting_in(env) as environment:
        directory = PROJECT.get() or Path.cwd()
        if missing := sam.missing_tools(directory):
            raise ConfigurationError(" ".join(missing))
        if not (yes or dry_run or output.interactive):
            raise ConfigurationError(
                "There is nobody to ask here: give --yes to deploy, or --dry-run to look."
            )
        output.say(f"Deploying the environment {environment.name} as the stack {environment.stack}.")
        if endpoint := os.environ.get("AWS_ENDPOINT_URL"):
            output.say(
                f"AWS_ENDPOINT_URL is {endpoint!r}: this goes there, and not to AWS. Unset it to reach AWS."
            )
        sam.build(directory, environment)
        tasks = _failing_tasks(output, environment)
        changes = _deploy(output, directory, environment, tasks, yes=yes, dry_run=dry_run)
        answer: dict[str, Any] = {
            "environment": environment.name,
            "stack": environment.stack,
            "changes": [
                {
                    "action": each.action,
                    "resource": each.resource,
                    "type": each.type,
                    "replaced": each.replaced,
                }
                for each in changes
            ],
            "tasks": [each.to_json() for each in tasks],
        }
        if not dry_run:
            try:
                answer |= _after(output, environment)
            except ServerlessTasksError:
                output.say(_left_to_do(environment))
                raise
        if as_json:
            output.line(answer, indent=2)


def _failing_tasks(output: Output, environment: Environment) -> tuple[TaskChange, ...]:
    """Return the tasks of which jobs would fail while this code takes the place of the deployed build."""
    from serverless_tasks.client.operations.deployment import compare_with_deployed

    try:
        session = connect(environment.stack, Tasks.WELCOME)
        changes = compare_with_deployed(session.client.services) if knows_tasks(session.registry) else None
    except StackNotFound:  # the first deployment
        return ()
    except (AwsError, ConfigurationError) as error:
        output.say(f"The tasks could not be compared with the deployed ones: {error}")
        return ()
    return () if changes is None else changes.tasks


def _deploy(
    output: Output,
    directory: Path,
    environment: Environment,
    tasks: Sequence[TaskChange],
    *,
    yes: bool,
    dry_run: bool,
) -> list[Change]:
    """Make a change set, show it with what would fail by it, and execute it."""
    from serverless_tasks.engine.aws.changesets import changes_of, discard, execute

    made = sam.change_set(directory, environment)
    if made is None:
        output.say(f"Nothing changes in the stack {environment.stack}.")
        return []
    wanted = False
    try:
        changes = changes_of(made, environment.stack)
        _show(output, changes, tasks)
        wanted = not dry_run and (yes or typer.confirm("Deploy these changes?", err=True))
    finally:
        # Also where the changes could not be read, or the question was left with Ctrl-C.
        if not wanted:
            discard(made, environment.stack)
    if dry_run:
        output.say("Nothing was deployed: this was a dry run.")
        return changes
    if not wanted:
        output.say("Nothing was deployed.")
        raise typer.Exit(Exit.FAILED)
    execute(
        made,
        environment.stack,
        current_services().clock,
        lambda name, status: output.say(f"{status}  {name}"),
    )
    output.say(f"The stack {environment.stack} is deployed.")
    return changes


def _show(output: Output, changes: Sequence[Change], tasks: Sequence[TaskChange]) -> None:
    """Show what changes, with a warning for what takes data away, and what would fail by it."""
    if not output.as_json:
        output.console.print(_picture(changes), crop=False)
    for each in changes:
        if each.loses_data:
            done = "removed" if each.action == "Remove" else "made anew"
            output.say(f"CAUTION: {each.resource} ({each.type}) is {done}; what it holds may be lost.")
    for task in tasks:
        caution = "" if task.order is Order.WORKER_FIRST else "CAUTION: "
        output.say(f"{caution}{task.text} {task.advice}")


def _left_to_do(environment: Environment) -> str:
    """The sentence on what is left after a deployment whose schedules or settings could not be looked after."""
    return (
        f"The stack {environment.stack} is deployed; what follows it is not done, for the reason below. Mend that, and"
        f" run `serverless-tasks schedules sync --env {environment.name}` and `serverless-tasks outputs --env"
        f" {environment.name}`."
    )


def _after(output: Output, environment: Environment) -> dict[str, Any]:
    """Sync the schedules, and compare the settings of this project with the stack."""
    settings = settings_of(stack_outputs(environment.stack), environment.stack)
    answer: dict[str, Any] = {"settings": settings}
    session = connect(environment.stack, Tasks.NEEDED)
    if knows_tasks(session.registry):
        changes = synchronise(output, session)
        answer["schedules"] = [
            {"action": each.action, "task": each.task, "name": each.name} for each in changes
        ]
        output.say(f"Schedules: {told(changes)}")
    found = differences(current_services().config, settings)
    answer["differing"] = [each.setting for each in found]
    if not output.as_json:
        _tell_differences(output, environment, settings, [each.setting for each in found])
    return answer


def _tell_differences(
    output: Output, environment: Environment, settings: dict[str, Any], differing: list[str]
) -> None:
    if not differing:
        output.say("The settings here are those of this stack.")
        return
    option = "" if environment.name == "default" else f" --env {environment.name}"
    names = ", ".join(differing)
    region = f"AWS_REGION={environment.region} in its environment, and " if environment.region else ""
    output.say(
        f"The settings here are not those of this stack ({names}). A site that uses it needs {region}these;"
        f" `serverless-tasks outputs{option} --format env` prints these as variables:"
    )
    typer.echo(as_django(settings))


def _picture(changes: Sequence[Change]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("change", "resource", "type"):
        table.add_column(heading, overflow="fold")
    for each in sorted(changes, key=lambda change: (change.action, change.resource)):
        table.add_row(f"{each.action}{', made anew' if each.replaced else ''}", each.resource, each.type)
    return table
