"""Everything of one owner, deleted."""

from collections.abc import Iterator

import pytest

from serverless_tasks import Task, TaskClient, TaskNotFound
from serverless_tasks.client.owner_deletion import PAGE, OwnerDeletion
from serverless_tasks.errors import NotFinished
from serverless_tasks.testing import RecordedTasks, recorded


class Nothing(Task):
    name = "nothing"

    def run(self) -> None:
        return None


@pytest.fixture
def jobs() -> Iterator[RecordedTasks]:
    with recorded(Nothing) as jobs:
        yield jobs


@pytest.fixture
def client(jobs: RecordedTasks) -> TaskClient:
    return TaskClient()


def submit(client: TaskClient, count: int, owner: str = "7") -> list[str]:
    return [handle.uuid for handle in client.submit_many("nothing", [{}] * count, owner=owner)]


def left(client: TaskClient, uuids: list[str]) -> list[str]:
    def known(uuid: str) -> bool:
        try:
            client.get(uuid)
        except TaskNotFound:
            return False
        return True

    return [uuid for uuid in uuids if known(uuid)]


def test_a_deleted_job_is_not_found(client: TaskClient, jobs: RecordedTasks) -> None:
    uuid = client.submit("nothing").uuid
    with pytest.raises(NotFinished):
        client.delete(uuid)
    jobs.drain()

    client.delete(uuid)

    with pytest.raises(TaskNotFound):
        client.get(uuid)


def test_all_of_an_owners_jobs_are_deleted_and_nobody_elses(client: TaskClient, jobs: RecordedTasks) -> None:
    mine, theirs = submit(client, 2 * PAGE + 1), submit(client, 2, owner="8")
    jobs.drain()

    told = client.delete_owner("7")

    assert told == OwnerDeletion(found=2 * PAGE + 1, deleted=2 * PAGE + 1)
    assert left(client, mine) == []
    assert left(client, theirs) == theirs


def test_waiting_jobs_are_cancelled_first_and_never_start(client: TaskClient, jobs: RecordedTasks) -> None:
    submit(client, 3)

    assert client.delete_owner("7").deleted == 3

    assert {outcome.status for outcome in jobs.drain()} == {"ended"}


def test_a_running_job_is_asked_to_stop_and_deleted_once_it_has(
    client: TaskClient, jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    (uuid,) = submit(client, 1)
    store = jobs.services.store
    store.claim(jobs.submitted[0], token="a", lease=2**50, request_id="")

    def stop_after_some_time(seconds: float) -> None:
        jobs.clock.move(seconds)
        if jobs.clock.now() - 1_767_225_600.0 >= 6 and store.cancel_requested(uuid, "a"):
            store.release(uuid, "a")
            monkeypatch.undo()

    monkeypatch.setattr(jobs.clock, "sleep", stop_after_some_time)

    assert client.delete_owner("7", wait=10) == OwnerDeletion(found=1, deleted=1)
    assert left(client, [uuid]) == []


def test_a_job_that_does_not_stop_is_reported(client: TaskClient, jobs: RecordedTasks) -> None:
    (uuid,) = submit(client, 1)
    jobs.services.store.claim(jobs.submitted[0], token="a", lease=2**50, request_id="")
    before = jobs.clock.now()

    assert client.delete_owner("7", wait=7) == OwnerDeletion(found=1, deleted=0, live=(uuid,))

    assert jobs.clock.now() - before == 7
    assert client.get(uuid).cancel_requested


def test_a_dry_run_counts_and_does_nothing(client: TaskClient, jobs: RecordedTasks) -> None:
    mine = submit(client, 3)

    assert client.delete_owner("7", dry_run=True) == OwnerDeletion(found=3, deleted=0)

    assert left(client, mine) == mine
    assert not any(client.get(uuid).ended for uuid in mine)


def test_an_owner_without_jobs_is_no_error(client: TaskClient) -> None:
    assert client.delete_owner("nobody") == OwnerDeletion(found=0, deleted=0)
