"""The handlers, with moto's AWS behind them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from serverless_tasks import configure
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.services import Services, reset
from tests.unit.handlers import tasks

EVENTS = Path(__file__).parents[2] / "events"


@dataclass
class Context:
    """Lambda's context, with the time that a test gives it."""

    seconds: float = 300.0
    aws_request_id: str = "8c9a5d5e-request"
    function_name: str = "worker"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:worker"

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


class Container(Context):
    """The context of a container's worker, which nothing ends."""

    has_deadline = False


@dataclass
class Site:
    """The services, and a way to deliver what a queue holds as Lambda does."""

    services: Services
    sqs: Any
    s3: Any
    delivered: list[dict[str, Any]] = field(default_factory=list)

    def url(self, queue: str) -> str:
        return (
            self.services.config.dead_letter_queue_url
            if queue == "dead"
            else self.services.config.queue_url(queue)
        )

    def put(self, body: str, queue: str = "default", **attributes: str) -> None:
        self.sqs.send_message(
            QueueUrl=self.url(queue),
            MessageBody=body,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            },
        )

    def event(self, queue: str = "default") -> dict[str, Any]:
        """What the queue delivers now, as an event."""
        received = self.sqs.receive_message(
            QueueUrl=self.url(queue),
            MaxNumberOfMessages=10,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
            VisibilityTimeout=1800,
        )
        recorded = json.loads((EVENTS / "sqs_record.json").read_text())
        self.delivered = received.get("Messages", [])
        return {
            "Records": [
                recorded
                | {
                    "messageId": message["MessageId"],
                    "receiptHandle": message["ReceiptHandle"],
                    "body": message["Body"],
                    "messageAttributes": {
                        name: {"stringValue": each["StringValue"], "dataType": "String"}
                        for name, each in message.get("MessageAttributes", {}).items()
                    },
                    "eventSourceARN": f"arn:aws:sqs:us-east-1:123456789012:{queue}",
                }
                for message in self.delivered
            ]
        }

    def deliver(self, handler: Callable[..., Any], queue: str = "default", seconds: float = 300) -> list[str]:
        """Deliver, delete what the answer allows, and return the bodies of the messages that go back."""
        event = self.event(queue)
        answer = handler(event, Context(seconds))
        back = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        for message in self.delivered:
            if message["MessageId"] not in back:
                self.sqs.delete_message(QueueUrl=self.url(queue), ReceiptHandle=message["ReceiptHandle"])
        return [message["Body"] for message in self.delivered if message["MessageId"] in back]

    def hidden_for(self, queue: str = "default") -> list[int]:
        """The visibility timeouts that were last given to delivered messages, in seconds."""
        return self.visibility[-1] if self.visibility else []

    visibility: list[list[int]] = field(default_factory=list)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "POWERTOOLS_TRACE_DISABLED": "true",
        "POWERTOOLS_SERVICE_NAME": "tests",
        "POWERTOOLS_METRICS_NAMESPACE": "ServerlessTasks",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        session.reset()
        services = configure(_resources())
        services.registry.add_defined_in(tasks.__name__)
        _record_build(services)
        tasks.begun.clear()
        made = Site(services, session.client("sqs"), session.client("s3"))
        session.client("sqs").meta.events.register(
            "provide-client-params.sqs.ChangeMessageVisibilityBatch",
            lambda params, **_: made.visibility.append(
                [entry["VisibilityTimeout"] for entry in params["Entries"]]
            ),
        )
        yield made
        session.reset()
        reset()


def _record_build(services: Services) -> None:
    """Have the first batch of the build behind, and its manifest out of the way; `test_manifest` is about it."""
    services.build_record.write_once()
    key = {"pk": {"S": "manifest"}, "sk": {"S": "manifest"}}
    session.client("dynamodb").delete_item(TableName="jobs", Key=key)


@pytest.fixture
def message(site: Site) -> Callable[..., Message]:
    """Makes messages that nobody has submitted."""

    def make(task: str = "sum", **inputs: Any) -> Message:
        now = round(site.services.clock.now() * 1000)
        uuid = "6f3f5cf2-0000-4000-8000-000000000001"
        return Message(uuid=uuid, task=task, inputs=inputs, created=now, expires=now + 345_600_000)

    return make


def _resources() -> Config:
    key = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
    session.client("dynamodb").create_table(
        TableName="jobs",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=key,
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
    )
    session.client("s3").create_bucket(Bucket="payloads")
    sqs = session.client("sqs")
    urls = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("high", "default", "low", "dead")}
    return Config(table="jobs", bucket="payloads", dead_letter_queue_url=urls.pop("dead"), queue_urls=urls)
