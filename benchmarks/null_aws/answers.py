"""What the null endpoint answers: just enough of SQS's and DynamoDB's JSON for callers to go on."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

QUEUE_URL = "{endpoint}/123456789012/{name}"
_NOTHING: dict[str, Any] = {}


# A counter of a caller that gives its attribute no other name in the expression.
_COUNTER = re.compile(r"\bset (\w+) = \1 \+ (:\w+)", re.IGNORECASE)


@dataclass(slots=True)
class Kept:
    """What the endpoint keeps between calls.

    Attributes:
        items: what it was given to hold: every query finds them, and a get or an update that of its key.
        sets: the numbers that updates have added, by the item's key and the attribute.
    """

    items: list[dict[str, Any]] = field(default_factory=list)
    sets: dict[tuple[str, str], set[str]] = field(default_factory=dict)

    def hold(self, items: list[dict[str, Any]]) -> None:
        """Hold these items, and nothing that was kept before."""
        self.items = items
        self.sets.clear()

    def item(self, key: dict[str, Any]) -> dict[str, Any]:
        """The item of a key; an empty one where none is held."""
        held = (item for item in self.items if all(item.get(name) == value for name, value in key.items()))
        return next(held, {})

    def unite(self, key: dict[str, Any], name: str, numbers: list[str]) -> list[str]:
        """Add numbers to a set; returns all of it."""
        united = self.sets.setdefault((json.dumps(key), name), set())
        united.update(numbers)
        return sorted(united, key=float)


def answer(target: str, body: bytes, endpoint: str, kept: Kept) -> dict[str, Any]:
    """The answer to one call.

    Args:
        target: the header ``X-Amz-Target``, such as ``DynamoDB_20120810.UpdateItem``.
        body: the call's JSON.
        endpoint: the server's own address, for queue URLs.
        kept: what is kept between calls.

    Raises:
        KeyError: it does not know the operation.
    """
    operation = target.rsplit(".", 1)[-1]
    if kept.items and operation in _HELD:
        return _HELD[operation](json.loads(body), kept)
    if operation in _UNREAD:
        return _UNREAD[operation]
    if operation == "UpdateItem":
        return _update_item(json.loads(body), kept)
    return _READ[operation](json.loads(body), endpoint)


def _update_item(call: dict[str, Any], kept: Kept) -> dict[str, Any]:
    """The item as the update would leave it: what is set, counters at their step, and sets with all that was added.

    Beyond the sets there is nothing before, unless the endpoint holds the item.
    """
    if call.get("ReturnValues", "NONE") == "NONE":
        return _NOTHING
    values = call.get("ExpressionAttributeValues", {})
    item = kept.item(call["Key"]) | call["Key"]
    for name, value in values.items():
        if name.startswith(":unite_"):
            attribute = name.removeprefix(":unite_")
            item[attribute] = {"NS": kept.unite(call["Key"], attribute, value["NS"])}
        else:
            item[name.removeprefix(":").removeprefix("add_")] = value
    if counter := _COUNTER.search(call["UpdateExpression"]):
        item[counter[1]] = values[counter[2]]
    return {"Attributes": item}


def _query(call: dict[str, Any], kept: Kept) -> dict[str, Any]:
    return {"Items": kept.items, "Count": len(kept.items), "ScannedCount": len(kept.items)}


def _get_item(call: dict[str, Any], kept: Kept) -> dict[str, Any]:
    item = kept.item(call["Key"])
    return {"Item": item} if item else _NOTHING


def _send(call: dict[str, Any], endpoint: str) -> dict[str, Any]:
    return {"MessageId": "0", "MD5OfMessageBody": _md5(call["MessageBody"])}


def _send_batch(call: dict[str, Any], endpoint: str) -> dict[str, Any]:
    sent = [
        {"Id": entry["Id"], "MessageId": "0", "MD5OfMessageBody": _md5(entry["MessageBody"])}
        for entry in call["Entries"]
    ]
    return {"Successful": sent, "Failed": []}


def _each(call: dict[str, Any], endpoint: str) -> dict[str, Any]:
    return {"Successful": [{"Id": entry["Id"]} for entry in call["Entries"]], "Failed": []}


def _queue_url(call: dict[str, Any], endpoint: str) -> dict[str, Any]:
    return {"QueueUrl": QUEUE_URL.format(endpoint=endpoint, name=call["QueueName"])}


def _queue_urls(call: dict[str, Any], endpoint: str) -> dict[str, Any]:
    prefix = call.get("QueueNamePrefix")
    return {"QueueUrls": [QUEUE_URL.format(endpoint=endpoint, name=prefix or "celery")]}


def _md5(body: str) -> str:
    return hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()


_UNREAD: dict[str, dict[str, Any]] = {
    "PutItem": _NOTHING,
    "DeleteItem": _NOTHING,
    "GetItem": _NOTHING,
    "TransactWriteItems": _NOTHING,
    "Query": {"Items": [], "Count": 0, "ScannedCount": 0},
    "BatchWriteItem": {"UnprocessedItems": {}},
    "BatchGetItem": {"Responses": {}, "UnprocessedKeys": {}},
    "DescribeTable": {"Table": {"TableStatus": "ACTIVE"}},
    "DescribeTimeToLive": {"TimeToLiveDescription": {"TimeToLiveStatus": "ENABLED", "AttributeName": "ttl"}},
    "DeleteMessage": _NOTHING,
    "ChangeMessageVisibility": _NOTHING,
    "ReceiveMessage": _NOTHING,
}
# Where the endpoint holds items.
_HELD: dict[str, Callable[[dict[str, Any], Kept], dict[str, Any]]] = {"Query": _query, "GetItem": _get_item}
_READ: dict[str, Callable[[dict[str, Any], str], dict[str, Any]]] = {
    "SendMessage": _send,
    "SendMessageBatch": _send_batch,
    "DeleteMessageBatch": _each,
    "ChangeMessageVisibilityBatch": _each,
    "GetQueueUrl": _queue_url,
    "CreateQueue": _queue_url,
    "ListQueues": _queue_urls,
    "GetQueueAttributes": lambda call, endpoint: {"Attributes": {"ApproximateNumberOfMessages": "0"}},
}
