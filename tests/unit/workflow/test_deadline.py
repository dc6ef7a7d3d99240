"""The deadline: every member has an end, whoever died, and nothing is counted before it has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from serverless_tasks.engine.job.message import OPEN, SETTLE, Message, inputs_key
from serverless_tasks.engine.job.place import continuation_id, member_id
from serverless_tasks.engine.job.record import WORKER_LOST, Members
from serverless_tasks.errors import ServerlessTasksError
from serverless_tasks.testing import RecordedTasks
from serverless_tasks.workflow import chain, group, results
from tests.unit.workflow.tasks import Repeat, Square, Total

DAY = 86_400


def lose(jobs: RecordedTasks, *uuids: str) -> None:
    """Let messages that wait be lost."""
    jobs._queue = [delivery for delivery in jobs._queue if delivery.message.uuid not in uuids]


def only_deadline(jobs: RecordedTasks) -> None:
    jobs._queue = [delivery for delivery in jobs._queue if delivery.message.workflow == SETTLE]


def test_what_has_not_begun_by_then_has_failed_and_the_group_goes_on(jobs: RecordedTasks) -> None:
    late = Square.options(delay=2 * DAY).signature(n=2)
    handle = (
        group(Square.signature(n=1), late, deadline=DAY)
        .then(Total.signature(numbers=results["square"]), on="end")
        .submit()
    )
    jobs.drain()
    assert handle.refresh().members == Members(total=2, succeeded=1, failed=1)
    record = jobs.record(member_id(handle.uuid, 1))
    assert record.error is not None
    assert record.error["type"] == "Expired"
    assert handle.continuation.outputs == {"total": 1, "missing": 1}


def test_a_member_under_a_live_lease_is_left_to_its_worker_and_looked_at_again(jobs: RecordedTasks) -> None:
    handle = group(Square.signature(n=1), Square.signature(n=2), deadline=60).submit()
    first, second = [message for message in jobs.submitted if message.member is not None]
    now = round(jobs.clock.now() * 1000)
    jobs.services.store.claim(first, token="t", lease=now + 300_000, request_id="")
    only_deadline(jobs)
    jobs.move(61)
    (outcome,) = jobs.run_due()
    assert (outcome.status, outcome.give_back) == ("waiting", 240)
    assert handle.refresh().members == Members(total=2, failed=1)
    claimed = jobs.services.store.claim(first, token="t", lease=now + 300_000, request_id="")
    assert claimed.answer == "busy"
    jobs.move(241)
    jobs.run_due()
    assert handle.refresh().members == Members(total=2, failed=2)
    assert second.uuid


def test_a_late_member_that_ends_after_the_sweep_is_counted_by_what_is_recorded(jobs: RecordedTasks) -> None:
    handle = group(Square.signature(n=1), Square.signature(n=2), deadline=60).submit()
    first, second = [message for message in jobs.submitted if message.member is not None]
    only_deadline(jobs)
    jobs.services.runner.execute(first, count=lambda place, status: None)  # recorded, and the worker dies
    jobs.move(61)
    jobs.run_due()
    assert handle.refresh().members == Members(total=2, succeeded=1, failed=1)
    assert jobs.services.runner.execute(second).status == "ended"
    assert handle.refresh().members == Members(total=2, succeeded=1, failed=1)


def test_members_that_were_never_sent_make_it_incomplete(jobs: RecordedTasks) -> None:
    handle = group([Square.signature(n=n) for n in range(4)]).submit()
    for index in (1, 3):  # as if the submitter had died before
        lose(jobs, member_id(handle.uuid, index))
        del jobs._store._items[member_id(handle.uuid, index)]
    jobs.drain()
    assert handle.refresh().error == {
        "type": "Incomplete",
        "message": "2 of 4 members were never sent: 1, 3.",
    }


def test_a_sweep_that_was_cut_short_still_says_that_it_was_incomplete(
    jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = group(Square.signature(n=1), Square.signature(n=2)).submit()
    uuid = member_id(handle.uuid, 1)
    lose(jobs, uuid)
    del jobs._store._items[uuid]
    jobs.run_due()
    jobs.move(5 * DAY)
    (settle,) = [delivery.message for delivery in jobs._queue]
    with monkeypatch.context() as cut:
        cut.setattr(jobs.services.store.groups, "count", None)
        with pytest.raises(TypeError):
            jobs.services.runner.execute(settle)
    assert jobs.record(uuid).status == "failed"
    jobs.run_due()
    assert handle.refresh().error is not None
    assert handle.error["type"] == "Incomplete"


def test_a_chain_whose_first_step_was_never_sent_is_incomplete(jobs: RecordedTasks) -> None:
    handle = chain(Square.signature(n=1), Square.signature(n=2)).submit()
    uuid = member_id(handle.uuid, 0)
    lose(jobs, uuid)
    del jobs._store._items[uuid]
    jobs.drain()
    assert handle.refresh().error is not None
    assert handle.error["type"] == "Incomplete"
    assert handle.members == Members(total=2, failed=1, cancelled=1)


def test_a_chain_stops_at_its_deadline(jobs: RecordedTasks) -> None:
    handle = chain(Square.signature(n=1), Square.options(delay=2 * DAY).signature(n=2), deadline=DAY).submit()
    jobs.drain()
    assert handle.refresh().members == Members(total=2, succeeded=1, failed=1)


def test_a_chain_whose_next_step_was_never_sent_ends_at_its_deadline(jobs: RecordedTasks) -> None:
    handle = chain([Square.signature(n=n) for n in range(3)]).submit()
    (first,) = [message for message in jobs.submitted if message.member is not None]
    jobs.services.runner.execute(first, count=lambda place, status: None)
    only_deadline(jobs)
    jobs.drain()
    assert handle.refresh().members == Members(total=3, succeeded=1, cancelled=2)
    assert handle.status == "failed"


def test_a_group_that_was_counted_and_not_closed_is_closed(
    jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = group(Square.signature(n=1)).then(Repeat.signature(text="x")).submit()
    (message,) = [sent for sent in jobs.submitted if sent.member is not None]
    with monkeypatch.context() as dying:
        dying.setattr(jobs.services.store.groups, "shards", None)
        with pytest.raises(TypeError):
            jobs.services.runner.execute(message)
    only_deadline(jobs)  # nobody delivers it again
    jobs.drain()
    assert handle.refresh().status == "succeeded"
    assert handle.continuation is not None


def test_a_shard_that_was_full_and_not_noted_is_noted(
    jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = group(Square.signature(n=1)).submit()
    (message,) = [sent for sent in jobs.submitted if sent.member is not None]
    with monkeypatch.context() as dying:
        dying.setattr(jobs.services.store.groups, "fill", None)
        with pytest.raises(TypeError):
            jobs.services.runner.execute(message)
    only_deadline(jobs)
    jobs.drain()
    assert handle.refresh().status == "succeeded"


def test_a_sweep_before_its_time_does_nothing(jobs: RecordedTasks) -> None:
    handle = group(Square.options(delay=60).signature(n=1)).submit()
    (settle,) = [message for message in jobs.submitted if message.workflow == SETTLE]
    outcome = jobs.services.runner.execute(settle)
    assert outcome.give_back == 39_600
    assert handle.refresh().members.ended == 0


def test_a_sweep_that_comes_before_its_group_waits_for_it_and_not_for_one_that_was_deleted(
    jobs: RecordedTasks,
) -> None:
    handle = group(Square.signature(n=1)).submit()
    (settle,) = [message for message in jobs.submitted if message.workflow == SETTLE]
    early = replace(settle, uuid="2f1a5f0e-9f4b-4d52-8d8d-5a7d3f1f0c11")
    assert jobs.services.runner.execute(early).give_back == 30
    jobs.drain()
    jobs.services.delete(handle.uuid)
    assert jobs.services.runner.execute(settle).give_back is None
    jobs.move(901)
    assert jobs.services.runner.execute(early).give_back is None


def test_an_inner_group_is_ended_by_its_own_deadline_before_the_outer_one(jobs: RecordedTasks) -> None:
    handle = group(group(Square.options(delay=2 * DAY).signature(n=1)), deadline=DAY).submit()
    jobs.drain()
    assert handle.refresh().members == Members(total=1, failed=1)
    inner = jobs.record(member_id(handle.uuid, 0))
    assert inner.members == Members(total=1, failed=1)
    assert inner.finished is not None
    assert handle.record.finished is not None
    assert inner.finished < handle.record.created + DAY * 1000


def test_an_inner_group_whose_deadline_was_lost_is_seen_to_by_the_outer_one(jobs: RecordedTasks) -> None:
    handle = group(group(Square.options(delay=2 * DAY).signature(n=1)), deadline=DAY).submit()
    jobs.run_due()
    inner = member_id(handle.uuid, 0)
    lose(jobs, inner)
    jobs.drain()
    assert handle.refresh().members == Members(total=1, failed=1)
    assert handle.record.finished is not None
    assert handle.record.finished < handle.record.created + (DAY + 1000) * 1000


def test_a_group_whose_message_was_given_back_unopened_is_opened_later(jobs: RecordedTasks) -> None:
    handle = group(group(Square.signature(n=1)), Square.signature(n=2)).submit()
    (inner,) = [message for message in jobs.submitted if message.workflow == OPEN]
    jobs.services.store.returned(inner, WORKER_LOST)  # tasks that could not be loaded, for instance
    jobs.drain()
    assert handle.refresh().members == Members(total=2, succeeded=2)


def test_one_that_is_opened_after_it_was_settled_opens_nothing_and_is_counted(jobs: RecordedTasks) -> None:
    handle = group(group(Square.signature(n=1)), Square.signature(n=2)).submit()
    (inner,) = [message for message in jobs.submitted if message.workflow == OPEN]
    jobs.services.store.settle(inner, WORKER_LOST)  # and whoever did it dies
    jobs.drain()
    assert handle.refresh().members == Members(total=2, succeeded=1, failed=1)
    assert member_id(inner.uuid, 0) not in [message.uuid for message in jobs.submitted]


def test_nothing_follows_twice_however_often_it_is_closed(jobs: RecordedTasks) -> None:
    handle = group(Square.signature(n=1)).then(Repeat.signature(text="x")).submit()
    (settle,) = [message for message in jobs.submitted if message.workflow == SETTLE]
    jobs.drain()
    for _ in range(3):
        jobs.services.runner.execute(settle)
    assert [message.uuid for message in jobs.submitted].count(continuation_id(handle.uuid)) == 1


@pytest.fixture
def unread_plan(jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Let the bucket give no plan: it is gone, or may not be read."""
    job = jobs.services.store.job

    def without_inputs(uuid: str) -> Message | None:
        found = job(uuid)
        if found is None or found.workflow is None:
            return found
        return replace(found, inputs={}, inputs_key=inputs_key(uuid))

    with monkeypatch.context() as patch:
        patch.setattr(jobs.services.store, "job", without_inputs)
        yield patch


def test_a_plan_that_cannot_be_read_now_loses_no_continuation(
    jobs: RecordedTasks, unread_plan: pytest.MonkeyPatch
) -> None:
    handle = group(Square.signature(n=1), deadline=60).then(Square.signature(n=2)).submit()
    member = next(message for message in jobs.submitted if message.member is not None)
    with pytest.raises(ServerlessTasksError, match=r"plan of group .* cannot be read"):
        jobs.run_due()
    assert handle.refresh().status == "running"
    unread_plan.undo()
    jobs.services.runner.execute(member)
    jobs.run_due()
    assert handle.refresh().continuation.outputs == {"square": 4}


def test_one_that_cannot_be_read_by_the_deadline_is_gone(
    jobs: RecordedTasks, unread_plan: pytest.MonkeyPatch
) -> None:
    handle = group(Square.signature(n=1), deadline=60).then(Square.signature(n=2)).submit()
    with pytest.raises(ServerlessTasksError):
        jobs.run_due()
    jobs.move(61)
    jobs.run_due()
    record = handle.refresh().record
    assert record.failure is not None
    assert (record.status, record.failure.type) == ("failed", "InputsUnavailable")
