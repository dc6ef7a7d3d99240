"""A whole AWS stand-in (MiniStack) with a queue and a table for each side, new and empty, until the block ends."""

from __future__ import annotations

import json
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from serverless_tasks.local.environment import LOCAL_AWS, process_environment
from tests.support.ministack import ministack

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TABLE = "tasks"
# As template.yaml makes them; tests/repository/test_bench_stand_in.py holds the two together.
TABLE_PROPERTIES: dict[str, Any] = {
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [
        {"AttributeName": name, "AttributeType": "S"}
        for name in ("pk", "sk", "owner_day", "task_day", "created_uuid")
    ],
    "KeySchema": [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": index,
            "KeySchema": [
                {"AttributeName": key, "KeyType": "HASH"},
                {"AttributeName": "created_uuid", "KeyType": "RANGE"},
            ],
            "Projection": {
                "ProjectionType": "INCLUDE",
                "NonKeyAttributes": ["task", "owner", "created", "expires"],
            },
        }
        for index, key in (("by_owner", "owner_day"), ("by_task", "task_day"))
    ],
}
RESULTS = "results"
# As Celery makes it where it finds none.
RESULTS_PROPERTIES: dict[str, Any] = {
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "BillingMode": "PAY_PER_REQUEST",
}
QUEUE_PROPERTIES = {
    "VisibilityTimeout": "1800",
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "20",
}
DELIVERIES = 100


@dataclass(frozen=True, slots=True)
class StandIn:
    """A running stand-in.

    Attributes:
        directory: for the logs of what runs against it.
        environment: the whole environment of a process that takes it for AWS.
    """

    directory: Path
    environment: Mapping[str, str]


@contextmanager
def stand_in(modules: str) -> Iterator[StandIn]:
    """Start one.

    Args:
        modules: the tasks' modules.

    Raises:
        MissingTool: MiniStack is not installed.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        ministack(Path(folder) / "aws", auth=False, grace=0.2) as endpoint,
    ):
        queues = _resources(endpoint)
        variables = {
            "AWS_ENDPOINT_URL": endpoint,
            "POWERTOOLS_LOG_LEVEL": "WARNING",
            "SERVERLESS_TASKS_MODULES": modules,
            "SERVERLESS_TASKS_TABLE": TABLE,
            "SERVERLESS_TASKS_QUEUE_URLS": json.dumps({"default": queues["tasks-default"]}),
            "SERVERLESS_TASKS_DEAD_LETTER_QUEUE_URL": queues["dead"],
            "BENCH_CELERY_QUEUE": queues["celery"],
        }
        yield StandIn(Path(folder), process_environment(variables))


def _resources(endpoint: str) -> dict[str, str]:
    """Make queues and table; returns the queues' URLs."""
    options: dict[str, Any] = {
        "endpoint_url": endpoint,
        "region_name": LOCAL_AWS["AWS_REGION"],
        "aws_access_key_id": LOCAL_AWS["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": LOCAL_AWS["AWS_SECRET_ACCESS_KEY"],
    }
    dynamodb = boto3.client("dynamodb", **options)
    dynamodb.create_table(TableName=TABLE, **TABLE_PROPERTIES)
    dynamodb.create_table(TableName=RESULTS, **RESULTS_PROPERTIES)
    sqs = boto3.client("sqs", **options)
    urls = {"dead": str(sqs.create_queue(QueueName="dead")["QueueUrl"])}
    dead = sqs.get_queue_attributes(QueueUrl=urls["dead"], AttributeNames=["QueueArn"])
    redrive = {"deadLetterTargetArn": dead["Attributes"]["QueueArn"], "maxReceiveCount": DELIVERIES}
    for name in ("tasks-default", "celery"):
        attributes = {**QUEUE_PROPERTIES, "RedrivePolicy": json.dumps(redrive)}
        urls[name] = str(sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])
    return urls
