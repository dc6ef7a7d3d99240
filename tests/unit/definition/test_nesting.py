"""Inputs and outputs that are nested more deeply than JSON is read are refused with the field's name and the limit."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from serverless_tasks import InvalidInputs, Task
from serverless_tasks.engine.definition.registry import definition_of
from serverless_tasks.engine.definition.schema import check_json
from serverless_tasks.engine.definition.values.nesting import DEEPEST
from serverless_tasks.errors import InvalidOutputs
from serverless_tasks.params import DictParameter, ListParameter, Parameter, StringParameter


class Anything(BaseModel):
    value: Any = None


class Folder(BaseModel):
    folders: list[Folder] = []


class Typed(Task[Anything]):
    name = "typed"

    def run(self) -> Any:
        return self.params.value


class Walk(Task[Folder]):
    name = "walk"

    def run(self) -> Folder:
        return self.params


class ByName(Task):
    name = "by name"
    inputs = {
        "anything": Parameter(required=False),
        "elements": ListParameter(Parameter(), required=False),
        "mapping": DictParameter(required=False),
        "secret": StringParameter(secret=True, required=False),
    }
    outputs = {"value": Parameter()}

    def run(self, **given: Any) -> Any:
        return given


def nested(levels: int) -> Any:
    value: Any = "end"
    for _ in range(levels):
        value = [value]
    return value


def folders(levels: int) -> Any:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"folders": [value]}
    return value


def endless() -> Any:
    value: list[Any] = []
    value.append(value)
    return value


TOO_DEEP = [
    pytest.param(nested(DEEPEST), id="one level"),
    pytest.param(nested(DEEPEST + 100), id="300"),
    pytest.param(nested(100_000), id="100,000"),
    pytest.param(endless(), id="itself"),
    pytest.param([0, {"a": endless()}], id="within"),
]


def refused(task: type[Task[Any]], inputs: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(InvalidInputs) as raised:
        definition_of(task).accept(inputs)
    return {field.field: field.message for field in raised.value.fields}


@pytest.mark.parametrize("value", TOO_DEEP)
@pytest.mark.parametrize(
    ("task", "name"), [(Typed, "value"), (ByName, "anything"), (ByName, "elements"), (ByName, "mapping")]
)
def test_inputs_are_refused_by_name(task: type[Task[Any]], name: str, value: Any) -> None:
    if name == "mapping" and isinstance(value, list):
        value = {"a": value}
    reasons = refused(task, {name: value})
    assert reasons.keys() == {name}
    assert f"{DEEPEST} levels deep" in reasons[name]


@pytest.mark.parametrize("levels", [150, 100_000])
def test_models_that_hold_models_are_refused_by_name(levels: int) -> None:
    reasons = refused(Walk, folders(levels))
    assert reasons.keys() == {"folders"}
    assert f"{DEEPEST} levels deep" in reasons["folders"]


@pytest.mark.parametrize(("task", "name"), [(Typed, "value"), (ByName, "anything"), (ByName, "elements")])
def test_what_can_be_read_is_taken(task: type[Task[Any]], name: str) -> None:
    value = nested(DEEPEST - 1)
    assert definition_of(task).accept({name: value}).sent == {name: value}


def test_json_inputs_are_refused_by_name() -> None:
    for task in (Typed, ByName):
        name = "value" if task is Typed else "anything"
        with pytest.raises(InvalidInputs, match=f"{name}: is nested too deeply"):
            definition_of(task).accept_json({name: nested(DEEPEST)})


def test_inputs_of_a_task_that_is_known_by_name_alone() -> None:
    with pytest.raises(InvalidInputs, match=f"a: is nested too deeply, .* {DEEPEST} levels deep"):
        check_json("sum", {"a": nested(100_000), "b": 1})


@pytest.mark.parametrize("value", TOO_DEEP[2:])
def test_outputs_are_refused(value: Any) -> None:
    for task in (Typed, ByName):
        with pytest.raises(InvalidOutputs, match=f"is nested too deeply, .* {DEEPEST} levels deep"):
            definition_of(task).outputs_to_json(value)


def test_a_value_that_stands_in_many_places_is_not_too_deep() -> None:
    value: Any = "end"
    for _ in range(60):
        value = [value, value]
    shared = {"a": value}
    for _ in range(2):
        shared = {"a": shared, "b": shared}
    # It is 62 levels deep; its JSON would have 2**62 members, so only the depth is asked for here.
    from serverless_tasks.engine.definition.values.nesting import is_too_deep

    assert not is_too_deep(shared)
