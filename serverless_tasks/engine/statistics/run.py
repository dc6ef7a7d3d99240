"""The outcome of one delivery of a job, as it is counted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from serverless_tasks.engine.job.record import CANCELLED, FAILED, PENDING, SUCCEEDED
from serverless_tasks.engine.statistics.counts import DURATION, QUEUE_WAIT, SECONDS
from serverless_tasks.engine.statistics.histogram import bucket_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serverless_tasks.engine.job.record import Failure

_COUNTED = {SUCCEEDED: "succeeded", FAILED: "failed", CANCELLED: "cancelled", PENDING: "retried"}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRun:
    """The outcome of one delivery of a job.

    Attributes:
        task: the task's name.
        uuid: the job's id.
        created: when it was submitted, milliseconds since the epoch.
        status: its status now where this delivery decided it (``pending``: it is retried), else "".
        first: whether no delivery before has counted it as submitted.
        lost: attempts before it whose worker was lost, and that no other has counted.
        queue_wait: seconds from when it was due until its first attempt; None of a later one.
        duration: seconds that the task ran, or None when it did not.
        failure: why it did not succeed, or None.
        submission: what its submission is billed for, by the attributes of `Counts.of`; counted where ``first``.
    """

    task: str
    uuid: str
    created: int
    status: str
    first: bool = False
    lost: int = 0
    queue_wait: float | None = None
    duration: float | None = None
    failure: Failure | None = None
    submission: Mapping[str, float] = field(default_factory=dict)

    def counts(self) -> dict[str, float]:
        """Return what grows by it in the hour in which it ended: the attributes of `Counts.of`."""
        counts: dict[str, float] = {}
        if self.status in _COUNTED:
            counts[_COUNTED[self.status]] = 1
        if self.lost:
            counts["lost"] = self.lost
        if self.queue_wait is not None:
            counts[f"{QUEUE_WAIT}{bucket_of(self.queue_wait)}"] = 1
        if self.duration is not None:
            counts[SECONDS] = self.duration
            counts[f"{DURATION}{bucket_of(self.duration)}"] = 1
        return counts
