"""The run of a task, as the task sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from serverless_tasks.engine.job.progress import Progress

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One run of a task.

    Attributes:
        uuid: the job's id, or "" when ``run`` is called here and now.
        attempt: which attempt this is, from 1.
        owner: who submitted the job, or None.
        scheduled: the time for which a schedule has sent the job, in UTC, or None.
        progress: the run's counters.
    """

    uuid: str = ""
    attempt: int = 1
    owner: str | None = None
    scheduled: datetime | None = None
    progress: Progress = field(default_factory=Progress)
