"""The index of states, and looking among jobs: over every store."""

from collections.abc import Callable

import pytest

from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.job.progress import Snapshot
from serverless_tasks.engine.job.record import Failure
from serverless_tasks.engine.store.base import Listed, Store
from serverless_tasks.engine.store.items import INDEXED_SHARDS, WAITING, shard
from serverless_tasks.engine.store.listing import IndexFilter, cursor_at, moment_of
from serverless_tasks.errors import InvalidCursor
from tests.support.clock import FakeClock
from tests.support.jobs import a_message

BROKEN = Failure(type="ValueError", message="it broke")
HOUR = 3600


def end(store: Store, clock: FakeClock, message: Message, status: str) -> None:
    claim = store.claim(message, token="a", lease=clock.ms + 60_000, request_id="r")
    if status == WAITING:
        store.retry(message, claim, Snapshot(1), BROKEN, not_before=clock.ms + 24 * HOUR * 1000)
    elif status == "succeeded":
        store.succeed(message.uuid, claim, Snapshot(1), {})
    else:
        store.fail(message.uuid, claim, Snapshot(1), BROKEN, status=status)


@pytest.fixture
def jobs(store: Store, clock: FakeClock) -> dict[str, list[Message]]:
    """Jobs by how they stand, oldest first: six of each, an hour apart, each of which ended after ten minutes."""
    made: dict[str, list[Message]] = {}
    for number in range(6):
        for status in ("failed", "cancelled", WAITING, "succeeded"):
            message = a_message(clock, task=f"task-{number % 2}", owner="7" if number % 3 else None)
            store.put_jobs([message])
            made.setdefault(status, []).append(message)
            clock.move(600)
            end(store, clock, message, status)
            clock.move(300)
    return made


def uuids(page: Listed) -> list[str]:
    return [record.uuid for record in page.records]


def all_of(look: Callable[..., Listed]) -> tuple[list[str], int]:
    """The jobs of all pages, and how many pages there are."""
    found, cursor, pages = [], None, 0
    while pages == 0 or cursor is not None:
        page = look(cursor)
        found += uuids(page)
        cursor, pages = page.cursor, pages + 1
    return found, pages


def test_states_are_listed_under_their_status_the_latest_first(
    store: Store, jobs: dict[str, list[Message]]
) -> None:
    for status in ("failed", "cancelled", WAITING):
        for limit in (1, 4, 6, 50):
            found, pages = all_of(
                lambda cursor, status=status, limit=limit: store.list_states(
                    status, limit=limit, cursor=cursor
                )
            )
            assert found == [message.uuid for message in reversed(jobs[status])]
            assert pages == -(-6 // limit)


def test_a_job_that_no_longer_waits_is_no_longer_listed(
    store: Store, clock: FakeClock, jobs: dict[str, list[Message]]
) -> None:
    clock.move(30 * HOUR)
    end(store, clock, jobs[WAITING][0], "failed")
    end(store, clock, jobs[WAITING][1], "succeeded")
    store.delete(jobs["failed"][2].uuid)

    assert uuids(store.list_states(WAITING)) == [message.uuid for message in jobs[WAITING][:1:-1]]
    failed = [message for message in jobs["failed"] if message is not jobs["failed"][2]]
    assert uuids(store.list_states("failed")) == [
        message.uuid for message in [jobs[WAITING][0], *reversed(failed)]
    ]


def test_states_are_bounded_by_their_end(store: Store, jobs: dict[str, list[Message]]) -> None:
    third = jobs["failed"][2].created + 600_000  # its end
    fifth = jobs["failed"][4].created + 600_000

    assert uuids(store.list_states("failed", since=third)) == [m.uuid for m in jobs["failed"][:1:-1]]
    assert uuids(store.list_states("failed", since=third + 1)) == [m.uuid for m in jobs["failed"][:2:-1]]
    assert uuids(store.list_states("failed", until=third)) == [m.uuid for m in jobs["failed"][1::-1]]
    between = store.list_states("failed", since=third, until=fifth, limit=1)
    rest = store.list_states("failed", since=third, until=fifth, limit=1, cursor=between.cursor)
    assert uuids(between) + uuids(rest) == [jobs["failed"][3].uuid, jobs["failed"][2].uuid]
    assert rest.cursor is None


def test_states_are_selected_by_task_and_owner(store: Store, jobs: dict[str, list[Message]]) -> None:
    for where, numbers in (
        (IndexFilter(tasks=("task-1",)), [5, 3, 1]),
        (IndexFilter(tasks=("task-1", "task-0", "no-such")), [5, 4, 3, 2, 1, 0]),
        (IndexFilter(owner="7"), [5, 4, 2, 1]),
        (IndexFilter(tasks=("task-0",), owner="7"), [4, 2]),
        (IndexFilter(owner="8"), []),
        (IndexFilter(tasks=tuple(f"task-{number}" for number in range(1, 200))), [5, 3, 1]),
    ):
        for limit in (1, 50):
            found, _ = all_of(
                lambda cursor, where=where, limit=limit: store.list_states(
                    "failed", where=where, limit=limit, cursor=cursor
                )
            )
            assert found == [jobs["failed"][number].uuid for number in numbers]


def test_states_are_selected_by_submission_and_id(store: Store, jobs: dict[str, list[Message]]) -> None:
    second, fifth = jobs["failed"][1], jobs["failed"][4]
    where = IndexFilter(since=second.created, until=fifth.created)
    by_id = IndexFilter(id_prefix=fifth.uuid[:8])

    assert uuids(store.list_states("failed", where=where)) == [m.uuid for m in jobs["failed"][3:0:-1]]
    assert uuids(store.list_states("failed", where=by_id)) == [fifth.uuid]
    assert uuids(store.list_states("cancelled", where=by_id)) == []


def test_each_listed_state_says_its_place(store: Store, jobs: dict[str, list[Message]]) -> None:
    page = store.list_states("failed", limit=4)

    assert [moment_of(position) for position in page.positions] == [
        record.finished for record in page.records
    ]
    assert page.cursor == cursor_at(page.positions[-1])
    assert uuids(store.list_states("failed", cursor=cursor_at(page.positions[1]))) == [
        message.uuid for message in jobs["failed"][3::-1]
    ]


def test_a_listing_tells_what_the_state_alone_says(store: Store, clock: FakeClock) -> None:
    long = Failure(type="ValueError", message="x" * 1000)
    message = a_message(clock)
    claim = store.claim(message, token="a", lease=clock.ms + 60_000, request_id="r")
    store.fail(message.uuid, claim, Snapshot(1), long)

    (record,) = store.list_states("failed").records

    assert record.failure is not None
    assert (record.failure.type, record.failure.message[:200]) == ("ValueError", "x" * 200)


def test_a_cursor_that_no_page_gave_is_refused(store: Store) -> None:
    for cursor in ("nonsense", "%%%", "AAAA", "ä", "1#2"):
        with pytest.raises(InvalidCursor):
            store.list_states("failed", cursor=cursor)
        with pytest.raises(InvalidCursor):
            store.find_jobs(IndexFilter(), ["sum"], cursor=cursor)


@pytest.mark.parametrize("limit", [3, 50])
def test_jobs_are_found_by_task_owner_and_id(
    store: Store, jobs: dict[str, list[Message]], limit: int
) -> None:
    every = sorted((m for of_one in jobs.values() for m in of_one), key=lambda m: m.created, reverse=True)

    def found(where: IndexFilter, *names: str) -> list[str]:
        return all_of(lambda cursor: store.find_jobs(where, names, limit=limit, cursor=cursor))[0]

    assert found(IndexFilter(), "task-0", "task-1") == [m.uuid for m in every]
    assert found(IndexFilter()) == []
    assert found(IndexFilter(tasks=("task-1",))) == [m.uuid for m in every if m.task == "task-1"]
    of_owner = IndexFilter(owner="7", tasks=("task-1", "other"))
    assert found(of_owner) == [m.uuid for m in every if (m.owner, m.task) == ("7", "task-1")]
    by_id = IndexFilter(id_prefix=every[7].uuid[:8])
    assert found(by_id, "task-0", "task-1") == [every[7].uuid]
    timed = IndexFilter(since=every[9].created, until=every[3].created)
    assert found(timed, "task-0", "task-1") == [m.uuid for m in every[4:10]]


def test_jobs_that_are_indexed_are_left_out_on_request(store: Store, jobs: dict[str, list[Message]]) -> None:
    page = store.find_jobs(IndexFilter(), ["task-0", "task-1"], indexed=False)

    assert uuids(page) == [message.uuid for message in reversed(jobs["succeeded"])]
    assert page.looked_at == 24


def test_a_failed_job_that_an_earlier_worker_has_left_among_the_waiting_is_found(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = a_message(clock, task="sum")
    store.put_jobs([message])
    store.returned(message, BROKEN)  # by a worker of this version
    monkeypatch.setattr("serverless_tasks.engine.store.transitions.INDEXED", ())
    monkeypatch.setattr("serverless_tasks.engine.store.transitions.index_fields", lambda *_: {})
    end(store, clock, message, "failed")
    assert uuids(store.list_states(WAITING)) == [message.uuid]
    assert uuids(store.find_jobs(IndexFilter(), ["sum"], indexed=False)) == [message.uuid]


@pytest.mark.parametrize("never", [10_000_000_000_000, 10**17])
def test_a_range_that_ends_in_the_far_future_has_everything(
    store: Store, jobs: dict[str, list[Message]], never: int
) -> None:
    assert len(store.list_states("failed", until=never).records) == 6
    assert len(store.list_tasks(["task-0", "task-1"], until=never).records) == 24
    assert store.list_states("failed", since=never).records == ()
    assert store.list_tasks(["task-0"], since=never).records == ()


def test_the_last_page_of_a_range_has_no_cursor(store: Store, clock: FakeClock) -> None:
    began = clock.ms
    ids = [f"{number:08d}-0000-4000-8000-000000000000" for number in range(400)]
    messages = [a_message(clock, uuid=uuid) for uuid in ids if shard(uuid, INDEXED_SHARDS) == 0][:3]
    for message in messages:
        store.put_jobs([message])
        end(store, clock, message, "failed")
        clock.move(1)
    first = store.list_states("failed", since=began + 1, limit=1)
    last = store.list_states("failed", since=began + 1, limit=1, cursor=first.cursor)
    assert uuids(first) + uuids(last) == [messages[2].uuid, messages[1].uuid]
    assert last.cursor is None
