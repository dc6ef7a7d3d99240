"""Equality after the JSON round trip."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel


def equal_after_json(one: Any, other: Any) -> bool:
    """Return whether two values are equal; models by their fields, not by their private state.

    Times are if they are the same moment: Python's own comparison says of a time in the hours in which clocks change
    that it is equal to none of another zone (https://peps.python.org/pep-0495/#aware-datetime-equality-comparison).
    """
    if _is_moment(one) and _is_moment(other):
        return bool(one.astimezone(UTC) == other.astimezone(UTC))
    if type(one) is not type(other):
        return bool(one == other)
    if isinstance(one, BaseModel):
        return equal_after_json(members_of(one), members_of(other))
    if dataclasses.is_dataclass(one) and not isinstance(one, type):
        return bool(one == other) or equal_after_json(_fields(one), _fields(other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(
            equal_after_json(value, other[name]) for name, value in one.items()
        )
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(equal_after_json, one, other))
    return bool(one == other)


def members_of(model: BaseModel) -> dict[str, Any]:
    """Return the values of a model's fields by name, and its extra ones."""
    fields = {name: getattr(model, name) for name in type(model).model_fields}
    return {**fields, **(model.model_extra or {})}


def _is_moment(value: Any) -> bool:
    return isinstance(value, datetime) and value.utcoffset() is not None


def _fields(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if field.compare}
