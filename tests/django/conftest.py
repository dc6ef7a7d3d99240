"""Django set up once; AWS in process, new for each test."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

# The variable is taken away again: a subprocess of another test must not become a Django process.
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.django.settings"
import django

django.setup()
del os.environ["DJANGO_SETTINGS_MODULE"]

from django.apps import apps  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.test import Client  # noqa: E402
from moto import mock_aws  # noqa: E402

from serverless_tasks.engine.aws import session  # noqa: E402
from serverless_tasks.engine.aws.dynamodb import listing  # noqa: E402
from serverless_tasks.engine.job.message import Message  # noqa: E402
from serverless_tasks.engine.services import current_services, reset  # noqa: E402

reset()  # what `ready` wired is for these tests alone

REGION = "us-east-1"
QUEUES = ("high", "default", "low")


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Queues and a table in moto, and services that use them."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "SERVERLESS_TASKS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_REGION", REGION)
    # A listing would go back a month, query by query, whenever it does not fill its page.
    monkeypatch.setattr(listing, "LISTED_DAYS", 1)
    with mock_aws():
        session.reset()
        sqs = session.client("sqs")
        for name in QUEUES:
            sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "1800"})
        _create_table()
        apps.get_app_config("serverless_tasks")._wire()
        yield
        session.reset()
    reset()


@pytest.fixture
def calls(aws: None) -> Counter[str]:
    """How often each AWS operation was called, such as ``SendMessage``."""
    counted: Counter[str] = Counter()
    clients = [
        session.client("sqs", attempts=1),  # messages are sent by a client that leaves tries to us
        session.client("dynamodb"),
        session.client("dynamodb", attempts=2, read_timeout=1),  # that of the look at pauses
    ]
    for client in clients:
        client.meta.events.register("before-call", lambda model, **_: counted.update([model.name]))
    return counted


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user("ada", password="pw")


@pytest.fixture
def other_user(db: None) -> User:
    return User.objects.create_user("bob", password="pw")


@pytest.fixture
def browser(user: User) -> Client:
    """Ada's browser, logged in by session; CSRF is not enforced, as in Django's own test client."""
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def scheduling(aws: None, settings: Any) -> None:
    """What a stack has besides: groups of jobs have a deadline, which is a schedule."""
    session.client("scheduler").create_schedule_group(Name="tasks")
    settings.SERVERLESS_TASKS = settings.SERVERLESS_TASKS | {
        "SCHEDULE_GROUP": "tasks",
        "SCHEDULER_ROLE": "arn:aws:iam::123456789012:role/scheduler",
        "DEAD_LETTER_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/dead-letters",
    }


@pytest.fixture
def work(aws: None) -> Callable[[], int]:
    """Run what is on the queues, as the worker does; says how many messages there were."""

    def run() -> int:
        messages = queued()
        for message in messages:
            current_services().runner.execute(message)
        return len(messages)

    return run


def queued() -> list[Message]:
    """Take all messages off the queues."""
    sqs = session.client("sqs")
    found = []
    for name in QUEUES:
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        while batch := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            found += [Message.decode(each["Body"]) for each in batch]
            for each in batch:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
    return found


def stored() -> int:
    """How many items the table holds."""
    return int(session.client("dynamodb").scan(TableName="tasks", Select="COUNT")["Count"])


def _create_table() -> None:
    indexes = [("by_owner", "owner_day"), ("by_task", "task_day")]
    keys = ["pk", "sk", "created_uuid", *(key for _, key in indexes)]
    session.client("dynamodb").create_table(
        TableName="tasks",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": name,
                "KeySchema": [
                    {"AttributeName": key, "KeyType": "HASH"},
                    {"AttributeName": "created_uuid", "KeyType": "RANGE"},
                ],
                "Projection": {
                    "ProjectionType": "INCLUDE",
                    "NonKeyAttributes": ["task", "owner", "created", "expires"],
                },
            }
            for name, key in indexes
        ],
    )
