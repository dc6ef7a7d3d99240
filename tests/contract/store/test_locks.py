"""Rows that name one job: over the table and the memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from serverless_tasks.engine.aws import session
from serverless_tasks.engine.aws.dynamodb.locks import TableLocks
from serverless_tasks.engine.aws.dynamodb.table import Table
from serverless_tasks.engine.aws.s3.payloads import BucketBlobs
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.job.progress import Snapshot
from serverless_tasks.engine.job.record import Failure
from serverless_tasks.engine.store.base import Store
from serverless_tasks.engine.store.locks import GRACE_MS, Lock, LockRows, Locks
from serverless_tasks.engine.store.memory import MemoryStore
from serverless_tasks.engine.store.memory_locks import MemoryLocks
from serverless_tasks.engine.submit.job_locks import key_lock, unique_lock
from serverless_tasks.errors import AwsError
from tests.support.calls import counted_calls
from tests.support.clock import FakeClock
from tests.support.jobs import a_message

DAY = 86_400
BROKEN = Failure(type="ValueError", message="it broke")


@pytest.fixture(params=["memory", "table"])
def rows(request: pytest.FixtureRequest, clock: FakeClock) -> LockRows:
    """Each implementation in turn."""
    if request.param == "memory":
        return MemoryLocks(clock)
    config: Config = request.getfixturevalue("config")
    return TableLocks(session.client("dynamodb"), config.table, clock)


@pytest.fixture
def store(rows: LockRows, request: pytest.FixtureRequest, clock: FakeClock) -> Store:
    """The jobs, beside the rows."""
    if isinstance(rows, MemoryLocks):
        return MemoryStore(clock)
    found: Table = request.getfixturevalue("table")
    return found


@pytest.fixture
def locks(rows: LockRows, store: Store, clock: FakeClock) -> Locks:
    return Locks(rows, store, clock)


def a_key(message: Message, clock: FakeClock, key: str = "k", seconds: int = DAY) -> Lock:
    return key_lock(message, key, clock.ms, seconds)


def a_place(message: Message, clock: FakeClock) -> Lock:
    return unique_lock(message, clock.ms)


def run(store: Store, clock: FakeClock, message: Message, *, lease: float = 60) -> Any:
    return store.claim(message, token="a", lease=clock.ms + int(lease * 1000), request_id="r")


def end(store: Store, clock: FakeClock, message: Message) -> None:
    store.succeed(message.uuid, run(store, clock, message), Snapshot(seq=9), {"sum": 3})


class TestARow:
    def test_is_the_first_one_s(self, rows: LockRows, clock: FakeClock) -> None:
        first, second = (a_key(a_message(clock, owner="7"), clock) for _ in range(2))

        assert rows.put([first], {}) == [first]
        assert rows.put([second], {}) == [first]

    def test_counts_until_it_expires_and_not_after(self, rows: LockRows, clock: FakeClock) -> None:
        first = a_key(a_message(clock), clock, seconds=60)
        rows.put([first], {})
        clock.move(60)
        assert rows.put([a_key(a_message(clock), clock)], {}) == [first]
        clock.move(0.001)

        second = a_key(a_message(clock), clock)

        assert rows.put([second], {}) == [second]

    def test_is_taken_over_from_the_holder_that_was_seen_and_from_no_other(
        self, rows: LockRows, clock: FakeClock
    ) -> None:
        seen, winner, loser = (a_place(a_message(clock), clock) for _ in range(3))
        rows.put([seen], {})

        assert rows.put([winner], {seen.id: seen.uuid}) == [winner]
        assert rows.put([loser], {seen.id: seen.uuid}) == [winner]

    def test_that_is_freed_is_anyone_s(self, rows: LockRows, clock: FakeClock) -> None:
        first, second = (a_place(a_message(clock), clock) for _ in range(2))
        rows.put([first], {})

        rows.free(first)

        assert rows.put([second], {}) == [second]

    def test_is_not_freed_for_its_next_holder(self, rows: LockRows, clock: FakeClock) -> None:
        first, second, third = (a_place(a_message(clock), clock) for _ in range(3))
        rows.put([first], {})
        rows.put([second], {first.id: first.uuid})

        rows.free(first)

        assert rows.put([third], {}) == [second]

    def test_is_not_freed_when_it_was_written_anew_for_the_same_job(
        self, rows: LockRows, clock: FakeClock
    ) -> None:
        first = a_place(a_message(clock), clock)
        rows.put([first], {})
        anew = replace(first, created=first.created + 1)
        rows.put([anew], {first.id: first.uuid})

        rows.free(first)

        assert rows.put([a_place(a_message(clock), clock)], {}) == [anew]

    def test_that_is_not_there_can_be_freed(self, rows: LockRows, clock: FakeClock) -> None:
        rows.free(a_place(a_message(clock), clock))

    @pytest.mark.parametrize("count", [2, 250])
    def test_of_many_each_gets_its_own_answer(self, rows: LockRows, clock: FakeClock, count: int) -> None:
        messages = [a_message(clock, inputs={"numbers": [n]}) for n in range(count)]
        wanted = [a_place(message, clock) for message in messages]
        taken = [replace(lock, uuid="another") for lock in wanted[::2]]
        rows.put(taken, {})

        found = rows.put(wanted, {})

        assert found[::2] == taken
        assert found[1::2] == wanted[1::2]


def test_rows_of_many_are_one_transaction_for_a_hundred(config: Config, clock: FakeClock) -> None:
    rows = TableLocks(session.client("dynamodb"), config.table, clock)
    wanted = [a_place(a_message(clock, inputs={"numbers": [n]}), clock) for n in range(200)]

    with counted_calls("dynamodb") as calls:
        rows.put(wanted, {})

    assert calls == {"TransactWriteItems": 2}


class TestOtherWriters:
    """A row that a transaction has in hand is refused to everyone else for a moment."""

    def refuse(self, monkeypatch: pytest.MonkeyPatch, operation: str, times: int) -> None:
        client = session.client("dynamodb")
        code = "TransactionConflictException" if operation == "put_item" else "TransactionCanceledException"
        answer = {
            "Error": {"Code": code, "Message": "conflict"},
            "ResponseMetadata": {"HTTPStatusCode": 400},
            "CancellationReasons": [{"Code": "TransactionConflict"}, {"Code": "None"}],
        }
        method, left = getattr(client, operation), [times]

        def conflicts(**parameters: Any) -> Any:
            if left[0]:
                left[0] -= 1
                raise ClientError(answer, operation)  # type: ignore[arg-type]
            return method(**parameters)

        conflicts.__self__ = client  # type: ignore[attr-defined]
        monkeypatch.setattr(client, operation, conflicts)

    @pytest.mark.parametrize(("operation", "count"), [("put_item", 1), ("transact_write_items", 2)])
    def test_are_waited_for(
        self, config: Config, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, operation: str, count: int
    ) -> None:
        self.refuse(monkeypatch, operation, times=2)
        rows = TableLocks(session.client("dynamodb"), config.table, clock)
        wanted = [a_place(a_message(clock, inputs={"numbers": [n]}), clock) for n in range(count)]

        assert rows.put(wanted, {}) == wanted
        assert clock.slept == [0.05, 0.1]

    @pytest.mark.parametrize(("operation", "count"), [("put_item", 1), ("transact_write_items", 2)])
    def test_are_not_waited_for_without_end(
        self, config: Config, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, operation: str, count: int
    ) -> None:
        self.refuse(monkeypatch, operation, times=100)
        rows = TableLocks(session.client("dynamodb"), config.table, clock)
        wanted = [a_place(a_message(clock, inputs={"numbers": [n]}), clock) for n in range(count)]

        with pytest.raises(AwsError, match=r"TransactionConflict.*conflicted 12 times"):
            rows.put(wanted, {})

        assert len(clock.slept) == 12


def test_a_key_that_boto3_wrote_twice_is_one_s_own(config: Config, clock: FakeClock) -> None:
    rows = TableLocks(session.client("dynamodb"), config.table, clock)
    lock = a_key(a_message(clock), clock)
    rows.put([lock], {})

    assert rows.put([lock], {}) == [lock]


def test_a_row_is_in_the_table_without_the_key_s_text(config: Config, clock: FakeClock) -> None:
    message = a_message(clock, owner="7")
    TableLocks(session.client("dynamodb"), config.table, clock).put([a_key(message, clock, "order-5")], {})

    (item,) = session.client("dynamodb").scan(TableName=config.table)["Items"]

    assert item["pk"]["S"].startswith("key#")
    assert "order-5" not in str(item)
    assert (item["sk"], item["uuid"]) == ({"S": "lock"}, {"S": message.uuid})
    assert set(item) == {"pk", "sk", "uuid", "fingerprint", "created", "expires", "ttl"}
    assert int(item["ttl"]["N"]) >= clock.now() + DAY


class TestAKey:
    def test_is_told_apart_by_owner_task_and_text(self, clock: FakeClock) -> None:
        mine = a_message(clock, owner="7")
        others = [
            a_key(replace(mine, owner="8"), clock),
            a_key(replace(mine, owner=None), clock),
            a_key(replace(mine, task="other"), clock),
            a_key(mine, clock, "K"),
        ]

        assert len({a_key(mine, clock).id, *(other.id for other in others)}) == 5

    def test_knows_its_inputs_whatever_their_order(self, clock: FakeClock) -> None:
        one = a_message(clock, inputs={"a": 1, "b": {"c": [1, 2], "d": None}})
        two = a_message(clock, inputs={"b": {"d": None, "c": [1, 2]}, "a": 1})
        other = a_message(clock, inputs={"a": 1, "b": {"c": [2, 1], "d": None}})

        prints = [a_key(message, clock).fingerprint for message in (one, two, other)]

        assert prints[0] == prints[1] != prints[2]

    def test_keeps_a_job_that_has_ended(self, locks: Locks, store: Store, clock: FakeClock) -> None:
        first, second = a_message(clock), a_message(clock)
        locks.once(a_key(first, clock))
        end(store, clock, first)

        held = locks.once(a_key(second, clock))

        assert held.live is not None
        assert (held.live.uuid, held.live.status) == (first.uuid, "succeeded")

    @pytest.mark.parametrize("inputs", [{"numbers": [1, 2]}, {"numbers": [3]}], ids=["same", "other"])
    def test_forgets_a_job_that_was_deleted(
        self, locks: Locks, store: Store, clock: FakeClock, inputs: dict[str, Any]
    ) -> None:
        first, second = a_message(clock), a_message(clock, inputs=inputs)
        locks.once(a_key(first, clock))
        end(store, clock, first)
        store.delete(first.uuid)

        held = locks.once(a_key(second, clock))

        assert (held.lock.uuid, held.live) == (second.uuid, None)

    def test_names_the_job_that_was_never_published(self, locks: Locks, clock: FakeClock) -> None:
        first, second = a_message(clock), a_message(clock)
        locks.once(a_key(first, clock))

        held = locks.once(a_key(second, clock))

        assert (held.lock.uuid, held.live) == (first.uuid, None)

    def test_names_the_job_whose_send_is_uncertain_until_it_is_begun(
        self, locks: Locks, store: Store, clock: FakeClock
    ) -> None:
        first = a_message(clock, uncertain=True)
        locks.once(a_key(first, clock))
        store.put_jobs([first])

        assert locks.once(a_key(a_message(clock), clock)).live is None
        run(store, clock, first)

        begun = locks.once(a_key(a_message(clock), clock))
        assert begun.live is not None
        assert begun.live.status == "running"

    def test_keeps_the_job_whose_send_is_uncertain_once_it_has_expired(
        self, locks: Locks, store: Store, clock: FakeClock
    ) -> None:
        first = a_message(clock, uncertain=True)
        locks.once(a_key(first, clock, seconds=20 * DAY))
        store.put_jobs([first])
        clock.move(4 * DAY + 1)

        held = locks.once(a_key(a_message(clock), clock))

        assert held.live is not None
        assert (held.live.uuid, held.live.status) == (first.uuid, "failed")


class TestAPlace:
    def test_is_of_a_task_and_its_inputs(self, clock: FakeClock) -> None:
        message = a_message(clock, owner="7")

        same = a_place(a_message(clock, owner="8"), clock)
        other_task = a_place(a_message(clock, task="other"), clock)
        other_inputs = a_place(a_message(clock, inputs={"numbers": [2, 1]}), clock)

        mine = a_place(message, clock)
        assert mine.id == same.id
        assert len({mine.id, other_task.id, other_inputs.id}) == 3

    @pytest.mark.parametrize("stage", ["waiting", "running", "lost lease", "waiting for a retry"])
    def test_is_a_live_job_s(self, locks: Locks, store: Store, clock: FakeClock, stage: str) -> None:
        first = a_message(clock, owner="7")
        locks.only([a_place(first, clock)])
        store.put_jobs([first])
        if stage != "waiting":
            claimed = run(store, clock, first)
            if stage == "waiting for a retry":
                store.retry(first, claimed, Snapshot(seq=9), BROKEN, not_before=clock.ms + 1000)
        clock.move(3600 if stage == "lost lease" else 1)

        (held,) = locks.only([a_place(a_message(clock, owner="7"), clock)])

        assert held.live is not None
        assert (held.live.uuid, held.foreign) == (first.uuid, False)

    @pytest.mark.parametrize("jobs", [1, 2])
    def test_is_taken_over_whatever_became_of_large_outputs(
        self, locks: Locks, store: Store, clock: FakeClock, config: Config, jobs: int
    ) -> None:
        firsts = [a_message(clock, inputs={"numbers": [number]}) for number in range(jobs)]
        locks.only([a_place(first, clock) for first in firsts])
        for first in firsts:
            claim = run(store, clock, first)
            store.succeed(first.uuid, claim, Snapshot(seq=9), {"text": "x" * 400_000})
            BucketBlobs(config.bucket).delete([f"outputs/{first.uuid}/{claim.token}"])
        seconds = [a_message(clock, inputs=first.inputs) for first in firsts]

        held = locks.only([a_place(second, clock) for second in seconds])

        assert [each.lock.uuid for each in held] == [second.uuid for second in seconds]

    @pytest.mark.parametrize("ending", ["succeeded", "expired", "cancelled", "deleted"])
    def test_is_taken_over_from_one_that_has_ended(
        self, locks: Locks, store: Store, clock: FakeClock, ending: str
    ) -> None:
        first = a_message(clock, owner="7")
        locks.only([a_place(first, clock)])
        store.put_jobs([first])
        if ending in ("succeeded", "deleted"):
            end(store, clock, first)
            if ending == "deleted":
                store.delete(first.uuid)
        elif ending == "cancelled":
            store.cancel(first.uuid)
        else:
            clock.move(4 * DAY + 1)
        second = a_message(clock, owner="8")

        (held,) = locks.only([a_place(second, clock)])

        assert (held.lock.uuid, held.live, held.foreign) == (second.uuid, None, False)

    def test_of_an_unpublished_job_is_submitted_again_by_its_owner(
        self, locks: Locks, clock: FakeClock
    ) -> None:
        first = a_message(clock, owner="7")
        locks.only([a_place(first, clock)])
        clock.move(GRACE_MS / 1000 + 1)

        (held,) = locks.only([a_place(a_message(clock, owner="7"), clock)])

        assert (held.lock.uuid, held.live) == (first.uuid, None)
        assert held.lock.created == clock.ms

    def test_of_an_unpublished_job_is_another_s_after_the_grace(self, locks: Locks, clock: FakeClock) -> None:
        locks.only([a_place(a_message(clock, owner="7"), clock)])
        clock.move(GRACE_MS / 1000)
        (early,) = locks.only([a_place(a_message(clock, owner="8"), clock)])
        clock.move(0.001)
        second = a_message(clock, owner="8")

        (late,) = locks.only([a_place(second, clock)])

        assert early.foreign
        assert (late.lock.uuid, late.foreign) == (second.uuid, False)

    def test_of_a_job_that_is_perhaps_sent_is_submitted_again_by_its_owner_alone(
        self, locks: Locks, store: Store, clock: FakeClock
    ) -> None:
        first = a_message(clock, owner="7", uncertain=True)
        locks.only([a_place(first, clock)])
        store.put_jobs([first])
        clock.move(GRACE_MS / 1000 + 1)

        (other,) = locks.only([a_place(a_message(clock, owner="8"), clock)])
        (mine,) = locks.only([a_place(a_message(clock, owner="7"), clock)])

        assert (mine.lock.uuid, mine.live) == (first.uuid, None)
        assert other.foreign

    def test_is_foreign_to_a_stranger_though_nobody_owns_it(
        self, locks: Locks, store: Store, clock: FakeClock
    ) -> None:
        first = a_message(clock)
        locks.only([a_place(first, clock)])
        store.put_jobs([first])

        (held,) = locks.only([a_place(a_message(clock), clock)], anonymous=True)

        assert held.foreign

    def test_of_many_is_asked_for_together(self, locks: Locks, store: Store, clock: FakeClock) -> None:
        def jobs(owner: str) -> list[Message]:
            return [a_message(clock, owner=owner, inputs={"numbers": [n]}) for n in range(30)]

        first, second = jobs("7"), jobs("7")
        locks.only([a_place(message, clock) for message in first])
        store.put_jobs(first)
        for message in first[:10]:
            end(store, clock, message)

        held = locks.only([a_place(message, clock) for message in second])

        assert [one.lock.uuid for one in held] == [message.uuid for message in (*second[:10], *first[10:])]
        assert [one.live is None for one in held] == [True] * 10 + [False] * 20

    def test_that_two_take_over_is_one_s_and_the_other_is_shown_it(
        self, rows: LockRows, store: Store, clock: FakeClock
    ) -> None:
        ended, winner, loser = (a_message(clock, owner="7") for _ in range(3))
        rows.put([a_place(ended, clock)], {})
        end(store, clock, ended)

        def overtake() -> None:
            Locks(rows, store, clock).only([a_place(winner, clock)])
            store.put_jobs([winner])

        (held,) = Locks(Overtaken(rows, overtake), store, clock).only([a_place(loser, clock)])

        assert held.live is not None
        assert held.live.uuid == winner.uuid


@dataclass
class Overtaken:
    """Rows between whose first and second write somebody else acts."""

    rows: LockRows
    act: Any
    puts: int = field(default=0)

    def put(self, locks: Sequence[Lock], over: Mapping[str, str]) -> list[Lock]:
        self.puts += 1
        if self.puts == 2:
            self.act()
        return self.rows.put(locks, over)

    def free(self, lock: Lock) -> None:
        self.rows.free(lock)


class TestATurn:
    """What the ticks of a schedule ask a worker's store for."""

    def begin(self, store: Store, clock: FakeClock, lease: float = 60) -> Message:
        message = a_message(clock)
        run(store, clock, message, lease=lease)
        return message

    def test_is_the_first_one_s_while_it_runs(self, locks: Locks, store: Store, clock: FakeClock) -> None:
        first, second = self.begin(store, clock), self.begin(store, clock)

        assert locks.acquire("nightly", first.uuid)
        assert not locks.acquire("nightly", second.uuid)

    def test_of_another_name_is_free(self, locks: Locks, store: Store, clock: FakeClock) -> None:
        first, second = self.begin(store, clock), self.begin(store, clock)

        assert locks.acquire("nightly", first.uuid)
        assert locks.acquire("hourly", second.uuid)

    def test_is_had_still_by_the_next_attempt_of_its_job(
        self, locks: Locks, store: Store, clock: FakeClock
    ) -> None:
        first = self.begin(store, clock)
        locks.acquire("nightly", first.uuid)
        clock.move(61)

        assert locks.acquire("nightly", first.uuid)

    def test_goes_on_once_its_job_has_ended(self, locks: Locks, store: Store, clock: FakeClock) -> None:
        first, second = a_message(clock), self.begin(store, clock)
        locks.acquire("nightly", first.uuid)
        end(store, clock, first)

        assert locks.acquire("nightly", second.uuid)

    def test_is_told_without_the_outputs_of_the_job_that_had_it(
        self, locks: Locks, store: Store, clock: FakeClock, config: Config
    ) -> None:
        """A worker's role need not read them, and they may be large, or gone."""
        first, second = a_message(clock), self.begin(store, clock)
        locks.acquire("nightly", first.uuid)
        claim = run(store, clock, first)
        store.succeed(first.uuid, claim, Snapshot(seq=9), {"text": "x" * 400_000})
        BucketBlobs(config.bucket).delete([f"outputs/{first.uuid}/{claim.token}"])

        assert locks.acquire("nightly", second.uuid)

    def test_goes_on_once_its_job_s_lease_is_dead(self, locks: Locks, store: Store, clock: FakeClock) -> None:
        first = self.begin(store, clock, lease=60)
        locks.acquire("nightly", first.uuid)
        clock.move(60)
        second = self.begin(store, clock)
        assert not locks.acquire("nightly", second.uuid)
        clock.move(0.001)

        assert locks.acquire("nightly", second.uuid)
        assert not locks.acquire("nightly", first.uuid)

    def test_waits_for_a_job_that_waits_for_its_retry(
        self, locks: Locks, store: Store, clock: FakeClock
    ) -> None:
        first = a_message(clock)
        claimed = run(store, clock, first)
        locks.acquire("nightly", first.uuid)
        store.retry(first, claimed, Snapshot(seq=9), BROKEN, not_before=clock.ms + 60_000)

        assert not locks.acquire("nightly", self.begin(store, clock).uuid)

    def test_goes_on_when_nothing_is_known_of_its_job(
        self, locks: Locks, store: Store, clock: FakeClock
    ) -> None:
        locks.acquire("nightly", a_message(clock).uuid)

        assert locks.acquire("nightly", self.begin(store, clock).uuid)

    def test_that_two_want_is_one_s(self, rows: LockRows, store: Store, clock: FakeClock) -> None:
        ended = a_message(clock)
        Locks(rows, store, clock).acquire("nightly", ended.uuid)
        end(store, clock, ended)
        winner, loser = self.begin(store, clock), self.begin(store, clock)

        def overtake() -> None:
            assert Locks(rows, store, clock).acquire("nightly", winner.uuid)

        assert not Locks(Overtaken(rows, overtake), store, clock).acquire("nightly", loser.uuid)
