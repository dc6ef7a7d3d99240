"""What the null endpoint answers: just enough of SQS's and DynamoDB's JSON for callers to go on."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

QUEUE_URL = "{endpoint}/123456789012/{name}"
_NOTHING: dict[str, Any] = {}


def answer(target: str, body: bytes, endpoint: str) -> dict[str, Any]:
    """The answer to one call.

    Args:
        target: the header ``X-Amz-Target``, such as ``DynamoDB_20120810.UpdateItem``.
        body: the call's JSON.
        endpoint: the server's own address, for queue URLs.

    Raises:
        KeyError: it does not know the operation.
    """
    operation = target.rsplit(".", 1)[-1]
    if operation in _UNREAD:
        return _UNREAD[operation]
    return _READ[operation](json.loads(body), endpoint)


def _update_item(call: dict[str, Any], endpoint: str) -> dict[str, Any]:
    """The item as the update would leave it, where nothing was before: what is set, and counters at their step."""
    if call.get("ReturnValues", "NONE") == "NONE":
        return _NOTHING
    values = call.get("ExpressionAttributeValues", {})
    item = dict(call["Key"])
    for name, value in values.items():
        item[name.removeprefix(":").removeprefix("add_")] = value
    return {"Attributes": item}


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
_READ: dict[str, Callable[[dict[str, Any], str], dict[str, Any]]] = {
    "UpdateItem": _update_item,
    "SendMessage": _send,
    "SendMessageBatch": _send_batch,
    "DeleteMessageBatch": _each,
    "ChangeMessageVisibilityBatch": _each,
    "GetQueueUrl": _queue_url,
    "CreateQueue": _queue_url,
    "ListQueues": _queue_urls,
    "GetQueueAttributes": lambda call, endpoint: {"Attributes": {"ApproximateNumberOfMessages": "0"}},
}
