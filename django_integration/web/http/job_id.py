"""A job's id as callers write it, in the form in which jobs are kept."""

from __future__ import annotations

from serverless_tasks.engine.job.job_id import uuid_in
from serverless_tasks.errors import TaskNotFound


def job_id(uuid: str) -> str:
    """The id in the form in which jobs are kept.

    Raises:
        TaskNotFound: it is none.
    """
    found = uuid_in(uuid)
    if found is None or found != uuid.lower():
        raise TaskNotFound(uuid[:40])
    return found
