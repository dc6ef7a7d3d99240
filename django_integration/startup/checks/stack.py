"""System checks of the settings that name the stack, and of the region that it is in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core import checks

from django_integration import conf
from serverless_tasks.engine.aws.sender import SETTINGS
from serverless_tasks.engine.aws.session import require_region
from serverless_tasks.engine.definition.base import queue_for
from serverless_tasks.engine.job.message import MAX_DELAY
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from serverless_tasks.engine.definition.base import BaseTask

NEEDED_FOR_SQS = ("table", "queue_urls")


def register() -> None:
    """Add the checks."""
    checks.register(check_stack, "serverless_tasks", deploy=True)
    checks.register(check_scheduler, "serverless_tasks", deploy=True)


def look() -> Iterator[checks.CheckMessage]:
    """Return what keeps tasks from being sent to the stack. `migrate` and `test` have to work without one."""
    if _lacks_a_stack():
        hint = (
            "Until there is a stack, `serverless-tasks dev --django` runs the site with one on this machine."
        )
        yield checks.Warning(_no_stack(), hint=hint, id="serverless_tasks.W005")
        return
    yield from _errors(_missing_settings())
    yield from _missing_queues()
    if problem := _missing_region():
        yield checks.Warning(
            problem, hint="Tasks cannot be submitted without it.", id="serverless_tasks.W011"
        )


def check_stack(app_configs: Any, **_: Any) -> list[checks.CheckMessage]:
    """Check for settings that do during development and not in production."""
    try:
        conf.current()
    except ConfigurationError:
        return []  # reported by check_configuration
    if _lacks_a_stack():
        return _errors([_no_stack()])
    problem = _missing_region()
    return [checks.Error(problem, id="serverless_tasks.E014")] if problem else []


def check_scheduler(app_configs: Any, **_: Any) -> list[checks.CheckMessage]:
    """Check that the settings name a scheduler where the declared tasks need EventBridge Scheduler."""
    try:
        current = conf.current().config
        tasks = sorted(current_services().registry, key=lambda task: task.name)
    except ConfigurationError:
        return []  # reported by check_configuration
    missing = [name for name in SETTINGS if not getattr(current, name)]
    if not missing or not _needs_a_stack() or _lacks_a_stack():
        return []
    named = f"SERVERLESS_TASKS lacks {' and '.join(name.upper() for name in missing)}"
    needing = [why for task in tasks for why in _asks_the_scheduler(task)]
    if current.schedule_group or current.scheduler_role:
        needing = ["the scheduler's other settings are set", *needing]
    if not needing:
        return []
    more = f" (and {len(needing) - 3} more)" if len(needing) > 3 else ""
    message = f"{named}, and {'; '.join(needing[:3])}{more}."
    hint = (
        "Without it, delays of more than 15 minutes are rejected, schedules cannot be synced, and the schedules of"
        " deleted jobs remain; the stack's outputs contain the values."
    )
    return [checks.Warning(message, hint=hint, id="serverless_tasks.W009")]


def _asks_the_scheduler(task: type[BaseTask]) -> Iterator[str]:
    if task.schedule is not None:
        yield f"task {task.name!r} has a schedule"
    if task.retries and task.backoff_cap > MAX_DELAY:
        longest = f"{task.backoff_cap:g} seconds"
        yield f"task {task.name!r} may wait {longest} for a retry (SQS delays a message by at most {MAX_DELAY})"


def _missing_settings() -> list[str]:
    """Return the error that submitting a task would raise."""
    current = conf.current().config
    needed = NEEDED_FOR_SQS if _needs_a_stack() else ()
    return [problem for name in needed if (problem := _refused(current.require, name))]


def _missing_queues() -> Iterator[checks.CheckMessage]:
    """Yield a message for each queue that tasks name and the stack does not have."""
    if not _needs_a_stack() or _missing_settings():
        return
    urls = conf.current().config.queue_urls
    try:
        tasks = current_services().registry.listed()
    except ConfigurationError:
        return  # check_configuration says it
    naming: dict[str, list[str]] = {}
    for task in tasks:
        # What the class says: of the queues of Django's tasks, E010 says it.
        if (queue := queue_for(task.queue, task.priority)) not in urls:
            naming.setdefault(queue, []).append(repr(task.name))
    for queue, names in sorted(naming.items()):
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        verb = "names" if len(names) == 1 else "name"
        yield checks.Warning(
            f"{', '.join(names[:3])}{more} {verb} the queue {queue!r}, which QUEUE_URLS does not have;"
            f" it has {', '.join(sorted(urls))}.",
            hint=f"`serverless-tasks init --queue {queue}` adds one to the template; deploy, and give the site the new"
            " QUEUE_URLS.",
            id="serverless_tasks.W025",
        )


def _missing_region() -> str:
    """Return the error of a missing region, where there is a stack to call."""
    return _refused(require_region) if _needs_a_stack() and not _missing_settings() else ""


def _needs_a_stack() -> bool:
    current = conf.current()
    return current.backend == "sqs" and current.own_backend is None and current.generic_backend is None


def _lacks_a_stack() -> bool:
    return _needs_a_stack() and len(_missing_settings()) == len(NEEDED_FOR_SQS)


def _no_stack() -> str:
    names = " and ".join(name.upper() for name in NEEDED_FOR_SQS)
    return (
        f"SERVERLESS_TASKS has no {names}: there is no stack yet, and tasks cannot be submitted. Give them there, or as"
        " environment variables that begin with SERVERLESS_TASKS_; the stack's outputs hold the values."
    )


def _errors(sentences: list[str]) -> list[checks.CheckMessage]:
    return [checks.Error(sentence, id="serverless_tasks.E002") for sentence in sentences]


def _refused(look: Callable[..., object], *what: str) -> str:
    try:
        look(*what)
    except ConfigurationError as error:
        return str(error)
    return ""
