"""The messages of all attempts, with their times: over every store."""

from dataclasses import replace

import pytest

from serverless_tasks.engine.aws import session
from serverless_tasks.engine.aws.dynamodb.expressions import from_dynamodb
from serverless_tasks.engine.aws.dynamodb.table import Table
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.job.progress import Progress, Snapshot
from serverless_tasks.engine.job.record import AttemptMessages, Failure, Record
from serverless_tasks.engine.store import items
from serverless_tasks.engine.store.base import Claim, Store
from tests.support.calls import counted_calls
from tests.support.clock import FakeClock
from tests.support.jobs import a_message

BROKEN = Failure(type="ValueError", message="it broke", public=False)


def begin(store: Store, clock: FakeClock, message: Message, token: str) -> Claim:
    return store.claim(message, token=token, lease=clock.ms + 60_000, request_id=f"request-{token}")


def read(store: Store, message: Message) -> Record:
    record = store.read(message.uuid)
    assert record is not None
    return record


def said(clock: FakeClock, *texts: str) -> Snapshot:
    """What an attempt that says this, a second apart, has to write at its end."""
    progress = Progress(clock.now)
    for text in texts:
        progress.add_message(text)
        clock.move(1)
    snapshot = progress.take(always=True)
    assert snapshot is not None
    return snapshot


def test_the_messages_of_every_attempt_are_kept_with_their_times(store: Store, clock: FakeClock) -> None:
    message = a_message(clock)
    start = clock.ms
    first = begin(store, clock, message, "b")
    store.retry(message, first, said(clock, "one", "two"), BROKEN, not_before=clock.ms)
    second = begin(store, clock, message, "a")  # tokens say nothing of the order
    store.fail(message.uuid, second, said(clock, "three"), BROKEN)

    record = read(store, message)

    assert record.messages_by_attempt == (
        AttemptMessages(attempt=1, texts=("one", "two"), times=(start, start + 1000)),
        AttemptMessages(attempt=2, texts=("three",), times=(start + 2000,)),
    )
    assert record.messages == ("three",)
    assert record.to_json()["messages"] == ["three"]


def test_a_new_attempt_that_has_said_nothing_has_no_messages_of_its_own(
    store: Store, clock: FakeClock
) -> None:
    message = a_message(clock)
    first = begin(store, clock, message, "a")
    store.retry(message, first, said(clock, "one"), BROKEN, not_before=clock.ms)
    begin(store, clock, message, "b")

    record = read(store, message)

    assert record.messages == ()
    assert [(each.attempt, each.texts) for each in record.messages_by_attempt] == [(1, ("one",))]


def test_the_messages_of_a_lost_attempt_are_kept(store: Store, clock: FakeClock) -> None:
    message = a_message(clock)
    first = begin(store, clock, message, "b")
    store.write_progress(message.uuid, first.token, said(clock, "one"), lease=None)
    clock.move(61)
    second = begin(store, clock, message, "a")
    store.succeed(message.uuid, second, said(clock, "two"), {})

    record = read(store, message)

    assert [(each.attempt, each.texts) for each in record.messages_by_attempt] == [
        (1, ("one",)),
        (2, ("two",)),
    ]


def test_messages_that_were_written_one_after_another_are_one_list(store: Store, clock: FakeClock) -> None:
    message, start, progress = a_message(clock), clock.ms, Progress(clock.now)
    held = begin(store, clock, message, "a")
    for text in ("one", "two", "three"):
        progress.add_message(text)
        snapshot = progress.take()
        assert snapshot is not None
        store.write_progress(message.uuid, "a", snapshot, lease=None)
        clock.move(1)
    last = progress.take(always=True)
    assert last is not None
    store.succeed(message.uuid, held, last, {})

    assert read(store, message).messages_by_attempt == (
        AttemptMessages(attempt=1, texts=("one", "two", "three"), times=(start, start + 1000, start + 2000)),
    )


def test_what_could_not_be_written_keeps_its_time(clock: FakeClock) -> None:
    progress, start = Progress(clock.now), clock.ms
    progress.add_message("one")
    lost = progress.take()
    assert lost is not None
    progress.give_back(lost)
    clock.move(5)
    progress.add_message("two")

    assert progress.take() == Snapshot(2, 0, None, ("one", "two"), 0, (start, start + 5000))


def test_messages_of_the_version_before_are_read_without_times(store: Store, clock: FakeClock) -> None:
    message = a_message(clock)
    held = begin(store, clock, message, "a")
    store.write_progress(message.uuid, "a", Snapshot(1, messages=("one",)), lease=None)
    mixed = replace(said(clock, "two"), seq=2, first=1)
    store.succeed(message.uuid, held, mixed, {})

    record = read(store, message)

    assert record.messages == ("one", "two")
    assert record.messages_by_attempt[0].times == (None, clock.ms - 1000)


def test_many_short_messages_fit_their_items(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(items, "ITEM_MESSAGES", 100)
    message, texts = a_message(clock), [str(number) for number in range(50)]
    held = begin(store, clock, message, "a")
    snapshot = said(clock, *texts)
    store.succeed(message.uuid, held, snapshot, {})

    kept = items.message_items(message.uuid, "a", snapshot)

    assert len(kept) > 1
    assert all(len(each["messages"] + each["times"]) <= 100 for each in kept)
    assert read(store, message).messages_by_attempt[0].texts == tuple(texts)
    assert read(store, message).messages_by_attempt[0].times == snapshot.times


def test_times_cost_no_further_call(table: Table, clock: FakeClock) -> None:
    message = a_message(clock)
    held = begin(table, clock, message, "a")
    with counted_calls("dynamodb") as calls:
        table.succeed(message.uuid, held, said(clock, "one", "two"), {"sum": 1})
    assert calls == {"PutItem": 1, "UpdateItem": 1}


def test_a_state_holds_no_message_and_no_time_of_one(table: Table, config: Config, clock: FakeClock) -> None:
    message = a_message(clock)
    held = begin(table, clock, message, "a")
    table.succeed(message.uuid, held, said(clock, *("a message" for _ in range(100))), {"sum": 1})

    key = {"pk": {"S": message.uuid}, "sk": {"S": "s#state"}}
    item = session.client("dynamodb").get_item(TableName=config.table, Key=key)["Item"]

    assert len(str(from_dynamodb(item))) < 1024


def test_an_attempt_says_when_the_next_one_was_due(store: Store, clock: FakeClock) -> None:
    message = a_message(clock)
    due = clock.ms + 30_000
    first = begin(store, clock, message, "a")
    store.retry(replace(message, run_at=due), first, Snapshot(1), BROKEN, not_before=due)
    clock.move(31)
    store.fail(message.uuid, begin(store, clock, message, "b"), Snapshot(1), BROKEN)

    assert [each.due for each in read(store, message).history] == [due, None]
