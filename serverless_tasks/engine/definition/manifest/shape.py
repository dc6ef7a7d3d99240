"""Whether inputs have the shape of a JSON Schema, with the conversions that tasks make.

A validator of JSON Schema would refuse what tasks accept, such as ``"3"`` for a number, or a bare value for a list of
one. So values are compared by their kind alone; bounds, patterns and the like are left to the worker, which has the
task's code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from serverless_tasks.errors import FieldError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_KINDS: Final = {
    bool: "a boolean",
    dict: "an object",
    float: "a number",
    int: "a number",
    list: "a list",
    str: "a text",
}
# Deeper than inputs of people are; a schema may refer to itself.
_DEEPEST: Final = 50


def input_errors(
    schema: Mapping[str, Any],
    inputs: Mapping[str, Any],
    *,
    closed: bool,
    missing: Collection[str] = (),
) -> list[FieldError]:
    """Return why inputs are not those of a schema, by field.

    Args:
        schema: an object's, as `Definition.input_schema` makes it.
        inputs: a JSON object.
        closed: whether names that the schema does not have are refused, and those that it requires asked for.
        missing: names of inputs that are not known yet.
    """
    properties: Mapping[str, Any] = schema.get("properties", {})
    definitions = {f"#/$defs/{name}": part for name, part in schema.get("$defs", {}).items()}
    errors = []
    if closed:
        errors += [
            FieldError(name, "is not an input of this task", (name,), "extra_forbidden")
            for name in (*inputs, *missing)
            if name not in properties
        ]
        errors += [
            FieldError(name, "Field required", (name,), "missing")
            for name in schema.get("required", ())
            if name not in inputs and name not in missing
        ]
    return errors + [
        FieldError(name, f"{_kind(value)} does not fit: {_expected(properties[name])}", (name,), "type")
        for name, value in inputs.items()
        if name in properties and not _fits(properties[name], value, definitions, 0)
    ]


def _fits(schema: Any, value: Any, definitions: Mapping[str, Any], depth: int) -> bool:
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return schema is not False
    deeper = depth + 1
    if not _fits(definitions.get(schema.get("$ref", "")), value, definitions, deeper):
        return False
    for keyword in ("anyOf", "oneOf"):
        parts = schema.get(keyword)
        if parts and not any(_fits(part, value, definitions, deeper) for part in parts):
            return False
    if not all(_fits(part, value, definitions, deeper) for part in schema.get("allOf", ())):
        return False
    kinds = schema.get("type")
    named = [kinds] if isinstance(kinds, str) else kinds
    return named is None or any(_is(kind, schema, value, definitions, deeper) for kind in named)


def _is(kind: str, schema: Mapping[str, Any], value: Any, definitions: Mapping[str, Any], depth: int) -> bool:
    """Return whether a value is, or may be converted to, one of a kind."""
    if kind == "null" or value is None:
        return value is None and kind == "null"
    if kind == "object":
        properties = schema.get("properties", {})
        return isinstance(value, dict) and all(
            _fits(properties.get(name, True), part, definitions, depth) for name, part in value.items()
        )
    if isinstance(value, dict):
        return False
    if kind == "array":
        parts = value if isinstance(value, (list, tuple)) else [value]
        return all(_fits(schema.get("items", True), part, definitions, depth) for part in parts)
    if isinstance(value, (list, tuple)):
        return False
    return kind not in ("integer", "number") or not isinstance(value, str) or _is_number(value)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _kind(value: Any) -> str:
    return "null" if value is None else _KINDS.get(type(value), type(value).__name__)


def _expected(schema: Mapping[str, Any]) -> str:
    """The sentence's end: a kind where the schema names one."""
    parts = [schema, *schema.get("anyOf", ()), *schema.get("oneOf", ())]
    kinds = [part["type"] for part in parts if isinstance(part, dict) and "type" in part]
    named = [name for kind in kinds for name in ([kind] if isinstance(kind, str) else kind)]
    return f"the deployed task takes {' or '.join(named)}" if named else "see the deployed task's schema"
