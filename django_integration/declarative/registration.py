"""The registry of the tasks that a deferred job can name; classes add to it as they are made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from django.conf import settings
from django.urls import get_resolver

from serverless_tasks.errors import TaskError

if TYPE_CHECKING:
    from django_integration.declarative.job import DeferredJob


class UnknownEndpointTask(TaskError):
    """A deferred job names a task that no class of this project has registered."""


class Registered(Protocol):
    """A task that can be run away from its request.

    Attributes:
        key: the name that jobs call it by.
    """

    key: str

    def call(self, job: DeferredJob) -> Any:
        """Run it; what it returns may still have to be run to its end, by whoever knows how long it may."""

    def retries_after(self, error: BaseException) -> int:
        """Return how often a job of it may be run again after this error."""


_registered: dict[str, Registered] = {}


def register(entry: Registered) -> None:
    """Let jobs name this one; it takes the place of an earlier one of its key, as when a module is loaded again."""
    _registered[entry.key] = entry


def in_use() -> bool:
    """Return whether the project has such a task, importing its views to find out."""
    if not _registered:
        _import_views()
    return bool(_registered)


def registered(key: str) -> Registered:
    """Return the task of a job's name.

    Endpoint classes live in modules of views, which a worker has no other reason to import: before a name is given
    up, the project's URLconf is loaded. Nothing is imported from the name.

    Raises:
        UnknownEndpointTask: nothing has this key.
    """
    if key not in _registered:
        _import_views()
    try:
        return _registered[key]
    except KeyError:
        raise UnknownEndpointTask(
            f"No endpoint task is registered as {key!r}. Its module has to be reached from ROOT_URLCONF, or imported by"
            " a `tasks` or `background` module of an installed app."
        ) from None


def _import_views() -> None:
    if getattr(settings, "ROOT_URLCONF", None):
        get_resolver().url_patterns  # noqa: B018 - reading it imports the views
