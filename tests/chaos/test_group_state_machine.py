"""The fan-in of groups and chains on the stores' real code: Hypothesis draws who does what, dies where, and meanwhile.

Each step of a process that is drawn may be its last, and before each another process may do something whole. Nothing
follows a group before all its members have a recorded end (early), it is followed where it must be (lost), and every
member has an end, with which it is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any
from unittest import mock
from uuid import uuid4

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from serverless_tasks.engine.aws import session
from serverless_tasks.engine.aws.dynamodb.table import Table
from serverless_tasks.engine.aws.s3.payloads import BucketBlobs
from serverless_tasks.engine.job import place
from serverless_tasks.engine.job.message import OPEN, SETTLE, Message
from serverless_tasks.engine.job.plan import END, SUCCESS, Plan, Step
from serverless_tasks.engine.job.progress import Snapshot
from serverless_tasks.engine.job.record import CANCELLED, ENDED, FAILED, SUCCEEDED, WORKER_LOST
from serverless_tasks.engine.store import group as group_module
from serverless_tasks.engine.store import groups as groups_module
from serverless_tasks.engine.store import memory
from serverless_tasks.engine.store.base import Claim, ClaimAnswer, Store
from serverless_tasks.engine.store.groups import expires_after
from serverless_tasks.engine.store.memory import MemoryStore
from serverless_tasks.engine.workflow import settling
from serverless_tasks.engine.workflow.fan_in import FanIn
from serverless_tasks.engine.workflow.workflows import Workflows
from serverless_tasks.errors import (
    AlreadyFinished,
    LeaseLost,
    NotFinished,
    ServerlessTasksError,
    TaskNotFound,
)
from serverless_tasks.testing import MovableClock
from tests.chaos.conftest import LONG
from tests.chaos.test_state_machine import _settings
from tests.support.aws import BUCKET, a_table

LEASE = 60_000
DEADLINE = 3_600
# Members that a shard counts here: groups of five have three shards.
SHARD = 2


class Killed(BaseException):
    """The process is gone."""


# What happens on the way of a process: at its n-th step it dies, or another does something whole.
COURSES = st.lists(
    st.tuples(
        st.integers(0, 9), st.sampled_from(["dies", "runs", "counts", "sweeps", "stops"]), st.integers(0, 4)
    ),
    max_size=2,
)
MEMBERS = st.integers(0, 4)

type Course = list[tuple[int, str, int]]


class FanInMachine(RuleBasedStateMachine):
    """One group or chain: its submitter, workers, cancellers, deleters and the sweep."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = MovableClock()
        self.store = self.a_store()
        self.workflows = Workflows(self.store, self.blobs(), self.publish, self.clock)
        self.uuid = str(uuid4())
        self.sent: dict[str, Message] = {}
        self.followed = 0
        self.claims: dict[int, Claim] = {}
        self.progress = 0
        self._course: Course = []
        self._steps = 0
        for name in ("open", "count", "fill", "close", "shards"):
            self._watch(self.store.groups, name)
        for name in ("settle", "put_jobs", "cancel", "job"):
            self._watch(self.store, name)

    def a_store(self) -> Store:
        """The store that is tried."""
        return MemoryStore(self.clock)

    def blobs(self) -> BucketBlobs | None:
        """Where large plans lie."""
        return None

    # -- processes -------------------------------------------------------------------------------------------------

    def _watch(self, owner: Any, name: str) -> None:
        real = getattr(owner, name)

        def watched(*given: Any, **named: Any) -> Any:
            self._step()
            answer = real(*given, **named)
            self._step()
            return answer

        setattr(owner, name, watched)

    def _step(self) -> None:
        self._steps += 1
        for at, what, whom in self._course:
            if at == self._steps:
                if what == "dies":
                    raise Killed
                self._meanwhile(what, whom)

    def _meanwhile(self, what: str, whom: int) -> None:
        """Another process does something whole."""
        course, steps, self._course = self._course, self._steps, []
        try:
            if what == "runs":
                self._run(whom)
            elif what == "counts":
                self._count(whom)
            elif what == "sweeps":
                self._sweep()
            else:
                self._stop()
        finally:
            self._course, self._steps = course, steps

    @contextmanager
    def process(self, course: Course) -> Iterator[None]:
        """A process, which may die."""
        self._course, self._steps = course, 0
        try:
            with suppress(Killed):
                yield
        finally:
            self._course = []

    def publish(self, messages: Any) -> list[ServerlessTasksError | None]:
        """Send messages, one after another: they may be the last that a process does."""
        for message in messages:
            self._step()
            self._check_sent(message)
            self.sent[f"{message.uuid} {message.workflow}"] = message
            self._step()
        self.store.put_jobs([message for message in messages if message.options.track])
        return [None] * len(messages)

    def _check_sent(self, message: Message) -> None:
        if message.uuid == place.continuation_id(self.uuid):
            self.followed += 1
            assert all(self._ended(index) for index in range(self.total)), "early"
        if message.member is not None and self.is_chain:
            before = [self._status(index) for index in range(message.member.index)]
            assert before == [SUCCEEDED] * len(before), "a step was sent before its turn"

    # -- what there is ---------------------------------------------------------------------------------------------

    def _member(self, index: int) -> str:
        return place.member_id(self.uuid, index)

    def _message(self, index: int) -> Message | None:
        return self.sent.get(f"{self._member(index)} None")

    def _status(self, index: int) -> str:
        """How a member's end is recorded, also of a deleted one; "" of one that has none."""
        message = Message(uuid=self._member(index), task="work", expires=0)
        state = self.store.claim(message, token="look", lease=0, request_id="")
        if state.answer == ClaimAnswer.CLAIMED:
            self.store.release(message.uuid, "look")
        return state.status if state.answer == ClaimAnswer.ENDED else ""

    def _ended(self, index: int) -> bool:
        record = self.store.read(self._member(index))
        return (record is not None and record.ended) or self.store.deleted(self._member(index))

    # -- rules -----------------------------------------------------------------------------------------------------

    @initialize(
        total=st.integers(0, 5),
        on=st.sampled_from([SUCCESS, END]),
        chain=st.booleans(),
        stops=st.booleans(),
        course=COURSES,
    )
    def submit(self, total: int, on: str, chain: bool, stops: bool, course: Course) -> None:
        """A submitter, who may die."""
        self.is_chain = chain and total > 0
        self.total = total = min(total, SHARD) if self.is_chain else total  # a chain has one shard
        then = None if self.is_chain else Step(task="after")
        members = (Step(task="work"),) * total
        self.plan = Plan(
            total=total,
            members=members,
            chain=self.is_chain,
            stops=stops and not self.is_chain,
            then=then,
            on=on,
            deadline=DEADLINE,
        ).hashed()
        self._open(course)

    @rule(course=COURSES)
    def submit_again(self, course: Course) -> None:
        """The submitter once more, or another one."""
        self._open(course)

    def _open(self, course: Course) -> None:
        now = round(self.clock.now() * 1000)
        message = Message(
            uuid=self.uuid,
            task="group",
            created=now,
            expires=expires_after(now + DEADLINE * 1000),
            workflow=OPEN,
        )
        with self.process(course):
            self.workflows.open(message, self.plan)

    @rule(index=MEMBERS)
    def claim(self, index: int) -> None:
        """A worker begins a member."""
        if (message := self._message(index)) is not None:
            lease = round(self.clock.now() * 1000) + LEASE
            claim = self.store.claim(message, token=uuid4().hex, lease=lease, request_id="")
            if claim.answer == ClaimAnswer.CLAIMED:
                self.claims[index] = claim

    @rule(index=MEMBERS, status=st.sampled_from([SUCCEEDED, SUCCEEDED, FAILED, CANCELLED]))
    def end(self, index: int, status: str) -> None:
        """A worker records the end of a member, and dies before it counts it; or has lost it."""
        claim = self.claims.pop(index, None)
        if claim is None:
            return
        with suppress(LeaseLost):
            if status == SUCCEEDED:
                self.store.succeed(self._member(index), claim, Snapshot(seq=1), {})
            else:
                self.store.fail(self._member(index), claim, Snapshot(seq=1), WORKER_LOST, status=status)

    @rule(index=MEMBERS, course=COURSES)
    def count(self, index: int, course: Course) -> None:
        """A delivery of a member that has ended, the first after that or a late duplicate."""
        with self.process(course):
            self._count(index)

    @rule(index=MEMBERS, status=st.sampled_from([SUCCEEDED, FAILED]), course=COURSES)
    def run(self, index: int, status: str, course: Course) -> None:
        """A member runs, and is counted."""
        with self.process(course):
            self._run(index, status)

    @rule(index=MEMBERS, course=COURSES)
    def cancel_member(self, index: int, course: Course) -> None:
        """Somebody cancels a member."""
        with self.process(course), suppress(TaskNotFound, AlreadyFinished):
            self.workflows.cancelled(self.store.cancel(self._member(index)))

    @rule(index=MEMBERS, course=COURSES)
    def delete_member(self, index: int, course: Course) -> None:
        """Somebody deletes a member."""
        with self.process(course), suppress(TaskNotFound, NotFinished):
            self.store.delete(self._member(index), ending=self.workflows.ended)

    @rule(index=MEMBERS, course=COURSES)
    def dead_letter(self, index: int, course: Course) -> None:
        """The message of a member became a dead letter."""
        if (message := self._message(index)) is not None:
            with self.process(course):
                self.workflows.settle(message, WORKER_LOST)

    @rule(course=COURSES)
    def stop(self, course: Course) -> None:
        """Somebody cancels the group."""
        with self.process(course):
            self._stop()

    @rule(course=COURSES)
    def sweep(self, course: Course) -> None:
        """A worker sees to the group: at its deadline, after it was cancelled, or at some other time."""
        with self.process(course):
            self._sweep()

    @rule(seconds=st.sampled_from([1, 30, 61, 1_200, DEADLINE]))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.clock.move(seconds)

    def _run(self, index: int, status: str = SUCCEEDED) -> None:
        self.claim(index)
        self.end(index, status)
        self._count(index)

    def _count(self, index: int) -> None:
        message = self._message(index)
        status = self._status(index) if message is not None else ""
        if message is not None and message.member is not None and status:
            self.workflows.count({message.member: status})

    def _stop(self) -> None:
        with suppress(TaskNotFound, AlreadyFinished):
            self.workflows.cancelled(self.store.cancel(self.uuid))

    def _sweep(self) -> None:
        if (settle := self.sent.get(f"{self.uuid} {SETTLE}")) is not None:
            self.workflows.deliver(settle)

    # -- what must hold --------------------------------------------------------------------------------------------

    @precondition(lambda self: self.store.groups.get(self.uuid) is not None)
    @invariant()
    def progress_never_goes_back(self) -> None:
        """More and more members have ended, as the record tells."""
        record = self.store.read(self.uuid)
        assert record is not None
        assert record.progress >= self.progress
        self.progress = int(record.progress)

    @precondition(lambda self: self.store.groups.get(self.uuid) is not None)
    @invariant()
    def whoever_is_counted_has_ended(self) -> None:
        """No member is counted that may still run."""
        for shard in self.store.groups.shards(self.uuid, self.total):
            assert all(self._ended(index) for index in shard.indices(shard.ended))

    def teardown(self) -> None:
        """See that what was begun ends, by the sweep alone if need be."""
        self._course = []
        if self.store.groups.get(self.uuid) is None:
            assert not self.followed
            return
        assert f"{self.uuid} {SETTLE}" in self.sent, "a group without a deadline"
        self.clock.move(DEADLINE + LEASE)
        for _ in range(40):
            self._sweep()
            for index in range(self.total):
                self._count(index)
        group = self.store.groups.get(self.uuid)
        record = self.store.read(self.uuid)
        assert group is not None
        assert record is not None
        assert record.members is not None
        assert group.ended, "it never ends"
        statuses = [self._status(index) for index in range(self.total)]
        assert set(statuses) <= ENDED, "a member without an end"
        counted = Counter(statuses)
        assert record.members.ended == self.total
        assert record.members.succeeded == counted[SUCCEEDED]
        assert record.members.failed == counted[FAILED]
        self._check_followed(record, statuses)

    def _check_followed(self, record: Any, statuses: list[str]) -> None:
        if record.status == SUCCEEDED:
            assert statuses == [SUCCEEDED] * self.total
        if self.is_chain or not self._has_plan():
            assert not self.followed
        elif record.outputs:
            assert self.followed, "said to be followed, and is not"
        if record.status == SUCCEEDED and not self.is_chain:
            assert self.followed, "lost"
        if self.plan.on == END and record.status == FAILED and self._may_follow(record):
            assert self.followed, "lost"
        if self.plan.on == SUCCESS and set(statuses) - {SUCCEEDED}:
            assert not self.followed

    def _has_plan(self) -> bool:
        return self.store.job(self.uuid) is not None

    def _may_follow(self, record: Any) -> bool:
        """Return whether the group was neither cancelled nor closed without its plan."""
        closed_without = record.failure is not None and "its plan was never kept" in record.failure.message
        return self._has_plan() and not closed_without and not self.plan.stops and not self.is_chain


class FanInInTheTable(FanInMachine):
    """The same on DynamoDB."""

    def a_store(self) -> Store:
        """A new table."""
        return Table(session.client("dynamodb"), a_table(), self.clock, BucketBlobs(BUCKET))

    def blobs(self) -> BucketBlobs:
        """The bucket."""
        return BucketBlobs(BUCKET)


@contextmanager
def small_shards() -> Iterator[None]:
    with ExitStack() as stack:
        for module in (place, group_module, groups_module, settling):
            stack.enter_context(mock.patch.object(module, "SHARD_MEMBERS", SHARD))
        yield


@pytest.fixture(autouse=True)
def shards() -> Iterator[None]:
    with small_shards():
        yield


def test_the_fan_in_over_the_store_in_memory() -> None:
    run_state_machine_as_test(FanInMachine, settings=_settings(600 if LONG else 250))


def test_the_fan_in_over_the_table(aws: None) -> None:
    run_state_machine_as_test(FanInInTheTable, settings=_settings(30 if LONG else 8))


def _counts_without_settling(self: Any, group: Any, index: int, record: Any) -> tuple[str, int, bool]:
    return FAILED, 0, False


def _counts_before_the_end(self: Any, index: int) -> None:
    if (message := self._message(index)) is not None and message.member is not None:
        self.workflows.count({message.member: SUCCEEDED})


def _deletes_as_failed(self: Any, record: Any) -> None:
    job = self._store.job(record.uuid)
    if job is not None and job.member is not None:
        self.count({job.member: FAILED})


def _closes_first(self: Any, group: Any) -> None:
    real = self._send_continuation
    with mock.patch.object(self, "_send_continuation", return_value=None):
        _close(self, group)
    plan, _ = self.plan_of(group)
    if plan is not None and plan.then is not None:
        real(group, plan.then)


_close = FanIn.close


@pytest.mark.parametrize(
    ("owner", "name", "broken"),
    [
        (settling.Settling, "_settle_member", _counts_without_settling),
        (FanInMachine, "_count", _counts_before_the_end),
        (Workflows, "ended", _deletes_as_failed),
        (FanIn, "close", _closes_first),
        (memory, "shard_filled", lambda shard: groups_module.Change()),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_machine_sees_what_it_is_for(owner: Any, name: str, broken: Callable[..., Any]) -> None:
    quick = settings(_settings(250), phases=[Phase.generate], report_multiple_bugs=False)
    with mock.patch.object(owner, name, broken), pytest.raises(AssertionError):
        run_state_machine_as_test(FanInMachine, settings=quick)
