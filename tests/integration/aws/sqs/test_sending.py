"""Sending to SQS: how many calls, what is sent again, and what is known of it in the end."""

from collections import Counter
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from serverless_tasks.engine.aws import session
from serverless_tasks.engine.aws.sqs.dead_letter_queue import DeadLetterQueue
from serverless_tasks.engine.aws.sqs.receiving import Visibility
from serverless_tasks.engine.aws.sqs.sending import QueueSender
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.job.message import Message
from serverless_tasks.errors import ConfigurationError, PayloadTooLarge, SubmitFailed, SubmitUncertain
from tests.support.calls import counted_calls
from tests.support.clock import FakeClock
from tests.support.jobs import a_message


@pytest.fixture
def sender(config: Config, clock: FakeClock) -> QueueSender:
    return QueueSender(session.client("sqs", attempts=1), config, clock)


def received(config: Config, queue: str = "default") -> list[dict[str, Any]]:
    """All that lies in a queue."""
    found: list[dict[str, Any]] = []
    sqs = session.client("sqs")
    while batch := sqs.receive_message(
        QueueUrl=config.queue_urls.get(queue, config.dead_letter_queue_url),
        MaxNumberOfMessages=10,
        MessageSystemAttributeNames=["All"],
        MessageAttributeNames=["All"],
    ).get("Messages"):
        found += batch
    return found


class Scripted:
    """A client's send calls, each of which first does what the script says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *script: Any) -> None:
        self.calls: Counter[str] = Counter()
        self._script = list(script)
        client = session.client("sqs", attempts=1)
        for name in ("send_message", "send_message_batch"):
            monkeypatch.setattr(client, name, self._wrapped(client, name))

    def _wrapped(self, client: Any, name: str) -> Any:
        real = getattr(client, name)

        def send(**parameters: Any) -> Any:
            self.calls[name] += 1
            step = self._script.pop(0) if self._script else None
            if isinstance(step, Exception):
                raise step
            if step == "arrives, and its answer is lost":
                real(**parameters)
                raise ReadTimeoutError(endpoint_url="https://sqs")
            if isinstance(step, set):
                return self._some_fail(real, parameters, step)
            return real(**parameters)

        send.__self__ = client  # type: ignore[attr-defined]
        return send

    @staticmethod
    def _some_fail(real: Any, parameters: dict[str, Any], refused: set[str]) -> Any:
        entries = [entry for entry in parameters["Entries"] if entry["Id"] not in refused]
        answer = real(QueueUrl=parameters["QueueUrl"], Entries=entries) if entries else {}
        failed = [
            {"Id": name, "Code": "InternalError", "Message": "try again", "SenderFault": False}
            for name in refused
        ]
        return {**answer, "Failed": failed}


def throttled() -> ClientError:
    said = {"Code": "ThrottlingException", "Message": "slow down"}
    return ClientError({"Error": said, "ResponseMetadata": {"HTTPStatusCode": 400}}, "SendMessage")  # type: ignore[arg-type,typeddict-item]


def broken() -> ClientError:
    said = {"Code": "InternalError", "Message": "oops"}
    return ClientError({"Error": said, "ResponseMetadata": {"HTTPStatusCode": 500}}, "SendMessage")  # type: ignore[arg-type,typeddict-item]


def unreachable() -> EndpointConnectionError:
    return EndpointConnectionError(endpoint_url="https://sqs")


def test_a_message_arrives_as_it_was_sent(sender: QueueSender, config: Config, clock: FakeClock) -> None:
    message = a_message(clock, owner="7", inputs={"text": "\x00\t\n\x7f\x85\ufffe\uffff\U0001f600"})

    assert sender.send([message]) == [None]

    (found,) = received(config)
    assert Message.decode(found["Body"]) == message


@pytest.mark.parametrize(("messages", "calls"), [(1, 1), (10, 1), (11, 2), (100, 10)])
def test_messages_go_ten_to_a_call(
    sender: QueueSender, config: Config, clock: FakeClock, messages: int, calls: int
) -> None:
    made = [a_message(clock) for _ in range(messages)]
    with counted_calls("sqs") as counted:
        answers = sender.send(made)

    assert answers == [None] * messages
    assert counted.total() == calls
    assert {Message.decode(found["Body"]).uuid for found in received(config)} == {one.uuid for one in made}


def test_a_batch_stays_within_one_mebibyte(sender: QueueSender, config: Config, clock: FakeClock) -> None:
    made = [a_message(clock, inputs={"text": "x" * 190_000}) for _ in range(10)]
    with counted_calls("sqs") as counted:
        answers = sender.send(made)

    assert answers == [None] * 10
    assert counted == {"SendMessageBatch": 2}


def test_each_message_goes_to_its_queue(sender: QueueSender, config: Config, clock: FakeClock) -> None:
    made = [a_message(clock, queue=name) for name in ("low", "high", "low", "default", "high", "low")]

    assert sender.send(made) == [None] * 6

    for name in ("high", "default", "low"):
        found = {Message.decode(one["Body"]).uuid for one in received(config, name)}
        assert found == {one.uuid for one in made if one.queue == name}


def test_a_delay_holds_the_message_back(
    sender: QueueSender, config: Config, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(
        session.client("sqs", attempts=1), "send_message", lambda **given: sent.append(given) or {}
    )

    sender.send([a_message(clock, run_at=clock.ms + 900_000)])

    assert sent[0]["DelaySeconds"] == 900


def test_a_tenant_is_the_message_group(sender: QueueSender, config: Config, clock: FakeClock) -> None:
    sender.send([a_message(clock, tenant="acme")])

    (found,) = received(config)
    assert found["Attributes"]["MessageGroupId"] == "acme"


def test_failed_entries_of_a_batch_are_sent_again(
    sender: QueueSender, config: Config, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [a_message(clock) for _ in range(10)]
    script = Scripted(monkeypatch, {"2", "5", "7"}, {"5", "7"})

    assert sender.send(made) == [None] * 10

    assert script.calls == {"send_message_batch": 3}
    assert len(received(config)) == 10
    assert len(clock.slept) == 2


def test_an_entry_that_fails_every_time_was_not_sent(
    sender: QueueSender, config: Config, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [a_message(clock) for _ in range(3)]
    Scripted(monkeypatch, {"1", "2"}, {"1", "2"}, {"1", "2"})

    sent, *errors = sender.send(made)

    assert sent is None
    assert [(type(error), str(error)) for error in errors] == [
        (SubmitFailed, f"Job {message.uuid} was not sent: InternalError: try again") for message in made[1:]
    ]
    assert len(received(config)) == 1


def test_a_throttle_is_tried_again(
    sender: QueueSender, config: Config, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    Scripted(monkeypatch, throttled())

    assert sender.send([a_message(clock)]) == [None]
    assert len(received(config)) == 1


@pytest.mark.parametrize("error", [throttled, unreachable])
def test_what_was_refused_every_time_was_surely_not_sent(
    sender: QueueSender, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, error: Any
) -> None:
    Scripted(monkeypatch, error(), error(), error())

    (error,) = sender.send([a_message(clock)])

    assert isinstance(error, SubmitFailed)


@pytest.mark.parametrize("error", [broken(), "arrives, and its answer is lost"])
def test_what_may_have_arrived_is_uncertain_even_if_later_tries_were_refused(
    sender: QueueSender, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, error: Any
) -> None:
    Scripted(monkeypatch, error, throttled(), throttled())

    (error,) = sender.send([a_message(clock)])

    assert isinstance(error, SubmitUncertain)


def test_a_message_past_the_limit_is_refused_with_sizes_and_none_is_sent(
    sender: QueueSender, config: Config, clock: FakeClock
) -> None:
    large = a_message(clock, inputs={"text": "ä" * 600_000})

    with pytest.raises(PayloadTooLarge) as raised:
        sender.send([a_message(clock), large])

    assert (raised.value.size > 1_200_000, raised.value.limit) == (True, 1_048_576)
    assert received(config) == []


def test_a_queue_without_url_is_named_and_nothing_is_sent(
    sender: QueueSender, config: Config, clock: FakeClock
) -> None:
    with pytest.raises(ConfigurationError, match="no queue 'urgent'; it has"):
        sender.send([a_message(clock), a_message(clock, queue="urgent")])

    assert received(config) == []


def test_a_dead_letter_keeps_its_body_and_carries_its_reason(config: Config) -> None:
    DeadLetterQueue(session.client("sqs"), config.dead_letter_queue_url).put("not json", "it is not JSON")

    (found,) = received(config, "dead letter")
    assert found["Body"] == "not json"
    assert found["MessageAttributes"]["reason"]["StringValue"] == "it is not JSON"


def test_a_message_that_is_shown_again_at_once_is_received_again(
    sender: QueueSender, config: Config, clock: FakeClock
) -> None:
    sender.send([a_message(clock) for _ in range(12)])
    first = received(config)

    url = config.queue_urls["default"]
    with counted_calls("sqs") as counted:
        Visibility(session.client("sqs")).change(url, {found["ReceiptHandle"]: 0 for found in first})

    assert counted == {"ChangeMessageVisibilityBatch": 2}
    assert len(received(config)) == 12
