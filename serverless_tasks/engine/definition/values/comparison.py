"""The part of a model's JSON that two submits of the same inputs have in common."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, RootModel

from serverless_tasks.engine.definition.values.equality import equal_after_json
from serverless_tasks.engine.definition.values.roundtrip import members_by_name

_ANEW: Final = object()


def without_made_anew(shown: Any, value: Any) -> Any:
    """The JSON of a model without what a ``default_factory`` makes anew each time, such as ``uuid4``.

    That is nothing that was given: with it a submit would be like no other one. What a factory gives again, such as
    an empty list, stays, since whoever gives it says the same.

    Args:
        shown: the JSON.
        value: what it was made of.
    """
    if isinstance(value, RootModel):
        return without_made_anew(shown, value.root)
    if isinstance(shown, dict):
        members = members_by_name(value, shown)
        again = _made_again(value) if isinstance(value, BaseModel) else {}
        kept = {
            name: _kept(each, members[name], again[name])
            if name in again
            else without_made_anew(each, members.get(name))
            for name, each in shown.items()
        }
        return {name: each for name, each in kept.items() if each is not _ANEW}
    if isinstance(shown, list) and isinstance(value, (list, tuple)) and len(shown) == len(value):
        return [without_made_anew(each, member) for each, member in zip(shown, value, strict=True)]
    return shown


def _made_again(model: BaseModel) -> dict[str, Any]:
    """By their names in JSON the fields that nobody gave, and what their factory makes now."""
    return {
        field.serialization_alias or name: field.get_default(
            call_default_factory=True, validated_data=dict(model.__dict__)
        )
        for name, field in type(model).model_fields.items()
        if field.default_factory is not None and name not in model.model_fields_set
    }


def _kept(shown: Any, made: Any, again: Any) -> Any:
    """The JSON of what a factory made, without what it makes anew each time; `_ANEW` where that is all of it."""
    if _alike(made, again):
        return shown
    if not isinstance(shown, dict) or not isinstance(made, BaseModel) or type(made) is not type(again):
        return _ANEW
    one, other = members_by_name(made, shown), members_by_name(again, shown)
    kept = {name: _kept(each, one.get(name), other.get(name)) for name, each in shown.items()}
    return {name: each for name, each in kept.items() if each is not _ANEW}


def _alike(one: Any, other: Any) -> bool:
    try:
        return equal_after_json(one, other)
    except (ValueError, TypeError):  # arrays, which cannot be compared
        return False


def whole_numbers(value: Any) -> Any:
    """JSON in which a whole number has one form, since to JSON 1.0 and 1 are one number."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: whole_numbers(each) for name, each in value.items()}
    return [whole_numbers(each) for each in value] if isinstance(value, list) else value
