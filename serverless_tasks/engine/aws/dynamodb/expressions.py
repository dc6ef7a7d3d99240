"""DynamoDB's own notation of items, and the update calls that are made of plain dictionaries."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def to_dynamodb(item: Mapping[str, Any]) -> dict[str, Any]:
    """A plain item in DynamoDB's notation."""
    return {name: _value(value) for name, value in item.items()}


def from_dynamodb(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item in DynamoDB's notation as a plain one."""
    return {name: _plain(value) for name, value in item.items()}


def update(
    table: str,
    key: tuple[str, str],
    *,
    put: Mapping[str, Any],
    add: Mapping[str, int] | None = None,
    keep: Mapping[str, Any] | None = None,
    copy: Mapping[str, str] | None = None,
    remove: Iterable[str] = (),
    condition: str,
    values: Mapping[str, Any] | None = None,
    answered: bool = True,
) -> dict[str, Any]:
    """The parameters of an UpdateItem that returns the new item, or the old one when the condition fails.

    Args:
        table: the table's name.
        key: ``pk`` and ``sk``.
        put: attributes to set.
        add: attributes to count up, from 0.
        keep: attributes to set unless they are there.
        copy: attribute -> another one whose value before this update it takes; "" where there was none.
        remove: attributes to take away.
        condition: with ``#name`` for attributes and ``:name`` for values.
        values: the condition's own values; those of ``put`` can be used too.
        answered: whether the new item is wanted; to read it is a tenth of such a call's processor time.
    """
    add, keep, copy = add or {}, keep or {}, copy or {}
    given = {**put, **keep, **(values or {})} | {f"add_{name}": by for name, by in add.items()}
    if add:
        given["zero"] = 0
    if copy:
        given["none"] = ""
    text, names = _expression(
        tuple(put), tuple(add), tuple(keep), tuple(copy.items()), tuple(remove), condition
    )
    return {
        "TableName": table,
        "Key": to_dynamodb({"pk": key[0], "sk": key[1]}),
        "UpdateExpression": text,
        "ConditionExpression": condition,
        "ExpressionAttributeNames": dict(names),
        "ExpressionAttributeValues": {f":{name}": _value(value) for name, value in given.items()},
        "ReturnValues": "ALL_NEW" if answered else "NONE",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


# A process makes few kinds of updates, and each of them for every job.
@lru_cache(maxsize=64)
def _expression(
    put: tuple[str, ...],
    add: tuple[str, ...],
    keep: tuple[str, ...],
    copy: tuple[tuple[str, str], ...],
    remove: tuple[str, ...],
    condition: str,
) -> tuple[str, dict[str, str]]:
    """The text of an update, and the names that it and the condition speak of; see `update`."""
    clauses = [f"#{name} = :{name}" for name in put]
    clauses += [f"#{name} = if_not_exists(#{name}, :zero) + :add_{name}" for name in add]
    clauses += [f"#{name} = if_not_exists(#{name}, :{name})" for name in keep]
    clauses += [f"#{name} = if_not_exists(#{source}, :none)" for name, source in copy]
    gone = [f"#{name}" for name in remove]
    text = f"SET {', '.join(clauses)}" + (f" REMOVE {', '.join(gone)}" if gone else "")
    names = {part.strip("(),") for part in f"{text} {condition}".replace("(", " ").replace(",", " ").split()}
    return text, {name: name[1:] for name in names if name.startswith("#")}


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bool):
        return {"BOOL": value}
    return {"N": repr(value)}


def _plain(value: Mapping[str, Any]) -> Any:
    ((kind, content),) = value.items()
    if kind == "N":
        return float(content) if "." in content or "e" in content.lower() else int(content)
    return content
