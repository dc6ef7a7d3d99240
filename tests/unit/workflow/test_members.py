"""A member ends in one recorded state, however it ends, and is counted as that says."""

from __future__ import annotations

from typing import Any

import pytest

from serverless_tasks import TaskClient
from serverless_tasks.engine.job.message import RETENTION
from serverless_tasks.engine.job.place import continuation_id, member_id
from serverless_tasks.engine.job.record import WORKER_LOST, Failure, Members
from serverless_tasks.errors import AwsError, WorkflowError
from serverless_tasks.testing import RecordedTasks
from serverless_tasks.workflow import chain, group, previous, results
from tests.unit.workflow.tasks import UNLUCKY, Login, Repeat, Square, Total, Works

DAY = 86_400


def test_one_that_is_cancelled_while_it_waits_is_counted_by_the_canceller(jobs: RecordedTasks) -> None:
    late = Square.options(delay=30 * DAY).signature(n=2)
    handle = group(Square.signature(n=1), late, deadline=40 * DAY).submit()
    jobs.run_due()
    before = jobs.clock.now()
    jobs.services.cancel(member_id(handle.uuid, 1))
    assert handle.refresh().status == "failed"
    assert handle.members == Members(total=2, succeeded=1, cancelled=1)
    assert jobs.clock.now() == before


def test_one_that_is_cancelled_while_it_waits_lets_the_group_go_on(jobs: RecordedTasks) -> None:
    late = Square.options(delay=30 * DAY).signature(n=2)
    followed = group(Square.signature(n=1), late, deadline=40 * DAY).then(
        Total.signature(numbers=results["square"]), on="end"
    )
    handle = followed.submit()
    jobs.run_due()
    jobs.services.cancel(member_id(handle.uuid, 1))
    jobs.run_due()
    assert handle.refresh().continuation.outputs == {"total": 1, "missing": 1}


def test_a_canceller_that_dies_before_it_counts_is_stood_in_for_by_the_members_message(
    jobs: RecordedTasks,
) -> None:
    handle = group(Square.signature(n=1), Square.signature(n=2)).submit()
    jobs.services.store.cancel(member_id(handle.uuid, 1))
    assert handle.refresh().members.ended == 0
    jobs.drain()
    assert handle.refresh().members == Members(total=2, succeeded=1, cancelled=1)


def test_one_whose_message_expires_is_counted_when_it_is_delivered(jobs: RecordedTasks) -> None:
    handle = group(Square.signature(n=1), Square.signature(n=2), deadline=10 * DAY).submit()
    jobs.move(RETENTION + 1)
    jobs.run_due()
    assert handle.refresh().members == Members(total=2, failed=2)
    record = jobs.record(member_id(handle.uuid, 0))
    assert record.error is not None
    assert record.error["type"] == "Expired"


def test_one_whose_message_is_lost_is_seen_by_the_sweep_alone(jobs: RecordedTasks) -> None:
    handle = group(Square.signature(n=1), Square.signature(n=2)).submit()
    jobs._queue = [delivery for delivery in jobs._queue if delivery.message.uuid != member_id(handle.uuid, 1)]
    jobs.drain()
    assert handle.refresh().members == Members(total=2, succeeded=1, failed=1)


def test_one_whose_end_was_settled_elsewhere_is_counted_as_it_is_recorded(jobs: RecordedTasks) -> None:
    handle = group(Square.signature(n=1)).submit()
    (message,) = [sent for sent in jobs.submitted if sent.member is not None]
    jobs.services.settle(message, Failure(type="Undeliverable", message="The job was never run."))
    assert handle.refresh().members == Members(total=1, failed=1)


def test_one_that_is_settled_twice_is_counted_once(jobs: RecordedTasks) -> None:
    handle = group(Square.signature(n=1), Square.signature(n=2)).submit()
    first, second = [sent for sent in jobs.submitted if sent.member is not None]
    jobs.services.runner.execute(first)
    jobs.services.settle(first, WORKER_LOST)
    jobs.services.settle(first, WORKER_LOST)
    assert handle.refresh().members == Members(total=2, succeeded=1)
    jobs.services.settle(second, WORKER_LOST)
    assert handle.refresh().members == Members(total=2, succeeded=1, failed=1)


def test_one_that_was_deleted_counts_as_it_had_ended(jobs: RecordedTasks) -> None:
    handle = group(Square.signature(n=1), Square.options(delay=60).signature(n=2)).submit()
    first, _ = [sent for sent in jobs.submitted if sent.member is not None]
    counting = jobs.services.workflows.count
    assert jobs.services.runner.execute(first, count=lambda place, status: None).terminal == "succeeded"
    assert handle.refresh().members.ended == 0
    jobs.services.delete(first.uuid)
    assert handle.refresh().members == Members(total=2, succeeded=1)
    counting({})
    jobs.drain()
    assert handle.refresh().status == "succeeded"
    assert list(handle.results()) == [None, {"square": 4}]


def test_one_that_reads_as_expired_is_recorded_so_before_its_deletion_counts_it(
    jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = group(Square.signature(n=1), deadline=10 * DAY).submit()
    (message,) = [sent for sent in jobs.submitted if sent.member is not None]
    jobs.move(RETENTION + 1)
    groups, recorded = jobs.services.store.groups, []
    count = groups.count

    def counted(*given: Any) -> Any:
        recorded.append(jobs._store._items[message.uuid]["s#state"]["status"])
        return count(*given)

    monkeypatch.setattr(groups, "count", counted)
    jobs.services.delete(message.uuid)
    assert recorded == ["failed"]
    assert handle.refresh().members == Members(total=1, failed=1)
    assert jobs.services.runner.execute(message).status == "ended"


def test_one_whose_job_was_not_kept_is_found_by_its_id(jobs: RecordedTasks) -> None:
    handle = group([Square.options(delay=60).signature(n=n) for n in range(3)]).submit()
    uuid = member_id(handle.uuid, 2)
    (message,) = [sent for sent in jobs.submitted if sent.uuid == uuid]
    jobs.services.store.returned(message, WORKER_LOST)
    del jobs._store._items[uuid]["job"]
    jobs.services.cancel(uuid)
    assert handle.refresh().members == Members(total=3, cancelled=1)


def test_one_whose_count_fails_is_counted_with_its_next_delivery(
    jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = group(Square.signature(n=1)).then(Repeat.signature(text="x")).submit()
    (message,) = [sent for sent in jobs.submitted if sent.member is not None]

    def fails(*given: object) -> None:
        raise AwsError("dynamodb.UpdateItem", "Throttled", "again", applied=False)

    with monkeypatch.context() as broken:
        broken.setattr(jobs.services.store.groups, "count", fails)
        with pytest.raises(AwsError):
            jobs.services.runner.execute(message)
    assert handle.refresh().members.ended == 0
    jobs.services.runner.execute(message)
    assert handle.refresh().members.ended == 1
    assert continuation_id(handle.uuid) in [sent.uuid for sent in jobs.submitted]


def test_one_that_is_retried_by_hand_is_no_member_and_keeps_its_references(jobs: RecordedTasks) -> None:
    handle = chain(Square.signature(n=UNLUCKY - 10), Square.signature(n=previous["square"])).submit()
    jobs.drain()
    again = TaskClient(services=jobs.services).retry(member_id(handle.uuid, 1))
    assert jobs.submitted[-1].member is None
    assert jobs.submitted[-1].references == {"n": ("previous", "square")}
    jobs.drain()
    assert again.refresh().outputs == {"square": 81}
    assert again.record.group is None
    assert handle.refresh().members == Members(total=2, succeeded=2)


def test_secrets_of_members_travel_and_are_masked_in_what_is_kept(jobs: RecordedTasks) -> None:
    handle = group(Login.signature(password="hush"), Login.signature(password="quiet!")).submit()
    kept = [jobs.services.store.job(member_id(handle.uuid, index)) for index in range(2)]
    assert "hush" not in repr([message and message.inputs for message in kept])
    assert "hush" not in repr(jobs.services.store.job(handle.uuid))
    jobs.drain()
    assert list(handle.refresh().results()) == [{"letters": 4}, {"letters": 6}]


def test_a_secret_in_what_follows_is_refused(jobs: RecordedTasks) -> None:
    with pytest.raises(WorkflowError, match="is secret, and the job is sent later"):
        group(Square.signature(n=1)).then(Login.signature(password="hush")).submit()
    jobs.assert_nothing_submitted()


def test_running_members_hear_of_their_own_cancellation(
    jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = group(Works.signature()).submit()
    monkeypatch.setattr(Works, "meanwhile", lambda: jobs.services.cancel(member_id(handle.uuid, 0)))
    jobs.drain()
    assert handle.refresh().members == Members(total=1, cancelled=1)
