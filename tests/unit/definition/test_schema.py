import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from serverless_tasks import InvalidInputs, Task
from serverless_tasks.engine.definition.registry import definition_of
from serverless_tasks.engine.definition.schema import Definition
from serverless_tasks.engine.job.encoding import encode
from serverless_tasks.engine.job.execution import Execution
from serverless_tasks.errors import InvalidOutputs, TaskDefinitionError
from serverless_tasks.params import (
    BooleanParameter,
    DictParameter,
    FloatParameter,
    IntParameter,
    ListParameter,
    NumberParameter,
    Parameter,
    StringParameter,
)


class DateParameter(Parameter):
    """A user's own."""

    def to_python(self, value: Any) -> date:
        return date.fromisoformat(value)

    def to_json(self, value: Any) -> str:
        return str(value.isoformat())


class Own:
    """A parameter that derives from nothing, and takes dictionaries."""

    required = True

    def to_python(self, value: Any) -> Any:
        return value

    def to_json(self, value: Any) -> Any:
        return value

    def json_schema(self) -> dict[str, Any]:
        return {}


class Text(Parameter):
    """A dictionary that is a text in JSON."""

    def to_json(self, value: Any) -> str:
        return json.dumps(value)


class Dictionary(Task):
    inputs = {
        "name": StringParameter(),
        "count": IntParameter(required=False),
        "day": DateParameter(required=False),
    }
    outputs = {"out": StringParameter(), "count": IntParameter()}

    def run(self, name: str, count: int = 5, day: date | None = None) -> Any:
        return {"out": name, "count": count}


class Inner(BaseModel):
    when: datetime
    price: Decimal


class Everything(BaseModel):
    decimal: Decimal = Decimal("1.10")
    number: float = 0.1
    moment: datetime = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    day: date = date(2026, 1, 2)
    length: timedelta = timedelta(days=1, microseconds=5)
    id: UUID = UUID(int=5)
    data: bytes = b"abc"
    inner: Inner = Inner(when=datetime(2026, 1, 1, tzinfo=UTC), price=Decimal("9.99"))
    many: dict[str, list[Inner]] = {}
    unique: frozenset[int] = frozenset({1, 2})
    nothing: None = None


class Model(Task[Everything]):
    def run(self) -> Any:
        return self.params


class Anything(BaseModel):
    value: Any = None
    other: int = 0


class Loose(Task[Anything]):
    def run(self) -> None:
        return None


def fields(raised: pytest.ExceptionInfo[InvalidInputs]) -> dict[str, str]:
    return {error.field: error.message for error in raised.value.fields}


def arguments(task: type[Task[Any]], inputs: Any) -> dict[str, Any]:
    definition = definition_of(task)
    return definition.arguments(definition.parse_json(inputs))


class TestDictionaryInputs:
    def test_are_converted(self) -> None:
        assert arguments(Dictionary, {"name": 5, "count": "6", "day": "2026-01-02"}) == {
            "name": "5",
            "count": 6,
            "day": date(2026, 1, 2),
        }

    def test_left_out_take_the_default_of_run(self) -> None:
        assert arguments(Dictionary, {"name": "x"}) == {"name": "x"}

    def test_missing_are_named(self) -> None:
        with pytest.raises(InvalidInputs) as raised:
            definition_of(Dictionary).parse_json({"count": 1})

        assert fields(raised) == {"name": "Field required"}

    def test_extra_are_named(self) -> None:
        with pytest.raises(InvalidInputs) as raised:
            definition_of(Dictionary).parse_json({"name": "x", "colour": "red"})

        assert set(fields(raised)) == {"colour"}

    def test_that_do_not_fit_are_all_named(self) -> None:
        with pytest.raises(InvalidInputs) as raised:
            definition_of(Dictionary).parse_json({"name": None, "count": "not a number"})

        assert set(fields(raised)) == {"name", "count"}
        assert fields(raised)["count"] == "String is not a number: 'not a number'"

    @pytest.mark.parametrize("day", [5, None, [], {}, "yesterday"])
    def test_that_a_users_own_parameter_cannot_take_are_named_whatever_it_raises(self, day: Any) -> None:
        with pytest.raises(InvalidInputs) as raised:
            definition_of(Dictionary).parse_json({"name": "x", "day": day})

        assert set(fields(raised)) == {"day"}

    @pytest.mark.parametrize("inputs", [None, [], "text", 5, [["name", "x"]]])
    def test_that_are_no_object_are_refused(self, inputs: Any) -> None:
        with pytest.raises(InvalidInputs, match="must be an object"):
            definition_of(Dictionary).parse_json(inputs)

    def test_may_be_python_values_that_their_parameter_gives_a_form(self) -> None:
        assert definition_of(Dictionary).to_json({"name": "x", "day": date(2026, 1, 2)}) == {
            "name": "x",
            "day": "2026-01-02",
        }

    @pytest.mark.parametrize(
        ("parameter", "value"),
        [
            (Parameter(), datetime(2026, 1, 1, tzinfo=UTC)),
            (Parameter(), Decimal(1)),
            (DictParameter(), {"a": b"bytes"}),
            (StringParameter(), b"bytes"),
            (NumberParameter(), float("nan")),
            (Parameter(), float("inf")),
            (ListParameter(Parameter()), [1, object()]),
            (StringParameter(), object()),
            (StringParameter(), {1, 2}),
            (DictParameter(), {1: "a"}),
            (Parameter(), [{"a": {None: 1}}]),
            (ListParameter(DictParameter()), ({2.5: 1},)),
        ],
    )
    def test_that_would_not_survive_are_refused_by_name(self, parameter: Parameter, value: Any) -> None:
        class Takes(Task):
            inputs = {"value": parameter}

            def run(self, value: Any) -> None:
                return None

        with pytest.raises(InvalidInputs) as raised:
            definition_of(Takes).to_json({"value": value})

        assert set(fields(raised)) == {"value"}

    def test_nested_without_end_are_refused(self) -> None:
        endless: list[Any] = []
        endless.append(endless)

        with pytest.raises(InvalidInputs):
            definition_of(Dictionary).to_json({"name": endless})

    def test_that_are_no_text_of_any_encoding_are_refused(self) -> None:
        with pytest.raises(InvalidInputs):
            definition_of(Dictionary).parse_json({"name": "\ud800"})

    def test_have_a_schema(self) -> None:
        schema = definition_of(Dictionary).input_schema()

        assert schema["required"] == ["name"]
        assert schema["additionalProperties"] is False
        assert schema["properties"]["name"]["type"] == "string"
        assert schema["properties"]["count"]["default"] == 5


class TestDictionaryOutputs:
    def task(self, **outputs: Parameter) -> Definition:
        class Gives(Task):
            name = "gives"

            def run(self) -> None:
                return None

        Gives.outputs = outputs
        return definition_of(Gives)

    @pytest.mark.parametrize("value", [3, 0, "7", 2.5])
    def test_one_may_be_returned_bare(self, value: Any) -> None:
        assert self.task(sum=NumberParameter()).outputs_to_json(value) == {"sum": float(value)}

    def test_one_may_be_returned_by_name(self) -> None:
        assert self.task(sum=NumberParameter()).outputs_to_json({"sum": 3}) == {"sum": 3}

    def test_one_dictionary_may_be_returned_bare(self) -> None:
        assert self.task(all=DictParameter()).outputs_to_json({"a": 1}) == {"all": {"a": 1}}

    @pytest.mark.parametrize("parameter", [DictParameter(), Parameter(), Own(), Text()], ids=repr)
    @pytest.mark.parametrize("value", [{"words": 3}, {"words": {"words": 3}}, {"words": {}}, {"a": 1}, {}])
    def test_one_that_may_be_a_dictionary_is_what_is_returned(self, parameter: Any, value: Any) -> None:
        given = self.task(words=parameter).outputs_to_json(value)["words"]
        assert (json.loads(given) if isinstance(parameter, Text) else given) == value

    @pytest.mark.parametrize(
        ("parameter", "value"),
        [
            (NumberParameter(), 0),
            (IntParameter(), 3),
            (FloatParameter(), 0.5),
            (StringParameter(), "a"),
            (BooleanParameter(), False),
            (ListParameter(IntParameter()), [1, 2]),
            (ListParameter(DictParameter()), [{"words": 1}]),
            (DateParameter(), date(2026, 1, 1)),
        ],
    )
    def test_one_that_cannot_be_a_dictionary_may_be_returned_by_name(
        self, parameter: Parameter, value: Any
    ) -> None:
        definition = self.task(words=parameter)
        assert definition.outputs_to_json({"words": value}) == definition.outputs_to_json(value)

    @pytest.mark.parametrize(
        ("parameter", "value"),
        [
            (NumberParameter(), 0),
            (StringParameter(), ""),
            (ListParameter(IntParameter()), []),
            (DictParameter(), {}),
            (BooleanParameter(), False),
            (NumberParameter(), None),
            (StringParameter(), None),
            (ListParameter(IntParameter()), None),
        ],
    )
    def test_empty_ones_are_good(self, parameter: Parameter, value: Any) -> None:
        assert self.task(result=parameter).outputs_to_json(value) == {"result": value}

    def test_several_are_returned_by_name(self) -> None:
        definition = self.task(a=IntParameter(), b=StringParameter())

        assert definition.outputs_to_json({"a": "1", "b": 2}) == {"a": 1, "b": "2"}

    def test_several_may_be_left_out(self) -> None:
        assert self.task(a=IntParameter(), b=StringParameter()).outputs_to_json({"a": 1}) == {"a": 1}

    def test_several_cannot_be_returned_bare(self) -> None:
        with pytest.raises(InvalidOutputs, match=r"2 outputs and returned a int; .*\['a', 'b'\]"):
            self.task(a=IntParameter(), b=StringParameter()).outputs_to_json(5)

    def test_none_declared_means_none_recorded(self) -> None:
        assert self.task().outputs_to_json("whatever") == {}

    def test_that_do_not_fit_are_named(self) -> None:
        with pytest.raises(InvalidOutputs, match="Output 'sum'"):
            self.task(sum=NumberParameter()).outputs_to_json("a lot")

    @pytest.mark.parametrize("value", [float("nan"), object(), b"bytes"])
    def test_that_are_not_json_are_refused(self, value: Any) -> None:
        with pytest.raises(InvalidOutputs):
            self.task(any=Parameter()).outputs_to_json(value)


class TestModelInputs:
    def test_of_every_type_survive_the_way(self) -> None:
        sent = Everything(many={"a": [Inner(when=datetime(2026, 5, 5, tzinfo=UTC), price=Decimal("0.01"))]})
        definition = definition_of(Model)

        carried = definition.to_json(sent)

        received = definition.parse_json(json.loads(encode(carried)))
        assert received == sent
        assert str(received.decimal) == "1.10"  # type: ignore[attr-defined]

    def test_may_be_a_dictionary(self) -> None:
        assert definition_of(Loose).to_json({"value": [1], "other": "5"}) == {"value": [1], "other": 5}

    @pytest.mark.parametrize(
        "value",
        [
            datetime(2026, 1, 1, tzinfo=UTC),
            Decimal("1.5"),
            UUID(int=1),
            b"\xff",
            b"abc",
            (1, 2),
            float("nan"),
            float("inf"),
            object(),
            Inner(when=datetime(2026, 1, 1, tzinfo=UTC), price=Decimal(1)),
            {1: "integer key"},
        ],
        ids=[
            "datetime",
            "decimal",
            "uuid",
            "no-text",
            "text-bytes",
            "tuple",
            "nan",
            "infinity",
            "object",
            "model",
            "integer-key",
        ],
    )
    def test_that_would_come_back_as_another_are_refused_by_name(self, value: Any) -> None:
        with pytest.raises(InvalidInputs) as raised:
            definition_of(Loose).to_json(Anything(value=value))

        assert set(fields(raised)) == {"value"}

    def test_of_bytes_that_are_no_text_are_refused_by_name(self) -> None:
        with pytest.raises(InvalidInputs) as raised:
            definition_of(Model).to_json(Everything(data=b"\xff\xfe"))

        assert set(fields(raised)) == {"data"}

    def test_of_nan_are_refused_by_name(self) -> None:
        with pytest.raises(InvalidInputs) as raised:
            definition_of(Model).to_json(Everything(number=float("nan")))

        assert set(fields(raised)) == {"number"}

    def test_extra_are_named_although_pydantic_ignores_them(self) -> None:
        with pytest.raises(InvalidInputs) as raised:
            definition_of(Loose).parse_json({"other": 1, "colour": "red"})

        assert fields(raised) == {"colour": "is not an input of this task"}

    def test_ill_typed_are_named_by_their_path(self) -> None:
        with pytest.raises(InvalidInputs) as raised:
            definition_of(Model).parse_json({"inner": {"when": "never", "price": 1}})

        assert set(fields(raised)) == {"inner.when"}
        assert raised.value.fields[0].loc == ("inner", "when")

    def test_with_aliases_travel_by_their_alias(self) -> None:
        class Aliased(BaseModel):
            from_: int = Field(alias="from")

        class Uses(Task[Aliased]):
            def run(self) -> None:
                return None

        definition = definition_of(Uses)

        carried = definition.to_json(Aliased(**{"from": 5}))

        assert carried == {"from": 5}
        assert definition.parse_json(carried).from_ == 5  # type: ignore[attr-defined]
        with pytest.raises(InvalidInputs):
            definition.parse_json({"from_": 5})

    def test_may_come_by_any_of_their_aliases(self) -> None:
        class Aliased(BaseModel):
            colour: str = Field(validation_alias=AliasChoices("colour", "color"))

        class Uses(Task[Aliased]):
            def run(self) -> None:
                return None

        assert definition_of(Uses).parse_json({"color": "red"}).colour == "red"  # type: ignore[attr-defined]

    def test_extra_are_allowed_where_the_model_allows_them(self) -> None:
        class Open(BaseModel):
            model_config = ConfigDict(extra="allow")

        class Uses(Task[Open]):
            def run(self) -> None:
                return None

        assert definition_of(Uses).parse_json({"colour": "red"}).model_extra == {"colour": "red"}

    def test_are_the_params_of_an_instance(self) -> None:
        definition = definition_of(Loose)
        model = definition.parse_json({"other": 5})

        task = definition.instance(model, Execution(uuid="u"))

        assert (task.params, task.execution.uuid, definition.arguments(model)) == (model, "u", {})


class Answer(BaseModel):
    total: Decimal
    note: str = Field(default="", alias="Note")


class TestModelOutputs:
    def definition(self, returns: Any) -> Definition:
        class Gives(Task[Anything]):
            def run(self) -> Any:
                return None

        Gives.run.__annotations__["return"] = returns
        return definition_of(Gives)

    def test_of_a_model_are_its_fields(self) -> None:
        assert self.definition(Answer).outputs_to_json(Answer(total=Decimal("1.10"), Note="x")) == {
            "total": "1.10",
            "Note": "x",
        }

    @pytest.mark.parametrize("value", [0, "", [], None, False, {"a": 1}, 2.5])
    def test_of_a_plain_return_are_the_result(self, value: Any) -> None:
        assert self.definition(Any).outputs_to_json(value) == {"result": value}

    def test_of_nothing_are_none(self) -> None:
        assert self.definition(None).outputs_to_json(None) == {}

    def test_are_checked_against_the_annotation(self) -> None:
        with pytest.raises(InvalidOutputs, match="returned a value that does not match"):
            self.definition(list[int]).outputs_to_json(["x"])

    @pytest.mark.parametrize("value", [float("nan"), object(), b"\xff"])
    def test_that_are_not_json_are_refused(self, value: Any) -> None:
        with pytest.raises(InvalidOutputs):
            self.definition(Any).outputs_to_json(value)

    def test_have_a_schema(self) -> None:
        assert set(self.definition(Answer).output_schema()["properties"]) == {"total", "Note"}
        assert self.definition(list[int]).output_schema()["properties"]["result"]["items"] == {
            "type": "integer"
        }
        assert self.definition(None).output_schema() == {"type": "object", "properties": {}}

    def test_in_a_list_have_their_definitions_at_the_top(self) -> None:
        schema = self.definition(list[Answer]).output_schema()

        assert schema["properties"]["result"]["items"] == {"$ref": "#/$defs/Answer"}
        assert "Answer" in schema["$defs"]


class TestAClassThatContradictsItself:
    def test_an_input_that_run_does_not_take(self) -> None:
        class Wrong(Task):
            inputs = {"name": StringParameter()}

            def run(self) -> None:
                return None

        with pytest.raises(TaskDefinitionError, match=r"Wrong.run\(\) does not take the input 'name'"):
            definition_of(Wrong)

    def test_an_optional_input_without_default(self) -> None:
        class Wrong(Task):
            inputs = {"name": StringParameter(required=False)}

            def run(self, name: str) -> None:
                return None

        with pytest.raises(TaskDefinitionError, match="no default for 'name'"):
            definition_of(Wrong)

    def test_whose_run_needs_what_is_no_input_is_refused(self) -> None:
        class Wrong(Task):
            input = {"name": StringParameter()}

            def run(self, name: str) -> None:
                return None

        with pytest.raises(
            TaskDefinitionError, match=r"Wrong.run\(\) needs 'name', which is not among its inputs"
        ):
            definition_of(Wrong)

    def test_in_pydantic_style_needs_nothing(self) -> None:
        class Wrong(Task[Inner]):
            def run(self, when: datetime, *rest: Any, price: Decimal = Decimal(0)) -> None:  # type: ignore[override]
                return None

        with pytest.raises(TaskDefinitionError, match=r"Wrong.run\(\) needs 'when'.*self.params"):
            definition_of(Wrong)

    @pytest.mark.parametrize("style", [Task, Task[Inner]], ids=["dictionary", "pydantic"])
    def test_without_self_is_refused(self, style: Any) -> None:
        class Wrong(style):  # type: ignore[misc]
            def run() -> None:  # type: ignore[misc]
                return None

        with pytest.raises(TaskDefinitionError, match=r"Wrong.run\(\) does not take self"):
            definition_of(Wrong)

    def test_may_be_a_static_method_or_take_whatever_comes(self) -> None:
        class Static(Task[Inner]):
            @staticmethod
            def run() -> int:
                return 5

        class Whatever(Task[Inner]):
            def run(*args: Any, **kwargs: Any) -> int:
                return 5

        assert all(definition_of(task).outputs_to_json(5) == {"result": 5} for task in (Static, Whatever))

    @pytest.mark.parametrize(
        ("element", "said"),
        [
            (IntParameter, r"write IntParameter\(\) with parentheses"),
            (int, "The element of a ListParameter is <class 'int'>, which is not a parameter"),
        ],
    )
    def test_a_list_of_what_is_no_parameter_is_refused(self, element: Any, said: str) -> None:
        with pytest.raises(TaskDefinitionError, match=said):
            ListParameter(element)

    def test_a_parameter_class_instead_of_a_parameter(self) -> None:
        class Wrong(Task):
            inputs = {"name": StringParameter}  # type: ignore[dict-item]

            def run(self, name: str) -> None:
                return None

        with pytest.raises(TaskDefinitionError, match=r"write StringParameter\(\) with parentheses"):
            definition_of(Wrong)

    @pytest.mark.parametrize("given", [None, ["name"], {5: StringParameter()}])
    def test_inputs_that_are_no_dictionary_of_names(self, given: Any) -> None:
        class Wrong(Task):
            inputs = given

            def run(self, **given: Any) -> None:
                return None

        with pytest.raises(TaskDefinitionError, match=r"Wrong\.inputs is .*expected a dictionary"):
            definition_of(Wrong)

    def test_an_annotation_that_cannot_be_found(self) -> None:
        class Wrong(Task[Anything]):
            def run(self) -> "Nowhere":  # type: ignore[name-defined] # noqa: F821
                return None

        with pytest.raises(TaskDefinitionError, match="Nowhere"):
            definition_of(Wrong)

    def test_run_may_take_anything(self) -> None:
        class Right(Task):
            inputs = {"name": StringParameter(required=False)}

            def run(self, **given: Any) -> None:
                return None

        assert arguments(Right, {"name": "x"}) == {"name": "x"}
        assert arguments(Right, {}) == {}
