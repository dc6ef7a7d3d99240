"""A member whose unique place is taken is a job of its own, and ends as the one that has the place."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest

from serverless_tasks import AlreadyRunning
from serverless_tasks.engine.job.place import member_id
from serverless_tasks.engine.job.record import Members
from serverless_tasks.errors import AwsError, SubmitFailed, WorkflowError
from serverless_tasks.testing import RecordedTasks
from serverless_tasks.workflow import chain, group, previous
from tests.unit.workflow.tasks import UNLUCKY, Only, Square

HOUR = 3600


def ids(uuid: str, count: int) -> list[str]:
    return [member_id(uuid, index) for index in range(count)]


def test_the_same_inputs_twice_in_a_group_run_once_and_both_end_so(jobs: RecordedTasks) -> None:
    handle = group(Only.signature(n=1), Only.signature(n=2), Only.signature(n=1)).submit()
    jobs.drain()
    assert Only.runs == [1, 2]
    assert handle.refresh().members == Members(total=3, succeeded=3)
    assert list(handle.results()) == [{"run": 1}, {"run": 2}, {"run": 1}]


def test_one_that_follows_a_job_outside_ends_as_that_does(jobs: RecordedTasks) -> None:
    holder = Only.options(delay=HOUR).submit(n=UNLUCKY)
    handle = group(Only.signature(n=UNLUCKY)).submit()
    jobs.drain()
    assert Only.runs == [UNLUCKY]
    assert handle.refresh().members == Members(total=1, failed=1)
    record = jobs.record(member_id(handle.uuid, 0))
    assert record.error == holder.refresh().error
    assert record.uuid != holder.uuid


def test_a_retried_member_follows_the_job_that_has_its_place(jobs: RecordedTasks) -> None:
    handle = group(Only.signature(n=UNLUCKY)).submit()
    jobs.drain()
    holder = Only.options(delay=HOUR).submit(n=UNLUCKY)
    again = handle.refresh().retry_failed()  # type: ignore[attr-defined]
    jobs.drain()
    assert Only.runs == [UNLUCKY, UNLUCKY]  # the group's first, and the holder's
    assert jobs.record(member_id(again.uuid, 0)).error == holder.refresh().error
    assert again.refresh().members == Members(total=1, failed=1)


def test_one_that_follows_a_cancelled_job_is_cancelled(jobs: RecordedTasks) -> None:
    holder = Only.options(delay=HOUR).submit(n=1)
    handle = group(Only.signature(n=1)).submit()
    jobs.run_due()
    holder.cancel()
    jobs.drain()
    assert Only.runs == []
    assert handle.refresh().members == Members(total=1, cancelled=1)


def test_nothing_is_written_to_the_job_that_is_followed(jobs: RecordedTasks) -> None:
    holder = Only.options(delay=HOUR).submit(n=1)
    before = dict(jobs._store._items[holder.uuid])
    group(Only.signature(n=1)).submit()
    jobs.run_due()
    jobs.move(60)
    jobs.run_due()
    assert jobs._store._items[holder.uuid] == before


def test_the_pauses_grow_from_five_seconds_to_a_quarter_of_an_hour_and_no_attempt_is_counted(
    jobs: RecordedTasks,
) -> None:
    holder = Only.options(delay=5 * HOUR).submit(n=1)
    handle = group(Only.signature(n=1)).submit()
    (member,) = ids(handle.uuid, 1)
    pauses: list[float] = []
    while not holder.refresh().record.ended:
        for outcome in jobs.run_due():
            if outcome.give_back is not None:
                pauses.append(outcome.give_back)
                assert jobs.record(member).attempt == 0
        jobs.move(min(delivery.due for delivery in jobs._queue) - jobs.clock.now())
    assert pauses[:9] == [5, 5, 10, 20, 40, 80, 160, 320, 640]
    assert set(pauses[9:]) == {900}
    assert len(pauses) < 30
    jobs.drain()
    assert handle.refresh().status == "succeeded"


def test_a_long_wait_does_not_use_up_the_deliveries_of_one_message(jobs: RecordedTasks) -> None:
    holder = Only.options(delay=6 * 24 * HOUR).submit(n=1)
    handle = group(Only.signature(n=1), deadline=10 * 24 * HOUR).submit()
    (member,) = ids(handle.uuid, 1)
    received = longest = 0
    last = None
    while not holder.refresh().record.ended:
        jobs.move(min(delivery.due for delivery in jobs._queue) - jobs.clock.now())
        for outcome in jobs.run_due():
            if outcome.status == "waiting":
                sent = [message.uuid for message in jobs.submitted].count(member)
                received = received + 1 if sent == last else 1
                last, longest = sent, max(longest, received)
        assert jobs.record(member).status == "pending"
    assert longest < 100
    jobs.drain()
    assert jobs.record(member).outputs == {"run": 1}
    assert handle.refresh().status == "succeeded"


def test_one_that_cannot_be_sent_anew_goes_back(jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch) -> None:
    Only.options(delay=48 * HOUR).submit(n=1)
    handle = group(Only.signature(n=1)).submit()
    (message,) = [sent for sent in jobs.submitted if sent.member is not None]
    jobs.move(13 * HOUR)

    def fails(messages: object) -> None:
        raise SubmitFailed("it was not sent")

    monkeypatch.setattr(jobs, "publish", fails)
    assert jobs.services.runner.execute(message).give_back == 900
    assert handle.refresh().status == "running"


def test_a_deleted_holder_lets_the_job_run_by_itself(jobs: RecordedTasks) -> None:
    holder = Only.options(delay=HOUR).submit(n=1)
    handle = group(Only.signature(n=1)).submit()
    jobs.run_due()
    holder.cancel()
    jobs.services.delete(holder.uuid)
    jobs.move(5)
    jobs.run_due()
    assert Only.runs == [1]
    assert handle.refresh().members == Members(total=1, succeeded=1)


def test_a_holder_of_which_nothing_is_known_is_waited_for_a_quarter_of_an_hour(jobs: RecordedTasks) -> None:
    handle = group(Only.signature(n=1)).submit()
    (message,) = [sent for sent in jobs.submitted if sent.member is not None]
    follower = replace(message, follows=str(uuid4()))
    assert jobs.services.runner.execute(follower).status == "waiting"
    jobs.move(899)
    assert jobs.services.runner.execute(follower).status == "waiting"
    jobs.move(2)
    assert jobs.services.runner.execute(follower).status == "succeeded"
    assert handle.refresh().status == "succeeded"


def test_one_whose_group_is_cancelled_waits_no_longer(jobs: RecordedTasks) -> None:
    Only.options(delay=HOUR).submit(n=1)
    handle = group(Only.signature(n=1)).submit()
    jobs.run_due()
    handle.cancel()
    jobs.run_due()
    assert handle.refresh().members == Members(total=1, cancelled=1)
    (message,) = [sent for sent in jobs.submitted if sent.member is not None]
    assert jobs.services.runner.execute(message).status == "ended"
    assert Only.runs == []


def test_one_that_a_worker_has_before_the_sweep_of_a_cancelled_group_waits_no_longer(
    jobs: RecordedTasks,
) -> None:
    Only.options(delay=HOUR).submit(n=1)
    handle = group(Only.signature(n=1)).submit()
    (message,) = [sent for sent in jobs.submitted if sent.member is not None]
    jobs.services.store.cancel(handle.uuid)
    assert jobs.services.runner.execute(message).status == "cancelled"
    assert handle.refresh().status == "cancelled"


def test_one_that_has_ended_is_done_with_although_the_other_goes_on(jobs: RecordedTasks) -> None:
    Only.options(delay=HOUR).submit(n=1)
    handle = group(Only.signature(n=1)).submit()
    (message,) = [sent for sent in jobs.submitted if sent.member is not None]
    jobs.services.store.cancel(message.uuid)  # and whoever did it dies
    assert jobs.services.runner.execute(message).status == "ended"
    assert handle.refresh().members == Members(total=1, cancelled=1)


def test_a_job_of_another_owner_is_not_followed_and_no_place_stays_taken(jobs: RecordedTasks) -> None:
    Only.options(delay=HOUR, owner="eve").submit(n=2)
    with pytest.raises(AlreadyRunning):
        group(Only.signature(n=1), Only.signature(n=2)).options(owner="ada").submit()
    assert Only.options(owner="eve").submit(n=1).repeated is False


def test_a_group_that_is_submitted_again_has_its_own_places(jobs: RecordedTasks) -> None:
    uuid = str(uuid4())
    for _ in range(2):
        handle = group(Only.signature(n=1), Only.signature(n=2)).options(uuid=uuid).submit()
    jobs.drain()
    assert sorted(Only.runs) == [1, 2]
    assert handle.refresh().members == Members(total=2, succeeded=2)


def test_the_place_is_free_once_the_member_has_ended(jobs: RecordedTasks) -> None:
    group(Only.signature(n=1)).submit()
    jobs.drain()
    assert Only.submit(n=1).repeated is False


def test_unique_false_asks_for_no_place(jobs: RecordedTasks) -> None:
    same = Only.options(unique=False).signature(n=1)
    group(same, same).submit()
    jobs.drain()
    assert Only.runs == [1, 1]


def test_unique_with_references_is_refused(jobs: RecordedTasks) -> None:
    with pytest.raises(WorkflowError, match=r"options\(unique=False\)"):
        chain(Square.signature(n=1), Only.signature(n=previous["square"])).submit()


def test_a_store_that_cannot_be_asked_brings_the_message_back(
    jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    Only.options(delay=HOUR).submit(n=1)
    group(Only.signature(n=1)).submit()
    (message,) = [sent for sent in jobs.submitted if sent.member is not None]

    def fails(*given: object, **named: object) -> None:
        raise AwsError("dynamodb.BatchGetItem", "Throttled", "again", applied=False)

    monkeypatch.setattr(jobs.services.store, "read_many", fails)
    with pytest.raises(AwsError):
        jobs.services.runner.execute(message)
