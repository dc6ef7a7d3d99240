"""A job's id as callers write it, in the form in which jobs are kept."""

from __future__ import annotations

from uuid import UUID

from serverless_tasks.errors import TaskNotFound


def job_id(uuid: str) -> str:
    """The id in the form in which jobs are kept.

    Raises:
        TaskNotFound: it is none.
    """
    try:
        wanted = str(UUID(uuid))
    except ValueError:
        raise TaskNotFound(uuid[:40]) from None
    if wanted != uuid.lower():
        raise TaskNotFound(uuid[:40])
    return wanted
