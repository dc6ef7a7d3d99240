"""What ten jobs ask of AWS: ``python -m benchmarks.cases.costs ours|celery BYTES`` tells calls and bytes of each kind.

What the worker's side of SQS does (receive and delete) is not called here; `benchmarks.rows.costs` reckons it.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

JOBS = 10
# https://aws.amazon.com/sqs/pricing/: each 64 KB of a payload is a request.
CHUNK = 65_536
KB = 1024


def ours(size: int) -> Counter[str]:
    """Ten tracked submits, and the worker's batch of them."""
    from benchmarks.cases.tasks import Text
    from benchmarks.context import CONTEXT
    from lambda_handlers.worker import handler
    from serverless_tasks.aws.session import client
    from serverless_tasks.services import services

    seen, bodies = Seen(), list[str]()
    bucket = Bucket(seen)
    vars(services())["blobs"] = bucket
    for made in (client("dynamodb"), client("sqs"), client("sqs", attempts=1)):
        seen.watch(made)
    client("sqs", attempts=1).meta.events.register(
        "provide-client-params.sqs.SendMessage", lambda params, **_: bodies.append(params["MessageBody"])
    )
    for _ in range(JOBS):
        Text.options(owner="7").submit(text="x" * size)
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
    return seen.counts


def celery(size: int) -> Counter[str]:
    """Ten calls of ``delay()``, and the two states of each that a worker stores with ``task_track_started``."""
    from benchmarks.cases.submit import celery_app

    app = celery_app(os.environ["AWS_ENDPOINT_URL"].replace("http://", "dynamodb://null:null@") + "/results")
    task: Any = app.tasks["noop"]
    seen = Seen()
    channel = app.connection_for_write().default_channel
    seen.watch(channel.sqs(queue="celery"))
    seen.watch(app.backend.client)
    producer = app.amqp.Producer(channel)
    for _ in range(JOBS):
        result = task.apply_async(("x" * size,), producer=producer)
        app.backend.store_result(result.id, {"pid": 1, "hostname": "worker"}, "STARTED")
        app.backend.store_result(result.id, None, "SUCCESS")
    return seen.counts


class Seen:
    """What clients were asked."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def watch(self, client: Any) -> None:
        """Count a client's calls, and what AWS bills of them."""
        service = client.meta.service_model.service_name
        client.meta.events.register(f"provide-client-params.{service}", self._count)

    def _count(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        self.counts["calls"] += 1
        self.counts["bytes"] += len(json.dumps(params))
        if model.service_model.service_name == "sqs":
            body = params.get("MessageBody", "")
            self.counts["sqs"] += math.ceil(max(1, len(body)) / CHUNK)
            self.counts["body"] += len(body)
        elif model.name == "PutItem":
            self.counts["units"] += math.ceil(_size(params["Item"]) / KB)
            self.counts["units"] += sum(name in params["Item"] for name in ("owner_day", "task_day"))
        elif model.name == "GetItem":
            self.counts["reads"] += 1
        elif model.name == "UpdateItem":
            self.counts["units"] += 1  # tests/contract/test_table.py holds it to that


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
        self._seen.counts.update({"calls": 1, "s3_gets": 1})
        return self._held[key]


def _size(item: dict[str, dict[str, Any]]) -> int:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html."""
    return sum(len(name) + len(str(content)) for name, value in item.items() for content in value.values())


_KINDS: dict[str, Callable[[int], Counter[str]]] = {"ours": ours, "celery": celery}

if __name__ == "__main__":
    print(json.dumps(_KINDS[sys.argv[1]](int(sys.argv[2]))), flush=True)
