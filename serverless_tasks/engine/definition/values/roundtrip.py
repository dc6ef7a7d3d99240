"""Sets travel in one order: equal inputs are one text in every process, which is what makes two jobs one."""

from __future__ import annotations

import dataclasses
from collections.abc import Set
from typing import Any

from pydantic import BaseModel, RootModel

from serverless_tasks.engine.definition.values.annotations import contains_type
from serverless_tasks.engine.job.encoding import encode


def holds_set(annotation: Any) -> bool:
    """Return whether a type is a set, or its values may contain one."""
    return contains_type(annotation, (Set,))


def sort_sets(shown: Any, value: Any) -> Any:
    """JSON that pydantic made, the lists that stand for sets sorted by their members' JSON.

    Args:
        shown: the JSON.
        value: what it was made of.

    Raises:
        ValueError: a member has no form in JSON, such as NaN.
    """
    if isinstance(value, RootModel):
        return sort_sets(shown, value.root)
    if isinstance(shown, dict):
        members = members_by_name(value, shown)
        return {
            name: sort_sets(each, members[name]) if name in members else each for name, each in shown.items()
        }
    if not isinstance(shown, list) or not isinstance(value, (list, tuple, Set)) or len(shown) != len(value):
        return shown
    each_in_order = [sort_sets(each, member) for each, member in zip(shown, value, strict=True)]
    return sorted(each_in_order, key=encode) if isinstance(value, Set) else each_in_order


def members_by_name(value: Any, shown: dict[str, Any]) -> dict[str, Any]:
    """The members of a model, a data class or a dictionary, by their names in its JSON."""
    if isinstance(value, BaseModel):
        fields = type(value).model_fields.items()
        return {field.serialization_alias or name: getattr(value, name) for name, field in fields}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, dict) and len(value) == len(shown):
        return dict(zip(shown, value.values(), strict=True))
    return {}
