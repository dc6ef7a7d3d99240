"""Counting calls of AWS, and the units of them that are billed."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from serverless_tasks.engine.statistics.submission import requests_of
from serverless_tasks.engine.store.items import JOB
from serverless_tasks.errors import ServerlessTasksError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    # Is told the id of the job that a call is about, or "", what it counts as, and how much.
    type Count = Callable[[str, str, float], None]

logger = logging.getLogger(__name__)

_JOB = {"S": JOB}
_WRITES = ("update_item", "put_item", "delete_item", "batch_write_item", "transact_write_items")
_READS = ("get_item", "query", "batch_get_item")
# The job of a message, by the beginning of its body.
_UUID = re.compile(r'"uuid": ?"([0-9a-f-]{36})"')
_S3 = {"put_object": "s3p", "list_objects_v2": "s3p", "get_object": "s3g", "head_object": "s3g"}


class Meter:
    """Makes calls and counts them.

    DynamoDB says itself how many units a call took, those of its indexes included. A write whose condition did not hold
    says nothing, and counts as one. The items of jobs that are submitted are left out: the worker that first has such a
    job counts them, wherever it was submitted; see `submission_counts`.
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html

    Args:
        count: is told of each.
    """

    def __init__(self, count: Count) -> None:
        self._count = count
        self._failed = False

    def __call__(self, method: Callable[..., Any], parameters: dict[str, Any]) -> dict[str, Any]:
        """Call a client's method. Whatever goes wrong with its count, the call was made, and is answered."""
        name = getattr(method, "__name__", "")
        is_billed = name in _WRITES or name in _READS
        asked = {"ReturnConsumedCapacity": "TOTAL", **parameters} if is_billed else parameters
        try:
            response: dict[str, Any] = method(**asked)
        except ClientError as error:
            if is_billed and error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                self._count(_key(parameters), _unit_of(name), 1)
            raise
        try:
            if is_billed:
                self._units(name, parameters, response)
            else:
                self._requests(method, name, parameters)
        except ServerlessTasksError:  # a task's time is over
            raise
        except Exception:
            if not self._failed:
                self._failed = True
                logger.warning("calls of %s cannot be counted", name, exc_info=True)
        return response

    def _units(self, name: str, parameters: dict[str, Any], response: dict[str, Any]) -> None:
        if _submits(name, parameters):
            return
        unit = _unit_of(name)
        self._count(_key(parameters), unit, written(response) if unit == "wu" else _told(response))

    def _requests(self, method: Callable[..., Any], name: str, parameters: dict[str, Any]) -> None:
        service = getattr(getattr(method, "__self__", None), "meta", None)
        kind = service.service_model.service_name if service is not None else ""
        if kind == "sqs":
            sent = parameters.get("Entries", [parameters])
            bodies = [str(each.get("MessageBody", "")) for each in sent]
            named = _UUID.search(bodies[0], 0, 100)
            self._count(named[1] if named else "", "sqs", requests_of(sum(map(len, bodies))))
        elif name in _S3:  # reading an object is wrapped, so that its service cannot be told
            self._count("", _S3[name], 1)
        elif kind == "scheduler" and name == "create_schedule":
            self._count("", "sch", 1)


def _unit_of(name: str) -> str:
    return "wu" if name in _WRITES else "ru"


def written(response: Mapping[str, Any]) -> float:
    """Return the write units of a call: those that DynamoDB tells, and at least the one that every write takes."""
    return max(1.0, _told(response))


def _told(response: Mapping[str, Any]) -> float:
    told = response.get("ConsumedCapacity")
    each = told if isinstance(told, list) else [told] if told else []
    return sum(float(one.get("CapacityUnits", 0.0)) for one in each)


def _submits(name: str, parameters: Mapping[str, Any]) -> bool:
    """Return whether a write is that of jobs' own items, which their submission alone writes."""
    if name == "put_item":
        return bool(parameters["Item"].get("sk") == _JOB)
    if name != "batch_write_item":
        return False
    puts = [each.get("PutRequest", {}) for wanted in parameters["RequestItems"].values() for each in wanted]
    return all(put.get("Item", {}).get("sk") == _JOB for put in puts)


def _key(parameters: Mapping[str, Any]) -> str:
    """Return the ``pk`` that a call is about, or ""."""
    key = parameters.get("Key") or parameters.get("Item") or {}
    values = parameters.get("ExpressionAttributeValues", {})
    pk = key.get("pk") or values.get(":pk") or {}
    return str(pk.get("S", ""))
