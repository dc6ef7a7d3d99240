"""The simulated queues behave as another implementation of SQS does, seen through this library's own calls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from unittest import mock
from uuid import uuid4

import moto.sqs.models
import pytest
from moto.core.botocore_stubber import BotocoreStubber

from serverless_tasks.engine.aws import session
from serverless_tasks.engine.aws.sqs.dead_letter_queue import DeadLetterQueue
from serverless_tasks.engine.aws.sqs.receiving import ReceivedMessage, ReceivingQueue, Visibility
from serverless_tasks.engine.aws.sqs.sending import QueueSender
from serverless_tasks.engine.config import Config
from tests.chaos import world
from tests.chaos.dynamodb import Table
from tests.chaos.faults import Network
from tests.chaos.queues import Queue, Scheduler, Sqs
from tests.support.clock import FakeClock
from tests.support.jobs import a_message

VISIBILITY = 30
MAX_RECEIVES = 3


@dataclass
class Queues:
    """A queue and its dead-letter queue, whoever keeps them."""

    clock: FakeClock
    config: Config

    def send(self, *texts: str, **given: Any) -> None:
        sender = QueueSender(session.client("sqs", attempts=1), self.config, self.clock)
        messages = [a_message(self.clock, inputs={"text": text}, **given) for text in texts]
        assert sender.send(messages) == [None] * len(texts)

    @property
    def queue(self) -> ReceivingQueue:
        return ReceivingQueue(self.config.queue_url("default"))

    @property
    def dead(self) -> ReceivingQueue:
        return ReceivingQueue(self.config.dead_letter_queue_url)

    def receive(self, limit: int = 10, **given: Any) -> list[ReceivedMessage]:
        return self.queue.receive(limit, wait=0, **given)


@pytest.fixture(params=["simulated", "moto"])
def queues(request: pytest.FixtureRequest, aws: None) -> Iterator[Queues]:
    clock = FakeClock()
    if request.param == "simulated":
        dead = Queue("dead", clock)
        queue = Queue(
            "jobs", clock, visibility=VISIBILITY, dead_letters=dead, max_receives=MAX_RECEIVES, retention=600
        )
        network = Network(clock, Table("jobs"), Sqs(queue, dead), Scheduler(queue, dead), world.forward)

        def send(_stub: Any, event_name: str, request: Any, **_: Any) -> Any:
            return network.send(event_name, request)

        with mock.patch.object(BotocoreStubber, "__call__", send):
            yield Queues(clock, Config(queue_urls={"default": queue.url}, dead_letter_queue_url=dead.url))
        return
    times = {"unix_time": clock.now, "unix_time_millis": lambda: clock.now() * 1000}
    with mock.patch.multiple(moto.sqs.models, **times):
        yield Queues(clock, _on_moto())


def _on_moto() -> Config:
    sqs, suffix = session.client("sqs"), uuid4().hex[:8]
    dead = sqs.create_queue(QueueName=f"dead-{suffix}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    url = sqs.create_queue(
        QueueName=f"jobs-{suffix}",
        Attributes={
            "VisibilityTimeout": str(VISIBILITY),
            "MessageRetentionPeriod": "600",
            "RedrivePolicy": f'{{"deadLetterTargetArn": "{arn}", "maxReceiveCount": "{MAX_RECEIVES}"}}',
        },
    )["QueueUrl"]
    return Config(queue_urls={"default": url}, dead_letter_queue_url=dead)


def test_what_is_sent_is_received_with_its_attributes(queues):
    queues.send("a")
    (got,) = queues.receive()
    assert '"text":"a"' in got.body.replace(" ", "")
    assert got.attributes["ApproximateReceiveCount"] == "1"
    assert int(got.attributes["SentTimestamp"]) == round(queues.clock.now() * 1000)


def test_a_batch_takes_ten_and_no_more_are_received_at_once(queues):
    queues.send(*(str(number) for number in range(12)))
    assert len(queues.receive()) == 10
    assert len(queues.receive()) == 2
    assert queues.receive() == []


def test_a_received_message_is_hidden_and_then_comes_back_and_is_counted(queues):
    queues.send("a")
    queues.receive()
    queues.clock.move(VISIBILITY - 1)
    assert queues.receive() == []
    queues.clock.move(2)
    (again,) = queues.receive()
    assert again.attributes["ApproximateReceiveCount"] == "2"


def test_a_deleted_message_does_not_come_back(queues):
    queues.send("a", "b")
    first, _ = queues.receive()
    assert queues.queue.delete([first]) == []
    queues.clock.move(VISIBILITY + 1)
    assert len(queues.receive()) == 1


def test_a_delayed_message_waits(queues):
    queues.send("a", run_at=queues.clock.ms + 60_000)
    assert queues.receive() == []
    queues.clock.move(59)
    assert queues.receive() == []
    queues.clock.move(2)
    assert len(queues.receive()) == 1


def test_visibility_is_changed_for_one_message_and_zero_brings_it_back_at_once(queues):
    queues.send("a", "b")
    first, second = queues.receive()
    change = Visibility(session.client("sqs")).change
    change(queues.queue.url, {first.receipt_handle: 0, second.receipt_handle: 300})
    queues.clock.move(0.01)
    assert [got.message_id for got in queues.receive()] == [first.message_id]
    queues.clock.move(299)
    assert second.message_id not in [got.message_id for got in queues.receive()]
    queues.clock.move(2)
    assert second.message_id in [got.message_id for got in queues.receive()]


def test_the_receipt_of_a_delivery_before_the_latest_does_not_hide_the_message(queues):
    queues.send("a")
    (old,) = queues.receive()
    queues.clock.move(VISIBILITY + 1)
    (new,) = queues.receive()
    assert old.receipt_handle != new.receipt_handle
    assert queues.queue.delete([new]) == []
    queues.clock.move(VISIBILITY + 1)
    assert queues.receive() == []


def test_the_receiver_can_say_for_how_long_messages_are_hidden(queues):
    queues.send("a")
    queues.receive(visibility=100)
    queues.clock.move(99)
    assert queues.receive() == []
    queues.clock.move(2)
    assert len(queues.receive()) == 1


def test_what_was_received_too_often_is_a_dead_letter(queues):
    queues.send("a")
    for _ in range(MAX_RECEIVES):
        assert len(queues.receive()) == 1
        queues.clock.move(VISIBILITY + 1)
    assert queues.receive() == []
    (dead,) = queues.dead.receive(wait=0)
    assert '"a"' in dead.body


def test_what_is_too_old_is_dropped(queues):
    queues.send("a")
    queues.clock.move(601)
    assert queues.receive() == []


def test_a_message_keeps_its_attributes_in_the_dead_letter_queue(queues):
    DeadLetterQueue(session.client("sqs"), queues.config.dead_letter_queue_url).put("body", "why")
    (dead,) = queues.dead.receive(wait=0)
    assert (dead.body, dead.message_attributes["reason"]["StringValue"]) == ("body", "why")


def test_the_group_of_a_message_is_told_to_its_receiver(queues):
    queues.send("a", tenant="them")
    (got,) = queues.receive()
    assert got.attributes["MessageGroupId"] == "them"


def test_the_facts_of_a_queue_are_its_arn_and_its_visibility(queues):
    attributes = queues.queue.attributes()
    assert attributes.arn.endswith(queues.config.queue_url("default").rsplit("/", 1)[-1])
    assert attributes.visibility == VISIBILITY
