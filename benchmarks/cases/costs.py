"""What ten jobs, and one update of their progress, ask of AWS: calls, bytes, and what is billed of them.

``python -m benchmarks.cases.costs tracked|untracked|celery text|records BYTES``, of that size of input: one letter
again and again, or what people send. What the worker's side of SQS does (receive and delete) is not called here;
`benchmarks.rows.costs` reckons it.
"""

from __future__ import annotations

import json
import math
import os
import sys
from base64 import b64decode
from collections import Counter
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from benchmarks.cases import people

if TYPE_CHECKING:
    from collections.abc import Callable

JOBS = 10
# https://aws.amazon.com/sqs/pricing/: each 64 KB of a payload is a request.
CHUNK = 65_536
KB = 1024
# What template.yaml's indexes hold of a job, beside the key that puts it there: a write of each is a write of its own.
INDEXED = ("pk", "sk", "created_uuid", "task", "owner", "created", "expires")
INDEXES = ("owner_day", "task_day")
COMPRESSED = "inputs_zlib"


def tracked(inputs: Any) -> Counter[str]:
    """Ten submits, and the worker's batch of them."""
    return _ours(inputs, track=True)


def untracked(inputs: Any) -> Counter[str]:
    """The same with ``track=False``."""
    return _ours(inputs, track=False)


def _ours(inputs: Any, *, track: bool) -> Counter[str]:
    from benchmarks.cases.tasks import People, Text
    from benchmarks.context import CONTEXT
    from serverless_tasks.engine.aws.session import client
    from serverless_tasks.engine.job.progress import Snapshot
    from serverless_tasks.engine.job.record import SUCCEEDED
    from serverless_tasks.engine.services import current_services

    seen, bodies, statuses = Seen(), list[str](), list[Any]()
    vars(current_services())["blobs"] = Bucket(seen)
    # After that: it makes its runner, which keeps the bucket, when it is imported.
    from lambda_handlers.worker import handler

    for made in (client("dynamodb"), client("sqs"), client("sqs", attempts=1)):
        seen.watch(made)
    client("sqs", attempts=1).meta.events.register(
        "provide-client-params.sqs.SendMessage", lambda params, **_: bodies.append(params["MessageBody"])
    )
    client("dynamodb").meta.events.register(
        "provide-client-params.dynamodb.UpdateItem",
        lambda params, **_: statuses.append(params["ExpressionAttributeValues"].get(":status")),
    )
    current_services().build_record.write_once()  # once for a build, however many jobs it runs
    seen.take()
    for _ in range(JOBS):
        if isinstance(inputs, str):
            Text.options(owner="7", track=track).submit(text=inputs)
        else:
            People.options(owner="7", track=track).submit(people=inputs)
    records = [
        {
            "messageId": str(number),
            "receiptHandle": str(number),
            "body": body,
            "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:tasks-default",
        }
        for number, body in enumerate(bodies)
    ]
    assert handler({"Records": records}, CONTEXT) == {"batchItemFailures": []}
    assert statuses.count({"S": SUCCEEDED}) == JOBS
    tasks = seen.take()
    current_services().store.write_progress(str(uuid4()), uuid4().hex, Snapshot(1, 1, 10), lease=None)
    return tasks + seen.take("update ")


def celery(inputs: Any) -> Counter[str]:
    """Ten calls of ``delay()``, and the two states of each that a worker stores with ``task_track_started``.

    What a process asks once, when it first sends, is not counted.
    """
    from benchmarks.cases.submit import celery_app

    app = celery_app(os.environ["AWS_ENDPOINT_URL"].replace("http://", "dynamodb://null:null@") + "/results")
    task: Any = app.tasks["noop"]
    seen = Seen()
    channel = app.connection_for_write().default_channel
    producer = app.amqp.Producer(channel)
    task.apply_async(("",), producer=producer)
    seen.watch(channel.sqs(queue="celery"))
    seen.watch(app.backend.client)
    for _ in range(JOBS):
        result = task.apply_async((inputs,), producer=producer)
        app.backend.store_result(result.id, {"pid": 1, "hostname": "worker"}, "STARTED")
        app.backend.store_result(result.id, None, "SUCCESS")
    tasks = seen.take()
    app.backend.store_result(str(uuid4()), {"current": 1, "total": 10}, "PROGRESS")
    return tasks + seen.take("update ")


class Seen:
    """What clients were asked."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def watch(self, client: Any) -> None:
        """Count a client's calls, and what AWS bills of them."""
        service = client.meta.service_model.service_name
        client.meta.events.register(f"provide-client-params.{service}", self._count)

    def take(self, prefix: str = "") -> Counter[str]:
        """What has been counted since the last time, under names that begin so."""
        taken, self.counts = self.counts, Counter()
        return Counter({prefix + name: count for name, count in taken.items()})

    def _count(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        self.counts["calls"] += 1
        self.counts["bytes"] += len(json.dumps(params))
        if model.service_model.service_name == "sqs":
            body = params.get("MessageBody", "")
            self.counts["sqs"] += math.ceil(max(1, len(body)) / CHUNK)
            self.counts["body"] += len(body)
        elif model.name == "PutItem":
            self.counts["units"] += _units(params["Item"])
        elif model.name == "GetItem":
            # Of items up to 4 KB: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
            self.counts["half reads"] += 2 if params.get("ConsistentRead") else 1
        elif model.name == "UpdateItem":
            self.counts["units"] += 1  # tests/integration/aws/dynamodb/test_table.py holds it to that


class Bucket:
    """A payload bucket in memory, whose calls are counted."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._held: dict[str, bytes] = {}

    def put(self, key: str, data: bytes) -> None:
        """Keep a payload."""
        self._held[key] = data
        self._seen.counts.update({"calls": 1, "s3_puts": 1, "bytes": len(data)})

    def get(self, key: str) -> bytes:
        """Give it back."""
        self._seen.counts.update({"calls": 1, "s3_gets": 1, "bytes": len(self._held[key])})
        return self._held[key]


def _units(item: dict[str, dict[str, Any]]) -> int:
    """The write units of a new item: one for each KB of it, and of what every index that it is in holds of it."""
    units = math.ceil(_size(item) / KB)
    for index in INDEXES:
        if index in item:
            held = {name: value for name, value in item.items() if name in (index, *INDEXED)}
            units += math.ceil(_size(held) / KB)
    return units


def _size(item: dict[str, dict[str, Any]]) -> int:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html."""
    return sum(
        len(name) + _length(name, content) for name, value in item.items() for content in value.values()
    )


def _length(name: str, content: Any) -> int:
    # Ours goes to the client in base64 already, the bytes of Celery's results do not.
    return len(b64decode(content)) if name == COMPRESSED else len(str(content).encode())


_KINDS: dict[str, Callable[[Any], Counter[str]]] = {
    "tracked": tracked,
    "untracked": untracked,
    "celery": celery,
}

if __name__ == "__main__":
    _, kind, content, size = sys.argv
    given = "x" * int(size) if content == "text" else people.records(int(size))
    print(json.dumps(_KINDS[kind](given)), flush=True)
