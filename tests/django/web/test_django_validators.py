"""Inputs that Django's own validators look at: a refusal of theirs is one of the task's."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator, validate_slug
from pydantic import BaseModel, SecretStr, field_validator, model_validator

from serverless_tasks import InvalidInputs, Task
from serverless_tasks.engine.definition.registry import definition_of
from serverless_tasks.errors import InvalidOutputs
from serverless_tasks.params import Parameter, StringParameter

SLUG = "Enter a valid “slug” consisting of letters, numbers, underscores or hyphens."


class SlugParameter(StringParameter):
    def to_python(self, value: Any) -> str:
        text = super().to_python(value)
        validate_slug(text)
        return text


class ByDictionary(Task):
    name = "validated.dictionary"
    inputs = {"slug": SlugParameter()}

    def run(self, slug):
        return None


class Slugged(BaseModel):
    slug: str

    @field_validator("slug")
    @classmethod
    def is_slug(cls, value: str) -> str:
        validate_slug(value)
        return value


class ByModel(Task[Slugged]):
    name = "validated.model"

    def run(self) -> None:
        return None


def refused(task: Any, inputs: dict[str, Any]) -> list[tuple[str, str]]:
    told = []
    for parse in (definition_of(task).parse_json, definition_of(task).to_json):
        with pytest.raises(InvalidInputs) as raised:
            parse(inputs)
        told.append([(field.field, field.message) for field in raised.value.fields])
    assert told[0] == told[1]
    return told[0]


def test_a_parameter_s_field_is_named():
    assert refused(ByDictionary, {"slug": "no slug"}) == [("slug", SLUG)]
    assert definition_of(ByDictionary).to_json({"slug": "a-slug"}) == {"slug": "a-slug"}


def test_a_model_is_refused_as_a_whole_since_pydantic_names_no_field():
    assert refused(ByModel, {"slug": "no slug"}) == [("", SLUG)]
    assert definition_of(ByModel).to_json({"slug": "a-slug"}) == {"slug": "a-slug"}


def test_each_message_is_told():
    class Short(Parameter):
        def to_python(self, value: Any) -> str:
            try:
                MaxLengthValidator(2)(value)
            except ValidationError as error:
                raise ValidationError([*error.error_list, ValidationError("And it is odd.")]) from None
            return str(value)

        def to_json(self, value: Any) -> str:
            return str(value)

    class Told(Task):
        name = "validated.told"
        inputs = {"word": Short()}

        def run(self, word):
            return None

    ((field, message),) = refused(Told, {"word": "long"})
    assert (field, message) == (
        "word",
        "Ensure this value has at most 2 characters (it has 4). And it is odd.",
    )


def test_a_secret_is_not_told():
    class Token(BaseModel):
        token: SecretStr

        @field_validator("token")
        @classmethod
        def is_slug(cls, value: SecretStr) -> SecretStr:
            raise ValidationError(f"{value.get_secret_value()} is no slug")

    class Kept(Task[Token]):
        name = "validated.secret"

        def run(self) -> None:
            return None

    ((_, message),) = refused(Kept, {"token": "hunter2hunter2"})
    assert "hunter2" not in message


def test_a_model_that_was_changed_after_it_was_made_is_refused():
    changed = Slugged(slug="a-slug")
    changed.slug = "no slug"
    with pytest.raises(InvalidInputs) as raised:
        definition_of(ByModel).to_json(changed)
    assert [field.message for field in raised.value.fields] == [SLUG]


def test_an_unknown_input_is_named_as_well():
    with pytest.raises(InvalidInputs) as raised:
        definition_of(ByModel).parse_json({"slug": "no slug", "odd": 1})
    assert [field.field for field in raised.value.fields] == ["odd", ""]


def test_fields_that_django_names_are_named():
    class Named(BaseModel):
        first: str
        last: str

        @model_validator(mode="after")
        def clean(self) -> "Named":
            raise ValidationError({"first": ["Too short.", "Too odd."], "__all__": ["They do not fit."]})

    class ByNames(Task[Named]):
        name = "validated.names"

        def run(self) -> None:
            return None

    assert refused(ByNames, {"first": "a", "last": "b"}) == [
        ("first", "Too short. Too odd."),
        ("", "They do not fit."),
    ]


class Shown(SlugParameter):
    def to_json(self, value: Any) -> str:
        validate_slug(value)
        return str(value)


class OutByDictionary(Task):
    name = "validated.out.dictionary"
    outputs = {"slug": Shown()}

    def run(self):
        return "no slug"


class OutByModel(Task[Slugged]):
    name = "validated.out.model"

    def run(self) -> Slugged:
        return Slugged.model_construct(slug="no slug")


@pytest.mark.parametrize("task", [OutByDictionary, OutByModel])
def test_outputs_that_are_refused_are_final(task):
    with pytest.raises(InvalidOutputs, match="slug"):
        definition_of(task).outputs_to_json({"slug": "no slug"})
