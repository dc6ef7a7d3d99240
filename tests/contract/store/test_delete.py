"""A deleted job leaves nothing but that it has ended: over every store."""

from typing import Any

import pytest

from serverless_tasks.engine.aws import session
from serverless_tasks.engine.aws.dynamodb.table import Table
from serverless_tasks.engine.aws.s3.payloads import BucketBlobs
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.job.message import RETENTION, Message
from serverless_tasks.engine.job.progress import Snapshot
from serverless_tasks.engine.job.record import Failure
from serverless_tasks.engine.store.base import Claim, Store
from serverless_tasks.engine.store.memory import MemoryStore
from serverless_tasks.engine.store.payloads import offload_inputs
from serverless_tasks.errors import AwsError, ConfigurationError, NotFinished, TaskNotFound
from tests.support.calls import counted_calls
from tests.support.clock import FakeClock
from tests.support.jobs import a_message

SECRET = "of Ada Lovelace"
BROKEN = Failure(type="ValueError", message=f"bad {SECRET}", traceback=f"Traceback {SECRET}")
TOLD = Snapshot(1, progress=1, messages=(f"message {SECRET}",))


def begin(store: Store, clock: FakeClock, message: Message, token: str = "a") -> Claim:
    return store.claim(message, token=token, lease=clock.ms + 60_000, request_id="r")


def private(clock: FakeClock, **given: Any) -> Message:
    return a_message(clock, owner=SECRET, inputs={"text": SECRET}, tenant="t", **given)


def succeeded(store: Store, clock: FakeClock, outputs: str = SECRET) -> Message:
    message = private(clock)
    store.put_jobs([message])
    claim = begin(store, clock, message)
    store.retry(message, claim, TOLD, BROKEN, not_before=clock.ms)
    store.succeed(message.uuid, begin(store, clock, message, "b"), TOLD, {"text": outputs})
    return message


def kept(store: Store, uuid: str, config: Config | None = None) -> dict[str, dict[str, Any]]:
    """Everything under a job's key, by sort key."""
    if isinstance(store, MemoryStore):
        return store._items.get(uuid, {})
    assert config is not None
    answer = session.client("dynamodb").query(
        TableName=config.table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": uuid}},
    )
    return {item["sk"]["S"]: item for item in answer["Items"]}


@pytest.fixture
def everything(store: Store, request: pytest.FixtureRequest) -> Any:
    config = None if isinstance(store, MemoryStore) else request.getfixturevalue("config")
    return lambda uuid: kept(store, uuid, config)


def test_readers_and_listings_see_nothing_of_a_deleted_job(store: Store, clock: FakeClock) -> None:
    message = succeeded(store, clock)
    other = succeeded(store, clock)

    store.delete(message.uuid)

    assert store.read(message.uuid) is None
    assert store.job(message.uuid) is None
    assert list(store.read_many([message.uuid, other.uuid])) == [other.uuid]
    assert [record.uuid for record in store.list_owner(SECRET).records] == [other.uuid]
    assert [record.uuid for record in store.list_tasks(["sum"]).records] == [other.uuid]
    assert store.owner_uuids(SECRET) == ([other.uuid], None)
    with pytest.raises(TaskNotFound):
        store.cancel(message.uuid)


def test_what_stays_is_a_terminal_state_without_personal_data(
    store: Store, clock: FakeClock, everything: Any
) -> None:
    message = succeeded(store, clock)

    store.delete(message.uuid)

    left = everything(message.uuid)
    assert list(left) == ["s#state"]
    assert "Lovelace" not in str(left)
    named = {"pk", "sk", "status", "task", "created", "finished", "deleted", "ttl"}
    assert set(left["s#state"]) == named


def test_a_late_message_of_a_deleted_job_is_done_with(store: Store, clock: FakeClock) -> None:
    message = succeeded(store, clock)
    store.delete(message.uuid)

    assert begin(store, clock, message, "late").answer == "ended"
    assert store.settle(message, BROKEN).answer == "ended"
    assert store.read(message.uuid) is None


def test_a_job_that_is_published_again_after_its_deletion_stays_deleted(
    store: Store, clock: FakeClock
) -> None:
    message = succeeded(store, clock)
    store.delete(message.uuid)

    store.put_jobs([message])

    assert store.read(message.uuid) is None
    assert store.list_owner(SECRET).records == ()
    store.delete(message.uuid)
    assert store.job(message.uuid) is None


@pytest.mark.parametrize("end", ["failed", "cancelled", "expired", "lost", "without a job item"])
def test_every_end_can_be_deleted(store: Store, clock: FakeClock, everything: Any, end: str) -> None:
    message = private(clock)
    if end != "without a job item":
        store.put_jobs([message])
    if end == "cancelled":
        store.cancel(message.uuid)
    elif end != "expired":
        claim = begin(store, clock, message)
        if end != "lost":
            store.fail(message.uuid, claim, TOLD, BROKEN)
    if end in ("expired", "lost"):
        clock.move(RETENTION + 1)

    store.delete(message.uuid)

    assert list(everything(message.uuid)) == ["s#state"]
    assert store.read(message.uuid) is None
    assert begin(store, clock, message, "late").answer == "ended"


def test_a_live_job_is_refused_and_stays_as_it_is(store: Store, clock: FakeClock) -> None:
    waiting, running = private(clock), private(clock)
    store.put_jobs([waiting, running])
    begin(store, clock, running)
    before = store.read_many([waiting.uuid, running.uuid])

    for uuid, status in ((waiting.uuid, "pending"), (running.uuid, "running")):
        with pytest.raises(NotFinished, match=f"Job {uuid} is {status}"):
            store.delete(uuid)

    assert store.read_many([waiting.uuid, running.uuid]) == before


def test_what_is_not_known_or_deleted_already_is_not_found(store: Store, clock: FakeClock) -> None:
    message = succeeded(store, clock)
    store.delete(message.uuid)

    for uuid in (message.uuid, "0b0e64f7-7d0b-4d6c-8a3a-1f5f3d8f1c11"):
        with pytest.raises(TaskNotFound):
            store.delete(uuid)


class TestInTheTable:
    @pytest.fixture
    def blobs(self, config: Config) -> BucketBlobs:
        return BucketBlobs(config.bucket)

    def test_payloads_go_with_their_job_those_of_lost_attempts_too(
        self, table: Table, clock: FakeClock, blobs: BucketBlobs
    ) -> None:
        message = a_message(clock, inputs={"text": "x" * 300_000})
        table.put_jobs([offload_inputs(message, blobs)])
        table.succeed(message.uuid, begin(table, clock, message), TOLD, {"text": "y" * 400_000})
        blobs.put(f"outputs/{message.uuid}/of-a-lost-attempt", b"{}")
        blobs.put("outputs/another/a", b"{}")

        table.delete(message.uuid)

        assert blobs.list("inputs/") == []
        assert blobs.list("outputs/") == ["outputs/another/a"]
        blobs.delete(["outputs/another/a"])

    def test_a_job_costs_six_calls(self, table: Table, clock: FakeClock) -> None:
        message = succeeded(table, clock)

        with counted_calls("dynamodb", "s3") as calls:
            table.delete(message.uuid)

        assert calls == {
            "Query": 1,
            "ListObjectsV2": 1,
            "PutItem": 1,
            "DeleteObjects": 1,
            "BatchWriteItem": 1,
            "DeleteItem": 1,
        }

    def test_the_tombstone_is_kept_as_long_as_the_state_was(
        self, table: Table, clock: FakeClock, config: Config
    ) -> None:
        message = succeeded(table, clock)
        before = kept(table, message.uuid, config)
        clock.move(86_400)

        table.delete(message.uuid)

        ttl = max(int(before[key]["ttl"]["N"]) for key in ("job", "s#state"))
        assert int(kept(table, message.uuid, config)["s#state"]["ttl"]["N"]) == ttl

    @pytest.mark.parametrize("failing", ["delete_objects", "batch_write_item", "delete_item"])
    def test_a_deletion_that_was_cut_short_hides_the_job_and_is_taken_up(
        self,
        table: Table,
        clock: FakeClock,
        config: Config,
        failing: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        message = succeeded(table, clock)
        client = session.client("s3" if failing == "delete_objects" else "dynamodb")

        def fail(**_: Any) -> Any:
            raise AwsError(failing, "Down", "", applied=False)

        with monkeypatch.context() as broken:
            broken.setattr(client, failing, fail)
            with pytest.raises(AwsError):
                table.delete(message.uuid)

        assert table.read(message.uuid) is None
        assert table.list_owner(SECRET).records == ()
        assert table.owner_uuids(SECRET) == ([message.uuid], None)
        table.delete(message.uuid)
        assert list(kept(table, message.uuid, config)) == ["s#state"]

    def test_nothing_is_done_where_the_bucket_may_not_be_listed(
        self, table: Table, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        message = succeeded(table, clock)

        def refuse(self: BucketBlobs, prefix: str) -> list[str]:
            raise AwsError("s3.list_objects_v2", "AccessDenied", "", applied=False)

        monkeypatch.setattr(BucketBlobs, "list", refuse)

        with pytest.raises(AwsError):
            table.delete(message.uuid)
        assert table.read(message.uuid) is not None

    def test_payloads_without_a_bucket_to_delete_them_from_are_an_error(
        self, table: Table, clock: FakeClock, config: Config, blobs: BucketBlobs
    ) -> None:
        bucketless = Table(session.client("dynamodb"), config.table, clock, None)
        large = a_message(clock, inputs={"text": "x" * 300_000})
        table.put_jobs([offload_inputs(large, blobs)])
        table.cancel(large.uuid)
        small = succeeded(table, clock)

        with pytest.raises(ConfigurationError, match="SERVERLESS_TASKS_BUCKET"):
            bucketless.delete(large.uuid)
        bucketless.delete(small.uuid)

        assert table.read(large.uuid) is not None
        assert table.read(small.uuid) is None
        table.delete(large.uuid)

    def test_a_job_that_is_begun_while_it_is_deleted_goes_on(
        self, table: Table, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It had expired for a reader whose clock is ahead."""
        message = private(clock)
        table.put_jobs([message])
        clock.move(RETENTION + 1)
        listed = BucketBlobs.list

        def begun_meanwhile(self: BucketBlobs, prefix: str) -> list[str]:
            begin(table, clock, message)
            return listed(self, prefix)

        monkeypatch.setattr(BucketBlobs, "list", begun_meanwhile)

        with pytest.raises(NotFinished, match="is running"):
            table.delete(message.uuid)

        assert table.job(message.uuid) == message

    def test_an_object_that_may_not_be_deleted_is_an_error(
        self, blobs: BucketBlobs, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        refused = {"Errors": [{"Key": "inputs/1", "Code": "AccessDenied", "Message": "no"}]}
        monkeypatch.setattr(session.client("s3"), "delete_objects", lambda **_: refused)

        with pytest.raises(AwsError, match="AccessDenied: inputs/1: no"):
            blobs.delete(["inputs/1"])

    def test_keys_are_listed_past_a_page(self, blobs: BucketBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
        for number in range(3):
            blobs.put(f"pages/{number}", b"")
        list_objects = session.client("s3").list_objects_v2
        monkeypatch.setattr(
            session.client("s3"), "list_objects_v2", lambda **given: list_objects(MaxKeys=2, **given)
        )

        assert blobs.list("pages/") == ["pages/0", "pages/1", "pages/2"]
