"""JSON Schema as TypeScript.

https://json-schema.org/draft/2020-12/json-schema-validation, https://www.typescriptlang.org/docs/handbook/2/objects.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from serverless_tasks.cli.typescript.names import Names, comment, literal, property_name, type_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

type Json = dict[str, Any]

ANYTHING: Final = "unknown"
_PLAIN: Final = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "null": "null",
}
_DEFINITIONS: Final = "#/$defs/"
# Where these stand beside "anyOf" or "$ref", they narrow it.
_SHAPES: Final = ("properties", "items", "prefixItems", "additionalProperties", "patternProperties")


class Compound(str):
    """A union or an intersection: it stands in brackets where something else binds to it."""

    __slots__ = ()


class Declarations:
    """The types of a file, each declared once: tasks that share a model share its type.

    Args:
        names: the names that are taken.
    """

    def __init__(self, names: Names) -> None:
        self._names = names
        self._texts: dict[str, str] = {}
        # What a definition is made of -> its name here.
        self._known: dict[str, str] = {}

    def add(self, name: str, schema: Json, owner: str) -> None:
        """Declare a type under a name that `Names` has given.

        Args:
            name: the name.
            schema: its JSON Schema, definitions included.
            owner: what stands before the name of a definition that another one has.
        """
        self._texts[name] = ""  # its place, before the definitions that it refers to
        whole = {key: part for key, part in schema.items() if key != "$defs"}
        self._texts[name] = _Scope(self, schema.get("$defs", {}), owner, name).declared(name, whole)

    def definition(self, scope: _Scope, key: str) -> str:
        """Return the name of a definition of a schema; the first time it is declared."""
        identity = json.dumps([key, scope.reachable(key)], sort_keys=True)
        if identity not in self._known:
            name = self._names.give(type_name(key), type_name(scope.owner, key))
            self._known[identity] = name
            self._texts[name] = ""
            self._texts[name] = scope.declared(name, scope.definitions[key])
        return self._known[identity]

    def texts(self) -> Iterable[str]:
        """Return the declarations, in the order in which they were first referred to."""
        return self._texts.values()


class _Scope:
    """The types of one schema with its definitions."""

    def __init__(
        self, declarations: Declarations, definitions: Mapping[str, Json], owner: str, root: str
    ) -> None:
        self._declarations = declarations
        self.definitions = definitions
        self.owner = owner
        self._root = root

    def reachable(self, key: str) -> Json:
        """Return a definition and all that it refers to, by their keys."""
        found: Json = {}
        left = [key]
        while left:
            each = left.pop()
            if each not in found and each in self.definitions:
                found[each] = self.definitions[each]
                left += _references(self.definitions[each])
        return found

    def declared(self, name: str, schema: Any) -> str:
        """Return the declaration of a type."""
        about = comment(_about(schema)) if isinstance(schema, dict) else ""
        if isinstance(schema, dict) and _is_plain_object(schema):
            return f"{about}export interface {name} {self._object(schema)}\n"
        return f"{about}export type {name} = {self.of(schema)};\n"

    def of(self, schema: Any, indent: str = "") -> str:
        """Return the type of a schema."""
        if not isinstance(schema, dict):
            return "never" if schema is False else ANYTHING
        if schema.get("not") == {}:
            return "never"
        if "const" in schema:
            return _value(schema["const"])
        if "enum" in schema:
            return _union(_value(each) for each in schema["enum"])
        parts = [self.of(each, indent) for each in schema.get("allOf", ())]
        if "$ref" in schema:
            parts.append(self._reference(schema["$ref"]))
        parts += [
            _union(self.of(each, indent) for each in schema[word])
            for word in ("anyOf", "oneOf")
            if word in schema
        ]
        if not parts or any(shape in schema for shape in _SHAPES):
            parts.append(self._typed(schema, indent))
        return _intersection(parts)

    def _reference(self, reference: str) -> str:
        if reference == "#":
            return self._root
        key = _key(reference)
        if reference.startswith(_DEFINITIONS) and key in self.definitions:
            return self._declarations.definition(self, key)
        return ANYTHING

    def _typed(self, schema: Json, indent: str) -> str:
        kinds = schema.get("type")
        if kinds is None:
            shaped = any(
                word in schema for word in ("properties", "additionalProperties", "patternProperties")
            )
            kinds = "object" if shaped else None
            kinds = "array" if "items" in schema or "prefixItems" in schema else kinds
        if isinstance(kinds, list):
            return _union(self._typed({**schema, "type": kind}, indent) for kind in kinds)
        if kinds == "array":
            return self._array(schema, indent)
        if kinds == "object":
            return self._object(schema, indent)
        return _PLAIN.get(str(kinds), ANYTHING)

    def _array(self, schema: Json, indent: str) -> str:
        first, rest = schema.get("prefixItems"), schema.get("items", True)
        if schema.get("maxItems") == 0:
            return "[]"
        if first is None:
            return f"{_grouped(self.of(rest, indent))}[]"
        least = schema.get("minItems", 0)
        items = [
            self.of(each, indent) if index < least else f"{_grouped(self.of(each, indent))}?"
            for index, each in enumerate(first)
        ]
        if rest is not False and schema.get("maxItems", len(first) + 1) > len(first):
            items.append(f"...{_grouped(self.of(rest, indent))}[]")
        return f"[{', '.join(items)}]"

    def _object(self, schema: Json, indent: str = "") -> str:
        properties: Json = schema.get("properties", {})
        others = self._others(schema, indent)
        keys = schema.get("propertyNames")
        named = self.of(keys, indent) if isinstance(keys, dict) else ANYTHING
        if not properties and others is not None and named not in (ANYTHING, "string"):
            return f"Partial<Record<{named}, {others}>>"
        if not properties:
            return "Record<string, never>" if others is None else f"{{ [key: string]: {others} }}"
        required = schema.get("required", ())
        inner = f"{indent}  "
        lines, types = [], []
        for name, each in properties.items():
            made = self.of(each, inner)
            optional = "" if name in required else "?"
            types += [made, "undefined"] if optional else [made]
            about = comment(_about(each), inner) if isinstance(each, dict) else ""
            lines.append(f"{about}{inner}{property_name(name)}{optional}: {made};\n")
        if others is not None:
            lines.append(f"{inner}[key: string]: {_union([others, *types])};\n")
        return f"{{\n{''.join(lines)}{indent}}}"

    def _others(self, schema: Json, indent: str) -> str | None:
        """Return the type of the properties that are not named; None where there are none."""
        patterns = [self.of(each, indent) for each in schema.get("patternProperties", {}).values()]
        rest = schema.get("additionalProperties", None if "properties" in schema or patterns else True)
        if rest is not None and rest is not False:
            patterns.append(self.of(rest, indent))
        return _union(patterns) if patterns else None


def _is_plain_object(schema: Json) -> bool:
    combined = any(word in schema for word in ("$ref", "allOf", "anyOf", "oneOf", "enum", "const", "not"))
    return bool(schema.get("properties")) and not combined and schema.get("type", "object") == "object"


def _about(schema: Json) -> list[str]:
    """The lines that say what a value is, beyond its type."""
    lines = [str(schema["description"])] if schema.get("description") else []
    secret = schema.get("writeOnly", False)
    if secret:
        lines.append("A secret: no answer has it in clear text.")
    if "format" in schema and not secret:
        lines.append(f"@format {schema['format']}")
    if schema.get("default") is not None and not secret:
        lines.append(f"@default {json.dumps(schema['default'], ensure_ascii=False)}")
    return lines


def _references(schema: Any) -> list[str]:
    """The keys of the definitions that a schema names itself."""
    if isinstance(schema, list):
        return [key for each in schema for key in _references(each)]
    if not isinstance(schema, dict):
        return []
    reference = schema.get("$ref")
    own = [_key(reference)] if isinstance(reference, str) else []
    return own + [key for each in schema.values() for key in _references(each)]


def _key(reference: str) -> str:
    """The key of the definition that a reference names (https://www.rfc-editor.org/rfc/rfc6901)."""
    return reference.removeprefix(_DEFINITIONS).replace("~1", "/").replace("~0", "~")


def _value(value: Any) -> str:
    """The type of one value."""
    if isinstance(value, str):
        return literal(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, dict):
        return f"{{ {'; '.join(f'{property_name(name)}: {_value(each)}' for name, each in value.items())} }}"
    return json.dumps(value)


def _union(types: Iterable[str]) -> str:
    """One of these types, each named once, null at the end."""
    found = dict.fromkeys(types)
    if ANYTHING in found:
        return ANYTHING
    found.pop("never", None)
    if len(found) < 2:
        return next(iter(found), "never")
    return Compound(" | ".join(sorted(found, key=lambda each: each == "null")))


def _intersection(types: list[str]) -> str:
    found = [each for each in dict.fromkeys(types) if each != ANYTHING]
    if len(found) < 2:
        return found[0] if found else ANYTHING
    return Compound(" & ".join(map(_grouped, found)))


def _grouped(type_: str) -> str:
    """A type that binds as one."""
    return f"({type_})" if isinstance(type_, Compound) else type_
