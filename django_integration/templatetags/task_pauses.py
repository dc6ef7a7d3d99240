"""The template tag of the admin's banner of pauses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django import template

from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import ServerlessTasksError

if TYPE_CHECKING:
    from serverless_tasks.engine.worker.pauses import Pause

register = template.Library()


@register.simple_tag
def task_pauses() -> list[Pause]:
    """Return what is paused, read at most once in ten seconds by this process; nothing where it cannot be read."""
    try:
        pauses = current_services().pauses
        return [] if pauses is None else pauses.all()
    except ServerlessTasksError:
        return []
