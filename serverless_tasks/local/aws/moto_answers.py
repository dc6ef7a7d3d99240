"""moto's answers of DynamoDB without its search for values that are there as they go out.

A value of an item is ``{"S": "text"}`` in moto as in the answer. moto looks in it for each of the ten kinds of values
that the service's model knows, under several names each: half of the time of a call.
"""

from __future__ import annotations

from typing import Any, Final

from moto.core.serialize import BaseJSONSerializer

_KINDS: Final = {"S": str, "N": str, "BOOL": bool, "NULL": bool}
_serialize = BaseJSONSerializer._serialize_type_structure


def install() -> None:
    """Let moto answer with the values of items as they are, for the length of the process; what it answers stays."""
    BaseJSONSerializer._serialize_type_structure = structure  # type: ignore[method-assign]


def structure(self: BaseJSONSerializer, serialized: Any, value: Any, shape: Any, key: str) -> None:
    """Serialise a structure as moto does, or take it as it is where that is the same."""
    if shape.name == "AttributeValue" and key and _is_plain(value):
        serialized[self.get_serialized_name(shape, key)] = value
    else:
        _serialize(self, serialized, value, shape, key)


def _is_plain(value: Any) -> bool:
    if type(value) is not dict or len(value) != 1:
        return False
    ((kind, content),) = value.items()
    return type(content) is _KINDS.get(kind)
