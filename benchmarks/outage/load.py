"""The week in AWS's stand-in: its items in the table, its messages in the queues, its log, and their age."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3

from serverless_tasks.engine.aws.dynamodb.expressions import to_dynamodb

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.outage.week import Week
    from benchmarks.outage.worker_log import LogEvent

_BATCH = 25
_LINES = 1_000
# Minutes for which the age of the messages is known.
_MEASURED = 240


def load(week: Week) -> None:
    """Put a week into the stack that the environment names."""
    _put(boto3.client("dynamodb"), os.environ["SERVERLESS_TASKS_TABLE"], week.items)
    queues, sqs = json.loads(os.environ["SERVERLESS_TASKS_QUEUE_URLS"]), boto3.client("sqs")
    for message in week.waiting:
        sqs.send_message(QueueUrl=queues[message.queue], MessageBody=message.encode())
    _measure(queues, week)
    _log(boto3.client("logs"), os.environ["SERVERLESS_TASKS_LOG_GROUP"], week.log)


def _measure(queues: dict[str, str], week: Week) -> None:
    """Put the age of each queue's oldest message where SQS does, for some hours: the stand-in puts none."""
    now, sent = datetime.now(UTC), {message.queue: message.created for message in reversed(week.waiting)}
    for queue, first in sent.items():
        measured: Any = {
            "MetricName": "ApproximateAgeOfOldestMessage",
            "Dimensions": [{"Name": "QueueName", "Value": queues[queue].rsplit("/", 1)[-1]}],
        }
        moments = [now + timedelta(minutes=minute) for minute in range(_MEASURED)]
        data = [
            {**measured, "Timestamp": moment, "Value": moment.timestamp() - first / 1000}
            for moment in moments
        ]
        boto3.client("cloudwatch").put_metric_data(Namespace="AWS/SQS", MetricData=data)


def _log(logs: Any, group: str, events: Sequence[LogEvent]) -> None:
    streams: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        streams.setdefault(event.stream, []).append({"timestamp": event.at, "message": event.text})
    for stream, lines in streams.items():
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        for some in _batches(lines, _LINES):
            logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=some)


def _put(client: Any, table: str, items: Sequence[dict[str, Any]]) -> None:
    for batch in _batches(items, _BATCH):
        requests = [{"PutRequest": {"Item": to_dynamodb(item)}} for item in batch]
        client.batch_write_item(RequestItems={table: requests})


def _batches[T](values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]
