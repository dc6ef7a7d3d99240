"""What AWS bills of the calls of the process's clients."""

from __future__ import annotations

import math
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, local
from typing import Any

from serverless_tasks.engine.aws import session

CHUNK = 65_536
KB = 1024
# What template.yaml's indexes hold of an item, beside the key that puts it there: each is a write of its own.
INDEXED = ("pk", "sk", "created_uuid", "task", "owner", "created", "expires")
INDEXES = ("owner_day", "task_day")
# What puts a state into an index.
_MOVES = "task_day"


@contextmanager
def billed() -> Iterator[Counter[str]]:
    """Count requests of SQS, and write and half read units of DynamoDB."""
    counts: Counter[str] = Counter()
    counting = Lock()

    def note(params: dict[str, Any], model: Any, **_: Any) -> None:
        with counting:
            counts.update(_of(model.name, params))

    clients = [session.client(name) for name in ("dynamodb", "sqs", "scheduler")]
    clients += [session.client(name, attempts=1) for name in ("sqs", "scheduler")]
    for client in clients:
        client.meta.events.register("provide-client-params", note)
    try:
        yield counts
    finally:
        for client in clients:
            client.meta.events.unregister("provide-client-params", note)


@contextmanager
def consumed() -> Iterator[None]:
    """Have DynamoDB tell the units of its writes, which moto does not, as AWS does."""
    thread = local()

    def note(params: dict[str, Any], model: Any, **_: Any) -> None:
        thread.units = _of(model.name, params).get("writes", 0)

    def tell(parsed: dict[str, Any], **_: Any) -> None:
        if thread.units and "Error" not in parsed:
            parsed["ConsumedCapacity"] = {"CapacityUnits": float(thread.units)}

    events = session.client("dynamodb").meta.events
    events.register("provide-client-params", note)
    events.register("after-call", tell)
    try:
        yield
    finally:
        events.unregister("provide-client-params", note)
        events.unregister("after-call", tell)


def _of(operation: str, params: dict[str, Any]) -> dict[str, int]:
    if operation in ("SendMessage", "SendMessageBatch"):
        bodies = [entry["MessageBody"] for entry in params.get("Entries", [params])]
        return {"sqs": math.ceil(max(1, sum(map(len, bodies))) / CHUNK)}
    if operation == "ChangeMessageVisibilityBatch":
        return {"sqs": 1}
    if operation == "CreateSchedule":
        return {"schedules": 1}
    if operation == "UpdateItem":
        # tests/integration/aws/dynamodb/test_table.py holds an update to one unit. One that puts the state into an
        # index is one more; one that takes it out names the attribute too, and is none where it is in none.
        indexed = f":{_MOVES}" in params.get("ExpressionAttributeValues", {})
        return {"writes": 1 + indexed}
    if operation == "PutItem":
        return {"writes": _units(params["Item"])}
    if operation == "BatchWriteItem":
        puts = [each["PutRequest"]["Item"] for entries in params["RequestItems"].values() for each in entries]
        return {"writes": sum(map(_units, puts))}
    if operation == "TransactWriteItems":
        return {"writes": 2 * len(params["TransactItems"])}
    if operation in ("GetItem", "Query"):
        return {"half reads": 2 if params.get("ConsistentRead") else 1}
    if operation == "BatchGetItem":
        return {
            "half reads": sum(
                len(each["Keys"]) * (2 if each.get("ConsistentRead") else 1)
                for each in params["RequestItems"].values()
            )
        }
    return {}


def _units(item: dict[str, dict[str, Any]]) -> int:
    units = math.ceil(_size(item) / KB)
    for index in INDEXES:
        if index in item:
            held = {name: value for name, value in item.items() if name in (index, *INDEXED)}
            units += math.ceil(_size(held) / KB)
    return units


def _size(item: dict[str, dict[str, Any]]) -> int:
    return sum(
        len(name) + _length(kind, content) for name, value in item.items() for kind, content in value.items()
    )


def _length(kind: str, content: Any) -> int:
    if kind == "B":
        return len(b64decode(content) if isinstance(content, str) else content)
    return len(str(content).encode())
