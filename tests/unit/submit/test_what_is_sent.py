"""What is sent is what validation made of the inputs, whatever the way in; else they are refused by name."""

from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import AliasPath, BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from serverless_tasks import InvalidInputs, Task, TaskClient
from serverless_tasks.client.resubmit import resubmit
from serverless_tasks.engine.definition.registry import definition_of
from serverless_tasks.engine.definition.schema import Definition
from serverless_tasks.engine.submit.by_name import submit_by_name
from serverless_tasks.engine.submit.options import Options
from serverless_tasks.engine.submit.submission import submit_json
from serverless_tasks.params import FloatParameter, IntParameter, ListParameter, Parameter, StringParameter
from serverless_tasks.testing import RecordedTasks, recorded
from tests.unit.definition.test_roundtrip import definition_for

SEEN: list[UUID] = []


class Order(BaseModel):
    order: int
    currency: str = "EUR"
    payment: UUID = Field(default_factory=uuid4)


class Charge(Task[Order]):
    name = "charge"
    retries = 2

    def run(self) -> str:
        SEEN.append(self.params.payment)
        if self.attempt < 3:
            raise ConnectionError("try again")
        return str(self.params.payment)


@pytest.fixture
def jobs() -> Iterator[RecordedTasks]:
    SEEN.clear()
    with recorded(Charge) as jobs:
        yield jobs


def sent(definition: Definition, inputs: Any) -> dict[str, Any]:
    """What is sent of JSON; the worker takes it and it is the same there."""
    accepted = definition.accept_json(inputs)
    assert definition.parse_json(accepted.sent) == accepted.model
    return accepted.sent


WAYS: dict[str, Callable[[RecordedTasks], Any]] = {
    "json": lambda jobs: submit_json(jobs.services, "charge", {"order": "5"}, Options()),
    "python": lambda jobs: Charge.submit(order="5"),
    "instance": lambda jobs: Charge(Order(order=5)).start(),
    "bulk": lambda jobs: Charge.submit_many([{"order": 5}]),
    "client": lambda jobs: TaskClient(services=jobs.services).submit("charge", order="5"),
    "command line": lambda jobs: TaskClient(services=jobs.services).submit_json(Charge, {"order": "5"}),
}


class TestADefaultThatIsMadeAnew:
    @pytest.mark.parametrize("way", WAYS)
    def test_is_one_value_in_every_attempt(self, jobs: RecordedTasks, way: str) -> None:
        WAYS[way](jobs)
        jobs.drain()

        assert (len(SEEN), len(set(SEEN))) == (3, 1)
        assert jobs.submitted[0].inputs == {"order": 5, "currency": "EUR", "payment": str(SEEN[0])}

    def test_is_the_same_when_the_job_is_submitted_once_more(self, jobs: RecordedTasks) -> None:
        first = submit_json(jobs.services, "charge", {"order": 5}, Options())
        jobs.drain()
        resubmit(jobs.services, first.uuid)
        jobs.drain()

        assert (len(SEEN), len(set(SEEN))) == (6, 1)

    def test_is_made_once_for_a_job_whose_message_had_none(self, jobs: RecordedTasks) -> None:
        """As the version before sent it, or somebody who does not have the task's code."""
        (first,) = submit_by_name(jobs.services, "charge", [{"order": "5"}], Options())
        jobs.drain()
        SEEN.clear()
        resubmit(jobs.services, first.uuid)
        jobs.drain()

        assert (len(SEEN), len(set(SEEN))) == (3, 1)


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)
    number: UUID
    at: datetime
    prices: tuple[Decimal, ...] = (Decimal("1.10"),)
    days: set[date] = set()
    image: bytes = b"png"


class Secretive(BaseModel):
    user: str
    password: SecretStr
    token: SecretStr = SecretStr("a default of the deployment")
    limits: list[int] = []


class Sloppy(BaseModel):
    number: int
    name: str = None  # type: ignore[assignment]
    key: UUID = Field(default_factory=uuid4)


class Aliased(BaseModel):
    from_: int = Field(alias="from")
    number: int = Field(validation_alias="n", serialization_alias="N")
    kind: str = Field("any", validation_alias="k")


class TestAModelFromJson:
    def test_that_is_strict_passes(self) -> None:
        inputs = {"number": str(uuid4()), "at": "2026-01-02T03:04:05Z"}

        carried = sent(definition_for(Strict), inputs)

        assert carried == {**inputs, "prices": ["1.10"], "days": [], "image": "png"}

    def test_has_its_secrets_whole(self) -> None:
        carried = sent(definition_for(Secretive), {"user": "ada", "password": "hunter2"})

        # The default is no secret of this job's: it is the worker's to know.
        assert carried == {"user": "ada", "password": "hunter2", "limits": []}

    def test_travels_by_names_that_it_is_read_by(self) -> None:
        assert sent(definition_for(Aliased), {"from": 1, "n": "2"}) == {"from": 1, "n": 2, "k": "any"}

    @pytest.mark.parametrize(
        ("extra", "carried"),
        [("allow", {"number": 1, "colour": "red"}), ("ignore", {"number": 1})],
    )
    def test_does_with_others_what_its_config_says(self, extra: Any, carried: dict[str, Any]) -> None:
        class Open(BaseModel):
            model_config = ConfigDict(extra=extra)
            number: int

        assert sent(definition_for(Open), {"number": "1", "colour": "red"}) == carried

    def test_keeps_a_default_that_its_field_would_refuse_to_the_worker(self) -> None:
        carried = sent(definition_for(Sloppy), {"number": "1"})

        assert sorted(carried) == ["key", "number"]

    @pytest.mark.parametrize("alias", [AliasPath("numbers", 0), AliasPath("number", 0)], ids=str)
    def test_that_is_read_by_a_path_alone_travels_as_it_was_given(self, alias: AliasPath) -> None:
        class ByPath(BaseModel):
            number: int = Field(validation_alias=alias)
            size: int = Field(1, validation_alias=AliasPath("sizes", 0))
            times: int = 1

        given = {str(alias.path[0]): ["5"]}

        assert sent(definition_for(ByPath), given) == {**given, "times": 1}

    def test_that_its_dump_leaves_out_travels_as_it_was_given(self) -> None:
        class Left(BaseModel):
            number: int = Field(3, exclude=True)
            times: int = 1

        assert sent(definition_for(Left), {"number": 5}) == {"number": 5, "times": 1}

    def test_whose_validators_change_it_once_travels_changed(self) -> None:
        class Trimmed(BaseModel):
            name: str
            slug: str | None = None

            @field_validator("name")
            @classmethod
            def trim(cls, name: str) -> str:
                return name.strip().lower()

            @model_validator(mode="after")
            def fill(self) -> "Trimmed":
                self.slug = self.slug or f"{self.name}-{uuid4()}"
                return self

        carried = sent(definition_for(Trimmed), {"name": "  Ada "})

        assert carried["name"] == "ada"
        assert carried["slug"].startswith("ada-")


class Appends(BaseModel):
    fine: int = 1
    name: str

    @field_validator("name")
    @classmethod
    def append(cls, name: str) -> str:
        return f"{name}!"


class LeavesItsKeyOut(BaseModel):
    key: UUID = Field(default_factory=uuid4, exclude=True)


class OneWay(BaseModel):
    model_config = ConfigDict(val_json_bytes="base64")
    image: bytes


class TestWhatWouldNotComeBack:
    @pytest.mark.parametrize(
        ("model", "inputs", "field"),
        [
            (Appends, {"name": "ada"}, "name"),
            (LeavesItsKeyOut, {}, "key"),
            (OneWay, {"image": "_w=="}, "image"),
        ],
    )
    def test_is_refused_by_name(self, model: type[BaseModel], inputs: dict[str, Any], field: str) -> None:
        with pytest.raises(InvalidInputs) as refused:
            definition_for(model).accept_json(inputs)

        assert [each.field for each in refused.value.fields] == [field]

    def test_is_told_without_its_secret(self) -> None:
        class Login(BaseModel):
            password: SecretStr

            @field_validator("password")
            @classmethod
            def append(cls, password: SecretStr) -> SecretStr:
                return SecretStr(f"{password.get_secret_value()}!")

        with pytest.raises(InvalidInputs) as refused:
            definition_for(Login).accept_json({"password": "hunter2"})

        assert "hunter2" not in str(refused.value)
        assert [each.field for each in refused.value.fields] == ["password"]


class DayParameter(Parameter):
    def to_python(self, value: Any) -> date:
        return date.fromisoformat(value.strip())

    def to_json(self, value: Any) -> str:
        return value.isoformat()


class PersonParameter(Parameter):
    """Its `to_json` is made for outputs: nobody could read it again."""

    def to_python(self, value: Any) -> dict[str, Any]:
        return {"name": value}

    def to_json(self, value: Any) -> str:
        return f"<{value['name']}>"


class KeyParameter(Parameter):
    def to_python(self, value: Any) -> str:
        return value or str(uuid4())


class Shouted(Parameter):
    def to_python(self, value: Any) -> str:
        return f"{value}!"


def dictionary(**parameters: Parameter) -> Definition:
    def run(self: Any, **inputs: Any) -> None:
        return None

    return definition_of(type("Takes", (Task,), {"name": "takes", "inputs": parameters, "run": run}))


class TestADictionary:
    @pytest.mark.parametrize("given", [1, "1", 1.0, "1.0", 1.9], ids=repr)
    def test_of_one_whole_number_is_one_message(self, given: Any) -> None:
        definition = dictionary(n=IntParameter())

        carried = [definition.to_json({"n": given}), definition.accept_json({"n": given}).sent]

        assert [repr(each) for each in carried] == ["{'n': 1}"] * 2

    @pytest.mark.parametrize(
        ("parameter", "given", "carried"),
        [
            (FloatParameter(), 1, 1.0),
            (StringParameter(), 5, "5"),
            (ListParameter(IntParameter()), "5", [5]),
            (ListParameter(IntParameter(secret=True)), ["5", 6], [5, 6]),
            (StringParameter(secret=True), 1234, "1234"),
            (DayParameter(), " 2026-01-02 ", "2026-01-02"),
            (Parameter(), {"a": [None, 1.5]}, {"a": [None, 1.5]}),
            (PersonParameter(), "ada", "ada"),
            (Shouted(), "ada", "ada"),
        ],
    )
    def test_travels_as_it_was_converted_where_that_comes_back(
        self, parameter: Parameter, given: Any, carried: Any
    ) -> None:
        definition = dictionary(value=parameter)

        assert repr(definition.accept_json({"value": given}).sent) == repr({"value": carried})
        assert repr(definition.to_json({"value": given})) == repr({"value": carried})

    def test_of_a_value_that_is_made_anew_is_one_value(self) -> None:
        definition = dictionary(key=KeyParameter())

        accepted = definition.accept_json({"key": None})

        assert definition.arguments(definition.parse_json(accepted.sent)) == accepted.sent
        assert UUID(accepted.sent["key"])

    def test_names_are_those_that_were_given(self) -> None:
        definition = dictionary(n=IntParameter(required=False), at=DayParameter(required=False))

        assert definition.to_json({"at": date(2026, 1, 2)}) == {"at": "2026-01-02"}
