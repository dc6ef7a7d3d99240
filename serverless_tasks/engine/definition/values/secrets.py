"""Secret values: pydantic's `SecretStr`, `SecretBytes` and `Secret`, found in types, opened to travel, and listed."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from serverless_tasks.engine.definition.values.annotations import contains_type
from serverless_tasks.params import SECRETS

if TYPE_CHECKING:
    from collections.abc import Iterator


def holds_secret(annotation: Any) -> bool:
    """Return whether a type is a secret, or its values may contain one."""
    return contains_type(annotation, SECRETS)


def unwrap(value: Any) -> Any:
    """A value with the secrets in it as they are, sets as lists in an order that is the same in every process."""
    if isinstance(value, SECRETS):
        return unwrap(value.get_secret_value())
    if isinstance(value, dict):
        return {name: unwrap(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [unwrap(each) for each in value]
    if isinstance(value, (set, frozenset)):
        return sorted((unwrap(each) for each in value), key=repr)
    return value


def with_secrets(shown: Any, values: Any) -> Any:
    """JSON that pydantic made with masks, with the secrets in their places.

    Args:
        shown: the JSON.
        values: the same dump in Python's types, where secrets are whole.

    Raises:
        ValueError: a secret has no form in JSON, such as bytes that are no UTF-8.
    """
    if isinstance(values, SECRETS):
        return to_jsonable_python(unwrap(values))
    if isinstance(values, dict) and isinstance(shown, dict) and len(shown) == len(values):
        pairs = zip(shown.items(), values.values(), strict=True)
        return {name: with_secrets(each, value) for (name, each), value in pairs}
    if isinstance(values, (list, tuple)) and isinstance(shown, list) and len(shown) == len(values):
        return [with_secrets(each, value) for each, value in zip(shown, values, strict=True)]
    if isinstance(values, (set, frozenset)) and any(isinstance(value, SECRETS) for value in values):
        return to_jsonable_python(unwrap(values))  # a set has no order to go by
    return shown


def texts_of(value: Any) -> Iterator[str]:
    """The texts of the secrets in a value, however deep."""
    if isinstance(value, SECRETS):
        yield from all_texts(value.get_secret_value())
    else:
        for part in _members(value):
            yield from texts_of(part)


def all_texts(value: Any) -> Iterator[str]:
    """All texts in a value, those of numbers too: of one that is secret as a whole, or may be."""
    if isinstance(value, SECRETS):
        value = value.get_secret_value()
    if isinstance(value, str):
        yield value
    elif isinstance(value, bytes):
        yield value.decode(errors="replace")
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield str(value)
    else:
        for part in _members(value):
            yield from all_texts(part)


def _members(value: Any) -> Iterator[Any]:
    if isinstance(value, BaseModel):
        yield from value.__dict__.values()
        yield from (value.__pydantic_extra__ or {}).values()
    elif isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, (list, tuple, set, frozenset)):
        yield from value
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield from (getattr(value, field.name) for field in dataclasses.fields(value))
