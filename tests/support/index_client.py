"""A client of DynamoDB for one thing: a hundred thousand indexed states, which moto would sort anew at each query.

It answers Query on the index as its documentation says: a page ends after ``Limit`` items that were looked at, or after
1 MB of them, whichever comes first, and the filter is applied afterwards.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html
"""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from threading import Lock
from typing import Any

from serverless_tasks.engine.aws.dynamodb.expressions import from_dynamodb, to_dynamodb

PAGE = 1024 * 1024
PROJECTED = ("pk", "sk", "task_day", "created_uuid", "task", "owner", "created", "expires")


class IndexClient:
    """The client.

    Args:
        states: the state items.
        manifest: the attributes of the manifest item.

    Attributes:
        calls: how many calls were made, by their name.
    """

    def __init__(self, states: Iterable[dict[str, Any]], manifest: dict[str, Any] | None = None) -> None:
        self.calls: Counter[str] = Counter()
        self._counting = Lock()
        self._states = {state["pk"]: state for state in states}
        self._manifest = manifest
        self._shards: dict[str, list[tuple[str, dict[str, Any]]]] = {}
        for state in self._states.values():
            self._shards.setdefault(state["task_day"], []).append((state["created_uuid"], state))
        for shard in self._shards.values():
            shard.sort(key=lambda entry: entry[0])

    def query(self, **given: Any) -> dict[str, Any]:
        self._count("Query")
        assert (given["IndexName"], given["ScanIndexForward"]) == ("by_task", False)
        names, values = given["ExpressionAttributeNames"], from_dynamodb(given["ExpressionAttributeValues"])
        shard = self._shards.get(values[":day"], [])
        first = bisect_left(shard, values.get(":after", ""), key=lambda entry: entry[0])
        last = bisect_left(shard, values[":before"], key=lambda entry: entry[0])
        looked_at: list[dict[str, Any]] = []
        size, number = 0, last - 1
        while number >= first and len(looked_at) < given.get("Limit", len(shard) + 1):
            item = {name: shard[number][1][name] for name in PROJECTED if name in shard[number][1]}
            size += sum(len(name) + len(str(value)) for name, value in item.items())
            if size > PAGE:
                break
            looked_at.append(item)
            number -= 1
        found = [item for item in looked_at if _fits(item, given.get("FilterExpression"), names, values)]
        answer: dict[str, Any] = {
            "Items": [to_dynamodb(item) for item in found],
            "Count": len(found),
            "ScannedCount": len(looked_at),
        }
        if number >= first or len(looked_at) == given.get("Limit"):
            keys = ("pk", "sk", "task_day", "created_uuid")
            answer["LastEvaluatedKey"] = to_dynamodb({name: looked_at[-1][name] for name in keys})
        return answer

    def batch_get_item(self, **given: Any) -> dict[str, Any]:
        self._count("BatchGetItem")
        found = []
        for request in given["RequestItems"].values():
            for key in map(from_dynamodb, request["Keys"]):
                if key["sk"] == "s#state":
                    found.append(self._states[key["pk"]])
                elif key["pk"] == "manifest" and self._manifest is not None:
                    found.append({"pk": "manifest", **self._manifest})
        return {"Responses": {name: [to_dynamodb(item) for item in found] for name in given["RequestItems"]}}

    def _count(self, name: str) -> None:
        with self._counting:  # the shards are asked on several threads
            self.calls[name] += 1


def _fits(
    item: dict[str, Any], expression: str | None, names: dict[str, str], values: dict[str, Any]
) -> bool:
    for condition in expression.split(" AND ") if expression else ():
        name, operator, operands = _parsed(condition)
        actual, expected = item.get(names[name]), [values[each] for each in operands]
        if operator == "begins_with":
            holds = str(actual).startswith(expected[0])
        elif operator == "IN":
            holds = actual in expected
        else:
            holds = (
                actual is not None
                and {
                    "=": actual == expected[0],
                    ">=": operator == ">=" and actual >= expected[0],
                    "<": operator == "<" and actual < expected[0],
                }[operator]
            )
        if not holds:
            return False
    return True


def _parsed(condition: str) -> tuple[str, str, list[str]]:
    if called := re.fullmatch(r"begins_with\((#\w+), (:\w+)\)", condition):
        return called[1], "begins_with", [called[2]]
    if listed := re.fullmatch(r"(#\w+) IN \(([^)]*)\)", condition):
        return listed[1], "IN", listed[2].split(", ")
    compared = re.fullmatch(r"(#\w+) (=|>=|<) (:\w+)", condition)
    assert compared is not None, condition
    return compared[1], compared[2], [compared[3]]
