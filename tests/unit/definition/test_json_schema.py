"""Schemas of tasks, whatever their authors have put into them: JSON, and valid."""

import math
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator
from pydantic import BaseModel, Field

from serverless_tasks import Task
from serverless_tasks.engine.definition.json_schema import moved, sound
from serverless_tasks.engine.definition.registry import definition_of
from serverless_tasks.engine.job.encoding import encode
from serverless_tasks.errors import TaskDefinitionError
from serverless_tasks.params import Parameter
from tests.support.corner_schemas import SOUND, UNSOUND, Cat


def references(schema: Any) -> set[str]:
    """The references in a schema, those of discriminators too."""
    if isinstance(schema, list):
        return set().union(*map(references, schema))
    if not isinstance(schema, dict):
        return set()
    found = set().union(*map(references, schema.values()))
    if isinstance(schema.get("$ref"), str):
        found.add(schema["$ref"])
    discriminator = schema.get("discriminator")
    if isinstance(discriminator, dict) and "propertyName" in discriminator:
        found |= set(discriminator.get("mapping", {}).values())
    return found


@pytest.mark.parametrize("name", SOUND)
@pytest.mark.parametrize("which", ["input_schema", "output_schema"])
def test_a_schema_is_valid_and_all_that_it_refers_to_is_in_it(name: str, which: str) -> None:
    schema = getattr(definition_of(SOUND[name]), which)()

    encode(schema)
    OAS31Validator.check_schema(schema)
    assert references(schema) <= {f"#/$defs/{key}" for key in schema.get("$defs", ())}


@pytest.mark.parametrize("name", UNSOUND)
@pytest.mark.parametrize("which", ["input", "output"])
def test_what_has_no_schema_says_so(name: str, which: str) -> None:
    with pytest.raises(TaskDefinitionError, match=f"The {which}s of task '{name}' have no JSON Schema: "):
        getattr(definition_of(UNSOUND[name]), f"{which}_schema")()


@pytest.mark.parametrize("name", ["dictionary.raises", "model.enum-object"])
def test_a_task_without_a_schema_takes_its_inputs(name: str) -> None:
    definition = definition_of(UNSOUND[name])
    if name.startswith("dictionary"):
        assert definition.to_json({"field": 5}) == {"field": 5}
    else:
        assert definition.inputs_model.model_fields.keys() == {"field"}


class TestWhatIsKept:
    def properties(self, field: Any, annotation: Any = int) -> Any:
        model = type("Params", (BaseModel,), {"__annotations__": {"field": annotation}, "field": field})
        task = type("Uses", (Task,), {"params_model": model, "run": lambda self: None})
        return definition_of(task).input_schema()["properties"]["field"]

    def test_is_all_that_is_right(self) -> None:
        field = Field(
            5, ge=1, le=9, json_schema_extra={"examples": [1, math.inf], "x-unit": "px", "type": "px"}
        )
        assert self.properties(field) == {
            "default": 5,
            "minimum": 1,
            "maximum": 9,
            "title": "Field",
            "x-unit": "px",
        }

    def test_is_no_default_of_another_type(self) -> None:
        assert "default" not in self.properties(Field(None))
        assert self.properties(Field(None), int | None)["default"] is None
        assert "default" not in self.properties(Field([1.0, math.inf]), list[float])

    def test_is_the_default_of_an_input_in_dictionary_style(self) -> None:
        class Uses(Task):
            inputs = {
                "a": Parameter(required=False),
                "b": Parameter(required=False),
                "c": Parameter(required=False),
            }

            def run(self, a: Any = 5, b: Any = math.inf, c: Any = None) -> None:
                return None

        properties = definition_of(Uses).input_schema()["properties"]
        assert properties == {
            "a": {"title": "A", "default": 5},
            "b": {"title": "B"},
            "c": {"title": "C", "default": None},
        }


def test_definitions_that_stand_inside_are_found_at_the_top() -> None:
    inner = {"$defs": {"Cat": {"type": "integer"}}, "$ref": "#/$defs/Cat"}
    schema = {
        "$defs": {"Cat": {"type": "string"}},
        "properties": {"one": {"$ref": "#/$defs/Cat"}, "other": inner, "third": inner},
    }

    made = sound(schema)

    kinds = {
        name: made["$defs"][part["$ref"].removeprefix("#/$defs/")]["type"]
        for name, part in made["properties"].items()
    }
    assert kinds == {"one": "string", "other": "integer", "third": "integer"}


def test_what_is_no_schema_is_not_taken_for_one() -> None:
    schema = {
        "properties": {
            "minimum": {"type": "string"},
            "$ref": {"const": {"$ref": "#/$defs/A", "minimum": "1"}},
        }
    }
    assert sound(schema) == schema
    assert moved(schema, {"#/$defs/A": "elsewhere"}) == schema


def test_a_discriminator_moves_with_what_it_refers_to() -> None:
    schema = sound(
        {
            "$defs": {"Cat": Cat.model_json_schema()},
            "oneOf": [{"$ref": "#/$defs/Cat"}],
            "discriminator": {
                "propertyName": "kind",
                "mapping": {"cat": "#/$defs/Cat", "dog": "#/$defs/Dog"},
            },
        }
    )
    made = moved(schema, {"#/$defs/Cat": "#/components/schemas/Cat"})
    assert made["discriminator"]["mapping"] == {"cat": "#/components/schemas/Cat"}
    assert made["oneOf"] == [{"$ref": "#/components/schemas/Cat"}]
