"""Whatever happens in whatever order: Hypothesis draws it, on the stores' real code, with a model beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from serverless_tasks.engine.aws import session
from serverless_tasks.engine.aws.dynamodb.table import Table
from serverless_tasks.engine.aws.s3.payloads import BucketBlobs
from serverless_tasks.engine.job.message import RETENTION, Message
from serverless_tasks.engine.job.progress import Snapshot
from serverless_tasks.engine.job.record import (
    CANCELLED,
    ENDED,
    FAILED,
    PENDING,
    RUNNING,
    SUCCEEDED,
    Failure,
    Record,
)
from serverless_tasks.engine.store.base import Claim, Store
from serverless_tasks.engine.store.memory import MemoryStore
from serverless_tasks.errors import AlreadyFinished, LeaseLost, NotFinished, TaskNotFound
from serverless_tasks.testing import MovableClock
from tests.chaos.conftest import LONG
from tests.support.aws import BUCKET, a_table

LEASE = 60_000
FAILURE = Failure(type="TaskError", message="no")
UNDELIVERABLE = Failure(type="Undeliverable", message="never ended")


@dataclass
class Job:
    """What the model knows of a job."""

    message: Message
    status: str = PENDING
    token: str = ""
    lease: int = 0
    not_before: int = 0
    attempt: int = 0
    failures: int = 0
    progress: int = 0
    told: list[str] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    cancel: bool = False
    begun: bool = False
    deleted: bool = False


@dataclass
class Worker:
    """An attempt that somebody believes to hold, rightly or not."""

    job: Job
    claim: Claim
    seq: int = 0
    progress: int = 0
    told: list[str] = field(default_factory=list)


class Jobs(RuleBasedStateMachine):
    """Submits, deliveries, ends, crashes, cancellations and deletions of a few jobs."""

    jobs = Bundle("jobs")
    workers = Bundle("workers")

    def __init__(self) -> None:
        super().__init__()
        self.clock = MovableClock()
        self.known: list[Job] = []
        self.store = self.a_store()

    def a_store(self) -> Store:
        """The store that is tried."""
        return MemoryStore(self.clock)

    @property
    def now(self) -> int:
        """The present in milliseconds."""
        return round(self.clock.now() * 1000)

    @precondition(lambda self: len(self.known) < 3)
    @rule(target=jobs)
    def submit(self) -> Job:
        """A new job, whose item is kept."""
        job = Job(self._message())
        self.store.put_jobs([job.message])
        self.known.append(job)
        return job

    @precondition(lambda self: len(self.known) < 3)
    @rule(target=jobs)
    def submit_without_item(self) -> Job:
        """A job whose submit died between the send and the item."""
        job = Job(self._message())
        self.known.append(job)
        return job

    @rule(job=jobs)
    def submit_again(self, job: Job) -> None:
        """The same uuid once more, as after an uncertain send."""
        if not job.deleted:
            self.store.put_jobs([job.message])

    @rule(target=workers, job=jobs)
    def deliver(self, job: Job) -> Any:
        """A delivery, the first or a duplicate, in any order."""
        token = uuid4().hex
        claim = self.store.claim(job.message, token=token, lease=self.now + LEASE, request_id="r")
        answer = self._claimable(job)
        assert claim.answer == answer
        if answer != "claimed":
            return multiple()
        job.attempt += 1
        assert (claim.attempt, claim.failures) == (job.attempt, job.failures)
        # A worker may die between its retry and the job's cancellation: the next claim hears of it as well.
        assert claim.cancelled == job.cancel
        job.status, job.token, job.lease = RUNNING, token, self.now + LEASE
        job.progress, job.told, job.begun = 0, [], True
        return Worker(job, claim)

    @rule(worker=workers, by=st.integers(1, 3), renew=st.booleans())
    def report(self, worker: Worker, by: int, renew: bool) -> None:
        """A progress write, of a worker that may have lost its lease long ago."""
        worker.progress += by
        text = f"{worker.claim.token[:6]} at {worker.progress}"
        worker.seq += 1
        snapshot = Snapshot(worker.seq, worker.progress, None, (text,), len(worker.told))
        job = worker.job
        lease = self.now + LEASE if renew else None
        if not self._holds(worker):
            with pytest.raises(LeaseLost):
                self.store.write_progress(job.message.uuid, worker.claim.token, snapshot, lease=lease)
            return
        worker.told.append(text)
        assert (
            self.store.write_progress(job.message.uuid, worker.claim.token, snapshot, lease=lease)
            == job.cancel
        )
        job.progress, job.told = worker.progress, [*worker.told]
        job.lease = lease or job.lease

    @rule(worker=consumes(workers), size=st.sampled_from([1, 1_000, 20_000]))
    def succeed(self, worker: Worker, size: int) -> None:
        """The end of a run; or of one whose job is another's by now."""
        outputs = {"token": worker.claim.token, "filler": "x" * size}
        job = worker.job
        if not self._holds(worker):
            with pytest.raises(LeaseLost):
                self.store.succeed(job.message.uuid, worker.claim, self._last(worker), outputs)
            return
        self.store.succeed(job.message.uuid, worker.claim, self._last(worker), outputs)
        job.status, job.outputs = SUCCEEDED, outputs

    @rule(worker=consumes(workers), status=st.sampled_from([FAILED, CANCELLED]))
    def fail(self, worker: Worker, status: str) -> None:
        """The end of a run that failed, or heard that it was cancelled."""
        job = worker.job
        if not self._holds(worker):
            with pytest.raises(LeaseLost):
                self.store.fail(job.message.uuid, worker.claim, self._last(worker), FAILURE, status=status)
            return
        self.store.fail(job.message.uuid, worker.claim, self._last(worker), FAILURE, status=status)
        job.status = status

    @rule(worker=consumes(workers), wait=st.sampled_from([0, 30, 7200]))
    def retry(self, worker: Worker, wait: int) -> None:
        """A run that failed and is to be run again."""
        job = worker.job
        due = self.now + wait * 1000
        given = (job.message, worker.claim, self._last(worker), FAILURE)
        if not self._holds(worker):
            with pytest.raises(LeaseLost):
                self.store.retry(*given, not_before=due)
            return
        told_to_stop = self.store.retry(*given, not_before=due)
        assert told_to_stop == job.cancel
        job.status, job.not_before, job.failures = PENDING, due, job.failures + 1

    @rule(worker=consumes(workers))
    def release(self, worker: Worker) -> None:
        """A worker that gives back what it has not begun."""
        self.store.release(worker.job.message.uuid, worker.claim.token)
        if self._holds(worker):
            worker.job.status, worker.job.not_before = PENDING, 0
            worker.job.attempt -= 1

    @rule(worker=consumes(workers))
    def crash(self, worker: Worker) -> None:
        """A worker of which nothing is heard again."""

    @rule(job=jobs)
    def cancel(self, job: Job) -> None:
        """Somebody cancels."""
        uuid = job.message.uuid
        record = self.store.read(uuid)
        if record is None:
            with pytest.raises(TaskNotFound):
                self.store.cancel(uuid)
        elif record.ended:
            with pytest.raises(AlreadyFinished):
                self.store.cancel(uuid)
        else:
            told = self.store.cancel(uuid)
            if job.status == RUNNING:
                job.cancel = True
                assert told.cancel_requested
            else:
                job.status = CANCELLED
                assert told.status == CANCELLED

    @rule(job=jobs)
    def settle(self, job: Job) -> None:
        """The message became a dead letter."""
        claim = self.store.settle(job.message, UNDELIVERABLE)
        if job.status in ENDED or job.deleted:
            assert claim.answer == "ended"
        elif job.status == RUNNING and job.lease >= self.now:
            assert claim.answer == "busy"
        else:
            assert claim.answer == "settled"
            job.status = FAILED

    @rule(job=jobs)
    def delete(self, job: Job) -> None:
        """An operator deletes it."""
        record = self.store.read(job.message.uuid)
        if record is None:
            return
        if not record.ended:
            with pytest.raises(NotFinished):
                self.store.delete(job.message.uuid)
            return
        self.store.delete(job.message.uuid)
        job.deleted = True
        job.status = record.status

    @rule(seconds=st.sampled_from([1, 5, 61, 3600]))
    def wait(self, seconds: int) -> None:
        """Time passes: leases end, waiting jobs become due."""
        self.clock.move(seconds)

    @invariant()
    def reads_as_the_model_says(self) -> None:
        """Every job reads as it should."""
        for job in self.known:
            record = self.store.read(job.message.uuid)
            if job.deleted:
                assert record is None
                continue
            if record is not None:
                self._compare(job, record)

    def teardown(self) -> None:
        """See that what may not be claimed is not, and deliver what is left until everything has ended."""
        for job in self.known:
            if (answer := self._claimable(job)) != "claimed":
                claim = self.store.claim(job.message, token="early", lease=self.now + LEASE, request_id="")
                assert claim.answer == answer
        for job in self.known:
            self.clock.move(LEASE / 1000 + 7200)
            if job.status not in ENDED and not job.deleted:
                claim = self.store.claim(job.message, token="last", lease=self.now + LEASE, request_id="")
                assert claim.answer == "claimed"
                self.store.succeed(job.message.uuid, claim, Snapshot(seq=1), {"token": "last"})
                record = self.store.read(job.message.uuid)
                assert record is not None
                assert (record.status, record.outputs) == (SUCCEEDED, {"token": "last"})

    def _message(self) -> Message:
        created = self.now
        return Message(
            uuid=str(uuid4()), task="sum", owner="ada", created=created, expires=created + RETENTION * 1000
        )

    def _claimable(self, job: Job) -> str:
        if job.status in ENDED or job.deleted:
            return "ended"
        if job.status == RUNNING and job.lease >= self.now:
            return "busy"
        if job.status == PENDING and job.not_before > self.now:
            return "waiting"
        return "claimed"

    @staticmethod
    def _holds(worker: Worker) -> bool:
        return (
            worker.job.status == RUNNING and worker.job.token == worker.claim.token and not worker.job.deleted
        )

    @staticmethod
    def _last(worker: Worker) -> Snapshot:
        return Snapshot(worker.seq + 1, worker.progress, None, (), len(worker.told))

    @staticmethod
    def _compare(job: Job, record: Record) -> None:
        assert record.status == job.status
        assert record.attempt == job.attempt
        assert record.outputs == job.outputs
        if job.status == RUNNING:
            assert (record.progress, list(record.messages)) == (job.progress, job.told)
            assert record.cancel_requested == job.cancel


class JobsInTheTable(Jobs):
    """The same on DynamoDB."""

    def a_store(self) -> Store:
        """A new table."""
        return Table(session.client("dynamodb"), a_table(), self.clock, BucketBlobs(BUCKET))


def _settings(examples: int) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=50 if LONG else 25,
        deadline=None,
        derandomize=True,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )


def test_the_store_in_memory_follows_the_model() -> None:
    run_state_machine_as_test(Jobs, settings=_settings(600 if LONG else 150))


def test_the_table_follows_the_model(aws: None) -> None:
    run_state_machine_as_test(JobsInTheTable, settings=_settings(60 if LONG else 10))
