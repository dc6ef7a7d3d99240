"""Checks of this backend's entries in ``TASKS``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.urls import get_resolver

from django_integration.django_tasks.function import all_declared
from django_integration.django_tasks.settings import BackendOptions
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


def check(alias: str, queues: Iterable[str], options: Mapping[str, Any]) -> Iterator[checks.CheckMessage]:
    """Return the problems that keep the tasks of an entry of ``TASKS`` from being enqueued or run.

    Args:
        alias: the entry's name.
        queues: its ``QUEUES``.
        options: its ``OPTIONS``.
    """
    if not apps.is_installed("django_integration"):
        message = f"TASKS[{alias!r}] uses this backend, but 'django_integration' is not in INSTALLED_APPS."
        hint = "Add it: the app reads SERVERLESS_TASKS and registers the tasks of the installed apps."
        yield checks.Error(message, hint=hint, id="serverless_tasks.E008")
        return
    try:
        given = BackendOptions.parse(alias, options)
    except ConfigurationError as error:
        yield checks.Error(str(error), id="serverless_tasks.E009")
        return
    yield from _queues(alias, queues, given)
    yield from _unfound(alias)


def _queues(alias: str, queues: Iterable[str], given: BackendOptions) -> Iterator[checks.CheckMessage]:
    urls = current_services().config.queue_urls
    if not current_services().backend_kind.has_queue or not urls:
        return  # without any, the check of SERVERLESS_TASKS says it
    for name in sorted(queues):
        queue = given.queue_map.get(name, name)
        if queue not in urls:
            message = f"TASKS[{alias!r}]['QUEUES'] has {name!r}, and SERVERLESS_TASKS_QUEUE_URLS no queue {queue!r}."
            hint = f"It has {sorted(urls)}. Map the name to one of them: 'OPTIONS': {{'QUEUE_MAP': {{{name!r}: ...}}}}."
            yield checks.Error(message, hint=hint, id="serverless_tasks.E010")


def _unfound(alias: str) -> Iterator[checks.CheckMessage]:
    """Tasks that only the site's own code imports: a worker sets Django up, and loads no URLs."""
    if getattr(settings, "ROOT_URLCONF", None):
        get_resolver().url_patterns  # noqa: B018 - reading it imports the views, and their tasks
    known = current_services().config.modules
    late = (function for function in all_declared() if function.late and function.task.backend == alias)
    for module in sorted({function.__module__ for function in late}):
        if not any(f"{module}.".startswith(f"{each}.") for each in known):
            message = (
                f"Tasks are defined in {module!r}, which workers do not import, so they cannot run them."
            )
            hint = "Move them to a `tasks` module of an installed app, or name theirs in SERVERLESS_TASKS['MODULES']."
            yield checks.Warning(message, hint=hint, id="serverless_tasks.W007")
