"""Pydantic inputs on their way: what a user's model may be like, and who is named when it cannot be sent."""

import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from types import new_class
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    PrivateAttr,
    RootModel,
    SecretStr,
    field_validator,
)

from serverless_tasks import InvalidInputs, Task
from serverless_tasks.engine.definition.registry import definition_of
from serverless_tasks.engine.definition.schema import Definition
from serverless_tasks.engine.job.encoding import encode
from serverless_tasks.errors import TaskDefinitionError
from serverless_tasks.testing import recorded


def definition_for(model: type[BaseModel]) -> Definition:
    def run(self: Any) -> None:
        return None

    return definition_of(new_class("Uses", (Task[model],), {}, lambda names: names.update(run=run)))  # type: ignore[valid-type]


def refused(model: type[BaseModel], inputs: Any) -> list[str]:
    """The names of the fields that are refused; a warning of pydantic's would be an error here."""
    with pytest.raises(InvalidInputs) as error:
        definition_for(model).to_json(inputs)
    return [field.field for field in error.value.fields]


class Inner(BaseModel):
    size: int
    _lock: Any = PrivateAttr(default_factory=threading.Lock)


class Stateful(BaseModel):
    size: int
    inner: list[Inner] = []
    by_name: dict[str, Inner] = {}
    _lock: Any = PrivateAttr(default_factory=threading.Lock)


class TestPrivateState:
    def test_of_a_model_is_no_input(self) -> None:
        given = {"size": 1, "inner": [{"size": 2}], "by_name": {"a": {"size": 3}}}

        assert definition_for(Stateful).to_json(Stateful.model_validate(given)) == given


class TestFieldsThatAreReadAndWrittenByDifferentNames:
    @pytest.mark.parametrize(
        ("field", "name"),
        [
            (Field(validation_alias="a"), "a"),
            (Field(validation_alias=AliasChoices("a", "b")), "a"),
            (Field(validation_alias=AliasChoices(AliasPath("c", 0), "b")), "b"),
            (Field(validation_alias="a", serialization_alias="z"), "a"),
            (Field(validation_alias=AliasChoices("a", "b"), serialization_alias="b"), "b"),
            (Field(serialization_alias="z"), "number"),
        ],
    )
    def test_travel_by_one_that_they_are_read_by(self, field: Any, name: str) -> None:
        model = type("Named", (BaseModel,), {"__annotations__": {"number": int}, "number": field})
        definition = definition_for(model)

        sent = definition.to_json({name: 5})

        assert sent == {name: 5}
        assert definition.parse_json(sent).number == 5  # type: ignore[attr-defined]

    def test_by_field_name_alone(self) -> None:
        class Named(BaseModel):
            model_config = ConfigDict(validate_by_alias=False, validate_by_name=True)
            number: int = Field(alias="n")

        definition = definition_for(Named)

        assert definition.parse_json(definition.to_json({"number": 5})).number == 5  # type: ignore[attr-defined]

    def test_by_a_path_alone_are_refused(self) -> None:
        class Named(BaseModel):
            number: int = Field(validation_alias=AliasPath("numbers", 0))

        assert refused(Named, {"numbers": [5]}) == ["numbers.0"]


class TestWhatIsRefused:
    def test_is_the_field_alone_whatever_its_aliases(self) -> None:
        class Mixed(BaseModel):
            fine: int = Field(1, alias="Fine")
            anything: Any = Field(None, alias="Anything")

        assert refused(Mixed, {"Anything": {1}}) == ["anything"]

    def test_is_not_a_field_that_the_models_own_config_gives_a_form(self) -> None:
        class Mixed(BaseModel):
            model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")
            image: bytes
            anything: Any = None

        assert refused(Mixed, {"image": b"\xff", "anything": {1}}) == ["anything"]

    def test_is_an_extra_member_by_its_name(self) -> None:
        class Open(BaseModel):
            model_config = ConfigDict(extra="allow")
            fine: int

        assert refused(Open, {"fine": 1, "colour": {1}}) == ["colour"]

    def test_is_a_type_of_ones_own_that_pydantic_cannot_dump(self) -> None:
        class Arbitrary(BaseModel):
            model_config = ConfigDict(arbitrary_types_allowed=True)
            event: threading.Event

        assert refused(Arbitrary, {"event": threading.Event()}) == ["event"]

    def test_is_what_a_validator_changes_each_time(self) -> None:
        class Doubling(BaseModel):
            number: int

            @field_validator("number")
            @classmethod
            def double(cls, number: int) -> int:
                return number * 2

        assert refused(Doubling, {"number": 1}) == ["number"]

    def test_is_what_the_model_leaves_out(self) -> None:
        class Left(BaseModel):
            number: int = Field(3, exclude=True)

        assert refused(Left, {"number": 5}) == ["number"]

    def test_is_a_root_that_is_no_object(self) -> None:
        class Numbers(RootModel[list[int]]):
            pass

        with pytest.raises(InvalidInputs, match="must be an object, not list"):
            definition_for(Numbers).to_json(Numbers([1]))

    def test_bytes_are_told_what_to_do(self) -> None:
        class Image(BaseModel):
            image: bytes

        with pytest.raises(InvalidInputs, match=r"image: .*'base64'"):
            definition_for(Image).to_json({"image": b"\xff"})


@dataclass
class Slot:
    start: datetime
    label: str = ""


class TestATimeInTheHoursInWhichClocksChange:
    """PEP 495: such a time is equal to no time of another zone, not even to itself in UTC."""

    VIENNA = ZoneInfo("Europe/Vienna")

    @pytest.mark.parametrize(
        "when",
        [
            datetime(2026, 10, 25, 2, 0, tzinfo=VIENNA),
            datetime(2026, 10, 25, 2, 59, tzinfo=VIENNA, fold=1),
            datetime(2026, 3, 29, 2, 30, tzinfo=VIENNA),
        ],
        ids=["first", "second", "gap"],
    )
    def test_is_the_same_moment_there(self, when: datetime) -> None:
        class Meeting(BaseModel):
            when: datetime
            slots: list[Slot] = []

        definition = definition_for(Meeting)

        sent = definition.to_json({"when": when, "slots": [Slot(when)]})

        assert datetime.fromisoformat(sent["when"]).astimezone(UTC) == when.astimezone(UTC)
        assert definition.parse_json(sent).slots[0].start.astimezone(UTC) == when.astimezone(UTC)  # type: ignore[attr-defined]

    def test_is_refused_where_json_cannot_hold_it(self) -> None:
        class Meeting(BaseModel):
            when: datetime

        long_ago = datetime(1890, 1, 1, tzinfo=self.VIENNA)  # its offset had seconds
        assert refused(Meeting, {"when": long_ago}) == ["when"]


class Samples:
    """As numpy's arrays are: compared element by element, and then of no truth."""

    def __init__(self, values: Any) -> None:
        self.values = list(values)

    def __eq__(self, other: object) -> Any:
        return Samples([True])

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise ValueError("The truth value of an array is ambiguous")


class TestAnArray:
    def definition(self, shown: Any) -> Definition:
        class Signal(BaseModel):
            model_config = ConfigDict(arbitrary_types_allowed=True)
            name: str
            samples: Annotated[Samples, PlainValidator(Samples), PlainSerializer(shown)]

        return definition_for(Signal)

    def test_travels_as_its_json(self) -> None:
        definition = self.definition(lambda samples: samples.values)

        sent = definition.to_json({"name": "a", "samples": (1, 2)})

        assert sent == {"name": "a", "samples": [1, 2]}
        assert definition.parse_json(sent).samples.values == [1, 2]  # type: ignore[attr-defined]

    def test_is_refused_where_it_comes_back_as_another(self) -> None:
        with pytest.raises(InvalidInputs) as error:
            self.definition(lambda samples: samples.values * 2).to_json({"name": "a", "samples": [1, 2]})
        assert [field.field for field in error.value.fields] == ["samples"]


class Price(BaseModel):
    model_config = ConfigDict(frozen=True)
    cents: int
    zones: frozenset[int] = Field(frozenset(), serialization_alias="Zones", validation_alias="Zones")


@dataclass(frozen=True)
class Range:
    steps: frozenset[int]


class Cart(BaseModel):
    by_shop: dict[int, set[int]] = {}
    pairs: list[tuple[set[int], str]] = []
    ranges: list[Range] = []
    numbers: list[int] = []


class TestASet:
    """0 and 8 fall on one place of a small set, so that which was first decides its order."""

    ONE_ORDER = Cart(
        by_shop={3: {0, 8}}, pairs=[({0, 8}, "a")], ranges=[Range(frozenset({0, 8}))], numbers=[8, 0]
    )
    OTHER_ORDER = Cart(
        by_shop={3: {8, 0}}, pairs=[({8, 0}, "a")], ranges=[Range(frozenset({8, 0}))], numbers=[8, 0]
    )

    def test_travels_in_one_order_wherever_it_is(self) -> None:
        assert list({0, 8}) != list({8, 0})
        definition = definition_for(Cart)

        sent = definition.to_json(self.ONE_ORDER)

        assert encode(sent) == encode(definition.to_json(self.OTHER_ORDER))
        assert sent["by_shop"] == {"3": [0, 8]}
        assert sent["numbers"] == [8, 0]

    def test_of_models_with_sets_of_their_own(self) -> None:
        class Cart(BaseModel):
            prices: set[Price]

        definition = definition_for(Cart)
        prices = [Price(cents=cents, Zones=frozenset(zones)) for cents, zones in ((3, (8, 0)), (1, (0, 8)))]

        sent = definition.to_json({"prices": set(prices)})

        assert sent == {"prices": [{"cents": 1, "Zones": [0, 8]}, {"cents": 3, "Zones": [0, 8]}]}

    def test_of_secrets(self) -> None:
        class Cart(BaseModel):
            codes: set[SecretStr]

        codes = {SecretStr(letter) for letter in "fedcba"}

        assert definition_for(Cart).to_json({"codes": codes}) == {"codes": list("abcdef")}


class Prices(RootModel[dict[str, int]]):
    """Served as it is."""


class TestARootModel:
    def test_of_an_object_is_all_inputs(self) -> None:
        definition = definition_for(Prices)

        sent = definition.to_json(Prices({"apple": 3}))

        assert sent == {"apple": 3}
        assert definition.parse_json(sent) == Prices({"apple": 3})


class TestEveryRefusal:
    def test_is_told_at_once(self) -> None:
        class Box(BaseModel):
            width: int
            height: int

        assert refused(Box, {"wdith": 1, "height": "high"}) == ["wdith", "width", "height"]


class TestASchema:
    def test_of_a_type_that_has_none_says_anything(self) -> None:
        class Arbitrary(BaseModel):
            model_config = ConfigDict(arbitrary_types_allowed=True)
            size: int
            event: threading.Event | None = None

        properties = definition_for(Arbitrary).input_schema()["properties"]

        assert properties["size"]["type"] == "integer"
        assert {} in properties["event"]["anyOf"]

    def test_of_outputs_that_pydantic_knows_nothing_of_says_so(self) -> None:
        class Gives(Task):
            name = "gives"
            params_model = Inner

            def run(self) -> threading.Event:
                return threading.Event()

        with pytest.raises(TaskDefinitionError, match=r"returns .*Event"):
            definition_of(Gives).output_schema()


class TestInputsOfAwkwardNames:
    @pytest.mark.parametrize("name", ["cls", "self", "task", "inputs"])
    def test_are_submitted_as_any_other(self, name: str) -> None:
        model = type("Named", (BaseModel,), {"__annotations__": {name: int}})

        class Uses(Task[model]):  # type: ignore[valid-type]
            name = "uses"

            def run(self) -> None:
                return None

        with recorded(Uses) as jobs:
            Uses.submit(**{name: 1})
            Uses.options(owner="7").submit(**{name: 1})

            assert [message.inputs for message in jobs.submitted] == [{name: 1}, {name: 1}]


class Numbers(RootModel[list[int]]):
    """Served as the result: a list has no names."""


class TestRootModelsReturned:
    @pytest.mark.parametrize(
        ("returned", "outputs"), [(Numbers([1]), {"result": [1]}), (Prices({"a": 1}), {"a": 1})]
    )
    def test_are_an_object_in_the_record(self, returned: Any, outputs: Any) -> None:
        class Gives(Task):
            name = "gives"
            params_model = Inner

            def run(self) -> None:
                return None

        Gives.run.__annotations__["return"] = type(returned)
        definition = definition_of(Gives)

        assert definition.outputs_to_json(returned) == outputs
        schema = definition.output_schema()
        assert schema["type"] == "object"
        assert ("properties" in schema) == ("result" in outputs)


class Either(RootModel[dict[str, int] | list[int] | None]):
    """An object, or not."""


class Anything(RootModel[Any]):
    """Whatever it is."""


class Nested(RootModel[Prices]):
    """An object in the end."""


class Boxed(RootModel[Inner]):
    """A model in another one."""


class TestTheNamesOfOutputs:
    @pytest.mark.parametrize(
        ("model", "values", "by_fields"),
        [
            (Either, [{"a": 1}, {"result": 1}, [1], None], False),
            (Anything, [{"a": 1}, {"result": {"a": 1}}, 5], False),
            (Prices, [{"a": 1}, {"result": 1}, {}], True),
            (Nested, [{"a": 1}, {}], True),
            (Boxed, [{"size": 1}], True),
        ],
    )
    def test_depend_on_the_type_and_not_on_the_value(
        self, model: Any, values: list[Any], by_fields: bool
    ) -> None:
        class Gives(Task[Inner]):
            def run(self) -> Any:
                return None

        Gives.run.__annotations__["return"] = model
        definition = definition_of(Gives)

        for value in values:
            outputs = definition.outputs_to_json(model.model_validate(value))
            assert outputs == (value if by_fields else {"result": value})
        assert ("result" in definition.output_schema().get("properties", {})) is not by_fields
