"""A job's id, as callers give it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from typing import Any


def uuid_in(given: Any) -> str | None:
    """Return a UUID in the form in which jobs are kept, lower case with hyphens; None for what is no UUID."""
    try:
        return str(UUID(given if isinstance(given, str) else str(given)))
    except ValueError:
        return None


def job_id(given: str | UUID) -> str:
    """Return the id under which a job is kept; what is no UUID stays as it is, and is not found."""
    return uuid_in(given) or str(given)
