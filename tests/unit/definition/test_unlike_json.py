"""Python values that would come back from JSON as something else: refused by name, or the same in the worker."""

import json
import math
from collections import Counter, OrderedDict
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, IntFlag, StrEnum
from types import new_class
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel, ConfigDict, Field, create_model, field_validator

from serverless_tasks import InvalidInputs, Task
from serverless_tasks.engine.definition.registry import definition_of
from serverless_tasks.engine.definition.schema import Definition, check_json
from serverless_tasks.engine.job.encoding import encode
from serverless_tasks.errors import InvalidOutputs
from serverless_tasks.params import (
    DictParameter,
    FloatParameter,
    IntParameter,
    ListParameter,
    NumberParameter,
    Parameter,
    StringParameter,
)


class Colour(IntEnum):
    RED = 1


class Size(StrEnum):
    LARGE = "l"


class Mixed(str, Enum):  # noqa: UP042 - as code from before StrEnum has them
    LARGE = "l"


class Also(StrEnum):
    LARGE = "l"


class Flags(IntFlag):
    BOLD = 1
    WIDE = 2


class Point(NamedTuple):
    x: int
    y: int


class Multiple(dict[str, list[Any]]):
    """As Django's QueryDict is, and werkzeug's MultiDict: by its name, a value is the last one."""

    def __getitem__(self, name: str) -> Any:
        return super().__getitem__(name)[-1]

    def items(self) -> Any:
        return [(name, self[name]) for name in self]

    def values(self) -> Any:
        return [self[name] for name in self]

    def getlist(self, name: str) -> list[Any]:
        return super().__getitem__(name)


def model_task(annotation: Any, field: Any = ..., **config: Any) -> Definition:
    model = create_model("Params", __config__=ConfigDict(**config), field=(annotation, field))

    def run(self: Any) -> None:
        return None

    return definition_of(new_class("Uses", (Task[model],), {}, lambda names: names.update(run=run)))  # type: ignore[valid-type]


def dictionary_task(parameter: Any, default: Any = None) -> Definition:
    class Uses(Task):
        inputs = {"field": parameter}

        def run(self, field: Any = default) -> None:
            return None

    return definition_of(Uses)


def sent(definition: Definition, value: Any) -> Any:
    """What a worker reads of a value."""
    return json.loads(encode(definition.to_json({"field": value})))["field"]


def refusal(definition: Definition, value: Any) -> str:
    with pytest.raises(InvalidInputs) as error:
        definition.accept({"field": value})
    (field,) = error.value.fields
    assert field.loc == ("field",)
    return field.message


ENUMS = [Colour.RED, Size.LARGE, Mixed.LARGE, Flags.BOLD | Flags.WIDE]


class TestAMemberOfAnEnum:
    @pytest.mark.parametrize(
        ("annotation", "value"),
        [
            *((Any, member) for member in ENUMS),
            *((object, member) for member in ENUMS),
            (Colour | int, Colour.RED),
            (int | Colour, Colour.RED),
            (Size | str, Size.LARGE),
            (str | Size, Size.LARGE),
            (Mixed | Also, Also.LARGE),
            (list[Size | str], ["a", Size.LARGE]),
            (tuple[Colour | int, ...], (2, Colour.RED)),
            (set[Size | str], {Size.LARGE}),
            (dict[str, Any], {"deep": [{"size": Size.LARGE}]}),
            (dict[Size | str, int], {Size.LARGE: 1}),
            (dict, {"size": Size.LARGE}),
            (list, [Colour.RED]),
        ],
        ids=str,
    )
    def test_is_refused_where_its_value_would_come_back(self, annotation: Any, value: Any) -> None:
        assert "changes in a round trip through JSON" in refusal(model_task(annotation), value)

    @pytest.mark.parametrize(
        ("annotation", "value"),
        [
            (Colour, Colour.RED),
            (Size | None, Size.LARGE),
            (Size | int, Size.LARGE),
            (list[Colour], [Colour.RED]),
            (dict[Size, Colour], {Size.LARGE: Colour.RED}),
            (str | int, "l"),
            (Size | str, "m"),
        ],
        ids=str,
    )
    def test_comes_back_where_its_type_says_so(self, annotation: Any, value: Any) -> None:
        definition = model_task(annotation)
        came = definition.parse_json(definition.to_json({"field": value})).field  # type: ignore[attr-defined]
        assert came == value
        assert type(came) is type(value)

    @pytest.mark.parametrize(
        "value", [*ENUMS, [Size.LARGE], {"a": {"b": Colour.RED}}, {Size.LARGE: 1}], ids=str
    )
    @pytest.mark.parametrize("parameter", [Parameter(), ListParameter(Parameter())], ids=["any", "list"])
    def test_is_refused_by_a_parameter_that_takes_anything(self, parameter: Any, value: Any) -> None:
        assert "which would come back as" in refusal(dictionary_task(parameter), value)

    @pytest.mark.parametrize(
        ("parameter", "value", "expected"),
        [
            (StringParameter(), Size.LARGE, "l"),
            (IntParameter(), Colour.RED, 1),
            (NumberParameter(), Colour.RED, 1),
        ],
    )
    def test_is_what_a_parameter_makes_of_it(self, parameter: Any, value: Any, expected: Any) -> None:
        assert dictionary_task(parameter).to_json({"field": value}) == {"field": expected}


class TestATuple:
    @pytest.mark.parametrize("value", [{"a": (1, 2)}, {"a": [Point(1, 2)]}, [(1, 2)]], ids=str)
    @pytest.mark.parametrize("parameter", [Parameter(), DictParameter()], ids=["any", "dictionary"])
    def test_is_refused_by_a_parameter_that_takes_anything(self, parameter: Any, value: Any) -> None:
        assert "has a tuple, which would come back as a list" in refusal(dictionary_task(parameter), value)

    def test_is_a_list_to_a_parameter_that_makes_one_of_it(self) -> None:
        nested = ListParameter(ListParameter(NumberParameter()))
        assert sent(dictionary_task(nested), ((1, 2), [3])) == [[1, 2], [3]]
        assert sent(dictionary_task(ListParameter(Parameter())), (1, 2)) == [1, 2]
        assert "tuple" in refusal(dictionary_task(ListParameter(Parameter())), [(1, 2)])

    @pytest.mark.parametrize("annotation", [Any, dict[str, Any], list | tuple])
    def test_is_refused_by_a_model_that_does_not_say_it(self, annotation: Any) -> None:
        value = {"a": (1, 2)} if annotation == dict[str, Any] else (1, 2)
        assert "changes in a round trip through JSON" in refusal(model_task(annotation), value)


class TestSeveralValuesOfOneName:
    @pytest.mark.parametrize(
        "annotation", [dict, dict[str, Any], dict[str, str], list[dict[str, str]]], ids=str
    )
    def test_are_refused_by_a_model(self, annotation: Any) -> None:
        value: Any = Multiple(a=["1", "2"], b=["3"])
        value = [value] if annotation == list[dict[str, str]] else value
        assert "several values of one name in a Multiple" in refusal(model_task(annotation), value)

    @pytest.mark.parametrize("parameter", [Parameter(), DictParameter(), ListParameter(Parameter())])
    @pytest.mark.parametrize("wrap", [lambda it: it, lambda it: {"deep": [it]}], ids=["itself", "deep"])
    def test_are_refused_by_a_parameter(self, parameter: Any, wrap: Any) -> None:
        value = wrap(Multiple(a=["1", "2"]))
        assert "several values of one name in a Multiple" in refusal(dictionary_task(parameter), value)

    def test_are_refused_where_it_is_the_inputs(self) -> None:
        inputs = Multiple(field=["1", "2"])
        for definition in (dictionary_task(StringParameter()), model_task(str)):
            with pytest.raises(InvalidInputs, match="field: has several values of one name"):
                definition.accept(inputs)
        with pytest.raises(InvalidInputs, match="field: has several values of one name"):
            check_json("by-name", inputs)
        with pytest.raises(InvalidInputs, match="field: has several values of one name"):
            check_json("by-name", {"field": [Multiple(a=[])]})

    def test_are_none_where_there_is_one(self) -> None:
        one = Multiple(field=["1"])
        assert dictionary_task(StringParameter()).to_json(one) == {"field": "1"}
        assert sent(dictionary_task(DictParameter()), one) == {"field": "1"}
        assert sent(model_task(dict[str, str]), one) == {"field": "1"}

    def test_what_holds_itself_is_refused_as_ever(self) -> None:
        ring: dict[str, Any] = {}
        ring["ring"] = ring
        assert "holds itself" in refusal(dictionary_task(Parameter()), ring)


@pytest.mark.parametrize(
    "value", [OrderedDict(a=1), Counter("aab"), {"a": True, "b": 1, "c": 1.0}, [0, False, -0.0]]
)
def test_what_is_equal_and_of_a_derived_class_travels(value: Any) -> None:
    for definition in (model_task(Any), dictionary_task(Parameter())):
        assert definition.to_json({"field": value}) == {"field": value}


@pytest.mark.parametrize(
    ("annotation", "value"),
    [(frozenset[int] | set[int], {1}), (int | Decimal, Decimal(1)), (bool | int, True)],
    ids=str,
)
def test_a_number_or_a_set_comes_back_as_its_own_type_or_is_refused(annotation: Any, value: Any) -> None:
    definition = model_task(annotation)
    try:
        sent = definition.to_json({"field": value})
    except InvalidInputs as refused:
        assert refused.fields[0].loc == ("field",)  # noqa: PT017 - it is one or the other
    else:
        assert type(definition.parse_json(sent).field) is type(value)  # type: ignore[attr-defined]


class Meeting(BaseModel):
    when: datetime
    inner: Any = None


FAR = [
    datetime.max.replace(tzinfo=timezone(timedelta(hours=-5))),
    datetime.max.replace(tzinfo=ZoneInfo("Etc/GMT+12")),
    datetime.min.replace(tzinfo=timezone(timedelta(hours=5))),
    datetime.min.replace(tzinfo=ZoneInfo("Asia/Tokyo"), fold=1),
    datetime.min.replace(tzinfo=UTC),
]


class TestAFarDate:
    """In UTC it has no date: one year too late, or too early."""

    @pytest.mark.parametrize("when", FAR, ids=str)
    @pytest.mark.parametrize("annotation", [datetime, datetime | str, list[datetime]], ids=str)
    def test_travels_or_is_refused_by_name(self, annotation: Any, when: datetime) -> None:
        definition = model_task(annotation)
        value: Any = [when] if annotation == list[datetime] else when
        try:
            sent = definition.to_json({"field": value})
        except InvalidInputs as refused:
            assert refused.fields[0].loc == ("field",)  # noqa: PT017 - it is one or the other
        else:
            assert definition.parse_json(sent).field == value  # type: ignore[attr-defined]

    @pytest.mark.parametrize("when", FAR[:3], ids=str)
    def test_that_a_validator_cannot_convert_is_refused(self, when: datetime) -> None:
        class Converted(BaseModel):
            field: datetime

            @field_validator("field")
            @classmethod
            def in_utc(cls, given: datetime) -> datetime:
                return given.astimezone(UTC)

        class Uses(Task[Converted]):
            def run(self) -> None:
                return None

        definition = definition_of(Uses)
        with pytest.raises(InvalidInputs, match="date value out of range"):
            definition.accept({"field": when})
        with pytest.raises(InvalidInputs, match="date value out of range"):
            definition.accept_json({"field": when.isoformat()})

    def test_that_has_no_form_is_no_output(self) -> None:
        class Unfit:
            def __str__(self) -> str:
                raise OverflowError("date value out of range")

        class Gives(Task):
            outputs = {"when": StringParameter()}

            def run(self) -> None:
                return None

        with pytest.raises(InvalidOutputs, match=r"Output 'when'.*date value out of range"):
            definition_of(Gives).outputs_to_json(Unfit())


class TestADefaultThatJsonCannotHold:
    @pytest.mark.parametrize(
        ("annotation", "default"),
        [
            (float, math.inf),
            (float | None, -math.inf),
            (float, math.nan),
            (list[float], [math.inf]),
            (Any, (1, 2)),
        ],
        ids=str,
    )
    def test_is_as_good_given_as_left_out_in_a_model(self, annotation: Any, default: Any) -> None:
        definition = model_task(annotation, default)
        ways = [
            definition.accept_json({}),
            definition.accept({}),
            definition.accept({"field": default}),
            definition.accept(definition.inputs_model(field=default)),
        ]
        assert [way.sent for way in ways] == [{}] * 4
        assert len({str(definition.compared(way).made) for way in ways}) == 1
        assert repr(definition.parse_json({}).field) == repr(default)  # type: ignore[attr-defined]

    def test_is_the_only_one_that_is(self) -> None:
        assert "cannot be serialised as JSON" in refusal(model_task(float, math.inf), -math.inf)
        assert "cannot be serialised as JSON" in refusal(model_task(float, 1.0), math.inf)
        assert "cannot be serialised as JSON" in refusal(
            model_task(float, Field(default_factory=lambda: math.inf)), math.inf
        )

    def test_leaves_the_others_their_defaults(self) -> None:
        model = create_model("Params", limit=(float, math.inf), count=(int, 5), name=(str, "a"))

        class Uses(Task[model]):  # type: ignore[valid-type]
            def run(self) -> None:
                return None

        assert definition_of(Uses).to_json({"limit": math.inf, "name": "b"}) == {"name": "b"}

    @pytest.mark.parametrize("default", [math.inf, math.nan, (1, 2), Size.LARGE, {1}], ids=str)
    def test_is_as_good_given_as_left_out_in_dictionary_style(self, default: Any) -> None:
        definition = dictionary_task(Parameter(required=False), default)
        assert definition.accept_json({}).sent == {}
        assert definition.accept({}).sent == {}
        assert definition.accept({"field": default}).sent == {}

    def test_is_refused_where_run_has_another(self) -> None:
        assert "finite" in refusal(dictionary_task(FloatParameter(required=False), math.inf), -math.inf)
        assert "finite" in refusal(dictionary_task(FloatParameter(), math.inf), math.inf)
