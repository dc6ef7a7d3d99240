"""The HTTP calls and their bodies, from the OpenAPI document of a site with one task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from infra.site.markdown import code, sentence, table, text

if TYPE_CHECKING:
    from collections.abc import Iterator

type Json = dict[str, Any]

INTRODUCTION: Final = (
    "The calls of a site that includes `django_integration.urls` at `/tasks/` and serves one task, `sum`. Each site"
    " serves its own OpenAPI document at `/tasks/openapi.json`, with the inputs and outputs of its tasks, and shows it"
    " at `/tasks/docs`. [In a Django project](../django.md#http) says how the calls are used.\n"
)


def page() -> str:
    """Return the page. Django is set up by then."""
    from django.test import Client

    document: Json = Client().get("/tasks/openapi.json").json()
    parts = ["# HTTP\n", INTRODUCTION, "## Calls\n"]
    for path, calls in document["paths"].items():
        parts += [_call(document, method.upper(), path, call) for method, call in calls.items()]
    parts.append("## Bodies\n")
    schemas = document["components"]["schemas"]
    parts += [_schema(name, schemas[name]) for name in sorted(schemas) if not name.startswith("sum.")]
    return "\n".join(parts)


def _call(document: Json, method: str, path: str, call: Json) -> str:
    parts = [
        f"### {method} {path.replace('{', '<').replace('}', '>')}\n".replace("<uuid>", "UUID"),
        f"{sentence(text(call['summary']))}.\n",
    ]
    if call.get("description"):
        parts.append(f"{text(call['description'])}\n")
    parameters = [
        (
            code(each["name"]),
            each["in"],
            _type(each["schema"]),
            text(each.get("description") or each["schema"].get("description", "")),
        )
        for each in call.get("parameters", ())
    ]
    if parameters:
        parts.append(table(("parameter", "in", "type", ""), parameters))
    if "requestBody" in call:
        parts.append(f"Body: {_content(call['requestBody'])}.\n")
    responses = [
        (
            code(status),
            text(_resolved(document, each).get("description", "")),
            _content(_resolved(document, each)),
        )
        for status, each in sorted(call["responses"].items())
    ]
    parts.append(table(("status", "", "body"), responses))
    return "\n".join(parts)


def _resolved(document: Json, entry: Json) -> Json:
    return document["components"]["responses"][entry["$ref"].rpartition("/")[2]] if "$ref" in entry else entry


def _content(entry: Json) -> str:
    return ", ".join(
        _type(media["schema"]) if kind == "application/json" else f"{code(kind)}"
        for kind, media in entry.get("content", {}).items()
    )


def _schema(name: str, schema: Json) -> str:
    parts = [f"### {name}\n"]
    if schema.get("description"):
        parts.append(f"{text(schema['description'])}\n")
    required = schema.get("required", ())
    rows = [
        (code(each), _type(value), "yes" if each in required else "", text(value.get("description", "")))
        for each, value in schema.get("properties", {}).items()
    ]
    if rows:
        parts.append(table(("member", "type", "always", ""), rows))
    return "\n".join(parts)


def _type(schema: Json) -> str:
    return " or ".join(dict.fromkeys(_types(schema)))


def _types(schema: Json) -> Iterator[str]:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        yield code(name) if name.startswith("sum.") else f"[{name}](#{name.lower()})"
    elif "anyOf" in schema or "oneOf" in schema:
        for each in schema.get("anyOf") or schema["oneOf"]:
            yield from _types(each)
    elif "enum" in schema:
        yield from (code(f'"{each}"') for each in schema["enum"])
    elif schema.get("type") == "array":
        yield f"list of {_type(schema.get('items', {})) or 'anything'}"
    else:
        kind = schema.get("type", "anything")
        kinds = kind if isinstance(kind, list) else [kind]
        yield " or ".join(kinds) + (f" ({schema['format']})" if "format" in schema else "")
