"""Tasks whose values are hard to describe in JSON Schema."""

import math
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from types import new_class
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel, WithJsonSchema, create_model

from serverless_tasks import Task
from serverless_tasks.params import ListParameter, NumberParameter, Parameter, StringParameter


class Lazily:
    """As Django's lazy translations: no text until somebody asks for it."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return self._text


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"]


class Node(BaseModel):
    children: list["Node"] = []
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None


class RecordBody(RootModel[dict[str, int]]):
    """Named as the site's own record is."""


class Box[Side](BaseModel):
    width: Side


type Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


def _field(annotation: Any, field: Any = ...) -> type[BaseModel]:
    return create_model("Params", field=(annotation, field))


def _config(**config: Any) -> type[BaseModel]:
    return create_model("Params", __config__=ConfigDict(**config), field=(int, ...))


def _extra(**extra: Any) -> type[BaseModel]:
    return _field(int, Field(json_schema_extra=extra))


def _cycle() -> dict[str, Any]:
    cycle: dict[str, Any] = {}
    cycle["x-again"] = cycle
    return cycle


def _deep() -> dict[str, Any]:
    deep: dict[str, Any] = {}
    for _ in range(5_000):
        deep = {"x-deeper": deep}
    return deep


def _fail(schema: Any) -> None:
    raise ZeroDivisionError("an author's own mistake")


class Described(Parameter):
    """A parameter that says of itself what it is given to say."""

    def __init__(self, schema: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._schema = schema

    def json_schema(self) -> Any:
        if isinstance(self._schema, Exception):
            raise self._schema
        return self._schema


_SOUND: dict[str, type[BaseModel]] = {
    "default-inf": _field(float, math.inf),
    "default-nan": _field(float, math.nan),
    "default-nan-decimal": _field(Decimal, Decimal("NaN")),
    "default-nested-inf": _field(list[float], [1.0, -math.inf]),
    "default-bytes": _field(bytes, b"\xff"),
    "default-object": _field(Any, object()),
    "default-model": _field(Cat, Cat(kind="cat")),
    "default-none": _field(int, None),
    "default-lone-surrogate": _field(str, "\ud800"),
    "default-keys": _field(dict[int, float], {1: 2.0}),
    "bound-inf": _field(float, Field(ge=-math.inf, le=math.inf)),
    "bound-decimal": _field(Decimal, Field(ge=Decimal("0.5"), multiple_of=Decimal("0.1"))),
    "enum-inf": _field(Enum("Ends", {"last": math.inf})),
    "lazy-title": _field(int, Field(title=Lazily("Größe"))),
    "lazy-description": _field(int, Field(description=Lazily("Wie groß"))),
    "lazy-extra": _extra(title=Lazily("Größe"), **{"x-help": Lazily("Hilfe")}),
    "lazy-model-title": _config(title=Lazily("Alles")),
    "lazy-model-extra": _config(json_schema_extra={"description": Lazily("Alles")}),
    "extra-object": _extra(**{"x-of": object()}),
    "extra-set": _extra(examples={1}),
    "extra-inf": _extra(examples=[math.inf]),
    "extra-time": _config(json_schema_extra={"examples": [{"field": datetime(2026, 1, 1, tzinfo=UTC)}]}),
    "extra-type": _extra(type="text"),
    "extra-required": _extra(required=True),
    "extra-examples": _extra(examples={"one": {"value": 1}}),
    "extra-minimum": _extra(minimum="1", maximum=True, multipleOf=0, minLength=-1),
    "extra-schemas": _extra(allOf=[], items=[{"type": "integer"}], properties=["a"], **{"not": None}),
    "extra-flags": _extra(deprecated="soon", readOnly=1, enum="abc", xml="a", externalDocs={}),
    "extra-base": _extra(
        **{"$id": "https://example.com/a", "$schema": "http://json-schema.org/draft-04/schema#"}
    ),
    "extra-discriminator": _extra(discriminator={"mapping": {"a": "#/$defs/Nope"}}),
    "discriminated": _field(Pet),
    "discriminated-list": _field(list[Annotated[Cat | Dog, Field(discriminator="kind")]]),
    "recursive": Node,
    "generic": _field(tuple[Box[int], Box[str]]),
    "root": RootModel[dict[str, int]],
    "named-as-ours": RecordBody,
    "named-as-keywords": create_model(
        "Params",
        a=(int, Field(alias="$ref")),
        b=(Cat, Field(alias="discriminator")),
        c=(dict[str, Any], Field({"discriminator": {"mapping": {"a": "b"}}}, alias="default")),
        d=(int, Field(alias="properties")),
    ),
    "own-schema": _field(Annotated[Any, WithJsonSchema({"type": ["integer", "null"], "nullable": True})]),
    "own-schema-true": _field(Annotated[Any, WithJsonSchema({"items": True, "contains": False})]),
    "complex": _field(complex, 1j),
}
_UNSOUND: dict[str, type[BaseModel]] = {
    "extra-names": _extra(**{"x-by": {1: "a", None: "b"}}),
    "dangling-in-an-enum": _field(Any, Field(json_schema_extra={"enum": [None, {"$ref": "#/$defs/Nope"}]})),
    "extra-raises": _field(int, Field(json_schema_extra=_fail)),
    "extra-cycle": _config(json_schema_extra=_cycle()),
    "extra-deep": _config(json_schema_extra=_deep()),
    "enum-object": _field(Enum("Things", {"one": object()})),
    "literal-bytes": _field(Literal[b"\xff"]),
    "dangling": _field(Annotated[Any, WithJsonSchema({"$ref": "#/$defs/Nope"})]),
}
_SOUND_PARAMETERS: dict[str, Parameter] = {
    "model": Described(create_model("Outer", cat=(Cat, ...), node=(Node, ...)).model_json_schema()),
    "old-definitions": Described(
        {"definitions": {"A/B": {"type": "integer"}, "A B": {}}, "items": {"$ref": "#/definitions/A/B"}}
    ),
    "dangling": Described({"$ref": "#/$defs/Nope"}),
    "whole-document": Described({"items": {"$ref": "#"}}),
    "elsewhere": Described({"$ref": "https://example.com/schema.json"}),
    "lazy": Described({"title": Lazily("Größe"), "type": "string"}),
    "wrong": Described({"type": "text", "required": True, 5: 6}),
    "default-inf": Described({"default": math.inf}, required=False),
    "optional": Described({"type": "string", "default": "a"}, required=False),
}
_UNSOUND_PARAMETERS: dict[str, Parameter] = {
    "nothing": Described(None),
    "text": Described("integer"),
    "raises": Described(KeyError("an author's own mistake")),
}


def _model_task(case: str, model: type[BaseModel]) -> type[Task]:
    def run(self: Any) -> model:  # type: ignore[valid-type]
        return self.params

    body = {"name": f"model.{case}", "run": run}
    return new_class("Corner", (Task[model],), {}, lambda names: names.update(body, __module__=__name__))  # type: ignore[valid-type]


def _dictionary_task(case: str, parameter: Parameter) -> type[Task]:
    def run(self: Any, field: Any = math.inf, other: Any = None) -> Any:
        return None

    body = {
        "name": f"dictionary.{case}",
        "inputs": {"field": parameter, "other": StringParameter(required=False)},
        "outputs": {"field": parameter, "numbers": ListParameter(NumberParameter())},
        "run": run,
    }
    return new_class("Corner", (Task,), {}, lambda names: names.update(body, __module__=__name__))


class SameIdAsAnother(Task[Cat]):
    name = "model_root"

    def run(self) -> None:
        return None


SOUND: dict[str, type[Task]] = {
    task.name: task
    for task in (
        SameIdAsAnother,
        *(_model_task(case, model) for case, model in _SOUND.items()),
        *(_dictionary_task(case, parameter) for case, parameter in _SOUND_PARAMETERS.items()),
    )
}
UNSOUND: dict[str, type[Task]] = {
    task.name: task
    for task in (
        *(_model_task(case, model) for case, model in _UNSOUND.items()),
        *(_dictionary_task(case, parameter) for case, parameter in _UNSOUND_PARAMETERS.items()),
    )
}
