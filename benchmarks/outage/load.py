"""The week in AWS's stand-in: its items in the table, its messages in the queues."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import boto3

from serverless_tasks.engine.aws.dynamodb.expressions import to_dynamodb

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from benchmarks.outage.week import Week

_BATCH = 25


def load(week: Week) -> None:
    """Put a week into the stack that the environment names."""
    _put(boto3.client("dynamodb"), os.environ["SERVERLESS_TASKS_TABLE"], week.items)
    queues, sqs = json.loads(os.environ["SERVERLESS_TASKS_QUEUE_URLS"]), boto3.client("sqs")
    for message in week.waiting:
        sqs.send_message(QueueUrl=queues[message.queue], MessageBody=message.encode())


def _put(client: Any, table: str, items: Sequence[dict[str, Any]]) -> None:
    for batch in _batches(items):
        requests = [{"PutRequest": {"Item": to_dynamodb(item)}} for item in batch]
        client.batch_write_item(RequestItems={table: requests})


def _batches[T](values: Sequence[T]) -> Iterator[Iterable[T]]:
    for start in range(0, len(values), _BATCH):
        yield values[start : start + _BATCH]
