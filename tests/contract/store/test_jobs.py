"""A job as it was submitted: over every store."""

from base64 import b64encode
from dataclasses import replace
from zlib import compress

import pytest

from serverless_tasks.engine.aws import session
from serverless_tasks.engine.aws.dynamodb.expressions import from_dynamodb, to_dynamodb
from serverless_tasks.engine.aws.dynamodb.table import Table
from serverless_tasks.engine.aws.s3.payloads import BucketBlobs
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.store.base import Store
from serverless_tasks.engine.store.items import job_item
from serverless_tasks.engine.store.memory import MemoryStore
from serverless_tasks.engine.store.payloads import offload_inputs
from serverless_tasks.errors import AwsError
from tests.support.calls import counted_calls
from tests.support.clock import FakeClock
from tests.support.jobs import a_message

RETRIED = "0b0e64f7-7d0b-4d6c-8a3a-1f5f3d8f1c11"


def test_nothing_is_known_of_a_stranger(store: Store) -> None:
    assert store.job(RETRIED) is None


def test_a_job_is_given_as_it_was_submitted(store: Store, clock: FakeClock) -> None:
    message = a_message(
        clock, owner="7", queue="low", tenant="t", retry_of=RETRIED, inputs={"a": [0, "", None]}
    )
    store.put_jobs([message])

    assert store.job(message.uuid) == message


def test_a_job_without_what_is_optional_too(store: Store, clock: FakeClock) -> None:
    message = a_message(clock)
    store.put_jobs([message])

    assert store.job(message.uuid) == message


def test_compressed_inputs_are_read_at_whatever_level(
    request: pytest.FixtureRequest, store: Store, clock: FakeClock
) -> None:
    message = a_message(clock, owner="7", inputs={"lines": [{"article": "käse", "amount": 2}] * 100})
    item = job_item(message)
    compressed = compress(item.pop("inputs").encode(), 9)
    if isinstance(store, MemoryStore):
        store._items[message.uuid] = {item["sk"]: item | {"inputs_zlib": compressed}}
    else:
        config: Config = request.getfixturevalue("config")
        stored = to_dynamodb(item) | {"inputs_zlib": {"B": b64encode(compressed).decode()}}
        session.client("dynamodb").put_item(TableName=config.table, Item=stored)

    assert store.job(message.uuid) == message
    record = store.read(message.uuid)
    assert record is not None
    assert record.status == "pending"


def test_bytes_are_read_whether_or_not_botocore_has_decoded_them() -> None:
    assert from_dynamodb({"a": {"B": "eA=="}, "b": {"B": b"x"}}) == {"a": b"x", "b": b"x"}


def test_what_became_of_a_job_does_not_change_it(store: Store, clock: FakeClock) -> None:
    message = a_message(clock, owner="7")
    store.put_jobs([message])
    store.cancel(message.uuid)

    assert store.job(message.uuid) == message


def test_secret_inputs_are_masked(store: Store, clock: FakeClock) -> None:
    message = a_message(clock, inputs={"password": "hunter22", "user": "ada"}, secrets=("password",))
    store.put_jobs([message])

    assert store.job(message.uuid) == replace(message, inputs={"password": "**********", "user": "ada"})


def test_a_job_without_a_job_item_is_not_known(store: Store, clock: FakeClock) -> None:
    message = a_message(clock)
    store.claim(message, token="a", lease=clock.ms + 1, request_id="")

    assert store.job(message.uuid) is None


class TestInTheBucket:
    @pytest.fixture
    def blobs(self, config: Config) -> BucketBlobs:
        return BucketBlobs(config.bucket)

    def test_large_inputs_are_fetched(self, table: Table, clock: FakeClock, blobs: BucketBlobs) -> None:
        message = a_message(clock, inputs={"text": "ä" * 200_000})
        table.put_jobs([offload_inputs(message, blobs)])

        with counted_calls("dynamodb", "s3") as calls:
            job = table.job(message.uuid)

        assert job == message
        assert calls == {"GetItem": 1, "GetObject": 1}

    def test_secret_ones_among_them_are_masked(
        self, table: Table, clock: FakeClock, blobs: BucketBlobs
    ) -> None:
        message = a_message(
            clock, inputs={"password": "hunter22", "text": "x" * 300_000}, secrets=("password",)
        )
        table.put_jobs([offload_inputs(message, blobs)])

        job = table.job(message.uuid)

        assert job == replace(message, inputs={**message.inputs, "password": "**********"})

    def test_inputs_that_are_gone_leave_their_key(self, table: Table, clock: FakeClock) -> None:
        message = a_message(clock)
        message = replace(message, inputs={}, inputs_key=f"inputs/{message.uuid}")
        table.put_jobs([message])

        assert table.job(message.uuid) == message

    def test_a_bucket_that_cannot_be_asked_is_an_error(
        self, table: Table, clock: FakeClock, blobs: BucketBlobs, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        message = a_message(clock, inputs={"text": "x" * 200_000})
        table.put_jobs([offload_inputs(message, blobs)])

        def busy(self: BucketBlobs, key: str) -> bytes:
            raise AwsError("s3.GetObject", "SlowDown", "", applied=True)

        monkeypatch.setattr(BucketBlobs, "get", busy)

        with pytest.raises(AwsError):
            table.job(message.uuid)
