"""A job's id, as callers give it."""

from __future__ import annotations

from uuid import UUID


def job_id(given: str | UUID) -> str:
    """The id under which a job is kept: lower case, with hyphens; what is no UUID stays as it is, and is not found."""
    try:
        return str(UUID(str(given)))
    except ValueError:
        return str(given)
