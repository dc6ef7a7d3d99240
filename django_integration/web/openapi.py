"""OpenAPI 3.1 of the tasks: each with its inputs and outputs, in the place of the general description."""

from __future__ import annotations

import inspect
import logging
import re
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from django.utils.translation import get_language
from ninja.openapi.schema import REF_TEMPLATE
from ninja.schema import NinjaGenerateJsonSchema
from pydantic.json_schema import models_json_schema

from django_integration.web.auth.typed_calls import allows_run_in_request
from django_integration.web.http.schemas import MembersBody, PageBody, RecordBody, RefusalBody, UnfitBody
from serverless_tasks.engine.definition.json_schema import moved
from serverless_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Sequence

    from django_integration.web.auth.openapi_schemes import Schemes
    from serverless_tasks.engine.definition.base import BaseTask
    from serverless_tasks.engine.definition.registry import Registry

type Json = dict[str, Any]

logger = logging.getLogger(__name__)

CREATE: Final = "create_task"
RETRIEVE: Final = "get_task"
CANCEL: Final = "cancel_task"
FOLLOW: Final = "follow_task"
FOLLOW_MANY: Final = "follow_tasks"
LIST: Final = "list_tasks"
_COMPONENTS: Final = "#/components/schemas/"
# A place may have the name of a tenant in it.
_MOST_DOCUMENTS: Final = 20
_documents: WeakKeyDictionary[Registry, dict[tuple[str | None, ...], Json]] = WeakKeyDictionary()


def describe(
    document: Json,
    base: str,
    registry: Registry,
    names: Iterable[str],
    served: Container[str],
    schemes: Schemes,
) -> None:
    """Put the tasks into an OpenAPI document. One that cannot be described is left out; ``manage.py check`` says why.

    The schemas are made anew as well: ninja names a model's schema by its class alone, so that of two tasks with a
    ``Params`` one would be shown with the other's, and a ``RecordBody`` of a project would take the place of ours.

    Args:
        document: the document, which is changed.
        base: the path that the tasks are served at.
        registry: what each task takes and gives back.
        names: the tasks.
        served: the names of those that ``POST <base>`` takes.
        schemes: how callers say who they are; filled by what the calls need.
    """
    paths: Json = document["paths"]
    for item in paths.values():
        item.pop("head", None)  # ``get`` without its body, which needs no description of its own
        for method, operation in item.items():
            security = schemes.of_site(reads=method == "get")
            listed = operation["operationId"] == LIST
            operation["security"] = security if listed else schemes.with_token(security)
    schemas = document["components"]["schemas"] = _general_schemas()
    submissions, records = [], []
    for number, task in enumerate(names):
        try:
            described = _TaskSchemas(registry, task, number, schemas["RecordBody"])
            security = schemes.of_task(described.task)
        except ConfigurationError as error:
            logger.warning("task %r is left out of openapi.json: %s", task, error)
            for path in (f"{base}{task}/", f"{base}{task}/run"):
                paths.pop(path, None)
            continue
        if task in served:
            submissions.append(described.submission())
            records.append(described.record)
        schemas |= described.parts
        _typed_calls(paths, f"{base}{task}/", described, security, schemes)
    create = paths[base]["post"]
    _type(create, (200, 201), _one_of(submissions), _one_of(records))
    create["responses"][201]["links"] = {
        name: {"operationId": name, "parameters": {"uuid": "$response.body#/uuid"}}
        for name in (RETRIEVE, CANCEL, FOLLOW)
    }
    for parameter in paths[f"{base}events/"]["get"]["parameters"]:
        # Its default is there for us to refuse it in the shape of all errors.
        parameter["required"] = True
        parameter["schema"].pop("default", None)
    for path in (f"{base}{{uuid}}/events/", f"{base}events/"):
        paths[path]["get"]["responses"][200]["content"] = {
            "text/event-stream": {"schema": {"type": "string"}}
        }
    document["components"]["securitySchemes"] = schemes.named


def remembered(registry: Registry, tasks: tuple[str, ...], make: Callable[[], Json]) -> Json:
    """Return the document of a process's tasks; it is made once for each language and place.

    Args:
        registry: the tasks; settings that change come with another one.
        tasks: where they are served, and their names.
        make: makes the document.
    """
    documents = _documents.setdefault(registry, {})
    key = (*tasks, get_language())
    if key not in documents:
        if len(documents) >= _MOST_DOCUMENTS:
            documents.clear()
        documents[key] = make()
    return documents[key]


class _TaskSchemas:
    """The schemas of one task: each a reference, and what they refer to.

    Args:
        registry: where the task is found.
        name: its name.
        number: its number, since two names may be one name to OpenAPI.
        general: the schema of any task's record.

    Raises:
        ConfigurationError: the task cannot be described.
    """

    def __init__(self, registry: Registry, name: str, number: int, general: Json) -> None:
        definition = registry.definition(name)
        self.task = definition.task
        self.parts: Json = {}
        self._prefix = f"{_safe(name)}.{number}"
        self.inputs = self._component("inputs", definition.input_schema())
        # Outputs are empty until there are some, so that none of them is required.
        optional = {key: value for key, value in definition.output_schema().items() if key != "required"}
        outputs = self._component("outputs", optional)
        self.record = self._component("record", _record(general, name, outputs))

    def submission(self) -> Json:
        """Return the schema of the body that submits the task by its name."""
        return self._component("submission", _submission(self.task, self.inputs))

    def _component(self, kind: str, schema: Json) -> Json:
        """Keep a schema, its own definitions beside it, and refer to it.

        Generators of clients name a class by a schema's title rather than by its place, and tasks may share one.
        """
        name = f"{self._prefix}.{kind}"
        inner = schema.get("$defs", {})
        names = {f"#/$defs/{key}": f"{_COMPONENTS}{name}.{key}" for key in inner}
        self.parts |= {f"{name}.{key}": _untitled(moved(part, names)) for key, part in inner.items()}
        self.parts[name] = _untitled(
            moved({key: value for key, value in schema.items() if key != "$defs"}, names)
        )
        return {"$ref": f"{_COMPONENTS}{name}"}


def _untitled(schema: Json) -> Json:
    return {key: value for key, value in schema.items() if key != "title"}


def _general_schemas() -> Json:
    """The schemas of all answers that no task makes another one, by their names."""
    models: Any = [
        (model, "serialization") for model in (RecordBody, PageBody, MembersBody, RefusalBody, UnfitBody)
    ]
    _, made = models_json_schema(models, ref_template=REF_TEMPLATE, schema_generator=NinjaGenerateJsonSchema)
    schemas: Json = made["$defs"]
    return schemas


def _typed_calls(
    paths: Json, path: str, described: _TaskSchemas, security: list[Json], schemes: Schemes
) -> None:
    if path not in paths:
        return
    run = f"{path}run"
    with_token = schemes.with_token(security)
    if not allows_run_in_request(described.task):
        del paths[run]
    for call, statuses in ((path, (200, 201)), (run, (200,))):
        if call in paths:
            _type(paths[call]["post"], statuses, described.inputs, described.record)
            paths[call]["post"]["security"] = security if call == run else with_token


def _type(operation: Json, statuses: Sequence[int], takes: Json, gives: Json) -> None:
    operation["requestBody"] = {"required": True, "content": _json(takes)}
    for status in statuses:
        operation["responses"][status]["content"] = _json(gives)


def _submission(task: type[BaseTask], inputs: Json) -> Json:
    about = inspect.cleandoc(str(task.__doc__ or ""))
    schema: Json = {
        "type": "object",
        "properties": {"task": {"const": task.name}, "inputs": inputs},
        "required": ["task", "inputs"],
        "additionalProperties": False,
    }
    return {**schema, "description": about} if about else schema


def _record(general: Json, task: str, outputs: Json) -> Json:
    # What is submitted over HTTP is neither a group nor a member of one.
    known = {name: kind for name, kind in general["properties"].items() if name not in ("members", "group")}
    properties = {**known, "task": {"const": task}, "outputs": outputs}
    return {**general, "properties": properties}


def _one_of(references: list[Json]) -> Json:
    return {"oneOf": references} if references else {"not": {}}


def _json(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


def _safe(name: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_-]", "_", name)
