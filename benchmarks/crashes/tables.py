"""The tables of both sides, in memory, and answers as botocore takes them in place of the network's."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any, Final

from botocore.awsrequest import AWSResponse

from tests.chaos.dynamodb import Table
from tests.chaos.queues import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.awsrequest import AWSPreparedRequest

_ADDED: Final = re.compile(r"\s*ADD (.+)$")
_COUNTED: Final = re.compile(r"set (\w+) = \1 \+ (:\w+)$")


class _Body:
    """The stream of an answer."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, *_: object, **__: object) -> list[bytes]:
        return [self._content]


def asked(request: AWSPreparedRequest) -> dict[str, Any]:
    """What a call asks, from its JSON."""
    given: dict[str, Any] = json.loads(request.body or b"{}")
    return given


def answered(body: dict[str, Any], status: int = 200) -> AWSResponse:
    """An answer, for botocore's ``before-send``."""
    headers = {"content-type": "application/x-amz-json-1.0"}
    return AWSResponse("http://memory", status, headers, _Body(json.dumps(body).encode()))


class OurTable:
    """Our table: that of the searches for faults, and numbers that are added to sets.

    Args:
        name: its name.
    """

    def __init__(self, name: str) -> None:
        self._table = Table(name)

    def call(self, operation: str, given: dict[str, Any]) -> AWSResponse:
        """Answer a call."""
        if operation == "UpdateItem":
            given |= self._with_sets(given)
        try:
            return answered(self._table.answer(operation, given))
        except Refused as error:
            return answered(
                {"__type": f"com.amazonaws#{error.code}", "message": error.text, **error.more}, 400
            )

    def status(self, uuid: str) -> str:
        """The status of a job; "" for one of which nothing is known."""
        return str(self._table.partition(uuid).get("s#state", {}).get("status", {}).get("S", ""))

    def _with_sets(self, given: dict[str, Any]) -> dict[str, Any]:
        """The same update with what is added to sets as values of their own: there is one writer at a time."""
        text = given["UpdateExpression"]
        if (added := _ADDED.search(text)) is None:
            return {}
        key, values = given["Key"], dict(given["ExpressionAttributeValues"])
        item = self._table.partition(key["pk"]["S"]).get(key["sk"]["S"], {})
        clauses = []
        for clause in added[1].split(", "):
            name, value = clause.split(" ")
            before = item.get(given["ExpressionAttributeNames"][name], {"NS": []})["NS"]
            values[value] = {"NS": sorted({*before, *values[value]["NS"]}, key=int)}
            clauses.append(f"{name} = {value}")
        text = text[: added.start()]
        joined = ", ".join(clauses)
        return {
            "UpdateExpression": f"{text}, {joined}" if text else f"SET {joined}",
            "ExpressionAttributeValues": values,
        }


class ResultTable:
    """The table of Celery's results."""

    def __init__(self) -> None:
        self._items: dict[str, dict[str, Any]] = {}

    def call(self, operation: str, given: dict[str, Any]) -> AWSResponse:
        """Answer a call."""
        answers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "DescribeTable": self._describe,
            "GetItem": self._get,
            "PutItem": self._put,
            "DeleteItem": self._delete,
            "UpdateItem": self._count,
        }
        return answered(answers[operation](given))

    def result(self, key: str) -> bytes | None:
        """The result under a key, as it was stored."""
        item = self._items.get(key)
        return None if item is None else base64.b64decode(item["result"]["B"])

    def _describe(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"Table": {"TableStatus": "ACTIVE"}}

    def _get(self, given: dict[str, Any]) -> dict[str, Any]:
        item = self._items.get(given["Key"]["id"]["S"])
        return {} if item is None else {"Item": item}

    def _put(self, given: dict[str, Any]) -> dict[str, Any]:
        self._items[given["Item"]["id"]["S"]] = given["Item"]
        return {}

    def _delete(self, given: dict[str, Any]) -> dict[str, Any]:
        self._items.pop(given["Key"]["id"]["S"], None)
        return {}

    def _count(self, given: dict[str, Any]) -> dict[str, Any]:
        counted = _COUNTED.match(given["UpdateExpression"])
        assert counted is not None, f"not simulated: {given['UpdateExpression']}"
        item, step = self._items[given["Key"]["id"]["S"]], given["ExpressionAttributeValues"][counted[2]]["N"]
        item[counted[1]] = {"N": str(int(item[counted[1]]["N"]) + int(step))}
        return {"Attributes": {counted[1]: item[counted[1]]}}
