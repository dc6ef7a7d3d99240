"""The file of types: a map of the tasks, and the types of their inputs, outputs and errors."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final

from serverless_tasks.cli.typescript.names import Names, comment, literal, property_name, type_name
from serverless_tasks.cli.typescript.types import Declarations

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from serverless_tasks.engine.definition.base import BaseTask
    from serverless_tasks.engine.definition.registry import Registry

type Json = dict[str, Any]

HEAD: Final = """\
// Made by `serverless-tasks types` from the tasks. Do not change it: change a task, and make it anew.
/* eslint-disable */
"""
_INNER: Final = ("object", "array")


def document(registry: Registry, served: Container[str], names: Iterable[str]) -> str:
    """Return the types of tasks as a module of TypeScript.

    Args:
        registry: what each task takes and gives back.
        served: the tasks that browsers may submit; of others they may follow jobs that somebody else has submitted.
        names: the tasks.

    Raises:
        TaskDefinitionError: a task has no JSON Schema.
    """
    given = Names()
    declarations = Declarations(given)
    entries, errors = [], []
    for name in sorted(names):
        definition = registry.definition(name)
        types = {"inputs": "never", "outputs": "", "errors": "never"}
        if name in served:
            inputs = definition.input_schema()
            types = {kind: given.give(type_name(name, kind)) for kind in types}
            declarations.add(types["inputs"], inputs, name)
            errors.append(f"export type {types['errors']} = {_fields(inputs)};\n")
        else:
            types["outputs"] = given.give(type_name(name, "outputs"))
        declarations.add(types["outputs"], definition.output_schema(), name)
        kinds = "".join(f"    {kind}: {made};\n" for kind, made in types.items())
        entries.append(f"{comment(_about(definition.task), '  ')}  {property_name(name)}: {{\n{kinds}  }};\n")
    tasks = (
        comment(
            ["The tasks by their names: what each takes, what it gives, and the fields that a refusal names."]
        )
        + f"export interface Tasks {{\n{''.join(entries)}}}\n"
    )
    return "\n".join([HEAD, tasks, *declarations.texts(), *errors])


def _about(task: type[BaseTask]) -> list[str]:
    """The first paragraph of a task's own docstring."""
    text = inspect.cleandoc(task.__dict__.get("__doc__") or "")
    return [text.partition("\n\n")[0]] if text else []


def _fields(schema: Json) -> str:
    """The dotted paths that a refusal of the inputs can name; empty for the inputs as a whole."""
    paths = ['""']
    for name, each in schema.get("properties", {}).items():
        paths.append(literal(name))
        if _has_fields(each, schema.get("$defs", {}), frozenset()):
            paths.append(f"`{_template(name)}.${{string}}`")
    if schema.get("additionalProperties") is not False:
        return "string"
    return " | ".join(paths)


def _has_fields(schema: Any, definitions: Json, seen: frozenset[str]) -> bool:
    """Whether a value has parts that can be refused by themselves."""
    if not isinstance(schema, dict):
        return True
    reference = schema.get("$ref")
    if isinstance(reference, str):
        key = reference.rpartition("/")[2]
        return key not in seen and _has_fields(definitions.get(key, {}), definitions, seen | {key})
    parts = [*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())]
    if parts:
        return any(_has_fields(part, definitions, seen) for part in parts)
    kinds = schema.get("type")
    if kinds is None:
        return "const" not in schema and "enum" not in schema
    return any(kind in _INNER for kind in (kinds if isinstance(kinds, list) else [kinds]))


def _template(name: str) -> str:
    """A text within a template literal."""
    return literal(name)[1:-1].replace('\\"', '"').replace("`", "\\`").replace("$", "\\$")
