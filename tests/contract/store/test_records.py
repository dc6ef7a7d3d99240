"""What is written is what is read: over every store."""

from dataclasses import replace

import pytest

from serverless_tasks.client.job_filter import queue_wait
from serverless_tasks.engine.job.message import RETENTION, Message, expires_at
from serverless_tasks.engine.job.place import Place
from serverless_tasks.engine.job.progress import Snapshot
from serverless_tasks.engine.job.record import Failure, Record
from serverless_tasks.engine.job.retry import EARLY
from serverless_tasks.engine.store.base import Claim, Store
from serverless_tasks.errors import AlreadyFinished, InvalidCursor, TaskNotFound
from tests.support.clock import FakeClock
from tests.support.jobs import a_message

DAY = 86_400
LATE = Failure(type="Undeliverable", message="The job was delivered many times and never ended.")


def begin(store: Store, clock: FakeClock, message: Message, token: str = "a", lease: float = 60) -> Claim:
    return store.claim(message, token=token, lease=clock.ms + int(lease * 1000), request_id="r")


def read(store: Store, message: Message) -> Record:
    record = store.read(message.uuid)
    assert record is not None
    return record


# -- reading -----------------------------------------------------------------------------------------------------


def test_nothing_is_known_of_a_stranger(store: Store) -> None:
    assert store.read("0b0e64f7-7d0b-4d6c-8a3a-1f5f3d8f1c11") is None


def test_no_state_means_pending(store: Store, clock: FakeClock) -> None:
    message = a_message(clock, owner="7")
    store.put_jobs([message])

    record = read(store, message)

    assert (record.status, record.owner, record.created, record.attempt) == ("pending", "7", clock.ms, 0)


def test_a_waiting_job_says_when_it_is_due(store: Store, clock: FakeClock) -> None:
    message = a_message(clock, run_at=clock.ms + 60_000)
    store.put_jobs([message])

    assert read(store, message).run_at == message.run_at


def test_a_job_that_has_started_says_when_it_was_due_if_it_was_delayed(
    store: Store, clock: FakeClock
) -> None:
    at_once = a_message(clock)
    delayed = a_message(clock, expires=expires_at(clock.ms, clock.ms + 60_000))
    due = clock.ms + 60_000
    clock.move(61)
    again = replace(delayed, expires=expires_at(clock.ms, clock.ms + 600_000))
    store.retry(again, begin(store, clock, delayed), Snapshot(1), LATE, not_before=clock.ms)
    begin(store, clock, again)
    begin(store, clock, at_once)

    assert (read(store, delayed).due, read(store, at_once).due) == (due, None)
    assert queue_wait(read(store, delayed)) == 1.0


def test_a_job_says_when_its_retry_is_due_as_long_as_it_waits_for_it(store: Store, clock: FakeClock) -> None:
    message = a_message(clock)
    again, due = begin(store, clock, message), clock.ms + 60_000
    store.retry(message, again, Snapshot(1), LATE, not_before=due - EARLY)
    waiting = read(store, message)
    listed = store.read_many([message.uuid])[message.uuid]
    clock.move(60)
    begin(store, clock, message, "b")
    running = read(store, message)
    store.retry(message, replace(again, token="b"), Snapshot(1), LATE, not_before=due - EARLY)
    store.cancel(message.uuid)

    assert waiting.run_at == listed.run_at == due
    assert running.run_at is None
    assert read(store, message).run_at is None
    assert "run_at" not in waiting.to_json()


def test_a_job_whose_message_never_came_reads_as_expired(store: Store, clock: FakeClock) -> None:
    message = a_message(clock)
    store.put_jobs([message])
    clock.move(RETENTION)
    in_time = read(store, message)
    clock.move(0.001)

    record = read(store, message)

    assert in_time.status == "pending"
    assert (record.status, record.error and record.error["type"]) == ("failed", "Expired")
    assert record.finished == message.expires


def test_a_retry_whose_message_never_came_reads_as_expired(store: Store, clock: FakeClock) -> None:
    message = a_message(clock)
    store.retry(message, begin(store, clock, message), Snapshot(1), LATE, not_before=clock.ms)
    clock.move(RETENTION + 1)

    assert read(store, message).error == {"type": "Expired", "message": "The job was not delivered in time."}


def test_a_job_that_runs_past_everything_reads_as_lost(store: Store, clock: FakeClock) -> None:
    message = a_message(clock)
    begin(store, clock, message)
    clock.move(RETENTION)
    still = read(store, message)
    clock.move(1)

    record = read(store, message)

    assert still.status == "running"
    assert (record.status, record.error and record.error["type"]) == ("failed", "WorkerLost")


@pytest.mark.parametrize(
    "outputs",
    [
        {},
        {"result": 0},
        {"result": ""},
        {"result": []},
        {"result": None},
        {"result": False},
        {"a": 1.5, "b": "ä€\U0001f600", "c": {"d": [1, None, {"e": "f"}]}},
        {"text": "ä" * 299},
        {"text": "x" * 5_000},
    ],
    ids=lambda outputs: str(outputs)[:20],
)
def test_outputs_come_back_as_they_went(store: Store, clock: FakeClock, outputs: dict[str, object]) -> None:
    message = a_message(clock)
    store.succeed(message.uuid, begin(store, clock, message), Snapshot(1), outputs)

    record = read(store, message)

    assert (record.status, record.outputs, record.finished) == ("succeeded", outputs, clock.ms)


def test_the_reason_of_a_failure_comes_back_whole(store: Store, clock: FakeClock) -> None:
    message = a_message(clock)
    failure = Failure(
        type="ValueError",
        message="ä" * 3_000,
        public=False,
        traceback="Traceback ...",
        path="builtins.ValueError",
    )
    store.fail(message.uuid, begin(store, clock, message), Snapshot(1), failure)

    record = read(store, message)

    assert record.status == "failed"
    assert record.failure is not None
    assert (record.failure.type, record.failure.message, record.failure.public) == (
        "ValueError",
        "ä" * 3_000,
        False,
    )
    assert record.history[0].failure == failure
    assert store.read_many([message.uuid])[message.uuid].failure == record.failure


def test_a_reason_that_is_not_utf8_is_kept_all_the_same(store: Store, clock: FakeClock) -> None:
    message = a_message(clock)
    failure = Failure(type="OSError", message="no file \udcff", traceback="\udcff")

    store.fail(message.uuid, begin(store, clock, message), Snapshot(1), failure)

    assert read(store, message).status == "failed"


def test_read_many_leaves_out_strangers(store: Store, clock: FakeClock) -> None:
    pending, ended = a_message(clock), a_message(clock)
    store.put_jobs([pending, ended])
    store.succeed(ended.uuid, begin(store, clock, ended), Snapshot(1, messages=("hello",)), {"sum": 3})

    found = store.read_many([pending.uuid, "unknown", ended.uuid])

    assert {uuid: record.status for uuid, record in found.items()} == {
        pending.uuid: "pending",
        ended.uuid: "succeeded",
    }
    assert found[ended.uuid].messages == ("hello",)


def test_a_job_that_was_submitted_twice_at_once_is_kept_once(store: Store, clock: FakeClock) -> None:
    twice, other = a_message(clock, owner="7"), a_message(clock)
    store.put_jobs([twice, other, twice])

    assert set(store.read_many([twice.uuid, other.uuid])) == {twice.uuid, other.uuid}


def test_keeping_a_job_again_does_not_touch_a_running_one(store: Store, clock: FakeClock) -> None:
    messages = [a_message(clock) for _ in range(3)]
    store.put_jobs(messages)
    begin(store, clock, messages[1])

    store.put_jobs(messages)

    assert [read(store, message).status for message in messages] == ["pending", "running", "pending"]


# -- progress ----------------------------------------------------------------------------------------------------


def test_progress_is_read_as_written(store: Store, clock: FakeClock) -> None:
    message = a_message(clock)
    begin(store, clock, message)

    store.write_progress(message.uuid, "a", Snapshot(1, 2.5, 10), lease=None)

    record = read(store, message)
    assert (record.progress, record.target) == (2.5, 10)


def test_an_older_progress_does_not_overwrite_a_newer_one(store: Store, clock: FakeClock) -> None:
    message = a_message(clock)
    begin(store, clock, message)
    store.write_progress(message.uuid, "a", Snapshot(2, 20), lease=None)

    store.write_progress(message.uuid, "a", Snapshot(1, 10), lease=None)

    assert read(store, message).progress == 20


def test_messages_are_read_in_order(store: Store, clock: FakeClock) -> None:
    message = a_message(clock)
    claim = begin(store, clock, message)
    store.write_progress(message.uuid, "a", Snapshot(1, messages=("one", "two")), lease=None)
    store.write_progress(message.uuid, "a", Snapshot(2, first=2), lease=None)
    store.write_progress(message.uuid, "a", Snapshot(3, messages=("three",), first=2), lease=None)

    store.succeed(message.uuid, claim, Snapshot(4, messages=("four",), first=3), {})

    assert read(store, message).messages == ("one", "two", "three", "four")


def test_messages_that_are_written_again_with_more_are_not_doubled(store: Store, clock: FakeClock) -> None:
    message = a_message(clock)
    begin(store, clock, message)
    store.write_progress(message.uuid, "a", Snapshot(1, messages=("one",)), lease=None)

    store.write_progress(message.uuid, "a", Snapshot(2, messages=("one", "two")), lease=None)

    assert read(store, message).messages == ("one", "two")


def test_messages_past_an_items_size_are_all_kept(store: Store, clock: FakeClock) -> None:
    message = a_message(clock)
    claim = begin(store, clock, message)
    texts = tuple(f"{number} " + "ä" * 9_000 for number in range(60))

    store.succeed(message.uuid, claim, Snapshot(1, messages=texts), {})

    assert read(store, message).messages == texts


def test_progress_renews_the_lease_where_one_is_given(store: Store, clock: FakeClock) -> None:
    message = a_message(clock)
    begin(store, clock, message, lease=60)
    clock.move(50)
    store.write_progress(message.uuid, "a", Snapshot(1), lease=clock.ms + 60_000)
    clock.move(50)

    assert begin(store, clock, message, "b").answer == "busy"


# -- cancelling --------------------------------------------------------------------------------------------------


def test_a_waiting_job_is_cancelled_at_once(store: Store, clock: FakeClock) -> None:
    message = a_message(clock, owner="7")
    store.put_jobs([message])

    record = store.cancel(message.uuid)

    assert (record.status, record.owner, record.finished) == ("cancelled", "7", clock.ms)
    assert record.error == {"type": "TaskCancelled", "message": "The task was cancelled."}
    assert begin(store, clock, message).answer == "ended"


def test_a_member_that_is_cancelled_while_it_waits_names_its_group(store: Store, clock: FakeClock) -> None:
    message = a_message(clock, member=Place(group="g", index=0, total=1, until=0))
    store.put_jobs([message])

    assert store.cancel(message.uuid).group == "g"
    assert read(store, message).group == "g"


def test_a_job_that_waits_for_its_retry_is_cancelled_at_once(store: Store, clock: FakeClock) -> None:
    message = a_message(clock)
    store.put_jobs([message])
    store.retry(message, begin(store, clock, message), Snapshot(1), LATE, not_before=clock.ms)

    assert store.cancel(message.uuid).status == "cancelled"
    assert begin(store, clock, message, "b").answer == "ended"


def test_a_running_job_is_asked_to_stop(store: Store, clock: FakeClock) -> None:
    message = a_message(clock)
    claim = begin(store, clock, message)
    before = store.cancel_requested(message.uuid, "a")

    record = store.cancel(message.uuid)

    assert (record.status, record.cancel_requested, before) == ("running", True, False)
    assert store.cancel_requested(message.uuid, "a")
    assert store.write_progress(message.uuid, "a", Snapshot(1), lease=None)
    store.fail(message.uuid, claim, Snapshot(2), LATE, status="cancelled")
    ended = read(store, message)
    assert (ended.status, ended.cancel_requested) == ("cancelled", False)


def test_a_request_to_stop_outlives_the_worker_that_it_was_made_to(store: Store, clock: FakeClock) -> None:
    message = a_message(clock)
    begin(store, clock, message)
    store.cancel(message.uuid)
    clock.move(61)

    assert begin(store, clock, message, "b").cancelled


def test_an_ended_job_cannot_be_cancelled(store: Store, clock: FakeClock) -> None:
    message = a_message(clock)
    store.succeed(message.uuid, begin(store, clock, message), Snapshot(1), {})

    with pytest.raises(AlreadyFinished) as raised:
        store.cancel(message.uuid)

    assert raised.value.status == "succeeded"


def test_an_expired_job_cannot_be_cancelled(store: Store, clock: FakeClock) -> None:
    message = a_message(clock)
    store.put_jobs([message])
    clock.move(RETENTION + 1)

    with pytest.raises(AlreadyFinished):
        store.cancel(message.uuid)


def test_a_stranger_cannot_be_cancelled(store: Store) -> None:
    with pytest.raises(TaskNotFound):
        store.cancel("0b0e64f7-7d0b-4d6c-8a3a-1f5f3d8f1c11")


# -- settling ----------------------------------------------------------------------------------------------------


def test_a_dead_letter_is_settled_with_its_reason(store: Store, clock: FakeClock) -> None:
    message = a_message(clock, owner="7")

    assert store.settle(message, LATE).answer == "settled"

    record = read(store, message)
    assert (record.status, record.owner, record.failure) == ("failed", "7", LATE)


def test_settling_never_ends_a_job_with_a_live_lease(store: Store, clock: FakeClock) -> None:
    message = a_message(clock)
    begin(store, clock, message, lease=60)
    clock.move(60)

    live = store.settle(message, LATE)
    clock.move(0.001)
    expired = store.settle(message, LATE)

    assert (live.answer, live.until) == ("busy", clock.ms - 1)
    assert expired.answer == "settled"
    assert read(store, message).status == "failed"


def test_settling_leaves_an_ended_job_as_it_is(store: Store, clock: FakeClock) -> None:
    message = a_message(clock)
    store.succeed(message.uuid, begin(store, clock, message), Snapshot(1), {"sum": 3})

    assert store.settle(message, LATE).status == "succeeded"

    assert read(store, message).outputs == {"sum": 3}


def test_a_settled_retry_tells_why_it_was_settled_not_why_its_last_attempt_failed(
    store: Store, clock: FakeClock
) -> None:
    message = a_message(clock)
    secret = Failure(type="ValueError", message="the password is x", public=False)
    store.retry(message, begin(store, clock, message), Snapshot(1), secret, not_before=clock.ms)

    store.settle(message, LATE)

    assert read(store, message).failure == LATE


# -- listing -----------------------------------------------------------------------------------------------------


def listed(store: Store, owner: str, limit: int) -> list[list[str]]:
    """The pages of an owner's listing, by uuid."""
    pages: list[list[str]] = []
    cursor: str | None = None
    while not pages or cursor is not None:
        page = store.list_owner(owner, limit=limit, cursor=cursor)
        pages.append([record.uuid for record in page.records])
        cursor = page.cursor
    return pages


@pytest.fixture
def messages(store: Store, clock: FakeClock) -> list[Message]:
    """Jobs of owner 7 over five days, oldest first, among others'."""
    made = []
    for number in range(23):
        made.append(a_message(clock, owner="7", task=f"task-{number % 2}"))
        store.put_jobs([made[-1], a_message(clock, owner="8"), a_message(clock)])
        clock.move(DAY / 5)
    return made


@pytest.mark.parametrize("limit", [1, 4, 10, 23, 100])
def test_an_owners_jobs_are_listed_newest_first_in_pages(
    store: Store, messages: list[Message], limit: int
) -> None:
    pages = listed(store, "7", limit)

    assert [uuid for page in pages for uuid in page] == [message.uuid for message in reversed(messages)]
    assert all(len(page) == limit for page in pages[:-1])


def test_a_tasks_jobs_are_listed_newest_first(store: Store, messages: list[Message]) -> None:
    page = store.list_tasks(["task-1"], limit=5)

    assert [record.uuid for record in page.records] == [message.uuid for message in messages[::-1][1:11:2]]
    assert page.cursor is not None


@pytest.mark.parametrize("limit", [1, 4, 23, 100])
def test_several_tasks_jobs_are_listed_as_one(store: Store, messages: list[Message], limit: int) -> None:
    uuids: list[str] = []
    cursor: str | None = None
    while True:
        page = store.list_tasks(["task-1", "task-0", "no-such"], limit=limit, cursor=cursor)
        uuids += [record.uuid for record in page.records]
        cursor = page.cursor
        if cursor is None:
            break
        assert len(page.records) == limit

    assert uuids == [message.uuid for message in reversed(messages)]


def test_no_tasks_have_no_jobs(store: Store, messages: list[Message]) -> None:
    assert store.list_tasks([]).records == ()


@pytest.mark.parametrize("wanted", [0, 1, 6, 22])
def test_a_listing_ends_where_it_is_asked_to(store: Store, messages: list[Message], wanted: int) -> None:
    since = messages[wanted].created
    newest_first = [message.uuid for message in messages[wanted:]][::-1]

    of_tasks = store.list_tasks(["task-0", "task-1"], limit=100, since=since)
    of_owner = store.list_owner("7", limit=100, since=since)

    assert [record.uuid for record in of_tasks.records] == newest_first
    assert [record.uuid for record in of_owner.records] == newest_first


@pytest.mark.parametrize("wanted", [0, 1, 6, 22])
@pytest.mark.parametrize("limit", [4, 100])
def test_a_listing_begins_where_it_is_asked_to(
    store: Store, messages: list[Message], wanted: int, limit: int
) -> None:
    until = messages[wanted].created
    earlier = [message.uuid for message in messages if message.created < until][::-1]

    found, cursor = [], None
    while True:
        page = store.list_tasks(["task-0", "task-1"], limit=limit, cursor=cursor, until=until)
        found += [record.uuid for record in page.records]
        if (cursor := page.cursor) is None:
            break

    assert found == earlier


def test_a_listing_tells_the_present_state(store: Store, clock: FakeClock, messages: list[Message]) -> None:
    store.succeed(messages[-1].uuid, begin(store, clock, messages[-1]), Snapshot(1), {"sum": 3})
    store.cancel(messages[-2].uuid)

    page = store.list_owner("7", limit=3)

    assert [record.status for record in page.records] == ["succeeded", "cancelled", "pending"]
    assert page.records[0].outputs == {"sum": 3}


def test_jobs_of_the_same_moment_are_all_listed(store: Store, clock: FakeClock) -> None:
    made = [a_message(clock, owner="7") for _ in range(12)]
    store.put_jobs(made)

    pages = listed(store, "7", 5)

    assert [len(page) for page in pages] == [5, 5, 2]
    assert {uuid for page in pages for uuid in page} == {message.uuid for message in made}


def test_an_owners_ids_are_those_of_the_listing(store: Store, messages: list[Message]) -> None:
    first, cursor = store.owner_uuids("7", limit=10)
    rest, end = store.owner_uuids("7", limit=13, cursor=cursor)

    assert first + rest == [message.uuid for message in reversed(messages)]
    assert end is None


def test_an_owner_without_jobs_has_an_empty_page(store: Store) -> None:
    page = store.list_owner("nobody")

    assert (page.records, page.cursor) == ((), None)


@pytest.mark.parametrize("cursor", ["nonsense", "%%%", "AAAA", "ä"])
def test_a_cursor_that_no_listing_gave_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        store.list_owner("7", cursor=cursor)


# -- watching ----------------------------------------------------------------------------------------------------


def test_every_step_of_a_job_is_told_to_who_watches_once(store: Store, clock: FakeClock) -> None:
    message = a_message(clock)
    seen = {message.uuid: "?"}

    def look() -> Record | None:
        """What is told; that there is something, and that it is told once."""
        changed = store.changed(seen)
        assert list(changed) == [message.uuid]
        mark, record = changed[message.uuid]
        seen[message.uuid] = mark
        assert store.changed(seen) == {}
        if record is None:
            return None
        assert isinstance(record, Record)
        assert record.to_json() == read(store, message).to_json()
        return record

    def status() -> str:
        record = look()
        assert record is not None
        return record.status

    store.put_jobs([message])
    assert status() == "pending"
    claim = begin(store, clock, message)
    assert status() == "running"
    store.write_progress(message.uuid, claim.token, Snapshot(1, 1), lease=None)
    record = look()
    assert record is not None
    assert record.progress == 1
    store.write_progress(message.uuid, claim.token, Snapshot(2, 1, messages=("half way",)), lease=None)
    record = look()
    assert record is not None
    assert record.messages == ("half way",)
    store.release(message.uuid, claim.token)
    assert status() == "pending"
    claim = begin(store, clock, message)
    assert status() == "running"
    store.retry(message, claim, Snapshot(1), Failure(type="E", message=""), not_before=0)
    assert status() == "pending"
    claim = begin(store, clock, message)
    assert status() == "running"
    store.cancel(message.uuid)
    record = look()
    assert record is not None
    assert record.cancel_requested
    store.fail(message.uuid, claim, Snapshot(1), Failure(type="E", message=""), status="cancelled")
    assert status() == "cancelled"
    store.delete(message.uuid)
    assert look() is None


def test_only_what_has_changed_is_told(store: Store, clock: FakeClock) -> None:
    messages = [a_message(clock) for _ in range(3)]
    store.put_jobs(messages)
    seen = {
        message.uuid: mark
        for message in messages
        for mark in [store.changed({message.uuid: "?"})[message.uuid][0]]
    }

    begin(store, clock, messages[1])

    assert list(store.changed(seen)) == [messages[1].uuid]
    assert store.changed({"unknown": "?"}) == {"unknown": ("", None)}
