"""New kinds of failures, published to a topic."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from serverless_tasks.engine.aws import session
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.counting import announcers
from serverless_tasks.engine.statistics.errors import NewError
from tests.support.aws import account

ERROR = NewError(
    fingerprint="38b0eccf19f4",
    task="shop.orders",
    type="ValueError",
    message="order 17 of 'anna@example.com' is gone",
    pattern="order <n> of <text> is gone",
    frame="shop.orders.fetch",
    uuid="0b0e64f7-7d0b-4d6c-8a3a-1f5f3d8f1c11",
    seen=1_769_860_800_000,
)


@pytest.fixture
def topic() -> Iterator[str]:
    with account():
        yield session.client("sns").create_topic(Name="errors")["TopicArn"]


def received(topic: str, error: NewError, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "shop")
    sqs = session.client("sqs")
    url = sqs.create_queue(QueueName="mails")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    session.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    [publish] = announcers(Config(error_topic=topic))
    publish(error)
    [message] = sqs.receive_message(QueueUrl=url)["Messages"]
    body: dict[str, str] = json.loads(message["Body"])
    return body


def test_a_new_kind_is_published_with_what_to_look_at(topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    body = received(topic, ERROR, monkeypatch)
    assert body["Subject"] == "shop: new error ValueError in task shop.orders"
    assert body["Message"].splitlines() == [
        "Task shop.orders failed in a way that is new: ValueError: order <n> of <text> is gone",
        "In shop.orders.fetch.",
        "First seen 2026-01-31T12:00:00.000Z, job 0b0e64f7-7d0b-4d6c-8a3a-1f5f3d8f1c11.",
        "More: serverless-tasks errors 38b0eccf19f4 --stack shop",
    ]


def test_what_could_not_be_deleted_from_mailboxes_is_not_told(
    topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "anna" not in json.dumps(received(topic, ERROR, monkeypatch))


def test_a_subject_is_one_line_of_ascii_that_sns_takes(topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    body = received(topic, replace(ERROR, task="aufträge\n" * 30), monkeypatch)
    assert len(body["Subject"]) < 100
    assert body["Subject"].isascii()
    assert "\n" not in body["Subject"]


def test_without_a_topic_and_a_callable_nobody_is_told() -> None:
    assert announcers(Config()) == []
