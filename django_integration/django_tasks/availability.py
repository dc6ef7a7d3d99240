"""The presence of Django's tasks framework, which came with 6.0; all else of the app works from 5.2 on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import django
from django.conf import settings
from django.core import checks

if TYPE_CHECKING:
    from collections.abc import Iterator

HAS_TASKS: Final[bool] = django.VERSION >= (6, 0)
_BACKEND = "django_integration.tasks_backend."


def advice() -> str:
    """The sentence of every place where the framework is needed and missing."""
    return (
        f"django.tasks came with Django 6.0, and this is Django {django.get_version()}: install Django 6.0 or later, or"
        " write the task as a class of serverless_tasks.Task and send it with submit()."
    )


def hint_of(error: BaseException) -> str | None:
    """Return the sentence for a module that could not be imported because this Django has no ``django.tasks``.

    Args:
        error: the error of ours, with the import's as its cause.
    """
    cause = error.__cause__
    missing = isinstance(cause, ModuleNotFoundError) and str(cause.name).startswith("django.tasks")
    return advice() if missing and not HAS_TASKS else None


def check_entries() -> Iterator[checks.CheckMessage]:
    """Check that no entry of ``TASKS`` names this app's backend where Django would never read it."""
    entries: Any = getattr(settings, "TASKS", {})
    if HAS_TASKS or not isinstance(entries, dict):
        return
    for alias, entry in entries.items():
        if isinstance(entry, dict) and str(entry.get("BACKEND", "")).startswith(_BACKEND):
            message = f"TASKS[{alias!r}] names ServerlessBackend, which nothing can use here: {advice()}"
            yield checks.Error(message, id="serverless_tasks.E015")
