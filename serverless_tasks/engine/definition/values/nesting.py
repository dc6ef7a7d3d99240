"""How deep values may be nested: as deep as pydantic reads JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel

from serverless_tasks.engine.definition.values.field_errors import field_errors
from serverless_tasks.errors import FieldError

if TYPE_CHECKING:
    from pydantic import ValidationError

# The depth to which pydantic's reader goes; the object of a task's inputs is the first level.
DEEPEST: Final = 200
TOO_DEEP: Final = f"is nested too deeply, or holds itself: JSON may be {DEEPEST} levels deep"
# What pydantic says of it.
_KINDS: Final = frozenset({"json_invalid", "recursion_loop"})


def is_too_deep(value: Any, levels: int = DEEPEST - 1) -> bool:
    """Return whether a value is nested deeper than JSON is read.

    Args:
        value: one of the inputs or outputs.
        levels: how many are left for it.
    """
    parts = [(value, 0)]
    seen: dict[int, int] = {}  # the deepest place at which each was met: one value may stand in many
    while parts:
        part, depth = parts.pop()
        held = _members(part)
        if held is None or seen.get(id(part), -1) >= depth:
            continue
        seen[id(part)] = depth
        if depth >= levels:
            return True
        parts.extend((each, depth + 1) for each in held)
    return False


def too_deep_fields(inputs: Any) -> list[FieldError]:
    """Return a refusal of each of the inputs that is nested too deeply."""
    named = _named(inputs)
    return [
        FieldError(name, TOO_DEEP, (name,), "json") for name, value in named.items() if is_too_deep(value)
    ]


def refused_fields(error: ValidationError, inputs: Any) -> list[FieldError]:
    """Return pydantic's errors, one for each field; of what it refuses for its depth, the input and the limit."""
    fields = field_errors(error)
    if _KINDS.isdisjoint(field.type for field in fields):
        return fields
    return too_deep_fields(inputs) or fields


def _named(inputs: Any) -> dict[str, Any]:
    if isinstance(inputs, BaseModel):
        return dict(inputs)
    return {str(name): value for name, value in inputs.items()} if isinstance(inputs, Mapping) else {}


def _members(part: Any) -> list[Any] | None:
    """Return what stands in a value one level deeper, or None where it is none that JSON nests."""
    if isinstance(part, BaseModel):
        return [value for _, value in part]
    if isinstance(part, Mapping):
        return list(part.values())
    return list(part) if isinstance(part, (list, tuple, set, frozenset)) else None
