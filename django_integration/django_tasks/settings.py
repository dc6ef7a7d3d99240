"""``OPTIONS`` of an entry of ``TASKS``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.tasks import DEFAULT_TASK_QUEUE_NAME

from serverless_tasks.engine.definition.base import queue_for
from serverless_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES = ("ENQUEUE_ON_COMMIT", "QUEUE_MAP")


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendOptions:
    """The options of an entry of ``TASKS``.

    Attributes:
        on_commit: ``ENQUEUE_ON_COMMIT``: inside a transaction, enqueue when it commits (default) instead of at once.
        queue_map: ``QUEUE_MAP``: queue name of Django's -> queue name of ours, for apps that name queues of their own.
    """

    on_commit: bool = True
    queue_map: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, alias: str, given: Mapping[str, Any]) -> BackendOptions:
        """The options in the settings.

        Args:
            alias: the entry's name, for the error.
            given: its ``OPTIONS``.

        Raises:
            ConfigurationError: naming the one that is unknown or cannot be used.
        """
        place = f"TASKS[{alias!r}]['OPTIONS']"
        unknown = sorted(set(given) - set(NAMES))
        if unknown:
            raise ConfigurationError(
                f"{place} has no option {unknown[0]!r}; the options are {', '.join(NAMES)}."
            )
        on_commit = given.get("ENQUEUE_ON_COMMIT", True)
        if not isinstance(on_commit, bool):
            raise ConfigurationError(
                f"{place}['ENQUEUE_ON_COMMIT'] is {on_commit!r}; expected True or False."
            )
        queue_map = given.get("QUEUE_MAP", {})
        if not isinstance(queue_map, dict) or not all(isinstance(name, str) for name in queue_map.values()):
            raise ConfigurationError(
                f"{place}['QUEUE_MAP'] is {queue_map!r}; expected a dictionary such as {{'emails': 'low'}}."
            )
        return cls(on_commit=on_commit, queue_map=queue_map)

    def queue(self, queue_name: str, priority: int, urls: Mapping[str, str]) -> str:
        """The queue of ours that a task goes to: the one that is named, else the one of its priority.

        Args:
            queue_name: the task's queue; Django's default name leaves the choice to the priority.
            priority: the task's priority.
            urls: the queues that there are; without one of the priority's name, the default one is as good.
        """
        if queue_name in self.queue_map:
            return self.queue_map[queue_name]
        wanted = queue_for(queue_name if queue_name != DEFAULT_TASK_QUEUE_NAME else None, priority)
        by_priority = queue_name == DEFAULT_TASK_QUEUE_NAME
        return DEFAULT_TASK_QUEUE_NAME if by_priority and urls and wanted not in urls else wanted
