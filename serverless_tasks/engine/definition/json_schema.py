"""JSON Schema that is JSON and valid, whatever a task's author has put into it.

https://json-schema.org/draft/2020-12/json-schema-validation, https://spec.openapis.org/oas/v3.1.1.html#schema-object
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import PydanticSerializationError, to_jsonable_python

from serverless_tasks.engine.job.encoding import encode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema, core_schema

type Json = dict[str, Any]

_UNFIT: Final = object()
_SCHEMA: Final = frozenset(
    {
        "additionalProperties",
        "contains",
        "contentSchema",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
_SCHEMAS: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_SCHEMAS_BY_NAME: Final = frozenset({"dependentSchemas", "patternProperties", "properties"})
_DEFINITIONS: Final = ("$defs", "definitions")
_TYPES: Final[dict[str, Any]] = {
    "array": list,
    "boolean": bool,
    "integer": int,
    "null": type(None),
    "number": (int, float),
    "object": dict,
    "string": str,
}


class Described(GenerateJsonSchema):
    """JSON Schema in which a type that has none is anything, and a default that is no JSON is left out."""

    def field_is_required(
        self,
        field: core_schema.ModelField | core_schema.DataclassField | core_schema.TypedDictField,
        total: bool,
    ) -> bool:
        """See `GenerateJsonSchema`, which takes a field that has a default for one that may be missing in outputs."""
        if self.mode != "serialization" or field["type"] == "typed-dict-field":
            return super().field_is_required(field, total)
        return not field.get("serialization_exclude") and not field.get("serialization_exclude_if")

    def handle_invalid_for_json_schema(self, schema: CoreSchema, error_info: str) -> JsonSchemaValue:
        """See `GenerateJsonSchema`, which raises here."""
        return {}

    def generate_inner(self, schema: Any) -> JsonSchemaValue:
        """See `GenerateJsonSchema`, which raises where a field's ``json_schema_extra`` is no JSON; `sound` mends it."""
        metadata = schema.get("metadata", {})
        extra = metadata.get("pydantic_js_extra")
        if isinstance(extra, dict):
            schema = {
                **schema,
                "metadata": {**metadata, "pydantic_js_extra": lambda made: made.update(extra)},
            }
        return super().generate_inner(schema)

    def encode_default(self, dft: Any) -> Any:
        """See `GenerateJsonSchema`, which lets other errors pass than the one that leaves the default out."""
        if isinstance(dft, Decimal) and not dft.is_finite():
            raise PydanticSerializationError("JSON has no such number")
        try:
            encode(to_jsonable_python(dft, fallback=str))  # pydantic makes null of a number that JSON has not
            return super().encode_default(dft)
        except (ValueError, TypeError, RecursionError) as error:
            raise PydanticSerializationError(str(error)) from error

    def emit_warning(self, kind: Any, detail: str) -> None:
        """See `GenerateJsonSchema`: a site that serves the schema has nobody to warn."""


def sound(schema: Any) -> Json:
    """Return a schema as valid JSON Schema, all its definitions under ``$defs`` at its top.

    Values become JSON where they have such a form, as a lazy translation has. A keyword that has a value which it
    cannot have is left out, and so is a reference to what is not there: the schema then allows more.

    Args:
        schema: what pydantic, ``json_schema_extra`` or a parameter's ``json_schema()`` made.
    """
    definitions: Json = {}
    made = _sound(schema, {}, definitions)
    if not isinstance(made, dict):
        return {} if made else {"not": {}}
    return {**made, "$defs": definitions} if definitions else made


def moved(schema: Any, names: Mapping[str, str]) -> Any:
    """Return a sound schema with its references renamed.

    Args:
        schema: the schema, or one that stands in it.
        names: by each reference, such as ``#/$defs/Box``, the one in its place.
    """
    if not isinstance(schema, dict):
        return schema
    made = _with_parts(schema, lambda part: moved(part, names))
    if "$ref" in made:
        made["$ref"] = names.get(made["$ref"], made["$ref"])
    if mapping := made.get("discriminator", {}).get("mapping"):
        renamed = {value: names.get(reference, reference) for value, reference in mapping.items()}
        made["discriminator"] = {**made["discriminator"], "mapping": renamed}
    return made


def _sound(schema: Any, references: Mapping[str, str], definitions: Json) -> Any:
    """Return a schema, or one that stands in another one, made valid; its definitions go to ``definitions``."""
    if not isinstance(schema, dict):
        return schema if isinstance(schema, bool) else {}
    inner: list[tuple[str, Any]] = []
    for keyword in _DEFINITIONS:
        found = schema.get(keyword)
        for key, part in found.items() if isinstance(found, dict) else ():
            name = _free_name(str(key), definitions)
            definitions[name] = {}
            references = {**references, f"#/{keyword}/{key}": f"#/$defs/{name}"}
            inner.append((name, part))
    for name, part in inner:
        definitions[name] = _sound(part, references, definitions)
    fit = {key: made for key, value in schema.items() if (made := _fit(key, value, references)) is not _UNFIT}
    if "default" in fit and not _is_of_type(fit["default"], fit.get("type")):
        del fit["default"]
    return _with_parts(fit, lambda part: _sound(part, references, definitions))


def _with_parts(schema: Json, change: Callable[[Any], Any]) -> Json:
    """Return a schema with the schemas in it changed; what is no schema, such as an example, stays as it is."""
    made = dict(schema)
    for key, value in schema.items():
        if key in _SCHEMA:
            made[key] = change(value)
        elif key in _SCHEMAS:
            made[key] = [change(part) for part in value]
        elif key in _SCHEMAS_BY_NAME:
            made[key] = {name: change(part) for name, part in value.items()}
    return made


def _fit(key: Any, value: Any, references: Mapping[str, str]) -> Any:
    """Return a keyword's value, or `_UNFIT` when it cannot have it. Of schemas only the frame is looked at."""
    if not isinstance(key, str) or key in _DEFINITIONS:
        return _UNFIT
    if key in _SCHEMA:
        return value if isinstance(value, (dict, bool)) else _UNFIT
    if key in _SCHEMAS:
        return value if isinstance(value, list) and value else _UNFIT
    if key in _SCHEMAS_BY_NAME:
        names = isinstance(value, dict) and all(isinstance(name, str) for name in value)
        return value if names else _UNFIT
    try:
        made = to_jsonable_python(value, fallback=_text_of)
        encode(made)
    except (ValueError, TypeError, RecursionError):
        return _UNFIT
    if key == "$ref":
        return references.get(made, _UNFIT) if isinstance(made, str) else _UNFIT
    if key == "discriminator":
        return _discriminator(made, references)
    if key.startswith("$"):
        # They change what is a reference to what, or which rules the schema follows.
        return made if key == "$comment" and isinstance(made, str) else _UNFIT
    allowed = _ALLOWED.get(key)
    return made if allowed is None or allowed(made) else _UNFIT


def _discriminator(value: Any, references: Mapping[str, str]) -> Any:
    if not isinstance(value, dict) or not isinstance(value.get("propertyName"), str):
        return _UNFIT
    given = value.get("mapping")
    named = given.items() if isinstance(given, dict) else ()
    mapping = {name: references[where] for name, where in named if where in references}
    kept = {"propertyName": value["propertyName"]}
    return {**kept, "mapping": mapping} if mapping else kept


def _text_of(value: Any) -> str:
    """The text of a value that is made to be shown as one, such as a lazy translation."""
    kind: Any = type(value)
    if kind.__str__ is object.__str__:
        raise TypeError(f"{kind.__name__} has no form in JSON")
    return str(value)


def _free_name(key: str, taken: Mapping[str, Any]) -> str:
    """A definition's name that all of OpenAPI's components may have, and that none of these has."""
    wanted = name = re.sub(r"[^a-zA-Z0-9._-]", "_", key)
    number = 1
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    return name


def _is_of_type(value: Any, kinds: Any) -> bool:
    """Return whether a JSON value is of one of the types that a schema names; any is where it names none."""
    if kinds is None:
        return True
    named = [kinds] if isinstance(kinds, str) else kinds
    if isinstance(value, bool):
        return "boolean" in named
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return any(isinstance(value, _TYPES[kind]) for kind in named)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return _is_number(value) and value >= 0 and value == int(value)


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value)) and len(set(value)) == len(value)


def _are_types(value: Any) -> bool:
    named = [value] if isinstance(value, str) else value
    return _are_names(named) and bool(named) and set(named) <= _TYPES.keys()


# The keywords that may not have any value, and that hold no schema.
_ALLOWED: Final[dict[str, Callable[[Any], bool]]] = {
    **dict.fromkeys(("contentEncoding", "contentMediaType", "description", "format", "pattern"), _is_text),
    "title": _is_text,
    **dict.fromkeys(("exclusiveMaximum", "exclusiveMinimum", "maximum", "minimum"), _is_number),
    "multipleOf": lambda value: _is_number(value) and value > 0,
    **dict.fromkeys(("maxContains", "maxItems", "maxLength", "maxProperties"), _is_count),
    **dict.fromkeys(("minContains", "minItems", "minLength", "minProperties"), _is_count),
    **dict.fromkeys(("deprecated", "readOnly", "uniqueItems", "writeOnly"), _is_bool),
    **dict.fromkeys(("enum", "examples"), _is_list),
    "required": _are_names,
    "dependentRequired": lambda value: _is_object(value) and all(map(_are_names, value.values())),
    "type": _are_types,
    "xml": _is_object,
    "externalDocs": lambda value: _is_object(value) and _is_text(value.get("url")),
}
