"""Cancelling a group: nothing begins any more, what runs is asked to stop, and nothing follows."""

from __future__ import annotations

import pytest

from serverless_tasks.engine.job.message import SETTLE
from serverless_tasks.engine.job.place import continuation_id, member_id
from serverless_tasks.engine.job.record import Members
from serverless_tasks.errors import AlreadyFinished
from serverless_tasks.testing import RecordedTasks
from serverless_tasks.workflow import chain, group, previous, results
from tests.unit.workflow.tasks import UNLUCKY, Repeat, Square, Total, Works

DAY = 86_400


def squares(*numbers: int, **options: object) -> object:
    return group((Square.signature(n=number) for number in numbers), **options)


def test_the_canceller_writes_one_mark_and_leaves_the_rest_to_a_worker(
    jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = squares(*range(20, 420)).submit()
    sent = len(jobs.submitted)
    monkeypatch.setattr(jobs.services.store, "settle", None)  # no member is touched
    handle.cancel()
    assert [message.workflow for message in jobs.submitted[sent:]] == [SETTLE]
    assert handle.record.cancel_requested


def test_no_member_begins_and_what_follows_is_not_run(jobs: RecordedTasks) -> None:
    handle = squares(1, 2, 3).then(Total.signature(numbers=results["square"]), on="end").submit()
    handle.cancel()
    jobs.drain()
    assert handle.refresh().status == "cancelled"
    assert handle.members == Members(total=3, cancelled=3)
    assert handle.error == {"type": "TaskCancelled", "message": "The task was cancelled."}
    assert continuation_id(handle.uuid) not in [message.uuid for message in jobs.submitted]


def test_a_member_that_a_worker_has_before_the_sweep_does_not_begin(jobs: RecordedTasks) -> None:
    handle = squares(1, 2).submit()
    first, second = [message for message in jobs.submitted if message.member is not None]
    jobs.services.runner.execute(first)
    handle.cancel()
    jobs.move(1.5)  # a process looks at the mark once a second
    assert jobs.services.runner.execute(second).status == "cancelled"
    assert handle.refresh().members == Members(total=2, succeeded=1, cancelled=1)
    assert handle.status == "cancelled"


def test_a_process_looks_at_the_mark_of_a_group_once_a_second(
    jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    squares(*range(20, 30)).submit()
    looks: list[str] = []
    groups = jobs.services.store.groups
    get = groups.get

    def looked(uuid: str, *, consistent: bool = True) -> object:
        if not consistent:
            looks.append(uuid)
        return get(uuid, consistent=consistent)

    monkeypatch.setattr(groups, "get", looked)
    for message in [message for message in jobs.submitted if message.member is not None]:
        jobs.services.runner.execute(message)
        jobs.move(0.25)
    assert len(looks) == 3


def test_running_members_hear_of_it_by_the_mark(jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch) -> None:
    handle = group(Works.signature(), Works.signature()).submit()

    def cancels() -> None:
        handle.cancel()
        jobs.move(1.5)

    monkeypatch.setattr(Works, "meanwhile", cancels)
    jobs.drain()
    assert handle.refresh().members == Members(total=2, cancelled=2)
    assert jobs.record(member_id(handle.uuid, 0)).attempt == 1


def test_those_that_wait_for_days_are_ended_by_the_worker_at_once(jobs: RecordedTasks) -> None:
    handle = group(
        [Square.options(delay=30 * DAY).signature(n=n) for n in range(3)], deadline=40 * DAY
    ).submit()
    began = jobs.clock.now()
    handle.cancel()
    jobs.run_due()
    assert jobs.clock.now() == began
    assert handle.refresh().members == Members(total=3, cancelled=3)
    record = jobs.record(member_id(handle.uuid, 0))
    assert record.error is not None
    assert record.error["message"] == "Its group was cancelled before it began."


def test_a_canceller_that_dies_after_the_mark_is_stood_in_for(jobs: RecordedTasks) -> None:
    handle = squares(1, 2).submit()
    jobs.services.store.cancel(handle.uuid)
    jobs.drain()
    assert handle.refresh().members == Members(total=2, cancelled=2)


def test_cancelling_again_is_as_good_and_after_the_end_says_so(jobs: RecordedTasks) -> None:
    handle = squares(1, 2).submit()
    handle.cancel()
    handle.cancel()
    jobs.drain()
    with pytest.raises(AlreadyFinished):
        handle.cancel()


def test_one_that_comes_too_late_leaves_members_as_they_ended_and_keeps_what_follows_from_running(
    jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = group(Works.signature()).then(Repeat.signature(text="x")).submit()

    class Deaf(Works):
        name = "works"

        def run(self, n: int | None = None) -> None:
            handle.cancel()

    monkeypatch.setattr(Works, "run", Deaf.run)
    jobs.drain()
    assert handle.refresh().members == Members(total=1, succeeded=1)
    assert (handle.status, handle.continuation) == ("cancelled", None)


def test_the_first_failure_cancels_the_others_where_that_is_asked_for(jobs: RecordedTasks) -> None:
    handle = group(
        Square.signature(n=UNLUCKY),
        *[Square.options(delay=60).signature(n=number) for number in range(20, 25)],
        cancel_on_failure=True,
    ).submit()
    jobs.run_due()
    assert handle.refresh().members == Members(total=6, failed=1, cancelled=5)
    assert handle.error is not None
    assert (handle.status, handle.error["type"]) == ("failed", "MembersFailed")


def test_without_it_the_others_go_on(jobs: RecordedTasks) -> None:
    handle = squares(UNLUCKY, 1, 2).submit()
    jobs.drain()
    assert handle.refresh().members == Members(total=3, failed=1, succeeded=2)


def test_nested_groups_are_cancelled_too_whether_opened_or_not(jobs: RecordedTasks) -> None:
    waits = [Square.options(delay=DAY).signature(n=n) for n in range(3)]
    opened, unopened = group(waits), group(waits)
    handle = group(
        opened, chain(Square.options(delay=DAY).signature(n=1), unopened), deadline=3 * DAY
    ).submit()
    jobs.run_due()
    handle.cancel()
    jobs.run_due()
    assert handle.refresh().status == "cancelled"
    assert handle.members == Members(total=2, cancelled=2)
    steps = jobs.record(member_id(handle.uuid, 1))
    assert steps.members == Members(total=2, cancelled=2)


def test_a_group_that_is_cancelled_as_a_member_before_it_is_opened_is_counted(jobs: RecordedTasks) -> None:
    handle = group(squares(1, 2), Square.signature(n=3)).submit()
    jobs.services.store.cancel(member_id(handle.uuid, 0))  # and whoever did it dies
    jobs.drain()
    assert handle.refresh().members == Members(total=2, succeeded=1, cancelled=1)


def test_a_chain_is_cancelled_at_the_step_at_which_it_stands(jobs: RecordedTasks) -> None:
    handle = chain(
        Square.signature(n=2),
        Square.options(delay=DAY).signature(n=previous["square"]),
        Square.signature(n=previous["square"]),
    ).submit()
    jobs.run_due()
    handle.cancel()
    jobs.run_due()
    assert handle.refresh().members == Members(total=3, succeeded=1, cancelled=2)
    assert handle.status == "cancelled"
