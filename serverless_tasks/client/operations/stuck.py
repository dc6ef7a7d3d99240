"""Jobs that do not get on: their worker is gone, no message is behind them, or workers give them back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from serverless_tasks.client.operations.queues import read_queues
from serverless_tasks.client.search import known_names
from serverless_tasks.client.ways import LOOKED_AT
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.record import PENDING, RUNNING, WORKER_LOST, iso
from serverless_tasks.engine.store.items import WAITING
from serverless_tasks.engine.worker.following import WAITS
from serverless_tasks.engine.worker.pauses import PAUSED
from serverless_tasks.errors import NotFinished, TaskNotFound

if TYPE_CHECKING:
    from serverless_tasks.client.operations.queues import Queues, QueueState
    from serverless_tasks.engine.job.record import Failure, Record
    from serverless_tasks.engine.services import Services

# Milliseconds for which the queues' figures may lag behind: CloudWatch is some minutes late.
LAG: Final = 600_000
# Milliseconds for which the message of a lost worker stays hidden after the lease.
HIDDEN: Final = 60_000
# Jobs that are looked at for a page where more are asked for than `LOOKED_AT`, at most.
MOST_LOOKED: Final = 10_000
# Jobs of the index of those that wait long.
HELD: Final = 100


class Stuck(StrEnum):
    """The kinds of stuck jobs.

    Attributes:
        LOST: it runs by its record, its lease is over, and its queue has no message: nobody will run it again.
        LEASE_OVER: its lease is over, and its message has not come again; the queue has messages.
        NO_MESSAGE: it waits, is due, and no message of its queue is as old as it: its message is gone.
        PAUSED: its task is paused.
        RETURNED: workers give its message back unbegun, for the reason in the record.
    """

    LOST = "lost"
    LEASE_OVER = "lease_over"
    NO_MESSAGE = "no_message"
    PAUSED = "paused"
    RETURNED = "returned"


ADVICE: Final = {
    Stuck.LOST: "End it with `serverless-tasks stuck --end UUID`, then submit it again: `serverless-tasks retry UUID`.",
    Stuck.LEASE_OVER: "Wait for its message, which comes again. If it does not, look at the queue and the workers.",
    Stuck.NO_MESSAGE: "Cancel it, then submit it again: `serverless-tasks cancel UUID`, `serverless-tasks retry UUID`.",
    Stuck.PAUSED: "Resume the task: `serverless-tasks resume --task NAME`.",
    Stuck.RETURNED: "Deploy code that has the task and can be imported. Its message then comes within 15 minutes.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckJob:
    """A job that does not get on.

    Attributes:
        record: the job.
        kind: why.
        since: since when, milliseconds since the epoch: its lease's end, when it was due, or when it was submitted.
    """

    record: Record
    kind: Stuck
    since: int

    @property
    def reason(self) -> Failure | None:
        """The reason in the record, of a job that workers give back."""
        return self.record.returned if self.kind in (Stuck.PAUSED, Stuck.RETURNED) else None

    def to_json(self) -> dict[str, Any]:
        """The job for programs."""
        return {
            "uuid": self.record.uuid,
            "task": self.record.task,
            "queue": self.record.queue or None,
            "status": self.record.status,
            "kind": self.kind.value,
            "since": iso(self.since),
            "reason": None if self.reason is None else self.reason.to_json(reveal=True),
            "advice": ADVICE[self.kind],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckGroup:
    """Stuck jobs of one task that are stuck in one way for one reason.

    Attributes:
        kind: the way.
        task: the task's name.
        reason: the reason in their records, or "".
        jobs: the jobs, at least one, in the page's order.
    """

    kind: Stuck
    task: str
    reason: str
    jobs: tuple[StuckJob, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckPage:
    """The stuck jobs among those that were looked at.

    Attributes:
        jobs: the jobs, those that workers give back first, each kind newest first.
        looked_at: how many jobs were looked at.
        looked_back_to: when the oldest of them was submitted, milliseconds since the epoch; None when that is all.
        cursor: asks for older ones; None at the end.
        queues: the queues' figures by which it was decided.
    """

    jobs: tuple[StuckJob, ...]
    looked_at: int
    looked_back_to: int | None
    cursor: str | None
    queues: Queues

    @property
    def groups(self) -> list[StuckGroup]:
        """The jobs in groups, those with the fewest jobs first: a task that no worker has may have any number."""
        found: dict[tuple[Stuck, str, str], list[StuckJob]] = {}
        for job in self.jobs:
            reason = job.reason.message if job.reason is not None else ""
            found.setdefault((job.kind, job.record.task, reason), []).append(job)
        groups = [
            StuckGroup(kind=kind, task=task, reason=reason, jobs=tuple(jobs))
            for (kind, task, reason), jobs in found.items()
        ]
        return sorted(groups, key=lambda group: len(group.jobs))

    def to_json(self) -> dict[str, Any]:
        """The page for programs."""
        return {
            "jobs": [job.to_json() for job in self.jobs],
            "looked_at": self.looked_at,
            "looked_back_to": iso(self.looked_back_to),
            "cursor": self.cursor,
            "unknown": list(self.queues.unknown),
        }


def find_stuck(services: Services, *, cursor: str | None = None, look: int | None = None) -> StuckPage:
    """Look for stuck jobs: among those that workers have given back, and the newest that are old enough.

    Args:
        services: the services of the stack.
        cursor: where the page before has ended, to look at older jobs.
        look: how many of the newest are looked at, `MOST_LOOKED` at most; `LOOKED_AT` unless given.

    Raises:
        InvalidCursor: no page has given the cursor.
        ConfigurationError: jobs run in this process, or no table is configured.
        AwsError: the table or SQS could not be asked.
    """
    queues = read_queues(services, sample=False)
    now = to_ms(services.clock.now())
    judge = _Judge(queues, now)
    found: dict[str, StuckJob] = {}
    if cursor is None:
        for record in services.store.list_states(WAITING, limit=HELD).records:
            if (job := judge.returned(record)) is not None:
                found[record.uuid] = job
    page = services.store.list_tasks(
        known_names(services),
        limit=min(look or LOOKED_AT, MOST_LOOKED),
        cursor=cursor,
        until=now - HIDDEN,
        whole=False,
    )
    for record in page.records:
        if record.uuid not in found and (job := judge.judge(record)) is not None:
            found[record.uuid] = job
    more = page.cursor is not None and bool(page.records)
    return StuckPage(
        jobs=tuple(found.values()),
        looked_at=page.looked_at,
        looked_back_to=page.records[-1].created if more else None,
        cursor=page.cursor,
        queues=queues,
    )


def end_lost(services: Services, uuid: str) -> Record:
    """End a job whose worker is gone as lost, without waiting for its message, so that it can be retried.

    A message that comes all the same finds it ended.

    Raises:
        TaskNotFound: nothing is known of it, or not enough to end it.
        NotFinished: it waits, or an attempt holds it under a live lease.
        AwsError: the table could not be asked.
    """
    record = services.store.read(uuid, whole=False)
    message = services.store.job(uuid)
    if record is None or message is None:
        raise TaskNotFound(uuid)
    if record.ended:
        return record
    if record.status != RUNNING:
        raise NotFinished(uuid, record.status)
    claim = services.settle(message, WORKER_LOST)  # which a live lease refuses
    after = services.store.read(uuid, whole=False)
    if after is None or not after.ended:
        raise NotFinished(uuid, claim.status)
    return after


@dataclass(frozen=True, slots=True)
class _Judge:
    queues: Queues
    now: int

    def judge(self, record: Record) -> StuckJob | None:
        if record.members is not None:  # a group ends at its deadline
            return None
        if record.status == RUNNING:
            return self._running(record)
        if record.status != PENDING:
            return None
        return self.returned(record) or self._pending(record)

    def returned(self, record: Record) -> StuckJob | None:
        if record.status != PENDING or record.returned is None or not _gives_back(record.returned):
            return None
        kind = Stuck.PAUSED if record.returned.type == PAUSED else Stuck.RETURNED
        return StuckJob(record=record, kind=kind, since=record.run_at or record.created)

    def _running(self, record: Record) -> StuckJob | None:
        if record.lease is None or self.now <= record.lease + HIDDEN:
            return None
        queue = self._queue(record)
        kind = Stuck.LOST if queue is not None and queue.empty else Stuck.LEASE_OVER
        return StuckJob(record=record, kind=kind, since=record.lease)

    def _pending(self, record: Record) -> StuckJob | None:
        due = max(record.created, record.run_at or 0)
        queue = self._queue(record)
        if queue is None or self.now <= due + LAG:
            return None
        if not queue.empty and (queue.oldest is None or due >= self.now - queue.oldest * 1000 - LAG):
            return None
        return StuckJob(record=record, kind=Stuck.NO_MESSAGE, since=due)

    def _queue(self, record: Record) -> QueueState | None:
        """The queue of a job; None where the record does not say it, or it has no figures."""
        return next((queue for queue in self.queues.queues if queue.name == record.queue), None)


def _gives_back(reason: Failure) -> bool:
    """Return whether workers cannot begin the job; one that follows another of a unique task only waits for it."""
    return reason.type != WAITS.type
