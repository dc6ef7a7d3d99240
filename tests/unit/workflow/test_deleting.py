"""Deleting a group deletes its members, and deleting an owner both, whatever of them is still open."""

from __future__ import annotations

import pytest

from serverless_tasks.client.owner_deletion import delete_owner
from serverless_tasks.engine.job.place import member_id
from serverless_tasks.engine.job.record import Members
from serverless_tasks.errors import NotFinished, TaskNotFound
from serverless_tasks.testing import RecordedTasks
from serverless_tasks.workflow import group, results
from tests.unit.workflow.tasks import Square, Total

DAY = 86_400


def test_the_members_of_a_group_are_deleted_with_it(jobs: RecordedTasks) -> None:
    handle = group(Square.signature(n=n) for n in range(20, 230)).submit()
    jobs.drain()
    jobs.services.delete(handle.uuid)
    left = {key: sorted(items) for key, items in jobs._store._items.items() if sorted(items) != ["s#state"]}
    assert left == {}
    assert all(items["s#state"]["deleted"] for items in jobs._store._items.values())
    with pytest.raises(TaskNotFound):
        jobs.services.delete(handle.uuid)


def test_a_group_that_runs_is_not_deleted(jobs: RecordedTasks) -> None:
    handle = group(Square.signature(n=1)).submit()
    with pytest.raises(NotFinished):
        jobs.services.delete(handle.uuid)


def test_late_messages_of_a_deleted_group_do_nothing(jobs: RecordedTasks) -> None:
    handle = group(Square.signature(n=1), group(Square.signature(n=2))).submit()
    jobs.drain()
    jobs.services.delete(handle.uuid)
    for message in list(jobs.submitted):
        assert jobs.services.runner.execute(message).give_back is None
    assert jobs.services.store.read(handle.uuid) is None
    assert jobs.services.store.read(member_id(handle.uuid, 0)) is None


def test_an_owner_with_an_open_group_is_deleted_once_its_members_have_ended(jobs: RecordedTasks) -> None:
    late = [Square.options(delay=DAY).signature(n=n) for n in range(3)]
    handle = group(late).then(Total.signature(numbers=results["square"])).options(owner="ada").submit()
    Square.options(owner="eve").submit(n=1)
    first = delete_owner(jobs.services, "ada", wait=0, dry_run=False)
    assert first.live == (handle.uuid,)
    jobs.run_due()
    assert handle.refresh().members == Members(total=3, cancelled=3)
    second = delete_owner(jobs.services, "ada", wait=0, dry_run=False)
    assert (second.deleted, second.live) == (1, ())
    assert jobs.services.store.list_owner("ada").records == ()
    assert jobs.services.store.read(member_id(handle.uuid, 0)) is None
    assert len(jobs.services.store.list_owner("eve").records) == 1


def test_what_follows_a_group_is_a_job_of_its_own(jobs: RecordedTasks) -> None:
    handle = group(Square.signature(n=2)).then(Total.signature(numbers=results["square"])).submit()
    jobs.drain()
    following = handle.refresh().continuation
    jobs.services.delete(handle.uuid)
    assert following.refresh().outputs == {"total": 4, "missing": 0}


def test_a_member_that_is_an_inner_group_is_counted_before_it_is_deleted(jobs: RecordedTasks) -> None:
    handle = group(group(Square.signature(n=1)), Square.options(delay=60).signature(n=2)).submit()
    jobs.run_due()
    assert handle.refresh().members == Members(total=2, succeeded=1)
    jobs.services.delete(member_id(handle.uuid, 0))
    jobs.drain()
    assert handle.refresh().members == Members(total=2, succeeded=2)


def test_nothing_personal_waits_for_the_deadline_of_a_deleted_group(jobs: RecordedTasks) -> None:
    group(Square.signature(n=1)).options(owner="ada@example.com").submit()
    (settle,) = [message for message in jobs.submitted if message.workflow == "settle"]
    assert "ada" not in settle.encode()
