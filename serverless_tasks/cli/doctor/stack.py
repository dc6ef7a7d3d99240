"""The section of the stack: its outputs, and what differs from this project; its queues, schedules and tasks."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final

from serverless_tasks.cli.doctor.django_checks import checked_for_deployment, is_set_up
from serverless_tasks.cli.loading import knows_tasks
from serverless_tasks.client.operations.deployment import compare_with_deployed
from serverless_tasks.client.operations.queues import read_queues
from serverless_tasks.engine.aws.session import require_region
from serverless_tasks.engine.aws.stacks import stack_outputs
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.definition.manifest.compare import Order
from serverless_tasks.engine.definition.schedule_sync import KEEP, plan
from serverless_tasks.engine.services import Services, current_services
from serverless_tasks.errors import AwsError, ConfigurationError, StackNotFound
from serverless_tasks.project.site_settings import differences, settings_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serverless_tasks.cli.doctor.finding import Findings
    from serverless_tasks.cli.session import Asked
    from serverless_tasks.client.operations.queues import QueueState

_DENIED: Final = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")
# A message that has waited longer waits for something: seconds.
_OLD: Final = 900


def look_at_stack(found: Findings, asked: Asked) -> None:
    """Look at a deployed stack.

    Args:
        found: where the findings go.
        asked: the stack.
    """
    stack = asked.stack
    if stack is None:
        found.unseen(
            f"No stack was looked at: {asked.no_stack}",
            "Name one with --stack, or an environment with --env.",
        )
        return
    try:
        require_region()
    except ConfigurationError:
        found.unseen(f"The stack {stack} was not looked at: no region is set.")
        return
    outputs = _outputs(found, asked, stack)
    if outputs is None:
        return
    found.ok(f"The stack {stack} is deployed.")
    _settings(found, asked, settings_of(outputs, stack))
    services = Services(Config.from_outputs(stack, outputs), registry=current_services().registry)
    _tasks(found, services)
    _schedules(found, asked, services)
    _queues(found, asked, services)
    if is_set_up():
        with found.look("What `check --deploy` looks at"):
            found.lines += checked_for_deployment()


def _outputs(found: Findings, asked: Asked, stack: str) -> dict[str, str] | None:
    deploy = "" if asked.environment is None else asked.command("deploy")
    try:
        outputs = stack_outputs(stack)
        settings_of(outputs, stack)
    except StackNotFound as error:
        text, _, advice = str(error).partition(". ")
        if deploy:
            advice = f"{deploy} makes it; or the credentials, or the region, are those of another account."
        found.fail(f"{text}.", advice)
        return None
    except AwsError as error:
        if error.code in _DENIED:
            found.unseen(
                f"The stack {stack} may not be read: {error}", "Grant cloudformation:DescribeStacks."
            )
        else:
            found.fail(
                f"The stack {stack} cannot be reached: {error}", "Check the credentials and the region."
            )
        return None
    except ConfigurationError as error:
        found.fail(
            str(error),
            f"{deploy} deploys the template of this version."
            if deploy
            else "Name a stack that the template of this version has made.",
        )
        return None
    return outputs


def _settings(found: Findings, asked: Asked, settings: Mapping[str, object]) -> None:
    config = current_services().config
    printed = f"{asked.command('outputs')} prints those of the stack."
    if not config.table and not config.queue_urls:
        found.warn("This process has no settings of a stack: a site that uses this one needs them.", printed)
        return
    differing = [each.setting for each in differences(config, settings)]
    if differing:
        found.warn(f"Settings here are not those of the stack: {', '.join(differing)}.", printed)
    else:
        found.ok("The settings here are those of the stack.")


def _tasks(found: Findings, services: Services) -> None:
    if not knows_tasks(services.registry):
        found.unseen("The deployed tasks were not compared: no task's code is here.")
        return
    with found.look("The deployed tasks", "Reading them takes dynamodb:GetItem on the table."):
        changes = compare_with_deployed(services)
        if changes is None:
            found.unseen("The deployed tasks were not compared: no worker of the stack has run yet.")
            return
        for each in changes.tasks:
            (found.warn if each.order is Order.WORKER_FIRST else found.fail)(each.text, each.advice)
        if not changes.tasks:
            found.ok("The tasks here and those of the deployed build take the same inputs.")


def _schedules(found: Findings, asked: Asked, services: Services) -> None:
    if not any(task.schedule is not None for task in services.registry.listed()):
        return
    with found.look("The schedules", "Reading them takes the stack's SchedulesPolicy."):
        changes = [each for each in plan(services.registry, services.schedule_group) if each.action != KEEP]
        if changes:
            names = ", ".join(sorted({each.task for each in changes}))
            found.fail(
                f"The deployed schedules are not those that the tasks declare: {names}.",
                f"Run {asked.command('schedules sync')}.",
            )
        else:
            found.ok("The deployed schedules are those that the tasks declare.")


def _queues(found: Findings, asked: Asked, services: Services) -> None:
    with found.look("The queues", "Reading them takes the stack's OperatorPolicy."):
        read = read_queues(services, sample=False)
        before = len(found.lines)
        for queue in read.queues:
            _queue(found, asked, queue)
        for pause in read.pauses:
            if pause.kind != "queue":
                resume = asked.command(f"resume --task {shlex.quote(pause.name)}")
                found.warn(pause.sentence, f"Resume it with {resume}.")
        letters = read.dead_letters
        if letters is not None and not letters.empty:
            found.warn(
                f"{letters.visible + letters.in_flight + letters.delayed} messages are in the dead-letter queue.",
                f"{asked.command('dead-letters list')} shows them.",
            )
        if len(found.lines) == before:
            found.ok(
                f"{len(read.queues)} queues: no message waits for long, none is paused, no dead letters."
            )
        for sentence in read.unknown:
            found.unseen(sentence)


def _queue(found: Findings, asked: Asked, queue: QueueState) -> None:
    resume = asked.command(f"resume {queue.name}")
    if queue.pause is not None:
        found.warn(queue.pause.sentence, f"Resume it with {resume}.")
    elif queue.receiving is False:
        found.fail(
            f"The function does not receive from the queue {queue.name}: its event source mapping is disabled.",
            f"Enable it with {resume}.",
        )
    elif queue.oldest is not None and queue.oldest > _OLD:
        found.warn(
            f"The oldest message of the queue {queue.name} is {queue.oldest / 60:.0f} minutes old.",
            f"{asked.command('stuck')} says what it waits for.",
        )
