"""Event source mapping outside Lambda, against SQS as moto has it."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from serverless_tasks.engine.aws import session
from serverless_tasks.engine.aws.sqs.receiving import ReceivingQueue
from serverless_tasks.engine.job.clock import Clock
from serverless_tasks.errors import ConfigurationError
from serverless_tasks.poller import Mapping, Poller, load_handler
from serverless_tasks.poller.invocation import NO_DEADLINE_MS
from serverless_tasks.poller.poller import FLUSH_INTERVAL
from tests.support.aws import account

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Response = dict[str, Any] | None


class Queues:
    """Queues in moto, and pollers on them that call a given function."""

    def __init__(self) -> None:
        self.sqs = session.client("sqs")
        self._clock = Clock()

    def create(self, name: str, **attributes: str) -> str:
        return str(self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])

    def send(self, url: str, *bodies: str) -> list[str]:
        return [self.sqs.send_message(QueueUrl=url, MessageBody=body)["MessageId"] for body in bodies]

    def counts(self, url: str) -> tuple[int, int]:
        """Messages that wait, and messages in flight."""
        attributes = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return (
            int(attributes["ApproximateNumberOfMessages"]),
            int(attributes["ApproximateNumberOfMessagesNotVisible"]),
        )

    def show(self, url: str) -> list[dict[str, Any]]:
        return list(
            self.sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"]
            ).get("Messages", ())
        )

    def poller(
        self, *served: tuple[str, Callable[[Any, Any], Any]], clock: Clock | None = None, **options: Any
    ) -> Poller:
        handlers = {f"handler.{number}": function for number, (_, function) in enumerate(served)}
        names = list(handlers)
        heartbeat = options.pop("heartbeat", False)
        is_paused = options.pop("is_paused", None)
        mappings = [
            Mapping(url, names[number], batch_size=1 if heartbeat else 10, **options)
            for number, (url, _) in enumerate(served)
        ]
        return Poller(
            mappings,
            heartbeat=heartbeat,
            wait=0,
            clock=clock,
            queue=lambda url: ReceivingQueue(url, self.sqs),
            handler=handlers.__getitem__,
            is_paused=is_paused,
        )


class FrozenClock(Clock):
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.time = 1_700_000_000.0

    def now(self) -> float:
        return self.time


@pytest.fixture
def queues() -> Iterator[Queues]:
    with account():
        yield Queues()


def answering(response: Any) -> Callable[[Any, Any], Any]:
    return lambda event, context: response


def ids(event: dict[str, Any]) -> list[str]:
    return [record["messageId"] for record in event["Records"]]


# -- the event and the context -----------------------------------------------------------------------------------


def test_the_event_is_the_one_that_lambda_sends(queues: Queues) -> None:
    url = queues.create("jobs")
    sent = queues.sqs.send_message(
        QueueUrl=url,
        MessageBody='{"a": 1}',
        MessageAttributes={
            "kind": {"DataType": "String", "StringValue": "x"},
            "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        },
    )
    events: list[dict[str, Any]] = []
    queues.poller((url, lambda event, context: events.append(event))).poll_once()

    [record] = json.loads(json.dumps(events[0]))["Records"]
    assert record.pop("receiptHandle")
    attributes = record.pop("attributes")
    assert attributes["ApproximateReceiveCount"] == "1"
    assert {"SentTimestamp", "SenderId", "ApproximateFirstReceiveTimestamp"} <= set(attributes)
    assert record == {
        "messageId": sent["MessageId"],
        "body": '{"a": 1}',
        "messageAttributes": {
            "kind": {
                "stringValue": "x",
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": "String",
            },
            "raw": {
                "binaryValue": "AP8=",
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": "Binary",
            },
        },
        "md5OfBody": sent["MD5OfMessageBody"],
        "md5OfMessageAttributes": sent["MD5OfMessageAttributes"],
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:jobs",
        "awsRegion": "us-east-1",
    }


def test_a_group_id_travels_in_the_attributes(queues: Queues) -> None:
    url = queues.create("jobs.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    queues.sqs.send_message(QueueUrl=url, MessageBody="x", MessageGroupId="tenant-1")
    seen: list[str] = []

    def handler(event: Any, context: Any) -> None:
        seen.append(event["Records"][0]["attributes"]["MessageGroupId"])

    queues.poller((url, handler)).poll_once()

    assert seen == ["tenant-1"]


def test_the_context_has_what_lambda_gives(queues: Queues) -> None:
    url = queues.create("jobs")
    queues.send(url, "a")
    clock = FrozenClock()
    contexts: list[Any] = []
    remaining: list[int] = []

    def handler(event: Any, context: Any) -> None:
        contexts.append(context)
        remaining.append(context.get_remaining_time_in_millis())
        clock.time += 12
        remaining.append(context.get_remaining_time_in_millis())

    queues.poller((url, handler), clock=clock, timeout=60, function_name="worker", memory=256).poll_once()

    [context] = contexts
    assert remaining == [60_000, 48_000]
    assert context.function_name == "worker"
    assert context.memory_limit_in_mb == 256
    assert context.invoked_function_arn == "arn:aws:lambda:us-east-1:123456789012:function:worker"
    assert context.log_group_name == "/aws/lambda/worker"
    assert context.log_stream_name
    assert len(context.aws_request_id) == 36


def test_a_batch_has_the_mappings_size_at_most(queues: Queues) -> None:
    url = queues.create("jobs")
    queues.send(url, *map(str, range(5)))
    sizes: list[int] = []
    mapping = Mapping(url, "handler", batch_size=3)
    poller = Poller(
        [mapping],
        wait=0,
        queue=lambda url: ReceivingQueue(url, queues.sqs),
        handler=lambda name: lambda event, context: sizes.append(len(event["Records"])),
    )
    while poller.poll_once():
        pass

    assert sizes == [3, 2]


# -- which messages are deleted ----------------------------------------------------------------------------------


@pytest.mark.parametrize("response", [None, {}, {"batchItemFailures": []}, {"batchItemFailures": None}])
def test_success_deletes_the_whole_batch(queues: Queues, response: Response) -> None:
    url = queues.create("jobs")
    queues.send(url, "a", "b")
    queues.poller((url, answering(response))).poll_once()

    assert queues.counts(url) == (0, 0)


def test_a_failed_item_stays_and_the_others_are_deleted(queues: Queues) -> None:
    url = queues.create("jobs")
    _, failing, _ = queues.send(url, "a", "b", "c")
    queues.poller((url, answering({"batchItemFailures": [{"itemIdentifier": failing}]}))).poll_once()

    assert queues.counts(url) == (0, 1)


@pytest.mark.parametrize(
    "response",
    [
        {"batchItemFailures": [{"itemIdentifier": "not-of-this-batch"}]},
        {"batchItemFailures": [{"itemIdentifier": ""}]},
        {"batchItemFailures": [{"itemIdentifier": None}]},
        {"batchItemFailures": [{"id": "wrong key"}]},
        {"batchItemFailures": ["text"]},
        {"batchItemFailures": {"itemIdentifier": "a"}},
        ["not an object"],
        "ok",
    ],
)
def test_an_answer_that_aws_cannot_read_fails_the_whole_batch(
    queues: Queues, response: Any, caplog: pytest.LogCaptureFixture
) -> None:
    url = queues.create("jobs")
    queues.send(url, "a", "b")
    queues.poller((url, answering(response))).poll_once()

    assert queues.counts(url) == (0, 2)
    assert "worker failed for 2 messages" in caplog.text


@pytest.mark.parametrize("error", [ValueError("boom"), SystemExit(3)])
def test_an_exception_fails_the_whole_batch_and_polling_goes_on(queues: Queues, error: BaseException) -> None:
    url = queues.create("jobs")
    queues.send(url, "a", "b")

    def handler(event: Any, context: Any) -> None:
        raise error

    poller = queues.poller((url, handler))

    assert poller.poll_once() == 2
    assert queues.counts(url) == (0, 2)
    assert poller.poll_once() == 0


def test_an_answer_after_the_timeout_counts_for_nothing(queues: Queues) -> None:
    url = queues.create("jobs")
    queues.send(url, "a")
    clock = FrozenClock()

    def handler(event: Any, context: Any) -> None:
        clock.time += 61

    queues.poller((url, handler), clock=clock, timeout=60).poll_once()

    assert queues.counts(url) == (0, 1)


def test_without_partial_responses_the_answer_is_not_read(queues: Queues) -> None:
    url = queues.create("jobs")
    [message] = queues.send(url, "a")
    response = {"batchItemFailures": [{"itemIdentifier": message}]}
    queues.poller((url, answering(response)), partial_responses=False).poll_once()

    assert queues.counts(url) == (0, 0)


class FlakyDeletes:
    """An SQS client whose batch deletes fail for one entry, a number of times."""

    def __init__(self, sqs: Any, failures: int) -> None:
        self._sqs = sqs
        self.meta = sqs.meta
        self.failures = failures
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sqs, name)

    def delete_message_batch(self, *, QueueUrl: str, Entries: list[Any]) -> dict[str, Any]:  # noqa: N803
        self.calls += 1
        if not self.failures:
            return dict(self._sqs.delete_message_batch(QueueUrl=QueueUrl, Entries=Entries))
        self.failures -= 1
        failed, *rest = Entries
        if rest:
            self._sqs.delete_message_batch(QueueUrl=QueueUrl, Entries=rest)
        return {"Failed": [{"Id": failed["Id"], "Code": "InternalError", "SenderFault": False}]}


def test_a_delete_that_fails_is_tried_again(queues: Queues) -> None:
    url = queues.create("jobs")
    queues.send(url, "a", "b")
    sqs = FlakyDeletes(queues.sqs, failures=2)
    queue = ReceivingQueue(url, sqs)
    messages = queue.receive(wait=0)

    assert queue.delete(messages) == []
    assert queues.counts(url) == (0, 0)
    assert sqs.calls == 3


def test_a_delete_that_keeps_failing_is_reported(queues: Queues) -> None:
    url = queues.create("jobs")
    queues.send(url, "a", "b")
    queue = ReceivingQueue(url, FlakyDeletes(queues.sqs, failures=9))
    messages = queue.receive(wait=0)

    assert queue.delete(messages) == messages[:1]


# -- redelivery --------------------------------------------------------------------------------------------------


def test_failed_messages_go_to_the_dead_letter_queue_by_the_queues_own_policy(queues: Queues) -> None:
    dead = queues.create("dead")
    url = queues.create(
        "jobs",
        VisibilityTimeout="0",
        RedrivePolicy=json.dumps(
            {"deadLetterTargetArn": "arn:aws:sqs:us-east-1:123456789012:dead", "maxReceiveCount": "2"}
        ),
    )
    queues.send(url, "poison")
    counts: list[str] = []
    buried: list[str] = []

    def failing(event: Any, context: Any) -> None:
        counts.append(event["Records"][0]["attributes"]["ApproximateReceiveCount"])
        raise ValueError("boom")

    def burying(event: Any, context: Any) -> None:
        buried.extend(record["body"] for record in event["Records"])

    poller = queues.poller((url, failing), (dead, burying))
    for _ in range(4):
        poller.poll_once()

    assert counts == ["1", "2"]
    assert buried == ["poison"]
    assert queues.counts(url) == queues.counts(dead) == (0, 0)


# -- threads, and stopping ---------------------------------------------------------------------------------------


def test_a_slow_queue_does_not_hold_up_another(queues: Queues) -> None:
    low, high = queues.create("low"), queues.create("high")
    queues.send(low, "slow")
    let_go, low_runs, high_done = threading.Event(), threading.Event(), threading.Event()

    def slow(event: Any, context: Any) -> None:
        low_runs.set()
        let_go.wait(10)

    def fast(event: Any, context: Any) -> None:
        high_done.set()

    with queues.poller((low, slow), (high, fast)):
        assert low_runs.wait(5)
        queues.send(high, "urgent")
        assert high_done.wait(5)
        let_go.set()

    assert queues.counts(low) == queues.counts(high) == (0, 0)


def test_a_queue_has_as_many_calls_at_a_time_as_its_concurrency(queues: Queues) -> None:
    url = queues.create("jobs")
    together = threading.Barrier(3)
    met = threading.Event()

    def handler(event: Any, context: Any) -> None:
        together.wait(10)
        met.set()

    mapping = Mapping(url, "handler", batch_size=1, concurrency=3)
    queues.send(url, "a", "b", "c")
    poller = Poller(
        [mapping], wait=0, queue=lambda url: ReceivingQueue(url, queues.sqs), handler=lambda name: handler
    )
    with poller:
        assert met.wait(5)


def test_stop_lets_what_is_in_flight_finish(queues: Queues) -> None:
    url = queues.create("jobs")
    queues.send(url, "a")
    runs = threading.Event()
    stopping = threading.Event()

    def handler(event: Any, context: Any) -> None:
        runs.set()
        stopping.wait(10)

    poller = queues.poller((url, handler))
    poller.start()
    assert runs.wait(5)
    stopping.set()

    assert poller.stop(grace=10) == 0
    assert queues.counts(url) == (0, 0)


def test_stop_gives_back_what_does_not_finish_in_the_grace(queues: Queues) -> None:
    url = queues.create("jobs", VisibilityTimeout="600")
    queues.send(url, "a", "b")
    runs, let_go, done = threading.Event(), threading.Event(), threading.Event()

    def handler(event: Any, context: Any) -> None:
        runs.set()
        let_go.wait(10)
        done.set()

    poller = queues.poller((url, handler))
    poller.start()
    assert runs.wait(5)

    assert poller.stop(grace=0) >= 1
    assert queues.counts(url) == (2, 0)
    let_go.set()
    assert done.wait(5)


def test_after_stop_nothing_is_received(queues: Queues) -> None:
    url = queues.create("jobs")
    calls: list[Any] = []
    poller = queues.poller((url, lambda event, context: calls.append(event)))
    poller.stop(grace=0)
    queues.send(url, "a")

    assert poller.poll_once() == 0
    assert not calls


def test_a_handler_writes_what_it_holds_while_it_is_polled_for_and_at_the_end(queues: Queues) -> None:
    told: list[str] = []

    def handler(event: Any, context: Any) -> None:
        told.append("batch")

    handler.flush = lambda: told.append("flush")  # type: ignore[attr-defined]
    handler.finish = lambda: told.append("finish")  # type: ignore[attr-defined]
    url = queues.create("jobs")
    queues.send(url, "a")
    poller = queues.poller((url, handler))
    poller.poll_once()
    poller.flush()
    poller.stop(grace=0)
    assert told == ["batch", "flush", "finish"]


def test_a_handler_that_cannot_finish_keeps_no_other_from_it(
    queues: Queues, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []

    def broken(event: Any, context: Any) -> None: ...

    def sound(event: Any, context: Any) -> None: ...

    broken.finish = lambda: 1 / 0  # type: ignore[attr-defined]
    sound.finish = lambda: told.append("finish")  # type: ignore[attr-defined]
    poller = queues.poller((queues.create("one"), broken), (queues.create("two"), sound))
    assert poller.stop(grace=0) == 0
    assert told == ["finish"]
    assert "Queue one: its handler could not finish." in caplog.text


def test_what_arrives_while_stopping_is_given_back(queues: Queues) -> None:
    url = queues.create("jobs", VisibilityTimeout="600")
    queues.send(url, "a")
    calls: list[Any] = []
    receiving, stopped = threading.Event(), threading.Event()

    class SlowQueue(ReceivingQueue):
        def receive(self, *args: Any, **options: Any) -> Any:
            messages = super().receive(*args, **options)
            receiving.set()
            stopped.wait(10)
            return messages

    class StopSeen(Clock):
        """Joining the threads is the moment when the poller has asked them to stop."""

        def now(self) -> float:
            if receiving.is_set():
                stopped.set()
            return super().now()

    poller = Poller(
        [Mapping(url, "handler")],
        wait=0,
        clock=StopSeen(),
        queue=lambda url: SlowQueue(url, queues.sqs),
        handler=lambda name: lambda event, context: calls.append(event),
    )
    poller.start()
    assert receiving.wait(5)
    poller.stop(grace=10)

    assert not calls
    assert queues.counts(url) == (1, 0)


def test_receiving_goes_on_after_an_error(queues: Queues, caplog: pytest.LogCaptureFixture) -> None:
    url = queues.create("jobs")
    queues.send(url, "a")
    done = threading.Event()
    pauses: list[float] = []

    class Flaky(ReceivingQueue):
        failures = 3

        def receive(self, *args: Any, **options: Any) -> Any:
            if self.failures:
                self.failures -= 1
                raise ConnectionError("no route to host")
            return super().receive(*args, **options)

    class NoPause(Clock):
        def wait(self, event: threading.Event, seconds: float) -> bool:
            pauses.append(seconds)
            return event.is_set()

    poller = Poller(
        [Mapping(url, "handler")],
        wait=0,
        clock=NoPause(),
        queue=lambda url: Flaky(url, queues.sqs),
        handler=lambda name: lambda event, context: done.set(),
    )
    with poller:
        assert done.wait(5)

    assert pauses == [1, 2, 4]
    assert "no route to host" in caplog.text


# -- workers without a deadline ----------------------------------------------------------------------------------


def test_a_heartbeat_keeps_a_running_message_hidden(queues: Queues) -> None:
    url = queues.create("jobs", VisibilityTimeout="5")
    queues.send(url, "long")
    runs, let_go = threading.Event(), threading.Event()
    changes: list[int] = []
    remaining: list[int] = []

    class Watched(ReceivingQueue):
        def receive(self, *args: Any, **options: Any) -> Any:
            changes.append(options["visibility"])
            return super().receive(*args, **options)

        def change_visibility(self, messages: Any, seconds: int) -> Any:
            changes.extend(seconds for _ in messages)
            return super().change_visibility(messages, seconds)

    def handler(event: Any, context: Any) -> None:
        remaining.append(context.get_remaining_time_in_millis())
        runs.set()
        let_go.wait(10)

    poller = Poller(
        [Mapping(url, "handler", batch_size=1, timeout=None)],
        heartbeat=True,
        wait=0,
        queue=lambda url: Watched(url, queues.sqs),
        handler=lambda name: handler,
    )
    with poller:
        assert runs.wait(5)
        poller.heartbeat()
        poller.heartbeat()
        let_go.set()

    assert changes[:3] == [60, 60, 60]
    assert remaining == [NO_DEADLINE_MS]
    assert queues.counts(url) == (0, 0)


def test_the_heartbeat_comes_every_twenty_seconds_until_the_stop(queues: Queues) -> None:
    url = queues.create("jobs")
    queues.send(url, "long")
    beats: list[float] = []
    beaten, runs = threading.Event(), threading.Event()

    class Beating(Clock):
        def wait(self, event: threading.Event, seconds: float) -> bool:
            if seconds == FLUSH_INTERVAL:
                return event.wait(10)
            if not runs.wait(5) or len(beats) == 3:
                beaten.set()
                return event.wait(10)
            beats.append(seconds)
            return False

    def handler(event: Any, context: Any) -> None:
        runs.set()
        beaten.wait(10)

    with queues.poller((url, handler), clock=Beating(), heartbeat=True, timeout=None):
        assert beaten.wait(5)

    assert beats == [20, 20, 20]


def test_without_a_heartbeat_the_queues_own_visibility_holds(queues: Queues) -> None:
    url = queues.create("jobs")
    queues.send(url, "a")
    asked: list[Any] = []

    class Watched(ReceivingQueue):
        def receive(self, *args: Any, **options: Any) -> Any:
            asked.append(options["visibility"])
            return super().receive(*args, **options)

    Poller(
        [Mapping(url, "handler")],
        wait=0,
        queue=lambda url: Watched(url, queues.sqs),
        handler=lambda name: answering(None),
    ).poll_once()

    assert asked == [None]


def test_a_heartbeat_wants_one_message_at_a_time(queues: Queues) -> None:
    with pytest.raises(ConfigurationError, match="batch_size=1"):
        Poller([Mapping(queues.create("jobs"), "handler", batch_size=2)], heartbeat=True)


# -- configuration -----------------------------------------------------------------------------------------------


def test_a_handler_is_found_by_its_name() -> None:
    assert load_handler("json.dumps") is json.dumps


@pytest.mark.parametrize("name", ["no_such_module_at_all.handler", "json.no_such_function", "json", ""])
def test_a_handler_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(ConfigurationError, match="Handler"):
        load_handler(name)


def test_a_mapping_that_could_never_receive_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="at least 1"):
        Mapping("http://queue", "handler", concurrency=0)
