"""What a task knows of the run that it is in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from serverless_tasks.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Coroutine


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One run of a task.

    Attributes:
        uuid: the job's id, or "" when ``run`` is called here and now.
        attempt: which attempt this is, from 1.
        owner: who submitted the job, or None.
        progress: the run's counters.
    """

    uuid: str = ""
    attempt: int = 1
    owner: str | None = None
    progress: Progress = field(default_factory=Progress)


def finish(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run what a task whose ``run`` is ``async`` returned, to its end."""
    import asyncio

    try:
        return asyncio.run(coroutine)
    except asyncio.CancelledError as error:  # it is no Exception, and would pass for the process's own end
        raise RuntimeError("The task's coroutine was cancelled from within.") from error
