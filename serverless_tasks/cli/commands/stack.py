"""The command about a stack as a whole: delete."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serverless_tasks.cli.exit_codes import Exit
from serverless_tasks.cli.output import Output
from serverless_tasks.cli.parameters import DryRun, Env, Json
from serverless_tasks.cli.session import Asked, acting_in
from serverless_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from serverless_tasks.client.operations.stack_deletion import Losses, StackDeletion

app = typer.Typer(
    help="Delete a deployed stack.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def _group() -> None:
    """Keep `delete` a command of its own: Typer makes a group of one command that command."""


@app.command("delete")
def delete(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="The stack's name.", show_default=False)
    ] = None,
    env: Env = None,
    accept_loss: Annotated[
        bool,
        typer.Option(
            "--accept-loss",
            help="Delete even if jobs wait or run, or if the template does not keep the table or the bucket.",
        ),
    ] = False,
    detach_policies: Annotated[
        bool,
        typer.Option(
            "--detach-policies", help="Take the stack's policies from the roles and users that hold them."
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking for the stack's name.")] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Delete a stack: say what is lost and what stays, refuse while jobs wait or run, and wait for the end."""
    from serverless_tasks.client.operations.stack_deletion import plan_deletion

    output = Output(as_json)
    with output.errors():
        if (name is None) == (env is None):
            raise ConfigurationError("Name the stack, or its environment with --env NAME: one of them.")
        with ExitStack() as acting:
            stack = acting.enter_context(acting_in(env)).stack if name is None else name
            plan = plan_deletion(stack)
            _tell(output, plan)
            if not dry_run:
                _check(output, plan, accept_loss=accept_loss, detach_policies=detach_policies, yes=yes)
                _delete(output, plan, yes=yes)
        if as_json:
            output.line({**plan.to_json(), "deleted": not dry_run}, indent=2)


def _check(
    output: Output, plan: StackDeletion, *, accept_loss: bool, detach_policies: bool, yes: bool
) -> None:
    """Refuse before anything is done.

    Raises:
        ConfigurationError: saying what to do first, or which option to give.
    """
    name = plan.stack.name
    if plan.stack.protected:
        raise ConfigurationError(
            f"Nothing was deleted: termination protection is on. `aws cloudformation update-termination-protection"
            f" --stack-name {name} --no-enable-termination-protection` turns it off."
        )
    if (plan.losses.jobs or plan.removed) and not accept_loss:
        raise ConfigurationError(
            "Nothing was deleted: what is listed as lost cannot be had again. Stop what submits jobs and wait until"
            f" the queues are empty ({Asked.by_name(name).command('queues')}), or pass --accept-loss."
        )
    if plan.attached and not detach_policies:
        raise ConfigurationError(
            "Nothing was deleted: IAM deletes no policy that is attached, and who holds one may still use the stack."
            " Detach them with the commands above, or pass --detach-policies."
        )
    if not (yes or output.interactive):
        raise ConfigurationError("There is nobody to ask here: give --yes to delete, or --dry-run to look.")


def _delete(output: Output, plan: StackDeletion, *, yes: bool) -> None:
    from serverless_tasks.engine.aws.stacks import delete_stack, detach
    from serverless_tasks.engine.services import current_services

    name = plan.stack.name
    if not yes and typer.prompt(f"The name of the stack, to delete it ({name})", err=True) != name:
        output.say("That is not its name. Nothing was deleted.")
        raise typer.Exit(Exit.USAGE)
    for each in plan.attached:
        detach(each)
        output.say(f"DETACHED  {each.policy} from the {each.kind} {each.holder}")
    delete_stack(
        plan.stack, current_services().clock, lambda resource, status: output.say(f"{status}  {resource}")
    )
    output.say(f"The stack {name} is deleted.")
    if plan.kept:
        output.say(f"A new stack goes on with what stayed: {_parameters(plan.kept)}")


def _tell(output: Output, plan: StackDeletion) -> None:
    output.say(f"The stack {plan.stack.name} ({plan.stack.status}).")
    for line in _lost(plan.losses):
        output.say(f"LOST      {line}")
    output.say("LOST      the functions' logs, queues, alarms and the dashboard")
    for each in plan.removed:
        output.say(f"LOST      {each} and all that it holds: the deployed template does not keep it")
    if plan.kept:
        output.say(
            f"STAYS     {', '.join(plan.kept.values())}, for a new stack with {_parameters(plan.kept)}"
        )
    for attachment in plan.attached:
        output.say(f"ATTACHED  {attachment.policy} to the {attachment.kind} {attachment.holder}:")
        output.say(f"          {attachment.command}")


def _lost(losses: Losses) -> list[str]:
    counts: tuple[tuple[int, str], ...] = (
        (losses.waiting, "waiting messages, each a job"),
        (losses.in_flight, "messages that workers have taken or that come again"),
        (losses.delayed, "delayed messages"),
        (losses.dead_letters, "dead letters that are not settled"),
        (losses.scheduled, "scheduled jobs"),
        (losses.running, "running jobs"),
        (
            losses.schedules,
            "recurring schedules; `serverless-tasks schedules sync` makes them in a new stack",
        ),
    )
    return [f"{count:,} {what}" for count, what in counts if count] + list(losses.unknown)


def _parameters(kept: dict[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in kept.items())
