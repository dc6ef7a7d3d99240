"""As which jobs an ended one was retried: over every store."""

from collections import Counter
from uuid import uuid4

import pytest

from serverless_tasks.engine.aws.dynamodb.table import Table
from serverless_tasks.engine.job.message import OPEN, Message
from serverless_tasks.engine.job.plan import Plan, Step
from serverless_tasks.engine.job.progress import Snapshot
from serverless_tasks.engine.job.record import SUCCEEDED, Failure, Members
from serverless_tasks.engine.store.base import Store
from serverless_tasks.engine.store.groups import group_state
from serverless_tasks.engine.store.items import RETRIES_NOTED
from tests.support.calls import counted_calls
from tests.support.clock import FakeClock
from tests.support.jobs import a_message

BROKEN = Failure(type="ValueError", message="it broke", public=False)


def ended(store: Store, clock: FakeClock, ending: str = "failed") -> Message:
    message = a_message(clock, owner="7")
    held = store.claim(message, token="a", lease=clock.ms + 60_000, request_id="r")
    if ending == SUCCEEDED:
        store.succeed(message.uuid, held, Snapshot(1), {"sum": 1})
    else:
        store.fail(message.uuid, held, Snapshot(1), BROKEN, status=ending)
    return message


def retries(store: Store, uuid: str) -> tuple[str, ...]:
    record = store.read(uuid)
    assert record is not None
    return record.retried_as


@pytest.mark.parametrize("ending", ["succeeded", "failed", "cancelled"])
def test_an_ended_job_notes_its_retries_in_their_order(store: Store, clock: FakeClock, ending: str) -> None:
    message = ended(store, clock, ending)
    before = store.read(message.uuid)
    ids = [str(uuid4()) for _ in range(3)]

    assert all(store.note_retry(message.uuid, each) for each in ids)

    after = store.read(message.uuid)
    assert after is not None
    assert after.to_json()["retried_as"] == ids
    assert before is not None
    assert after.to_json() == before.to_json() | {"retried_as": ids}


def test_the_same_retry_is_noted_once(store: Store, clock: FakeClock) -> None:
    message = ended(store, clock)
    first, second = str(uuid4()), str(uuid4())
    for each in (first, second, first):
        assert store.note_retry(message.uuid, each)
    assert retries(store, message.uuid) == (first, second)


def test_the_last_retries_are_kept(store: Store, clock: FakeClock) -> None:
    message = ended(store, clock)
    ids = [str(uuid4()) for _ in range(RETRIES_NOTED + 2)]
    for each in ids:
        store.note_retry(message.uuid, each)
    assert retries(store, message.uuid) == tuple(ids[2:])


def test_a_job_that_has_not_ended_notes_none(store: Store, clock: FakeClock) -> None:
    waiting, running = a_message(clock), a_message(clock)
    store.put_jobs([waiting])
    store.claim(running, token="a", lease=clock.ms + 60_000, request_id="r")

    for uuid in (waiting.uuid, running.uuid, str(uuid4())):
        assert not store.note_retry(uuid, str(uuid4()))

    assert (retries(store, waiting.uuid), retries(store, running.uuid)) == ((), ())
    assert store.claim(waiting, token="b", lease=clock.ms + 60_000, request_id="r").attempt == 1


def test_a_deleted_job_notes_none(store: Store, clock: FakeClock) -> None:
    message = ended(store, clock)
    store.delete(message.uuid)

    assert not store.note_retry(message.uuid, str(uuid4()))

    assert store.read(message.uuid) is None


def test_a_job_that_notes_its_retries_is_deleted_whole(store: Store, clock: FakeClock) -> None:
    message, retry = ended(store, clock), str(uuid4())
    store.note_retry(message.uuid, retry)

    store.delete(message.uuid)

    assert store.deleted(message.uuid)
    items = store._items  # type: ignore[attr-defined]
    kept = items[message.uuid]["s#state"] if isinstance(items, dict) else items.get(message.uuid, "s#state")
    assert retry not in str(kept)


def test_who_watches_a_job_hears_of_its_retry(store: Store, clock: FakeClock) -> None:
    message = ended(store, clock)
    token, _ = store.changed({message.uuid: "?"})[message.uuid]

    store.note_retry(message.uuid, str(uuid4()))

    assert list(store.changed({message.uuid: token})) == [message.uuid]


def test_an_ended_group_notes_its_retries(store: Store, clock: FakeClock) -> None:
    message = a_message(clock, task="group", workflow=OPEN)
    plan = Plan(total=1, deadline=60, members=(Step(task="sum"),))
    store.groups.open(group_state(message, plan, now=clock.ms, deadline=clock.ms + 60_000))
    assert not store.note_retry(message.uuid, str(uuid4()))
    store.groups.close(message.uuid, SUCCEEDED, Members(total=1, succeeded=1), {})
    retry = str(uuid4())

    assert store.note_retry(message.uuid, retry)

    assert retries(store, message.uuid) == (retry,)
    group = store.groups.get(message.uuid)
    assert group is not None
    assert group.retried_as == (retry,)


def test_the_first_retry_is_noted_by_one_call(table: Table, clock: FakeClock) -> None:
    message = ended(table, clock)
    with counted_calls("dynamodb") as calls:
        table.note_retry(message.uuid, str(uuid4()))
    assert calls == Counter({"UpdateItem": 1})
