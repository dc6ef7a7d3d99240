"""OpenAPI 3.1 of the tasks: each with its inputs and outputs, in the place of the general description."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any, Final

from django_integration.web.auth.typed_calls import allows_run_in_request

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from django_integration.web.auth.openapi_schemes import Schemes
    from serverless_tasks.engine.definition.base import BaseTask
    from serverless_tasks.engine.definition.schema import Definition

type Json = dict[str, Any]

CREATE: Final = "create_task"
RETRIEVE: Final = "get_task"
CANCEL: Final = "cancel_task"
FOLLOW: Final = "follow_task"
_COMPONENTS: Final = "#/components/schemas/"


def describe(
    document: Json, base: str, definitions: Sequence[Definition], served: Container[str], schemes: Schemes
) -> None:
    """Put the tasks into an OpenAPI document.

    The typed calls are described anew as well: ninja names a model's schema by its class alone, so that of two tasks
    with a ``Params`` one would be shown with the other's.

    Args:
        document: the document, which is changed.
        base: the path that the tasks are served at.
        definitions: what each task takes and gives back.
        served: the names of those that ``POST <base>`` takes.
        schemes: how callers say who they are; filled by what the calls need.
    """
    for item in document["paths"].values():
        item.pop("head", None)  # ``get`` without its body, which needs no description of its own
        for method, operation in item.items():
            operation["security"] = schemes.of_site(reads=method == "get")
    schemas: Json = document["components"]["schemas"]
    submissions, records = [], []
    for number, definition in enumerate(definitions):
        task = definition.task.name
        name = f"{_safe(task)}.{number}"
        inputs = _component(schemas, f"{name}.inputs", definition.input_schema())
        # Outputs are empty until there are some, so that none of them is required.
        optional = {key: value for key, value in definition.output_schema().items() if key != "required"}
        outputs = _component(schemas, f"{name}.outputs", optional)
        record = _component(schemas, f"{name}.record", _record(schemas, task, outputs))
        if task in served:
            submissions.append(_component(schemas, f"{name}.submission", _submission(definition, inputs)))
            records.append(record)
        _typed_calls(document["paths"], f"{base}{task}/", definition.task, inputs, record, schemes)
    create = document["paths"][base]["post"]
    _type(create, (200, 201), _one_of(submissions), _one_of(records))
    create["responses"][201]["links"] = {
        name: {"operationId": name, "parameters": {"uuid": "$response.body#/uuid"}}
        for name in (RETRIEVE, CANCEL, FOLLOW)
    }
    events = document["paths"][f"{base}{{uuid}}/events/"]["get"]
    events["responses"][200]["content"] = {"text/event-stream": {"schema": {"type": "string"}}}
    document["components"]["securitySchemes"] = schemes.named


def _typed_calls(
    paths: Json, path: str, task: type[BaseTask], inputs: Json, record: Json, schemes: Schemes
) -> None:
    if path not in paths:
        return
    run = f"{path}run"
    if not allows_run_in_request(task):
        del paths[run]
    for call, statuses in ((path, (200, 201)), (run, (200,))):
        if call in paths:
            _type(paths[call]["post"], statuses, inputs, record)
            paths[call]["post"]["security"] = schemes.of_task(task)


def _type(operation: Json, statuses: Sequence[int], takes: Json, gives: Json) -> None:
    operation["requestBody"] = {"required": True, "content": _json(takes)}
    for status in statuses:
        operation["responses"][status]["content"] = _json(gives)


def _submission(definition: Definition, inputs: Json) -> Json:
    about = inspect.cleandoc(definition.task.__doc__ or "")
    schema: Json = {
        "title": definition.task.name,
        "type": "object",
        "properties": {"task": {"const": definition.task.name}, "inputs": inputs},
        "required": ["task", "inputs"],
        "additionalProperties": False,
    }
    return {**schema, "description": about} if about else schema


def _record(schemas: Json, task: str, outputs: Json) -> Json:
    general = schemas["RecordBody"]
    properties = {**general["properties"], "task": {"const": task}, "outputs": outputs}
    return {**general, "title": f"Record of {task}", "properties": properties}


def _component(schemas: Json, name: str, schema: Json) -> Json:
    """Keep a schema under a name, its own definitions beside it, and refer to it."""
    inner = schema.get("$defs", {})
    names = {f"#/$defs/{key}": f"{_COMPONENTS}{name}.{_safe(key)}" for key in inner}
    for key, part in inner.items():
        schemas[f"{name}.{_safe(key)}"] = _renamed(part, names)
    schemas[name] = _renamed({key: value for key, value in schema.items() if key != "$defs"}, names)
    return {"$ref": f"{_COMPONENTS}{name}"}


def _renamed(part: Any, names: dict[str, str]) -> Any:
    if isinstance(part, dict):
        return {
            key: names.get(value, value)
            if key == "$ref" and isinstance(value, str)
            else _renamed(value, names)
            for key, value in part.items()
        }
    return [_renamed(element, names) for element in part] if isinstance(part, list) else part


def _one_of(references: list[Json]) -> Json:
    return {"oneOf": references} if references else {"not": {}}


def _json(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


def _safe(name: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_-]", "_", name)
