"""Every store keeps the same items: what a job goes through leaves the same state in memory as in the table."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from serverless_tasks.engine.aws import session
from serverless_tasks.engine.aws.dynamodb.expressions import from_dynamodb
from serverless_tasks.engine.aws.dynamodb.table import Table
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.job.progress import Snapshot
from serverless_tasks.engine.job.record import Failure
from serverless_tasks.engine.store.base import Claim, Store
from serverless_tasks.engine.store.memory import MemoryStore
from tests.support.clock import FakeClock
from tests.support.jobs import a_message

BROKEN = Failure(type="ValueError", message="it broke", public=False)
HALF_WAY = Snapshot(1, 5, 10.5)
LAST = Snapshot(2, 10, 10.5)


def claim(store: Store, clock: FakeClock, message: Message, token: str = "a") -> Claim:
    return store.claim(message, token=token, lease=clock.ms + 60_000, request_id=f"request-{token}")


def retry(store: Store, clock: FakeClock, message: Message) -> None:
    again = replace(message, expires=message.expires + 1)
    store.retry(again, claim(store, clock, message), LAST, BROKEN, not_before=clock.ms + 1000)


def run(store: Store, clock: FakeClock, message: Message) -> None:
    claim(store, clock, message)


def report(store: Store, clock: FakeClock, message: Message) -> None:
    held = claim(store, clock, message)
    store.write_progress(message.uuid, held.token, HALF_WAY, lease=clock.ms + 90_000)


def begin_again(store: Store, clock: FakeClock, message: Message) -> None:
    report(store, clock, message)
    clock.move(91)
    claim(store, clock, message, "b")


def succeed(store: Store, clock: FakeClock, message: Message) -> None:
    store.succeed(message.uuid, claim(store, clock, message), LAST, {"sum": 3})


def fail_although_it_was_to_stop(store: Store, clock: FakeClock, message: Message) -> None:
    held = claim(store, clock, message)
    store.cancel(message.uuid)
    store.fail(message.uuid, held, LAST, BROKEN)


def succeed_at_the_second_try(store: Store, clock: FakeClock, message: Message) -> None:
    retry(store, clock, message)
    clock.move(1)
    store.succeed(message.uuid, claim(store, clock, message, "b"), LAST, {"sum": 3})


def release(store: Store, clock: FakeClock, message: Message) -> None:
    store.release(message.uuid, claim(store, clock, message).token)


def settle(store: Store, clock: FakeClock, message: Message) -> None:
    store.settle(message, BROKEN)


def settle_a_retry(store: Store, clock: FakeClock, message: Message) -> None:
    retry(store, clock, message)
    store.settle(message, BROKEN)


def ask_to_stop(store: Store, clock: FakeClock, message: Message) -> None:
    claim(store, clock, message)
    store.cancel(message.uuid)


def cancel(store: Store, clock: FakeClock, message: Message) -> None:
    store.put_jobs([message])
    store.cancel(message.uuid)


def cancel_an_untracked_one(store: Store, clock: FakeClock, message: Message) -> None:
    store.cancel(message.uuid, message=message)


def cancel_a_retry(store: Store, clock: FakeClock, message: Message) -> None:
    retry(store, clock, message)
    store.cancel(message.uuid)


def send_back(store: Store, clock: FakeClock, message: Message) -> None:
    store.put_jobs([message])
    store.returned(message, BROKEN)


def send_a_retry_back(store: Store, clock: FakeClock, message: Message) -> None:
    retry(store, clock, message)
    store.returned(message, BROKEN)


def send_back_what_runs(store: Store, clock: FakeClock, message: Message) -> None:
    claim(store, clock, message)
    store.returned(message, BROKEN)


def send_back_what_has_ended(store: Store, clock: FakeClock, message: Message) -> None:
    succeed(store, clock, message)
    store.returned(message, BROKEN)


def run_what_was_sent_back(store: Store, clock: FakeClock, message: Message) -> None:
    send_back(store, clock, message)
    claim(store, clock, message)


def cancel_what_was_sent_back(store: Store, clock: FakeClock, message: Message) -> None:
    send_back(store, clock, message)
    store.cancel(message.uuid)


def settle_what_was_sent_back(store: Store, clock: FakeClock, message: Message) -> None:
    send_back(store, clock, message)
    store.settle(message, BROKEN)


@pytest.mark.parametrize(
    "happen",
    [
        send_back,
        send_a_retry_back,
        send_back_what_runs,
        send_back_what_has_ended,
        run_what_was_sent_back,
        cancel_what_was_sent_back,
        settle_what_was_sent_back,
        run,
        report,
        begin_again,
        succeed,
        fail_although_it_was_to_stop,
        retry,
        succeed_at_the_second_try,
        release,
        settle,
        settle_a_retry,
        ask_to_stop,
        cancel,
        cancel_an_untracked_one,
        cancel_a_retry,
    ],
)
def test_a_state_is_the_same_in_every_store(
    table: Table, config: Config, clock: FakeClock, happen: Callable[[Store, FakeClock, Message], None]
) -> None:
    message = a_message(clock, owner="7", run_at=clock.ms + 5000)
    elsewhere = FakeClock(clock.now())
    memory = MemoryStore(elsewhere)

    happen(table, clock, message)
    happen(memory, elsewhere, message)

    assert memory._items[message.uuid]["s#state"] == _stored(config, message.uuid)


@pytest.mark.parametrize(
    ("happen", "status", "reason"),
    [
        (send_back, "pending", BROKEN.message),
        (send_a_retry_back, "pending", BROKEN.message),
        (send_back_what_runs, "running", None),
        (send_back_what_has_ended, "succeeded", None),
        (run_what_was_sent_back, "running", None),
        (cancel_what_was_sent_back, "cancelled", None),
        (settle_what_was_sent_back, "failed", None),
    ],
)
def test_a_job_that_waits_tells_why_it_was_sent_back(
    store: Store,
    clock: FakeClock,
    happen: Callable[[Store, FakeClock, Message], None],
    status: str,
    reason: str | None,
) -> None:
    message = a_message(clock, owner="7")
    happen(store, clock, message)

    record = store.read(message.uuid)
    assert record is not None
    assert (record.status, record.owner, record.created) == (status, "7", message.created)
    assert (record.returned.message if record.returned else None) == reason


def test_who_watches_a_job_hears_that_it_was_sent_back(store: Store, clock: FakeClock) -> None:
    message = a_message(clock)
    retry(store, clock, message)
    [(seen, _)] = store.changed({message.uuid: "?"}).values()
    store.returned(message, BROKEN)
    assert set(store.changed({message.uuid: seen})) == {message.uuid}


def _stored(config: Config, uuid: str) -> dict[str, Any]:
    key = {"pk": {"S": uuid}, "sk": {"S": "s#state"}}
    item = session.client("dynamodb").get_item(TableName=config.table, Key=key)["Item"]
    return from_dynamodb(item)
