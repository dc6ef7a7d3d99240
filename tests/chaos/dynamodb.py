"""A DynamoDB table in memory: a search makes some hundred thousand calls, each a tenth of the time that moto takes.

It knows the operations and the parts of expressions that this library uses, and refuses to guess at others.
`test_table_contract` holds it and moto to the same answers.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

from tests.chaos.queues import Refused

type Value = dict[str, Any]
type Item = dict[str, Value]

# How the keys of statistics, of kinds of failures and of pauses begin: of what workers keep that is no job's.
WATCHING = ("stats#", "errors#", "error#", "control")

_TOKENS = re.compile(r"<>|<=|>=|[=<>(),+]|[#:]?\w+|\S")
_PARAMETERS = {
    "ConditionExpression",
    "ConsistentRead",
    "ExpressionAttributeNames",
    "ExpressionAttributeValues",
    "Item",
    "Key",
    "KeyConditionExpression",
    "Keys",
    "ProjectionExpression",
    "RequestItems",
    "ReturnConsumedCapacity",
    "ReturnValues",
    "ReturnValuesOnConditionCheckFailure",
    "TableName",
    "TransactItems",
    "UpdateExpression",
}


class Table:
    """One table, whose items are in DynamoDB's own notation and are never changed, but replaced.

    Args:
        name: its name.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._items: dict[str, dict[str, Item]] = {}

    def partitions(self) -> list[str]:
        """The partition keys in the order in which they came."""
        return list(self._items)

    def partition(self, pk: str) -> dict[str, Item]:
        """The items of a partition key, by sort key."""
        return self._items.get(pk, {})

    def answer(self, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        """The answer to a call, as JSON.

        Raises:
            Refused: DynamoDB would refuse it.
        """
        answer: dict[str, Any] = getattr(self, f"_{operation}")(_known(given))
        return answer

    def _DescribeTable(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"Table": {"TableName": self.name, "CreationDateTime": 0}}

    def _GetItem(self, given: dict[str, Any]) -> dict[str, Any]:
        item = self._item(given["Key"])
        return {"Item": item} if item else {}

    def _BatchGetItem(self, given: dict[str, Any]) -> dict[str, Any]:
        wanted = _known(given["RequestItems"][self.name])
        found = [item for key in wanted["Keys"] if (item := self._item(key))]
        if only := wanted.get("ProjectionExpression"):
            names = [wanted["ExpressionAttributeNames"][name] for name in only.split(", ")]
            found = [{name: item[name] for name in names if name in item} for item in found]
        return {"Responses": {self.name: found}, "UnprocessedKeys": {}}

    def _Query(self, given: dict[str, Any]) -> dict[str, Any]:
        items = [item for of_key in self._items.values() for _, item in sorted(of_key.items())]
        return {"Items": [item for item in items if _holds(given, item, "KeyConditionExpression")]}

    def _PutItem(self, given: dict[str, Any]) -> dict[str, Any]:
        self._require(given, given["Item"])
        self._put(given["Item"])
        return {}

    def _UpdateItem(self, given: dict[str, Any]) -> dict[str, Any]:
        self._require(given, given["Key"])
        before = self._item(given["Key"])
        here = _here(given, given["Key"] | before)
        item = _update(given["UpdateExpression"])(here)
        self._put(item)
        named = {name: item[name] for name in here.names.values() if name in item}
        shown = {"ALL_NEW": item, "ALL_OLD": before, "UPDATED_NEW": named}.get(given.get("ReturnValues", ""))
        return {"Attributes": shown} if shown else {}

    def _DeleteItem(self, given: dict[str, Any]) -> dict[str, Any]:
        self._require(given, given["Key"])
        self._drop(given["Key"])
        return {}

    def _BatchWriteItem(self, given: dict[str, Any]) -> dict[str, Any]:
        for request in given["RequestItems"][self.name]:
            if "PutRequest" in request:
                self._put(request["PutRequest"]["Item"])
            else:
                self._drop(request["DeleteRequest"]["Key"])
        return {"UnprocessedItems": {}}

    def _TransactWriteItems(self, given: dict[str, Any]) -> dict[str, Any]:
        puts = [_known(action["Put"]) for action in given["TransactItems"]]
        reasons: list[dict[str, Any]] = []
        for put in puts:
            try:
                self._require(put, put["Item"])
            except Refused as error:
                reasons.append({"Code": "ConditionalCheckFailed", "Message": error.text, **error.more})
            else:
                reasons.append({"Code": "None"})
        if any(reason["Code"] != "None" for reason in reasons):
            raise Refused("TransactionCanceledException", "cancelled", CancellationReasons=reasons)
        for put in puts:
            self._put(put["Item"])
        return {}

    def _require(self, given: dict[str, Any], key: Item) -> None:
        item = self._item(key)
        if "ConditionExpression" in given and not _holds(given, item):
            shown = item and given.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
            more = {"Item": item} if shown else {}
            raise Refused("ConditionalCheckFailedException", "The conditional request failed", **more)

    def _item(self, key: Item) -> Item:
        """The item of a key, or an empty one."""
        return self.partition(key["pk"]["S"]).get(key["sk"]["S"], {})

    def _put(self, item: Item) -> None:
        self._items.setdefault(item["pk"]["S"], {})[item["sk"]["S"]] = item

    def _drop(self, key: Item) -> None:
        left = self.partition(key["pk"]["S"])
        left.pop(key["sk"]["S"], None)
        if not left:
            self._items.pop(key["pk"]["S"], None)


class _Here(NamedTuple):
    """What an expression is evaluated with."""

    item: Item
    names: dict[str, str]
    values: dict[str, Value]


type _Part = Callable[[_Here], Any]


def _known(given: dict[str, Any]) -> dict[str, Any]:
    assert given.keys() <= _PARAMETERS, f"not simulated: {given.keys() - _PARAMETERS}"
    return given


def _here(given: dict[str, Any], item: Item) -> _Here:
    return _Here(item, given.get("ExpressionAttributeNames", {}), given.get("ExpressionAttributeValues", {}))


def _holds(given: dict[str, Any], item: Item, condition: str = "ConditionExpression") -> bool:
    return bool(_condition(given[condition])(_here(given, item)))


@cache
def _condition(text: str) -> _Part:
    return _Expression(text).condition()


@cache
def _update(text: str) -> Callable[[_Here], Item]:
    return _Expression(text).update()


def _equal(left: Value | None, right: Value | None) -> bool:
    return left is not None and right is not None and _plain(left) == _plain(right)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Value | None, Value | None], bool]:
    def holds(left: Value | None, right: Value | None) -> bool:
        return (
            left is not None
            and right is not None
            and left.keys() == right.keys()
            and compare(_plain(left), _plain(right))
        )

    return holds


def _plain(value: Value) -> Any:
    ((kind, content),) = value.items()
    return Decimal(content) if kind == "N" else content


def _added(left: Value | None, right: Value) -> Value:
    if "N" in right:
        return _sum(left or {"N": "0"}, right)
    numbers = {*(left or {"NS": []})["NS"], *right["NS"]}
    return {"NS": sorted(numbers, key=int)}


def _sum(left: Value, right: Value) -> Value:
    return {"N": str(_plain(left) + _plain(right))}


_COMPARISONS: dict[str, Callable[[Value | None, Value | None], bool]] = {
    "=": _equal,
    "<>": lambda left, right: not _equal(left, right),
    "<": _ordered(operator.lt),
    "<=": _ordered(operator.le),
    ">": _ordered(operator.gt),
    ">=": _ordered(operator.ge),
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "attribute_exists": lambda value: value is not None,
    "attribute_not_exists": lambda value: value is None,
    "begins_with": lambda value, prefix: value is not None and value["S"].startswith(prefix["S"]),
    "if_not_exists": lambda value, other: other if value is None else value,
}


class _Expression:
    """One expression, read from left to right into functions."""

    def __init__(self, text: str) -> None:
        self._left: list[str] = _TOKENS.findall(text)[::-1]

    def condition(self) -> _Part:
        """The condition up to the end or to a closing bracket."""
        return self._joined("OR", any, lambda: self._joined("AND", all, self._comparison))

    def update(self) -> Callable[[_Here], Item]:
        """The whole of an update: what it makes of an item."""
        changes: list[tuple[str, _Part]] = []
        removed: list[str] = []
        while self._left:
            if self._takes("REMOVE"):
                removed += self._listed(self._next)
            elif self._takes("ADD"):
                changes += self._listed(self._addition)
            else:
                self._expect("SET")
                changes += self._listed(self._change)

        def changed(here: _Here) -> Item:
            gone = {_name(token, here) for token in removed}
            item = here.item | {_name(token, here): value(here) for token, value in changes}
            return {name: value for name, value in item.items() if name not in gone}

        return changed

    def _change(self) -> tuple[str, _Part]:
        name = self._next()
        self._expect("=")
        value = self._operand()
        return name, self._apply(_sum, [value, self._operand()]) if self._takes("+") else value

    def _addition(self) -> tuple[str, _Part]:
        """What ADD makes of a number or of a set of numbers; other types are not known here."""
        name = self._next()
        return name, self._apply(_added, [lambda here: here.item.get(_name(name, here)), self._operand()])

    def _comparison(self) -> _Part:
        if self._takes("("):
            inside = self.condition()
            self._expect(")")
            return inside
        left = self._operand()
        if not self._left or self._left[-1] not in _COMPARISONS:
            return left  # a function
        return self._apply(_COMPARISONS[self._next()], [left, self._operand()])

    def _operand(self) -> _Part:
        token = self._next()
        if token in _FUNCTIONS:
            self._expect("(")
            arguments = self._listed(self._operand)
            self._expect(")")
            return self._apply(_FUNCTIONS[token], arguments)
        if token.startswith(":"):
            return lambda here: here.values[token]
        return lambda here: here.item.get(_name(token, here))

    def _joined(self, word: str, how: Callable[[Any], bool], part: Callable[[], _Part]) -> _Part:
        parts = self._listed(part, word)
        return parts[0] if len(parts) == 1 else lambda here: how(each(here) for each in parts)

    def _listed[T](self, part: Callable[[], T], between: str = ",") -> list[T]:
        parts = [part()]
        while self._takes(between):
            parts.append(part())
        return parts

    @staticmethod
    def _apply(function: Callable[..., Any], arguments: list[_Part]) -> _Part:
        return lambda here: function(*[argument(here) for argument in arguments])

    def _takes(self, token: str) -> bool:
        found = bool(self._left) and self._left[-1] == token
        if found:
            self._left.pop()
        return found

    def _expect(self, token: str) -> None:
        assert self._takes(token), f"not simulated: {self._left[::-1]} where {token} is expected"

    def _next(self) -> str:
        return self._left.pop()


def _name(token: str, here: _Here) -> str:
    return here.names[token] if token.startswith("#") else token
