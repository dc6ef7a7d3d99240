"""The comparison of two JSON Schemas: whether all values of one are values of the other.

Where that cannot be told, as with patterns, they are taken not to be: it is for a warning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    type Schema = Mapping[str, Any]

_AT_MOST: Final = ("maxLength", "maximum", "exclusiveMaximum", "maxItems", "maxProperties")
_AT_LEAST: Final = ("minLength", "minimum", "exclusiveMinimum", "minItems", "minProperties")
# What has to be the same, where the wider one says anything of it.
_SAME: Final = (
    "pattern",
    "format",
    "multipleOf",
    "uniqueItems",
    "prefixItems",
    "propertyNames",
    "allOf",
    "not",
)
# A schema may refer to itself: what is deeper is taken to fit.
_DEEPEST: Final = 20


def schemas_fit(narrow: Any, wide: Any, narrow_root: Schema, wide_root: Schema, depth: int = 0) -> bool:
    """Return whether what fits one schema fits another.

    Args:
        narrow: the one.
        wide: the other.
        narrow_root: the schema whose ``$defs`` the one refers to.
        wide_root: likewise.
        depth: how deep in them they are.
    """
    if depth > _DEEPEST:
        return True
    wanted = list(_alternatives(wide, wide_root))

    def fits(part: Schema) -> bool:
        return any(_fits(part, each, narrow_root, wide_root, depth + 1) for each in wanted)

    return all(fits(part) for part in _alternatives(narrow, narrow_root))


def kinds_of(schema: Any, root: Schema) -> str:
    """Return the types that a schema takes, in words."""
    return " or ".join(
        dict.fromkeys(str(part.get("type", "any value")) for part in _alternatives(schema, root))
    )


def _alternatives(schema: Any, root: Schema, depth: int = 0) -> Iterator[Schema]:
    """Yield the schemas of which a value has to fit one, each with one type at most."""
    if not isinstance(schema, dict):
        yield {}
        return
    if "$ref" in schema and depth < _DEEPEST:
        name = schema["$ref"].removeprefix("#/$defs/")
        yield from _alternatives(root.get("$defs", {}).get(name, {}), root, depth + 1)
        return
    parts = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    if parts and depth < _DEEPEST:
        for part in parts:
            yield from _alternatives(part, root, depth + 1)
        return
    kinds = schema.get("type")
    if isinstance(kinds, list):
        for kind in kinds:
            yield {**schema, "type": kind}
        return
    yield schema


def _fits(narrow: Schema, wide: Schema, narrow_root: Schema, wide_root: Schema, depth: int) -> bool:
    kind, wanted = narrow.get("type"), wide.get("type")
    if wanted is not None and kind != wanted and (kind, wanted) != ("integer", "number"):
        return False
    return _within(narrow, wide) and _parts_fit(narrow, wide, narrow_root, wide_root, depth)


def _within(narrow: Schema, wide: Schema) -> bool:
    """Return whether the bounds of one are within those of the other."""
    values = _values(wide)
    given = _values(narrow)
    if values is not None and (given is None or not all(value in values for value in given)):
        return False
    if given is not None:
        return True  # these very values were accepted by the other
    if any(name in wide and narrow.get(name) != wide[name] for name in _SAME):
        return False
    if any(name in wide and (name not in narrow or narrow[name] > wide[name]) for name in _AT_MOST):
        return False
    return not any(name in wide and (name not in narrow or narrow[name] < wide[name]) for name in _AT_LEAST)


def _values(schema: Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    return schema.get("enum")


def _parts_fit(narrow: Schema, wide: Schema, narrow_root: Schema, wide_root: Schema, depth: int) -> bool:
    def fit(one: Any, other: Any) -> bool:
        return schemas_fit(one, other, narrow_root, wide_root, depth)

    if "items" in wide and not fit(narrow.get("items", {}), wide["items"]):
        return False
    if "properties" not in wide and not isinstance(wide.get("additionalProperties"), dict):
        return True
    sent, taken = narrow.get("properties", {}), wide.get("properties", {})
    others = wide.get("additionalProperties", True)
    if not set(wide.get("required", ())) <= {*narrow.get("required", ())}:
        return False
    for name, part in sent.items():
        if name not in taken and others is False:
            return False
        if not fit(part, taken.get(name, others)):
            return False
    return not isinstance(others, dict) or fit(narrow.get("additionalProperties", {}), others)
