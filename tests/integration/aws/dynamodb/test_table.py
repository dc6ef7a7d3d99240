"""What only holds of DynamoDB: sizes, calls, and answers that were lost on their way."""

import base64
import threading
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from serverless_tasks.client.search import JobFilter, search_jobs
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.aws.dynamodb import empty_days
from serverless_tasks.engine.aws.dynamodb.empty_days import EmptyDays
from serverless_tasks.engine.aws.dynamodb.items import TableItems
from serverless_tasks.engine.aws.dynamodb.manifest import TableManifest
from serverless_tasks.engine.aws.dynamodb.table import Table
from serverless_tasks.engine.aws.s3.payloads import BucketBlobs
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.definition.manifest.build import Manifest
from serverless_tasks.engine.job.message import RETENTION, expires_at, outputs_prefix
from serverless_tasks.engine.job.progress import Snapshot
from serverless_tasks.engine.job.record import Failure, Record
from serverless_tasks.engine.job.retry import LONGEST_WAIT
from serverless_tasks.engine.store.base import Claim
from serverless_tasks.engine.store.items import DAY_MS, PREVIOUS_ATTEMPT
from serverless_tasks.errors import AlreadyFinished, AwsError, ConfigurationError, LeaseLost, PayloadTooLarge
from tests.support.calls import counted_calls
from tests.support.clock import FakeClock
from tests.support.jobs import a_message

DAY = 86_400
LAMBDA_REQUEST = "8f507cfc-xmpl-4697-b07a-ac58fc914c95"
BROKEN = Failure(type="ValueError", message="it broke", public=False, traceback="Traceback")


def begin(table: Table, clock: FakeClock, message: Any, token: str = "a" * 32) -> Claim:
    return table.claim(message, token=token, lease=clock.ms + 60_000, request_id=LAMBDA_REQUEST)


def item(config: Config, uuid: str, sk: str = "s#state") -> dict[str, Any]:
    key = {"pk": {"S": uuid}, "sk": {"S": sk}}
    found: dict[str, Any] = session.client("dynamodb").get_item(TableName=config.table, Key=key)["Item"]
    return found


def size(item: dict[str, Any]) -> int:
    """An item's size as DynamoDB counts it, numbers by their longest form."""
    total = 0
    for name, value in item.items():
        ((kind, content),) = value.items()
        total += len(name)
        if kind == "S":
            total += len(content.encode())
        else:
            total += 1 if kind == "BOOL" else (len(content) + 1) // 2 + 2
    return total


class Sizes:
    """Sizes of the state while a job runs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.largest = 0
        client = session.client("dynamodb")
        update = client.update_item

        def measured(**parameters: Any) -> Any:
            answer = update(**parameters | {"ReturnValues": "ALL_NEW"})
            self.largest = max(self.largest, size(answer["Attributes"]))
            return answer

        monkeypatch.setattr(client, "update_item", measured)


LONG_FAILURE = Failure(type="E" * 300, message="ä€" * 5_000, public=False, traceback="x" * 50_000)


@pytest.mark.parametrize("ending", ["succeed", "large", "fail", "retry", "lost"])
def test_a_state_stays_within_one_write_unit_whatever_the_payload(
    table: Table, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    message = a_message(
        clock, owner="12345678-1234-1234-1234-123456789012", task="shop.orders.background." + "T" * 60
    )
    sizes = Sizes(monkeypatch)
    monkeypatch.setattr(table, "_build", "b" * 24)
    begin(table, clock, message)
    clock.move(61)
    claim = begin(table, clock, message, "b" * 32)
    texts = tuple("ä" * 2_000 for _ in range(40))
    table.write_progress(message.uuid, "b" * 32, Snapshot(1, 123456.789, 99999999.5, texts), lease=clock.ms)
    table.cancel(message.uuid)
    last = Snapshot(2, 123456.789, 99999999.5, texts, 40)
    if ending == "succeed":
        table.succeed(message.uuid, claim, last, {"text": "x" * 289})
    elif ending == "large":
        table.succeed(message.uuid, claim, last, {"text": "€" * 285})
    elif ending == "fail":
        table.fail(message.uuid, claim, last, LONG_FAILURE)
    elif ending == "retry":
        table.retry(message, claim, last, LONG_FAILURE, not_before=clock.ms + 1000)
    else:
        clock.move(61)
        table.settle(message, LONG_FAILURE)

    assert 300 < sizes.largest <= 1024


def test_a_run_costs_two_writes(table: Table, clock: FakeClock) -> None:
    message = a_message(clock)
    with counted_calls() as calls:
        claim = begin(table, clock, message)
        table.succeed(message.uuid, claim, Snapshot(1), {"sum": 3})

    assert calls == {"UpdateItem": 2}


def test_the_status_of_a_begun_job_costs_one_query(table: Table, clock: FakeClock) -> None:
    message = a_message(clock)
    table.put_jobs([message])
    begin(table, clock, message)
    with counted_calls() as calls:
        table.read(message.uuid)

    assert calls == {"Query": 1}


@pytest.mark.parametrize(("jobs", "writes"), [(2, 1), (25, 1), (26, 2), (100, 4)])
def test_many_jobs_are_kept_25_to_a_call(table: Table, clock: FakeClock, jobs: int, writes: int) -> None:
    messages = [a_message(clock) for _ in range(jobs)]
    with counted_calls() as calls:
        table.put_jobs(messages)

    assert calls == {"BatchWriteItem": writes}
    assert len(table.read_many([message.uuid for message in messages])) == jobs


@pytest.mark.parametrize(("jobs", "reads"), [(1, 1), (100, 1), (101, 2), (1_000, 10)])
def test_a_look_at_watched_jobs_is_a_read_for_each_hundred(
    table: Table, clock: FakeClock, jobs: int, reads: int
) -> None:
    seen = {str(uuid4()): "" for _ in range(jobs)}
    with counted_calls() as calls:
        assert table.changed(seen) == {}

    assert calls == {"BatchGetItem": reads}


def test_what_has_changed_of_watched_jobs_is_read_together(table: Table, clock: FakeClock) -> None:
    messages = [a_message(clock) for _ in range(20)]
    for message in messages:
        begin(table, clock, message)
    with counted_calls() as calls:
        assert len(table.changed({message.uuid: "" for message in messages})) == 20

    assert calls == {"BatchGetItem": 2}


def test_of_watched_jobs_one_whose_outputs_cannot_be_read_is_told_of_alone(
    table: Table, clock: FakeClock, config: Config
) -> None:
    bad, good = a_message(clock), a_message(clock)
    for message in (bad, good):
        table.succeed(message.uuid, begin(table, clock, message), Snapshot(1), {"text": "x" * 300_000})
    blobs = BucketBlobs(config.bucket)
    blobs.delete(blobs.list(outputs_prefix(bad.uuid)))

    changed = table.changed({bad.uuid: "?", good.uuid: "?"})

    found = {uuid: record for uuid, (_, record) in changed.items()}
    assert isinstance(found[bad.uuid], AwsError)
    assert isinstance(found[good.uuid], Record)
    with pytest.raises(AwsError):
        table.read_many([bad.uuid, good.uuid])


def test_what_dynamodb_left_out_of_a_batch_is_written_again(
    table: Table, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = [a_message(clock) for _ in range(5)]
    client = session.client("dynamodb")
    write = client.batch_write_item
    sent: list[int] = []

    def reluctant(**given: Any) -> Any:
        ((name, requests),) = given["RequestItems"].items()
        sent.append(len(requests))
        answer = write(RequestItems={name: requests[:2]})
        return answer | {"UnprocessedItems": {name: requests[2:]} if requests[2:] else {}}

    monkeypatch.setattr(client, "batch_write_item", reluctant)
    table.put_jobs(messages)

    assert sent == [5, 3, 1]
    assert len(table.read_many([message.uuid for message in messages])) == 5


def test_a_table_that_leaves_out_everything_is_an_error_in_the_end(
    table: Table, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = session.client("dynamodb")

    def nothing(**given: Any) -> Any:
        return {
            "Responses": {},
            "UnprocessedItems": given["RequestItems"],
            "UnprocessedKeys": given["RequestItems"],
        }

    monkeypatch.setattr(client, "batch_write_item", nothing)
    monkeypatch.setattr(client, "batch_get_item", nothing)

    with pytest.raises(AwsError, match="throttled") as raised:
        table.put_jobs([a_message(clock), a_message(clock)])
    with pytest.raises(AwsError, match="throttled"):
        table.read_many(["0b0e64f7-7d0b-4d6c-8a3a-1f5f3d8f1c11"])
    assert raised.value.applied
    assert 10 < sum(clock.slept) / 2 < 20


def test_a_job_submitted_again_keeps_its_item(table: Table, config: Config, clock: FakeClock) -> None:
    message = a_message(clock)
    table.put_jobs([message])
    before = item(config, message.uuid, "job")
    clock.move(10)

    table.put_jobs([a_message(clock, uuid=message.uuid, inputs={"numbers": []})])

    assert item(config, message.uuid, "job") == before


class TestAnAnswerThatWasLost:
    """boto3 tries again, and finds that its first try had arrived."""

    @pytest.fixture(autouse=True)
    def lose_the_first_answer(self, table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
        client = session.client("dynamodb")
        monkeypatch.setattr(client, "update_item", twice(client.update_item))

    def test_of_a_claim(self, table: Table, clock: FakeClock) -> None:
        claim = begin(table, clock, a_message(clock))

        assert (claim.answer, claim.attempt) == ("claimed", 1)

    def test_of_a_success(self, table: Table, clock: FakeClock) -> None:
        message = a_message(clock)
        claim = begin(table, clock, message)

        table.succeed(message.uuid, claim, Snapshot(1), {"sum": 3})

    def test_of_a_failure(self, table: Table, clock: FakeClock) -> None:
        message = a_message(clock)
        claim = begin(table, clock, message)

        table.fail(message.uuid, claim, Snapshot(1), BROKEN)

    def test_of_a_retry(self, table: Table, clock: FakeClock) -> None:
        message = a_message(clock)
        claim = begin(table, clock, message)

        table.retry(message, claim, Snapshot(1), BROKEN, not_before=clock.ms)

        record = table.read(message.uuid)
        assert record is not None
        assert record.status == "pending"

    def test_of_progress(self, table: Table, clock: FakeClock) -> None:
        message = a_message(clock)
        begin(table, clock, message)

        assert table.write_progress(message.uuid, "a" * 32, Snapshot(1, 5), lease=None) is False

    def test_of_a_release(self, table: Table, clock: FakeClock) -> None:
        message = a_message(clock)
        begin(table, clock, message)

        table.release(message.uuid, "a" * 32)

        assert begin(table, clock, message, "b" * 32).attempt == 1

    def test_of_a_cancellation(self, table: Table, clock: FakeClock) -> None:
        message = a_message(clock)
        table.put_jobs([message])

        assert table.cancel(message.uuid).status == "cancelled"
        with pytest.raises(AlreadyFinished):
            table.cancel(message.uuid)

    def test_a_stale_token_is_still_refused(self, table: Table, clock: FakeClock) -> None:
        message = a_message(clock)
        stale = begin(table, clock, message)
        clock.move(61)
        begin(table, clock, message, "b" * 32)

        with pytest.raises(LeaseLost):
            table.succeed(message.uuid, stale, Snapshot(1), {})


def twice(update: Any) -> Any:
    def first_lost(**parameters: Any) -> Any:
        update(**parameters)
        return update(**parameters)

    first_lost.__self__ = update.__self__  # type: ignore[attr-defined]
    return first_lost


def test_an_attempt_whose_end_was_not_recorded_is_still_running(
    table: Table, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The details are written first; here the write of the state that names them is the one that is throttled."""
    message = a_message(clock)
    claim = begin(table, clock, message)
    client = session.client("dynamodb")

    def throttled(**_: Any) -> Any:
        raise ReadTimeoutError(endpoint_url="https://dynamodb")

    throttled.__self__ = client  # type: ignore[attr-defined]
    with monkeypatch.context() as patch:
        patch.setattr(client, "update_item", throttled)
        with pytest.raises(AwsError):
            table.fail(message.uuid, claim, Snapshot(1), BROKEN)

    running = table.read(message.uuid)
    assert running is not None
    assert (running.status, running.history) == ("running", ())
    clock.move(61)
    assert begin(table, clock, message, "b" * 32).lost == 1
    again = table.read(message.uuid)
    assert again is not None
    assert [(attempt.number, attempt.failure.type) for attempt in again.history] == [(1, "ValueError")]


def test_a_claim_stands_although_the_lost_attempt_could_not_be_told(
    table: Table, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    message = a_message(clock)
    begin(table, clock, message)
    clock.move(61)
    client = session.client("dynamodb")

    def throttled(**_: Any) -> Any:
        raise ReadTimeoutError(endpoint_url="https://dynamodb")

    throttled.__self__ = client  # type: ignore[attr-defined]
    monkeypatch.setattr(client, "put_item", throttled)

    claim = begin(table, clock, message, "b" * 32)

    assert (claim.answer, claim.attempt, claim.lost) == ("claimed", 2, 1)
    assert "lacks its lost attempt" in caplog.text


def test_a_settled_jobs_worker_learns_that_its_lease_is_lost(table: Table, clock: FakeClock) -> None:
    message = a_message(clock)
    claim = begin(table, clock, message)
    clock.move(61)
    table.settle(message, BROKEN)

    with pytest.raises(LeaseLost):
        table.fail(message.uuid, claim, Snapshot(5), Failure(type="KeyError", message="too late"))

    record = table.read(message.uuid)
    assert record is not None
    assert record.failure is not None
    assert record.failure.type == "ValueError"


@pytest.mark.parametrize(("length", "place"), [(300, "state"), (280_000, "item"), (400_000, "bucket")])
def test_outputs_lie_where_they_fit(
    table: Table, config: Config, clock: FakeClock, length: int, place: str
) -> None:
    message = a_message(clock)
    outputs = {"text": "x" * (length - 20)}
    table.succeed(message.uuid, begin(table, clock, message), Snapshot(1), outputs)

    state = item(config, message.uuid)
    found = "state" if "outputs" in state else "bucket" if "outputs_key" in state else "item"
    record = table.read(message.uuid)
    assert record is not None
    assert (found, record.outputs) == (place, outputs)
    assert table.read_many([message.uuid])[message.uuid].outputs == outputs


def test_listings_of_many_jobs_do_without_what_lies_in_the_bucket(
    table: Table, config: Config, clock: FakeClock
) -> None:
    messages = [a_message(clock, owner="7") for _ in range(3)]
    table.put_jobs(messages)
    for message in messages:
        table.succeed(message.uuid, begin(table, clock, message), Snapshot(1), {"text": "x" * 400_000})
    of_task, of_owner = JobFilter(tasks=("sum",)), JobFilter(tasks=(), owner="7")

    with counted_calls("s3") as calls:
        pages = [search_jobs(table, wanted, limit=10) for wanted in (of_task, of_owner)]

    assert not calls
    assert [[record.status for record in page.records] for page in pages] == [["succeeded"] * 3] * 2


def test_outputs_in_the_bucket_lie_under_the_attempts_token(
    table: Table, config: Config, clock: FakeClock
) -> None:
    message = a_message(clock)
    table.succeed(message.uuid, begin(table, clock, message), Snapshot(1), {"text": "x" * 400_000})

    listed = session.client("s3").list_objects_v2(Bucket=config.bucket, Prefix=f"outputs/{message.uuid}/")
    assert [found["Key"] for found in listed["Contents"]] == [f"outputs/{message.uuid}/{'a' * 32}"]


def test_outputs_too_large_for_an_item_are_refused_without_a_bucket(
    table: Table, config: Config, clock: FakeClock
) -> None:
    without = Table(session.client("dynamodb"), config.table, clock, None)
    message = a_message(clock)

    with pytest.raises(PayloadTooLarge, match="SERVERLESS_TASKS_BUCKET") as raised:
        without.succeed(message.uuid, begin(table, clock, message), Snapshot(1), {"text": "x" * 400_000})

    assert raised.value.size > raised.value.limit


def test_outputs_in_a_bucket_that_is_not_configured_are_not_read_as_none(
    table: Table, config: Config, clock: FakeClock
) -> None:
    message = a_message(clock)
    table.succeed(message.uuid, begin(table, clock, message), Snapshot(1), {"text": "x" * 400_000})
    without = Table(session.client("dynamodb"), config.table, clock, None)

    with pytest.raises(ConfigurationError, match="SERVERLESS_TASKS_BUCKET"):
        without.read(message.uuid)


class TestHowLongThingsAreKept:
    """At least 15 days past the last moment of delivery: 4 days in the queue, 14 from the first sending in all."""

    LAST_DELIVERY = 14 * DAY

    def kept(self, config: Config, uuid: str, sk: str = "s#state") -> int:
        return int(item(config, uuid, sk)["ttl"]["N"])

    def test_of_a_success_and_its_outputs(self, table: Table, config: Config, clock: FakeClock) -> None:
        message = a_message(clock)
        sent = clock.now()
        table.succeed(message.uuid, begin(table, clock, message), Snapshot(1), {"text": "x" * 5_000})

        assert self.kept(config, message.uuid) >= sent + self.LAST_DELIVERY + 15 * DAY
        outputs = f"s#{'a' * 32}#outputs"
        assert self.kept(config, message.uuid, outputs) >= sent + self.LAST_DELIVERY + 15 * DAY

    def test_of_a_retry_that_was_cancelled(self, table: Table, config: Config, clock: FakeClock) -> None:
        message = a_message(clock)
        table.put_jobs([message])
        clock.move(3 * DAY)
        again = a_message(clock, uuid=message.uuid)
        table.retry(again, begin(table, clock, message), Snapshot(1), BROKEN, not_before=clock.ms)
        table.cancel(message.uuid)

        assert self.kept(config, message.uuid) >= clock.now() + self.LAST_DELIVERY + 15 * DAY

    def test_of_a_late_retry_that_was_cancelled(self, table: Table, config: Config, clock: FakeClock) -> None:
        """Its message is sent by a scheduler, which may be a day late."""
        message = a_message(clock)
        table.put_jobs([message])
        due = clock.ms + LONGEST_WAIT * 1000
        again = a_message(clock, uuid=message.uuid, run_at=due, expires=expires_at(clock.ms, due))
        table.retry(again, begin(table, clock, message), Snapshot(1), BROKEN, not_before=due)
        table.cancel(message.uuid)

        assert self.kept(config, message.uuid) >= due / 1000 + DAY + self.LAST_DELIVERY + 15 * DAY

    def test_of_outputs_and_messages_as_long_as_of_the_state_that_names_them(
        self, table: Table, config: Config, clock: FakeClock
    ) -> None:
        due = clock.ms + 30 * DAY_MS
        message = a_message(clock, run_at=due, expires=expires_at(clock.ms, due))
        clock.move(30 * DAY)
        claim = begin(table, clock, message)
        told = Snapshot(1, messages=("half way",))
        table.succeed(message.uuid, claim, told, {"text": "x" * 5_000})

        named = [self.kept(config, message.uuid, f"s#{'a' * 32}#{sk}") for sk in ("outputs", "m#00000000")]
        assert min(named) >= self.kept(config, message.uuid)

    def test_of_a_retry_whose_first_message_came_again(
        self, table: Table, config: Config, clock: FakeClock
    ) -> None:
        message = a_message(clock)
        clock.move(3 * DAY)
        again = a_message(clock, uuid=message.uuid)
        table.retry(again, begin(table, clock, message), Snapshot(1), BROKEN, not_before=clock.ms)
        table.succeed(message.uuid, begin(table, clock, message, "b" * 32), Snapshot(1), {})

        assert self.kept(config, message.uuid) >= clock.now() + self.LAST_DELIVERY + 15 * DAY

    def test_of_what_was_settled_at_the_end(self, table: Table, config: Config, clock: FakeClock) -> None:
        message = a_message(clock)
        clock.move(self.LAST_DELIVERY)
        table.settle(message, BROKEN)

        assert self.kept(config, message.uuid) >= clock.now() + 15 * DAY

    def test_of_the_job_itself(self, table: Table, config: Config, clock: FakeClock) -> None:
        message = a_message(clock)
        table.put_jobs([message])

        assert self.kept(config, message.uuid, "job") >= clock.now() + RETENTION + 15 * DAY


def test_a_claim_forgets_the_attempt_before_once_it_has_ended(
    table: Table, config: Config, clock: FakeClock
) -> None:
    message = a_message(clock)
    table.succeed(message.uuid, begin(table, clock, message), Snapshot(1), {})

    assert not set(PREVIOUS_ATTEMPT) & set(item(config, message.uuid))


def test_a_call_that_may_have_arrived_says_so(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(**_: Any) -> Any:
        raise ReadTimeoutError(endpoint_url="https://dynamodb")

    client = session.client("dynamodb")
    lost.__self__ = client  # type: ignore[attr-defined]
    monkeypatch.setattr(client, "query", lost)

    with pytest.raises(AwsError) as raised:
        table.read("0b0e64f7-7d0b-4d6c-8a3a-1f5f3d8f1c11")

    assert (raised.value.code, raised.value.applied) == ("ReadTimeoutError", True)


def test_a_missing_table_is_named(config: Config, clock: FakeClock) -> None:
    nowhere = Table(session.client("dynamodb"), "nowhere", clock, BucketBlobs(config.bucket))

    with pytest.raises(AwsError, match=r"dynamodb\.query failed: ResourceNotFoundException") as raised:
        nowhere.read("0b0e64f7-7d0b-4d6c-8a3a-1f5f3d8f1c11")

    assert not raised.value.applied


def test_a_job_that_is_begun_while_it_is_cancelled_is_asked_to_stop(
    table: Table, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = a_message(clock)
    table.put_jobs([message])
    read = table.read

    def begun_right_after(uuid: str, **given: Any) -> Any:
        monkeypatch.setattr(table, "read", read)
        record = read(uuid, **given)
        begin(table, clock, message)
        return record

    monkeypatch.setattr(table, "read", begun_right_after)

    record = table.cancel(message.uuid)

    assert (record.status, record.cancel_requested) == ("running", True)


def test_a_job_that_ends_while_it_is_cancelled_keeps_its_end(
    table: Table, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = a_message(clock)
    claim = begin(table, clock, message)
    read = table.read

    def ended_right_after(uuid: str, **given: Any) -> Any:
        monkeypatch.setattr(table, "read", read)
        record = read(uuid, **given)
        table.succeed(uuid, claim, Snapshot(1), {"sum": 3})
        return record

    monkeypatch.setattr(table, "read", ended_right_after)

    with pytest.raises(AlreadyFinished):
        table.cancel(message.uuid)


def test_an_object_whose_reading_breaks_off_is_an_error_of_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    class Client:
        def get_object(self, **_: Any) -> dict[str, Any]:
            return {"Body": self}

        def read(self) -> bytes:
            raise ReadTimeoutError(endpoint_url="https://s3")

    monkeypatch.setattr("serverless_tasks.engine.aws.s3.payloads.client", lambda service: Client())

    with pytest.raises(AwsError, match="ReadTimeoutError"):
        BucketBlobs("payloads").get("inputs/1")


def test_a_cursor_of_a_day_to_come_asks_for_no_days_to_come(config: Config, clock: FakeClock) -> None:
    cursor = base64.urlsafe_b64encode(b"9999999999999#0b0e64f7-7d0b-4d6c-8a3a-1f5f3d8f1c11").decode()
    fresh = [Table(session.client("dynamodb"), config.table, clock, None) for _ in range(2)]

    with counted_calls("dynamodb") as made_up:
        assert fresh[0].list_owner("7", cursor=cursor).records == ()
    with counted_calls("dynamodb") as first:
        fresh[1].list_owner("7")

    assert made_up == first


def test_the_job_item_of_a_secret_has_the_mask_alone(table: Table, clock: FakeClock, config: Config) -> None:
    message = a_message(clock, inputs={"password": "hunter22", "user": "ada"}, secrets=("password",))
    table.put_jobs([message])

    kept = item(config, message.uuid, "job")

    assert "hunter22" not in str(kept)
    assert (kept["secrets"], "**********" in kept["inputs"]["S"]) == ({"S": '["password"]'}, True)


def note_age(config: Config, clock: FakeClock, *, days: int) -> None:
    """Have the manifest say that the table was made so many days ago, as a worker writes it."""
    items = TableItems(session.client("dynamodb"), config.table, clock)
    first = clock.ms - days * DAY_MS
    TableManifest(items).write(Manifest(build="1", since=clock.ms, indexed_since=clock.ms, first=first))


def denied(**_: Any) -> Any:
    error = {"Code": "AccessDeniedException", "Message": "not allowed"}
    raise ClientError({"Error": error, "ResponseMetadata": {"HTTPStatusCode": 400}}, "BatchGetItem")


class TestListingCalls:
    """Two queries a day for an owner and four for a task; days in waves of 1, 2, 4, 8 and 16."""

    def test_a_page_that_today_fills_asks_for_no_other_day(self, table: Table, clock: FakeClock) -> None:
        table.put_jobs([a_message(clock, owner="7") for _ in range(4)])

        with counted_calls("dynamodb") as calls:
            assert len(table.list_owner("7", limit=3).records) == 3

        assert calls == {"Query": 2, "BatchGetItem": 1}

    @pytest.mark.parametrize(("days", "queries"), [(1, 2 * 3), (2, 2 * 3), (3, 2 * 7), (7, 2 * 15)])
    def test_days_are_asked_in_waves_that_double(
        self, table: Table, clock: FakeClock, days: int, queries: int
    ) -> None:
        table.put_jobs([a_message(clock, owner="7") for _ in range(4)])
        clock.move(days * DAY)

        with counted_calls("dynamodb") as calls:
            assert len(table.list_owner("7", limit=3).records) == 3

        assert calls["Query"] == queries

    def test_an_empty_listing_asks_for_each_day_once(self, table: Table) -> None:
        with counted_calls("dynamodb") as of_owner:
            table.list_owner("7")
        with counted_calls("dynamodb") as of_task:
            table.list_tasks(["sum"])

        # Once, whether the manifest says when the table was made.
        assert (of_owner, of_task) == ({"Query": 31 * 2, "BatchGetItem": 1}, {"Query": 31 * 4})

    @pytest.mark.parametrize(("age", "days"), [(0, 3), (6, 8), (40, 31)])
    def test_days_before_the_table_was_made_are_not_asked(
        self, table: Table, config: Config, clock: FakeClock, age: int, days: int
    ) -> None:
        note_age(config, clock, days=age)

        with counted_calls("dynamodb") as of_owner:
            assert table.list_owner("nobody").records == ()
        with counted_calls("dynamodb") as of_task:
            assert table.list_tasks(["never ran"]).records == ()

        assert of_owner == {"Query": days * 2, "BatchGetItem": 1}
        # Who knows that day asks no other; of today's table yesterday counts too: a clock may be behind.
        assert of_task == {"Query": min(days, age + 2) * 4}

    def test_a_job_of_the_day_on_which_the_table_was_made_is_found(
        self, table: Table, config: Config, clock: FakeClock
    ) -> None:
        first = a_message(clock, owner="7", created=clock.ms - 9 * DAY_MS)
        table.put_jobs([first])
        note_age(config, clock, days=9)

        assert [record.uuid for record in table.list_owner("7").records] == [first.uuid]

    def test_a_deletion_asks_all_days(self, table: Table, config: Config, clock: FakeClock) -> None:
        note_age(config, clock, days=0)
        with counted_calls("dynamodb") as calls:
            table.owner_uuids("7")

        assert calls == {"Query": 31 * 2}

    def test_where_the_manifest_cannot_be_read_all_days_are_asked(
        self, table: Table, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(session.client("dynamodb"), "batch_get_item", denied)
        with counted_calls("dynamodb") as calls:
            assert table.list_owner("nobody").records == ()

        assert calls == {"Query": 31 * 2}

    def test_a_day_that_was_seen_empty_is_not_asked_again(self, table: Table, clock: FakeClock) -> None:
        table.put_jobs([a_message(clock, owner="7", created=clock.ms - 5 * DAY_MS)])
        for owner in ("7", "nobody"):
            table.list_owner(owner)
        table.list_tasks(["sum", "never ran"])

        with counted_calls("dynamodb") as of_nobody:
            assert table.list_owner("nobody").records == ()
        with counted_calls("dynamodb") as of_owner:
            assert len(table.list_owner("7").records) == 1
        with counted_calls("dynamodb") as of_task:
            assert table.list_tasks(["never ran"]).records == ()
        with counted_calls("dynamodb") as of_tasks:
            assert len(table.list_tasks(["sum", "never ran"]).records) == 1

        # Today and yesterday, and the one day that holds something.
        assert of_nobody == {"Query": 2 * 2}
        assert of_owner == {"Query": 3 * 2, "BatchGetItem": 1}
        assert of_task == {"Query": 2 * 4}
        assert of_tasks == {"Query": (3 + 2) * 4, "BatchGetItem": 1}

    def test_a_day_that_is_written_to_later_is_seen_after_a_while(
        self, table: Table, clock: FakeClock
    ) -> None:
        table.list_owner("7")
        late = a_message(clock, owner="7", created=clock.ms - 3 * DAY_MS)
        yesterday = a_message(clock, owner="7", created=clock.ms - DAY_MS)
        table.put_jobs([late, yesterday])

        before = table.list_owner("7")
        assert table.owner_uuids("7")[0] == [yesterday.uuid, late.uuid]  # a deletion misses nothing
        clock.move(15 * 60 + 1)
        after = table.list_owner("7")

        assert [record.uuid for record in before.records] == [yesterday.uuid]
        assert [record.uuid for record in after.records] == [yesterday.uuid, late.uuid]

    def test_a_day_of_which_a_page_has_seen_a_part_does_not_count_as_empty(
        self, table: Table, clock: FakeClock
    ) -> None:
        day = clock.ms // DAY_MS - 4
        evening = a_message(clock, owner="7", created=day * DAY_MS + 80_000_000)
        table.put_jobs([evening])

        assert table.list_owner("7", until=day * DAY_MS + 1000).records == ()

        assert [record.uuid for record in table.list_owner("7").records] == [evening.uuid]

    def test_the_memory_of_empty_days_is_bounded_and_no_forked_process_waits_for_it(
        self, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(empty_days, "MOST", 3)
        days, long_ago = EmptyDays(clock), clock.ms // DAY_MS - 9
        for value in ("a", "b", "c"):
            days.add(value, long_ago)
        assert days.of("a") == {long_ago}  # and is the last to go by that
        days.add("d", long_ago)

        assert [days.of(value) for value in "abcd"] == [{long_ago}, set(), {long_ago}, {long_ago}]
        with days._lock:  # another thread of the parent's
            days.forked()
        assert days.of("a") == {long_ago}

    def test_days_before_the_earliest_wanted_are_not_asked(self, table: Table, clock: FakeClock) -> None:
        with counted_calls() as calls:
            table.list_tasks(["sum", "resize"], since=clock.ms - DAY_MS)

        assert calls == {"Query": 2 * 2 * 4}  # tasks, days, shards

    def test_the_queries_of_a_wave_wait_together(self, table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
        together = threading.Barrier(4, timeout=5)
        query = session.client("dynamodb").query

        def meeting(**given: Any) -> Any:
            if given["ExpressionAttributeValues"][":day"]["S"].startswith("sum#2026-01-01"):
                together.wait()
            return query(**given)

        monkeypatch.setattr(session.client("dynamodb"), "query", meeting)

        assert table.list_tasks(["sum"]).records == ()

    def test_a_query_that_fails_fails_the_listing(self, config: Config, clock: FakeClock) -> None:
        with pytest.raises(AwsError, match="ResourceNotFoundException"):
            Table(session.client("dynamodb"), "nowhere", clock, None).list_owner("7")
