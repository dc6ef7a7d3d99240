"""Equality after the JSON round trip."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from pydantic import BaseModel

from serverless_tasks.engine.definition.values.unlike_json import is_multiple

# Python says of some of these that they are equal to a value of another type, which is another value to `run`.
_OF_THEIR_OWN = (Enum, bool, Decimal, set, frozenset)
_SCALARS = frozenset({bool, float, int, str, type(None)})


def equal_after_json(came: Any, went: Any) -> bool:
    """Return whether a value came back as it went; models by their fields, not by their private state.

    A text, a number or a dictionary of a derived class may come back as one of the class that JSON knows. Not so a
    member of an enum, which is equal to its value where the enum derives from ``str`` or ``int``. Times are equal if
    they are the same moment: Python's own comparison says of a time in the hours in which clocks change that it is
    equal to none of another zone (https://peps.python.org/pep-0495/#aware-datetime-equality-comparison).

    Args:
        came: what was read from JSON.
        went: what the JSON was made of.
    """
    kind = type(went)
    if came is went:
        return True
    if kind in _SCALARS and type(came) is kind:
        return bool(came == went)
    if isinstance(came, dict) and isinstance(went, dict):
        return not is_multiple(went) and _are_equal_dictionaries(came, went)
    if kind is type(came) and issubclass(kind, (list, tuple)):
        return len(came) == len(went) and _are_equal(came, went)
    return _are_equal_values(came, went)


def _are_equal_values(came: Any, went: Any) -> bool:
    if _is_moment(came) and _is_moment(went):
        return _is_same_moment(came, went)
    if any(isinstance(came, kind) is not isinstance(went, kind) for kind in _OF_THEIR_OWN):
        return False
    if type(came) is not type(went):
        return not isinstance(went, Enum) and bool(came == went)
    if isinstance(came, BaseModel) or (dataclasses.is_dataclass(came) and not isinstance(came, type)):
        ones, others = _members(came), _members(went)
        # The class may have an equality of its own, of other members that differ.
        return equal_after_json(ones, others) or (ones != others and bool(came == went))
    if isinstance(came, (set, frozenset)):
        return bool(came == went) and set(map(type, came)) == set(map(type, went))
    return bool(came == went)


def members_of(model: BaseModel) -> dict[str, Any]:
    """Return the values of a model's fields by name, and its extra ones."""
    fields = {name: getattr(model, name) for name in type(model).model_fields}
    return {**fields, **(model.model_extra or {})}


def _are_equal(came: Iterable[Any], went: Iterable[Any]) -> bool:
    """Compare equally many values; of a million numbers, one type is looked at."""
    kinds = set(map(type, went))
    if kinds <= _SCALARS and list(map(type, came)) == list(map(type, went)):
        return list(came) == list(went)
    return all(map(equal_after_json, came, went))


def _are_equal_dictionaries(came: dict[Any, Any], went: dict[Any, Any]) -> bool:
    if came.keys() != went.keys():
        return False
    kinds = set(map(type, went))
    if kinds != {str} and kinds != set(map(type, came)) and any(issubclass(kind, Enum) for kind in kinds):
        return False
    return all(equal_after_json(came[name], value) for name, value in went.items())


def _is_moment(value: Any) -> bool:
    return isinstance(value, datetime) and value.utcoffset() is not None


def _is_same_moment(one: datetime, other: datetime) -> bool:
    """Compare times by what lies between them: near the first and the last year there is no such time in UTC."""
    apart = one.replace(tzinfo=None) - other.replace(tzinfo=None)
    mine, others = one.utcoffset(), other.utcoffset()
    return mine is not None and others is not None and apart == mine - others


def _members(value: Any) -> dict[str, Any]:
    if isinstance(value, BaseModel):
        return members_of(value)
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if field.compare}
