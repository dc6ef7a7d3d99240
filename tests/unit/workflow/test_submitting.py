"""Submitting a group: it may be cut short at any call, and submitted again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from serverless_tasks.engine.job.place import member_id
from serverless_tasks.engine.job.plan import Plan
from serverless_tasks.engine.job.record import Members
from serverless_tasks.errors import (
    AwsError,
    ConfigurationError,
    IdempotencyConflict,
    SubmitFailed,
    SubmitUncertain,
)
from serverless_tasks.testing import RecordedTasks
from serverless_tasks.workflow import chain, group, previous, results
from tests.unit.workflow.tasks import Pages, Repeat, Square, Total

MEMBERS = 3


class Killed(BaseException):
    """The process is gone."""


def album(*numbers: int) -> Any:
    members = [Square.signature(n=number) for number in numbers or range(MEMBERS)]
    return group(members).then(Total.signature(numbers=results["square"]))


@contextmanager
def each_call(
    jobs: RecordedTasks, before: Callable[[int], None], after: Callable[[int], None]
) -> Iterator[list[str]]:
    """Number the calls that submitting makes; of several messages each is one."""
    calls: list[str] = []
    store, groups = jobs.services.store, jobs.services.store.groups
    with pytest.MonkeyPatch.context() as patched:

        def wrap(owner: Any, name: str) -> None:
            real = getattr(owner, name)

            def call(*given: Any, **named: Any) -> Any:
                number = len(calls)
                calls.append(name)
                before(number)
                answer = real(*given, **named)
                after(number)
                return answer

            patched.setattr(owner, name, call)

        for owner, names in ((groups, ("open", "count", "fill", "close")), (store, ("put_jobs",))):
            for name in names:
                wrap(owner, name)
        one = jobs.publish

        def publish(messages: Any) -> Any:
            errors: list[Any] = []
            for message in messages:
                number = len(calls)
                calls.append("publish")
                before(number)
                with pytest.MonkeyPatch.context() as plain:
                    plain.setattr(store, "put_jobs", type(store).put_jobs.__get__(store))
                    errors += one([message])
                after(number)
            return errors

        patched.setattr(jobs, "publish", publish)
        yield calls


def nothing(number: int) -> None:
    pass


def calls_of_a_submit(jobs: RecordedTasks) -> list[str]:
    with each_call(jobs, nothing, nothing) as calls:
        album().submit()
    return calls


def test_the_deadline_is_sent_before_the_group_and_that_before_its_members(jobs: RecordedTasks) -> None:
    assert calls_of_a_submit(jobs) == ["publish", "open", "put_jobs", *["publish"] * MEMBERS]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("at", range(6))
def test_a_submitter_that_is_killed_and_submits_again_sends_what_is_missing(
    jobs: RecordedTasks, at: int, when: str
) -> None:
    uuid = str(uuid4())
    _submit_and_die(jobs, uuid, at, when)
    handle = album().options(uuid=uuid).submit()
    sent = [message.uuid for message in jobs.submitted if message.member is not None]
    assert {*sent} == {member_id(uuid, index) for index in range(MEMBERS)}
    jobs.drain()
    assert (handle.refresh().status, handle.members) == (
        "succeeded",
        Members(total=MEMBERS, succeeded=MEMBERS),
    )
    assert handle.continuation.outputs == {"total": 5, "missing": 0}
    assert [message.task for message in jobs.submitted].count("total") == 1


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("at", range(6))
def test_one_that_never_comes_back_leaves_a_group_that_ends_at_its_deadline(
    jobs: RecordedTasks, at: int, when: str
) -> None:
    uuid = str(uuid4())
    _submit_and_die(jobs, uuid, at, when)
    jobs.drain()
    record = jobs.services.store.read(uuid)
    if (at, when) in ((0, "before"), (0, "after"), (1, "before")):
        assert record is None
        return
    assert record is not None
    assert record.members is not None
    assert record.members.ended == MEMBERS
    if (at, when) == (5, "after"):
        assert record.status == "succeeded"
    else:
        assert (record.status, record.error and record.error["type"]) == ("failed", "Incomplete")


def _submit_and_die(jobs: RecordedTasks, uuid: str, at: int, when: str) -> None:
    def die(number: int) -> None:
        if number == at:
            raise Killed

    hooks = (die, nothing) if when == "before" else (nothing, die)
    with each_call(jobs, *hooks), pytest.raises(Killed):
        album().options(uuid=uuid).submit()


@pytest.mark.parametrize("at", range(7))
def test_two_submitters_at_once_make_one_group(jobs: RecordedTasks, at: int) -> None:
    uuid = str(uuid4())
    others: list[Any] = []

    def meanwhile(number: int) -> None:
        if number == at and not others:
            others.append(album().options(uuid=uuid).submit())

    with each_call(jobs, meanwhile, nothing):
        handle = album().options(uuid=uuid).submit()
    jobs.drain()
    assert handle.refresh().members == Members(total=MEMBERS, succeeded=MEMBERS)
    assert [message.task for message in jobs.submitted].count("total") == 1
    assert all(jobs.record(member_id(uuid, index)).attempt == 1 for index in range(MEMBERS))


def test_members_that_are_there_are_not_sent_again(jobs: RecordedTasks) -> None:
    uuid = str(uuid4())
    album().options(uuid=uuid).submit()
    before = len(jobs.submitted)
    album().options(uuid=uuid).submit()
    assert [message.member for message in jobs.submitted[before:]] == [None]  # the deadline


def test_the_same_id_with_other_members_conflicts(jobs: RecordedTasks) -> None:
    uuid = str(uuid4())
    album(1, 2).options(uuid=uuid).submit()
    with pytest.raises(IdempotencyConflict):
        album(1, 3).options(uuid=uuid).submit()


def test_another_owner_does_not_take_part_in_a_group_whose_id_it_has_guessed(jobs: RecordedTasks) -> None:
    uuid = str(uuid4())
    album().options(uuid=uuid, owner="ada").submit()
    with pytest.raises(IdempotencyConflict):
        album().options(uuid=uuid, owner="eve").submit()


def test_the_id_of_a_job_that_is_no_group_conflicts(jobs: RecordedTasks) -> None:
    plain = Square.submit(n=1)
    jobs.drain()
    with pytest.raises(IdempotencyConflict):
        album().options(uuid=plain.uuid).submit()


def test_a_deleted_group_stays_deleted_when_it_is_submitted_again(jobs: RecordedTasks) -> None:
    handle = album().submit()
    jobs.drain()
    jobs.services.delete(handle.uuid)
    album().options(uuid=handle.uuid).submit()
    jobs.drain()
    assert jobs.services.store.read(handle.uuid) is None
    assert jobs.services.store.read(member_id(handle.uuid, 0)) is None


class TestKeys:
    def test_the_same_key_is_the_same_group(self, jobs: RecordedTasks) -> None:
        first = album().options(idempotency_key="june").submit()
        again = album().options(idempotency_key="june").submit()
        assert again.uuid == first.uuid
        assert again.repeated
        jobs.drain()
        assert again.refresh().members == Members(total=MEMBERS, succeeded=MEMBERS)

    @pytest.mark.parametrize("at", range(6))
    def test_missing_members_are_sent_under_the_same_key(self, jobs: RecordedTasks, at: int) -> None:
        def die(number: int) -> None:
            if number == at:
                raise Killed

        with each_call(jobs, die, nothing), pytest.raises(Killed):
            album().options(idempotency_key="june").submit()
        handle = album().options(idempotency_key="june").submit()
        jobs.drain()
        assert handle.refresh().members == Members(total=MEMBERS, succeeded=MEMBERS)

    def test_other_members_conflict(self, jobs: RecordedTasks) -> None:
        album(1, 2).options(idempotency_key="june").submit()
        with pytest.raises(IdempotencyConflict):
            album(1, 3).options(idempotency_key="june").submit()

    def test_it_counts_for_its_owner_alone(self, jobs: RecordedTasks) -> None:
        one = album().options(idempotency_key="june", owner="ada").submit()
        two = album().options(idempotency_key="june", owner="eve").submit()
        assert one.uuid != two.uuid

    def test_a_group_that_has_ended_is_given_back(self, jobs: RecordedTasks) -> None:
        first = album().options(idempotency_key="june").submit()
        jobs.drain()
        sent = len(jobs.submitted)
        again = album().options(idempotency_key="june").submit()
        assert (again.status, again.repeated, len(jobs.submitted)) == ("succeeded", True, sent)
        assert again.members == first.refresh().members


class TestErrors:
    @pytest.mark.parametrize("applied", [False, True])
    def test_what_is_certain_of_the_first_write_is_told(
        self, jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch, applied: bool
    ) -> None:
        def fails(state: object) -> None:
            raise AwsError("dynamodb.PutItem", "Timeout", "no answer", applied=applied)

        monkeypatch.setattr(jobs.services.store.groups, "open", fails)
        uuid = str(uuid4())
        with pytest.raises(SubmitUncertain if applied else SubmitFailed) as raised:
            album().options(uuid=uuid).submit()
        assert uuid in str(raised.value)

    def test_a_deadline_that_may_have_been_sent_is_nothing_of_the_group(
        self, jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def uncertain(messages: list[Any]) -> list[Any]:
            return [SubmitUncertain(message.uuid, "no answer") for message in messages]

        monkeypatch.setattr(jobs, "publish", uncertain)
        with pytest.raises(SubmitFailed):
            album().submit()
        assert jobs._store._items == {}

    @pytest.mark.parametrize(
        "error", [SubmitFailed("Job was not sent"), SubmitUncertain(str(uuid4()), "no answer")]
    )
    def test_members_of_which_some_were_not_sent_make_the_group_uncertain(
        self, jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch, error: Exception
    ) -> None:
        real, uuid = jobs.publish, str(uuid4())

        def partly(messages: list[Any]) -> list[Any]:
            if messages[0].member is None:
                return real(messages)
            return [*real(messages[:1]), *[error] * (len(messages) - 1)]

        with monkeypatch.context() as broken:
            broken.setattr(jobs, "publish", partly)
            with pytest.raises(SubmitUncertain) as raised:
                album().options(uuid=uuid).submit()
        assert raised.value.uuid == uuid
        album().options(uuid=uuid).submit()
        jobs.drain()
        assert jobs.record(uuid).status == "succeeded"

    def test_members_that_may_not_have_been_sent_are_sent_again_as_they_were(
        self, jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real, uuid = jobs.publish, str(uuid4())

        def doubtful(messages: list[Any]) -> list[Any]:
            if messages[0].member is None:
                return real(messages)
            jobs.services.store.put_jobs([replace(message, uncertain=True) for message in messages])
            return [SubmitUncertain(message.uuid, "no answer") for message in messages]

        with monkeypatch.context() as broken:
            broken.setattr(jobs, "publish", doubtful)
            with pytest.raises(SubmitUncertain):
                album().options(uuid=uuid).submit()
        created = jobs.record(uuid).created
        jobs.move(3600)
        album().options(uuid=uuid).submit()
        sent = [message for message in jobs.submitted if message.member is not None]
        assert len(sent) == MEMBERS
        assert {message.created for message in sent} == {created}
        jobs.drain()
        assert jobs.record(uuid).status == "succeeded"

    def test_settings_that_are_missing_are_told_before_anything_is_sent(
        self, jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        checked: set[tuple[str, int]] = set()

        def check(messages: list[Any]) -> None:
            checked.update((message.queue, message.delay(jobs.clock.now())) for message in messages)
            raise ConfigurationError("no queue 'low'")

        monkeypatch.setattr(jobs, "check_delays", check)
        inner = chain(Square.options(queue="low").signature(n=1), Repeat.signature(text="x"))
        late = Repeat.options(queue="high", delay=7200).signature(text="y")
        with pytest.raises(ConfigurationError):
            group(inner, Square.signature(n=2), deadline=600).then(late).submit()
        assert checked == {("default", 600), ("low", 0), ("default", 0), ("high", 7200)}
        jobs.assert_nothing_submitted()

    def test_a_continuation_that_can_never_be_sent_ends_the_group(
        self, jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        handle = album().submit()
        real = jobs.publish

        def refused(messages: list[Any]) -> list[Any]:
            if messages[0].task == "total":
                return [ConfigurationError("no queue 'low'")]
            return real(messages)

        monkeypatch.setattr(jobs, "publish", refused)
        for message in [message for message in jobs.submitted if message.member is not None]:
            try:
                jobs.services.runner.execute(message)
            except ConfigurationError:
                assert handle.refresh().members.ended == MEMBERS
        assert handle.refresh().status == "running"  # a deployment may mend it
        jobs._queue = [delivery for delivery in jobs._queue if delivery.message.workflow]
        jobs.drain()
        assert handle.refresh().error == {
            "type": "ContinuationNotSent",
            "message": "The job that follows the group could not be sent: no queue 'low'",
        }


def test_the_plan_of_a_group_keeps_no_member_and_that_of_a_chain_not_the_first_inputs(
    jobs: RecordedTasks,
) -> None:
    handle = album().submit()
    steps = chain(Repeat.signature(text="first"), Repeat.signature(text=previous["result"])).submit()
    store = jobs.services.store
    plan, line = Plan.of(store.job(handle.uuid).inputs), Plan.of(store.job(steps.uuid).inputs)
    assert (plan.members, plan.then.task) == ((), "total")
    assert [step.inputs for step in line.members] == [{}, {}]


def test_a_group_of_two_thousand_is_counted_in_ten_shards(jobs: RecordedTasks) -> None:
    handle = (
        group(Square.signature(n=20) for _ in range(2_000))
        .then(Pages.options(delay=DAY).signature())
        .submit()
    )
    jobs.run_due()
    assert handle.refresh().members == Members(total=2_000, succeeded=2_000)
    assert len(jobs.services.store.groups.get(handle.uuid).full) == 10
    assert handle.continuation is not None


DAY = 86_400


def test_the_members_have_the_build_that_submitted_the_group(jobs: RecordedTasks) -> None:
    jobs.services.config = replace(jobs.services.config, build="A")
    album(1, 2).submit()
    members = [message for message in jobs.submitted if message.member is not None]
    assert [message.build for message in members] == ["A", "A"]
