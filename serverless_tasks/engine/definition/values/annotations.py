"""The parts of type annotations: models, data classes, containers, unions and aliases, however deep."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from types import UnionType
from typing import (
    TYPE_CHECKING,
    Any,
    TypeAliasType,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Iterator


def contains_type(annotation: Any, kinds: tuple[type, ...]) -> bool:
    """Return whether a type is one of these kinds, or its values may contain one."""
    return _holds(annotation, kinds, set())


def leaves_type_open(annotation: Any) -> bool:
    """Return whether values of several types fit, so that one that went as JSON may come back as one of another."""
    return _is_open(annotation, set())


def _is_open(annotation: Any, seen: set[int]) -> bool:
    if id(annotation) in seen:
        return False
    seen.add(id(annotation))
    if isinstance(annotation, TypeAliasType):
        return _is_open(annotation.__value__, seen)
    if annotation in (Any, object) or isinstance(annotation, TypeVar):
        return True
    given = get_args(annotation)
    if get_origin(annotation) in (Union, UnionType):
        return len(set(given) - {type(None)}) > 1 or any(_is_open(part, seen) for part in given)
    if given:
        return any(_is_open(part, seen) for part in given)
    if not isinstance(annotation, type):
        return False
    if issubclass(annotation, BaseModel) and annotation.model_config.get("extra") == "allow":
        return True
    parts = list(_parts(annotation))
    if parts or issubclass(annotation, (str, bytes, BaseModel)):
        return any(_is_open(part, seen) for part in parts)
    return issubclass(annotation, Iterable)  # such as ``dict``, whose values are not said


def _holds(annotation: Any, kinds: tuple[type, ...], seen: set[int]) -> bool:
    if id(annotation) in seen:
        return False
    seen.add(id(annotation))
    if isinstance(annotation, TypeAliasType):
        return _holds(annotation.__value__, kinds, seen)
    if isinstance(annotation, type) and issubclass(annotation, kinds):
        return True
    return any(_holds(part, kinds, seen) for part in _parts(annotation))


def _parts(annotation: Any) -> Iterator[Any]:
    origin = get_origin(annotation)
    if origin is not None:
        yield origin
        yield from get_args(annotation)
    if not isinstance(annotation, type):
        return
    if issubclass(annotation, BaseModel):
        for field in annotation.model_fields.values():
            yield field.annotation
    elif dataclasses.is_dataclass(annotation) or is_typeddict(annotation) or hasattr(annotation, "_fields"):
        yield from get_type_hints(annotation, include_extras=True).values()
