"""Counting calls of AWS, and the units of them that are billed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    # Is told the key of the item that a call is about, or "", what it counts as, and how much.
    type Count = Callable[[str, str, float], None]

# https://aws.amazon.com/sqs/pricing/: each 64 KB of a payload is a request.
CHUNK = 65_536
_WRITES = ("update_item", "put_item", "delete_item", "batch_write_item", "transact_write_items")
_READS = ("get_item", "query", "batch_get_item", "scan")
_S3 = {"put_object": "s3p", "list_objects_v2": "s3p", "get_object": "s3g", "head_object": "s3g"}


class Meter:
    """Makes calls and counts them.

    DynamoDB says itself how many units a call took, those of its indexes included. A write whose condition did not hold
    says nothing, and counts as one.
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html

    Args:
        count: is told of each.
    """

    def __init__(self, count: Count) -> None:
        self._count = count

    def __call__(self, method: Callable[..., Any], parameters: dict[str, Any]) -> dict[str, Any]:
        """Call a client's method."""
        name = getattr(method, "__name__", "")
        if name in _WRITES or name in _READS:
            return self._units(method, name, parameters)
        response: dict[str, Any] = method(**parameters)
        service = getattr(getattr(method, "__self__", None), "meta", None)
        kind = service.service_model.service_name if service is not None else ""
        if kind == "sqs":
            body = parameters.get("MessageBody", "")
            self._count("", "sqs", max(1, math.ceil(len(body) / CHUNK)))
        elif kind == "s3" and name in _S3:
            self._count("", _S3[name], 1)
        elif kind == "scheduler" and name == "create_schedule":
            self._count("", "sch", 1)
        return response

    def _units(self, method: Callable[..., Any], name: str, parameters: dict[str, Any]) -> dict[str, Any]:
        attribute = "wu" if name in _WRITES else "ru"
        pk = _key(parameters)
        try:
            response: dict[str, Any] = method(**{"ReturnConsumedCapacity": "TOTAL", **parameters})
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                self._count(pk, attribute, 1)
            raise
        self._count(pk, attribute, written(response) if attribute == "wu" else _told(response))
        return response


def written(response: Mapping[str, Any]) -> float:
    """Return the write units of a call: those that DynamoDB tells, and at least the one that every write takes."""
    return max(1.0, _told(response))


def _told(response: Mapping[str, Any]) -> float:
    told = response.get("ConsumedCapacity")
    each = told if isinstance(told, list) else [told] if told else []
    return sum(float(one.get("CapacityUnits", 0.0)) for one in each)


def _key(parameters: Mapping[str, Any]) -> str:
    """Return the ``pk`` that a call is about, or ""."""
    key = parameters.get("Key") or parameters.get("Item") or {}
    values = parameters.get("ExpressionAttributeValues", {})
    pk = key.get("pk") or values.get(":pk") or {}
    return str(pk.get("S", ""))
