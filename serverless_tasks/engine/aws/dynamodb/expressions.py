"""DynamoDB's own notation of items, and the update calls that are made of plain dictionaries."""

from __future__ import annotations

from base64 import b64decode
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serverless_tasks.engine.store.transitions import Change


def to_dynamodb(item: Mapping[str, Any]) -> dict[str, Any]:
    """A plain item in DynamoDB's notation."""
    return {name: _value(value) for name, value in item.items()}


def from_dynamodb(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item in DynamoDB's notation as a plain one."""
    return {name: _plain(value) for name, value in item.items()}


def update_parameters(
    change: Change, *, condition: str, values: Mapping[str, Any], answered: bool
) -> dict[str, Any]:
    """Return the parameters of an UpdateItem that returns the new item, or the old one when the condition fails.

    Args:
        change: what becomes of the item.
        condition: with ``#name`` for attributes and ``:name`` for values.
        values: the condition's own values; those that the change puts can be used too.
        answered: whether the new item is wanted; to read it is a tenth of such a call's processor time.
    """
    parameters = {**change.put, **change.keep, **values}
    parameters |= {f"add_{name}": by for name, by in change.add.items()}
    parameters |= {f"unite_{name}": more for name, more in change.unite.items()}
    if change.add:
        parameters["zero"] = 0
    if change.copy:
        parameters["none"] = ""
    text, names = _expression(
        tuple(change.put),
        tuple(change.add),
        tuple(change.unite),
        tuple(change.keep),
        tuple(change.copy.items()),
        change.remove,
        condition,
    )
    return {
        "UpdateExpression": text,
        **({"ConditionExpression": condition} if condition else {}),
        "ExpressionAttributeNames": dict(names),
        "ExpressionAttributeValues": {f":{name}": _value(value) for name, value in parameters.items()},
        "ReturnValues": "ALL_NEW" if answered else "NONE",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


# A process makes few kinds of updates, and each of them for every job.
@lru_cache(maxsize=64)
def _expression(
    put: tuple[str, ...],
    add: tuple[str, ...],
    unite: tuple[str, ...],
    keep: tuple[str, ...],
    copy: tuple[tuple[str, str], ...],
    remove: tuple[str, ...],
    condition: str,
) -> tuple[str, dict[str, str]]:
    """The text of an update, and the names that it and the condition speak of; see `update_parameters`."""
    clauses = [f"#{name} = :{name}" for name in put]
    clauses += [f"#{name} = if_not_exists(#{name}, :zero) + :add_{name}" for name in add]
    clauses += [f"#{name} = if_not_exists(#{name}, :{name})" for name in keep]
    clauses += [f"#{name} = if_not_exists(#{source}, :none)" for name, source in copy]
    gone = [f"#{name}" for name in remove]
    united = [f"#{name} :unite_{name}" for name in unite]
    parts = {"SET": clauses, "REMOVE": gone, "ADD": united}
    text = " ".join(f"{verb} {', '.join(each)}" for verb, each in parts.items() if each)
    names = {part.strip("(),") for part in f"{text} {condition}".replace("(", " ").replace(",", " ").split()}
    return text, {name: name[1:] for name in names if name.startswith("#")}


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, bytes):
        return {"B": value}
    if isinstance(value, frozenset):
        return {"NS": [repr(number) for number in sorted(value)]}
    return {"N": repr(value)}


def _plain(value: Mapping[str, Any]) -> Any:
    ((kind, content),) = value.items()
    if kind == "N":
        return float(content) if "." in content or "e" in content.lower() else int(content)
    if kind == "NS":
        return frozenset(map(int, content))
    if kind == "B" and isinstance(content, str):  # items pass botocore as they are
        return b64decode(content)
    return content
