"""A task of Django's own that does nothing."""

from __future__ import annotations

from django.tasks import task


@task
def noop(numbers: list[float]) -> None:
    """Does nothing."""
