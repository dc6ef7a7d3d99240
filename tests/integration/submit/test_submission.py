"""From submit to the queue and the table: what is called, and what is left behind when it fails."""

from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from serverless_tasks import PayloadTooLarge, SubmitFailed, SubmitUncertain, Task
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.services import Services, use
from serverless_tasks.params import ListParameter, NumberParameter, StringParameter
from tests.support.aws import received
from tests.support.calls import counted_calls
from tests.support.clock import FakeClock


class Sum(Task):
    name = "sum"
    inputs = {"numbers": ListParameter(NumberParameter())}
    outputs = {"sum": NumberParameter()}

    def run(self, numbers: list[float]) -> float:
        return sum(numbers)


class Measure(Task):
    name = "measure"
    inputs = {"text": StringParameter()}
    outputs = {"length": NumberParameter()}

    def run(self, text: str) -> int:
        return len(text)


class Fails(Task):
    name = "fails"
    retries = 1

    def run(self) -> None:
        raise ValueError("it broke")


TASKS = (Sum, Measure, Fails)


def fail_to_send(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def send(**_: Any) -> Any:
        raise error

    client = session.client("sqs", attempts=1)
    send.__self__ = client  # type: ignore[attr-defined]
    monkeypatch.setattr(client, "send_message", send)
    monkeypatch.setattr(client, "send_message_batch", send)


def count_items(config: Config) -> int:
    found: int = session.client("dynamodb").scan(TableName=config.table)["Count"]
    return found


def test_a_tracked_submit_is_one_send_and_one_write(services: Services) -> None:
    with counted_calls("sqs", "dynamodb", "s3") as calls:
        Sum.submit(numbers=[1, 2])

    assert calls == {"SendMessage": 1, "PutItem": 1}


def test_a_bulk_of_100_is_10_sends_and_4_writes(services: Services) -> None:
    with counted_calls("sqs", "dynamodb", "s3") as calls:
        handles = Sum.submit_many({"numbers": [number]} for number in range(100))

    assert calls == {"SendMessageBatch": 10, "BatchWriteItem": 4}
    assert all(handle.published for handle in handles)


def test_an_execution_without_progress_is_two_writes(services: Services, config: Config) -> None:
    handle = Sum.submit(numbers=[1, 2])
    (message,) = received(config)
    with counted_calls("sqs", "dynamodb", "s3") as calls:
        services.runner.execute(message, deadline=services.clock.now() + 100)

    assert calls == {"UpdateItem": 2}
    assert handle.refresh().outputs == {"sum": 3}


def test_a_send_that_surely_failed_leaves_nothing(
    services: Services, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_to_send(monkeypatch, EndpointConnectionError(endpoint_url="https://sqs"))

    with pytest.raises(SubmitFailed):
        Sum.submit(numbers=[1])

    assert count_items(config) == 0


def test_an_uncertain_send_names_the_job_and_keeps_its_item(
    services: Services, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_to_send(monkeypatch, ReadTimeoutError(endpoint_url="https://sqs"))

    with pytest.raises(SubmitUncertain) as raised:
        Sum.submit(numbers=[1])

    record = services.store.read(raised.value.uuid)
    assert record is not None
    assert record.status == "pending"


def test_an_uncertain_job_submitted_again_is_one_job(
    services: Services, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = session.client("sqs", attempts=1)
    send = client.send_message

    def arrives_unheard(**parameters: Any) -> Any:
        send(**parameters)
        raise ReadTimeoutError(endpoint_url="https://sqs")

    arrives_unheard.__self__ = client  # type: ignore[attr-defined]
    with monkeypatch.context() as patched:
        patched.setattr(client, "send_message", arrives_unheard)
        with pytest.raises(SubmitUncertain) as raised:
            Sum.options(owner="7").submit(numbers=[1, 2])

    handle = Sum.options(owner="7", uuid=raised.value.uuid).submit(numbers=[1, 2])

    statuses = [services.runner.execute(message).status for message in received(config)]
    assert statuses == ["succeeded", *["ended"] * (len(statuses) - 1)]
    assert len(statuses) > 1
    assert handle.refresh().outputs == {"sum": 3}
    assert [record.uuid for record in services.store.list_owner("7").records] == [handle.uuid]


def test_a_job_that_was_sent_but_could_not_be_kept_is_uncertain(
    services: Services, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = session.client("dynamodb")

    def down(**_: Any) -> Any:
        raise EndpointConnectionError(endpoint_url="https://dynamodb")

    down.__self__ = client  # type: ignore[attr-defined]
    monkeypatch.setattr(client, "put_item", down)

    with pytest.raises(SubmitUncertain):
        Sum.submit(numbers=[1])

    assert len(received(config)) == 1


def test_in_a_bulk_each_handle_knows_its_own_fate(
    services: Services, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = session.client("sqs", attempts=1)
    send = client.send_message_batch

    def second_fails(**parameters: Any) -> Any:
        entries = [entry for entry in parameters["Entries"] if entry["Id"] != "1"]
        answer = send(QueueUrl=parameters["QueueUrl"], Entries=entries)
        return answer | {"Failed": [{"Id": "1", "Code": "InternalError", "SenderFault": False}]}

    def single_fails(**_: Any) -> Any:
        raise EndpointConnectionError(endpoint_url="https://sqs")

    second_fails.__self__ = single_fails.__self__ = client  # type: ignore[attr-defined]
    monkeypatch.setattr(client, "send_message_batch", second_fails)
    monkeypatch.setattr(client, "send_message", single_fails)

    handles = Sum.submit_many([{"numbers": [number]} for number in range(3)])

    assert [handle.published for handle in handles] == [True, False, True]
    assert isinstance(handles[1].publication_error, SubmitFailed)
    assert services.store.read(handles[1].uuid) is None
    with pytest.raises(SubmitFailed):
        handles[1].wait()


def test_large_inputs_travel_through_the_bucket(services: Services, config: Config) -> None:
    handle = Measure.submit(text="x" * 300_000)

    (message,) = received(config)
    assert (message.inputs, message.inputs_key) == ({}, f"inputs/{handle.uuid}")
    services.runner.execute(message)
    assert handle.refresh().outputs == {"length": 300_000}


def test_large_inputs_without_a_bucket_are_refused_with_sizes(clock: FakeClock, config: Config) -> None:
    bare = Config(table=config.table, queue_urls=config.queue_urls)
    with (
        use(Services(bare, clock=clock)),
        pytest.raises(PayloadTooLarge, match="SERVERLESS_TASKS_BUCKET") as raised,
    ):
        Measure.submit(text="x" * 300_000)

    assert raised.value.size > raised.value.limit
    assert received(config) == []
    assert count_items(config) == 0


def test_a_bucket_that_is_down_means_not_submitted(
    services: Services, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = session.client("s3")

    def down(**_: Any) -> Any:
        raise EndpointConnectionError(endpoint_url="https://s3")

    down.__self__ = client  # type: ignore[attr-defined]
    monkeypatch.setattr(client, "put_object", down)

    with pytest.raises(SubmitFailed):
        Measure.submit(text="x" * 300_000)

    assert received(config) == []
    assert count_items(config) == 0


def test_a_retry_goes_to_the_same_queue_with_a_delay(
    services: Services, config: Config, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = Fails.options(queue="low", tenant="acme", owner="7").submit()
    (message,) = received(config, "low")
    sent: list[dict[str, Any]] = []
    client = session.client("sqs", attempts=1)
    monkeypatch.setattr(client, "send_message", lambda **given: sent.append(given) or {})

    outcome = services.runner.execute(message)

    assert (outcome.status, outcome.give_back) == ("pending", None)
    assert sent[0]["QueueUrl"] == config.queue_urls["low"]
    assert (sent[0]["MessageGroupId"], sent[0]["DelaySeconds"] >= 1) == ("acme", True)
    again = Message.decode(sent[0]["MessageBody"])
    assert (again.uuid, again.owner) == (handle.uuid, "7")
    clock.move(900)
    assert services.runner.execute(again).status == "failed"


def test_a_retry_that_cannot_be_sent_falls_back_on_its_own_message(
    services: Services, config: Config, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    Fails.submit()
    (message,) = received(config)
    fail_to_send(monkeypatch, EndpointConnectionError(endpoint_url="https://sqs"))

    outcome = services.runner.execute(message)

    assert outcome.status == "pending"
    assert outcome.give_back is not None
    clock.move(outcome.give_back)
    assert services.runner.execute(message).status == "failed"
