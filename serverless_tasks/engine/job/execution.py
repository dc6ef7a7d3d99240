"""The run of a task, as the task sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from serverless_tasks.engine.job.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from serverless_tasks.engine.job.record import Members


class EarlierGroup(Protocol):
    """A group that has ended, for the job that follows it."""

    uuid: str

    @property
    def members(self) -> Members:
        """How its members ended."""

    def results(self) -> Iterator[dict[str, Any] | None]:
        """Yield the outputs of its members in their order, None of one that did not succeed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One run of a task.

    Attributes:
        uuid: the job's id, or "" when ``run`` is called here and now.
        attempt: which attempt this is, from 1.
        owner: who submitted the job, or None.
        scheduled: the time for which a schedule has sent the job, in UTC, or None.
        progress: the run's counters.
        group: the group whose members ended before the job was sent, or None.
    """

    uuid: str = ""
    attempt: int = 1
    owner: str | None = None
    scheduled: datetime | None = None
    progress: Progress = field(default_factory=Progress)
    group: EarlierGroup | None = None
