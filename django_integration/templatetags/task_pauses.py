"""The template tag of the admin's banner of pauses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django import template

from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import ServerlessTasksError

if TYPE_CHECKING:
    from serverless_tasks.engine.job.record import Record
    from serverless_tasks.engine.worker.pauses import Pause

register = template.Library()


@register.simple_tag
def task_pauses(record: Record | None = None) -> list[Pause]:
    """Return what is paused, read at most once in ten seconds by this process; nothing where it cannot be read.

    Args:
        record: a job: only what holds it back; None for all.
    """
    try:
        pauses = current_services().pauses
        found = [] if pauses is None else pauses.all()
    except ServerlessTasksError:
        return []
    if record is None:
        return found
    return [pause for pause in found if pause.name == getattr(record, pause.kind)]
