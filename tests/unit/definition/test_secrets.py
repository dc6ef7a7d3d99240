"""Secret inputs reach the task, and nobody else."""

import dataclasses
import json
from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, NamedTuple, TypedDict

import pytest
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    Secret,
    SecretBytes,
    SecretStr,
    field_serializer,
    field_validator,
    model_validator,
)

from serverless_tasks import InputsUnavailable, InvalidInputs, Task, TaskClient, rate
from serverless_tasks.engine.definition.recurring import recurring_of
from serverless_tasks.engine.definition.registry import definition_of
from serverless_tasks.engine.definition.values.secrets import holds_secret, with_secrets
from serverless_tasks.engine.job.masking import MASK, Mask
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.store.items import job_item
from serverless_tasks.engine.submit.options import Options
from serverless_tasks.engine.submit.submission import submit_json
from serverless_tasks.engine.worker.outcome import failure_of
from serverless_tasks.errors import MessageUndecodable
from serverless_tasks.params import (
    ListParameter,
    NumberParameter,
    Parameter,
    ParameterNotValidError,
    StringParameter,
)
from serverless_tasks.testing import RecordedTasks, recorded

PASSWORD = "correct horse battery"
SEEN: list[Any] = []


class Account(BaseModel):
    user: str
    password: SecretStr


class Login(BaseModel):
    account: Account
    tokens: list[SecretStr | None] = []
    key: SecretBytes = SecretBytes(b"")
    born: Secret[date] | None = None
    note: str = ""


class LogIn(Task[Login]):
    name = "log-in"

    def run(self) -> str:
        params = self.params
        SEEN.append(params)
        password = params.account.password.get_secret_value()
        self.add_message(f"{params.account.user} with {password}")
        if params.note == "fail":
            raise ValueError(f"bad password {password!r} of {params.account.user}")
        return params.note


class Quiet(Task):
    name = "quiet"
    inputs = {
        "password": StringParameter(secret=True),
        "pins": ListParameter(NumberParameter(secret=True), required=False),
        "user": StringParameter(),
    }
    outputs = {"length": NumberParameter()}

    def run(self, password: SecretStr, user: str, pins: Any = ()) -> int:
        SEEN.append((password, user, pins))
        if user == "fail":
            raise RuntimeError(f"{password.get_secret_value()} was refused")
        return len(password.get_secret_value())


@pytest.fixture
def jobs() -> Iterator[RecordedTasks]:
    SEEN.clear()
    with recorded(LogIn, Quiet) as jobs:
        yield jobs


def login(note: str = "") -> Login:
    return Login(
        account=Account(user="ada", password=SecretStr(PASSWORD)),
        tokens=[SecretStr("token-1"), None, SecretStr("token-2")],
        key=SecretBytes(b"private key"),
        born=Secret[date](date(1815, 12, 10)),
        note=note,
    )


class TestTravelling:
    def test_a_model_with_secrets_reaches_the_task_whole(self, jobs: RecordedTasks) -> None:
        handle = LogIn(login("hello")).start()
        jobs.drain()

        assert handle.wait() == {"result": "hello"}
        assert [login("hello")] == SEEN
        assert SEEN[0].account.password.get_secret_value() == PASSWORD

    def test_the_message_holds_them_in_clear_and_names_their_inputs(self, jobs: RecordedTasks) -> None:
        LogIn(login()).start()

        message = Message.decode(jobs.submitted[0].encode())

        assert message.inputs == {
            "account": {"user": "ada", "password": PASSWORD},
            "tokens": ["token-1", None, "token-2"],
            "key": "private key",
            "born": "1815-12-10",
            "note": "",
        }
        assert message.secrets == ("account", "born", "key", "tokens")

    def test_a_secret_parameter_is_sealed_for_the_task(self, jobs: RecordedTasks) -> None:
        handle = Quiet.submit(password=SecretStr(PASSWORD), user="ada", pins=[1234, "5678"])
        jobs.drain()

        assert handle.wait() == {"length": len(PASSWORD)}
        ((password, user, pins),) = SEEN
        assert (password, user) == (SecretStr(PASSWORD), "ada")
        assert [pin.get_secret_value() for pin in pins] == [1234, 5678]
        assert "1234" not in repr(pins)
        assert jobs.submitted[0].secrets == ("password", "pins")

    def test_a_secret_that_is_not_given_is_none(self, jobs: RecordedTasks) -> None:
        Quiet.submit(password=PASSWORD, user="ada")

        assert jobs.submitted[0].secrets == ("password",)

    def test_json_from_http_is_masked_alike(self, jobs: RecordedTasks) -> None:
        inputs = {"account": {"user": "ada", "password": PASSWORD}}
        submit_json(jobs.services, "log-in", inputs, Options())
        jobs.drain()

        assert jobs.submitted[0].secrets == ("account",)
        assert SEEN[0].account.password.get_secret_value() == PASSWORD

    def test_a_task_without_secrets_names_none(self, jobs: RecordedTasks) -> None:
        class Plain(Task):
            name = "plain"
            inputs = {"x": StringParameter()}

            def run(self, x: str) -> None:
                return None

        jobs.services.registry.add(Plain)
        Plain.submit(x="1")

        assert "secrets" not in json.loads(jobs.submitted[0].encode())

    def test_bytes_that_json_cannot_carry_are_refused_by_name(self, jobs: RecordedTasks) -> None:
        broken = login().model_copy(update={"key": SecretBytes(b"\xff\xfe\xfd")})

        with pytest.raises(InvalidInputs) as raised:
            LogIn(broken).start()

        assert [field.field for field in raised.value.fields] == ["key"]

    @pytest.mark.parametrize(
        "model",
        [
            pytest.param(Annotated[SecretStr, Field(min_length=2)], id="annotated"),
            pytest.param(dict[str, SecretStr], id="dict"),
            pytest.param(tuple[int, SecretStr], id="tuple"),
            pytest.param(set[SecretStr], id="set"),
            pytest.param(int | list[Account], id="union"),
        ],
    )
    def test_secrets_come_back_from_json_wherever_they_are(self, model: Any) -> None:
        class Nested(BaseModel):
            value: model

        class Nests(Task[Nested]):
            def run(self) -> None:
                return None

        given = {
            "annotated": "abcd",
            "dict": {"a": "b", "c": "d"},
            "tuple": (1, "x"),
            "set": {"one", "two", "three", "four"},
            "union": [{"user": "u", "password": "p"}],
        }
        definition = definition_of(Nests)
        for value in given.values():
            try:
                params = Nested(value=value)
            except ValueError:
                continue
            carried = definition.to_json(params)
            assert MASK not in json.dumps(carried)
            assert definition.parse_json(carried) == params
            assert definition.secrets_in(carried) == ("value",)

    def test_a_serializer_of_one_s_own_is_kept(self) -> None:
        class Own(BaseModel):
            when: date
            password: SecretStr

            @field_serializer("password", when_used="json")
            def clear(self, value: SecretStr) -> str:
                return value.get_secret_value()

            @field_serializer("when", when_used="json")
            def shown(self, value: date) -> str:
                return f"{value:%Y-%m-%d}"

        class Owns(Task[Own]):
            def run(self) -> None:
                return None

        carried = definition_of(Owns).to_json(Own(when=date(2026, 1, 2), password=SecretStr("abcd")))

        assert carried == {"when": "2026-01-02", "password": "abcd"}

    def test_an_alias_is_the_name_that_counts(self) -> None:
        class Aliased(BaseModel):
            model_config = ConfigDict(populate_by_name=True)
            password: SecretStr = Field(alias="pass-word")

        class Aliases(Task[Aliased]):
            def run(self) -> None:
                return None

        definition = definition_of(Aliases)
        assert definition.secrets_in({"pass-word": "x"}) == ("pass-word",)
        assert definition.secrets_in({"password": "x"}) == ("password",)
        assert definition.to_json(Aliased(password=SecretStr("x"))) == {"pass-word": "x"}

    def test_all_inputs_of_a_root_model_are_secret(self) -> None:
        class Root(RootModel[dict[str, SecretStr]]):
            pass

        class Roots(Task[Root]):
            def run(self) -> None:
                return None

        definition = definition_of(Roots)
        assert definition.secrets_in({"a": "x", "b": "y"}) == ("a", "b")


class TestFinding:
    @pytest.mark.parametrize(
        "annotation",
        [
            SecretStr,
            SecretBytes,
            Secret[int],
            SecretStr | None,
            dict[str, list[SecretStr]],
            Annotated[SecretStr, AfterValidator(lambda value: value)],
            Login,
            list[Login],
        ],
    )
    def test_a_secret_is_found_in_a_type(self, annotation: Any) -> None:
        assert holds_secret(annotation)

    def test_in_data_classes_typed_dicts_and_named_tuples_too(self) -> None:
        @dataclasses.dataclass
        class Data:
            secret: SecretStr

        class Typed(TypedDict):
            secret: SecretStr

        class Named(NamedTuple):
            secret: SecretStr

        type Alias = Data

        assert all(map(holds_secret, (Data, Typed, Named, Alias, list[Alias])))

    def test_other_types_have_none_and_recursion_ends(self) -> None:
        assert not any(map(holds_secret, (str, int, list[str], Any, Tree, dict[str, Any])))


class Tree(BaseModel):
    name: str
    branches: list["Tree"] = []


class TestStored:
    def test_the_job_item_holds_the_mask(self, jobs: RecordedTasks) -> None:
        LogIn(login()).start()
        Quiet.submit(password=PASSWORD, user="ada")

        first, second = map(job_item, jobs.submitted)

        assert json.loads(first["inputs"]) == dict.fromkeys(["account", "tokens", "key", "born"], MASK) | {
            "note": ""
        }
        assert json.loads(second["inputs"]) == {"password": MASK, "user": "ada"}
        for item in (first, second):
            assert PASSWORD not in str(item)

    def test_so_does_the_job_that_is_given_back(self, jobs: RecordedTasks) -> None:
        uuid = Quiet.submit(password=PASSWORD, user="ada").uuid

        job = jobs.services.store.job(uuid)

        assert job is not None
        assert job.inputs == {"password": MASK, "user": "ada"}
        assert job.secrets == ("password",)

    def test_such_a_job_is_not_retried_from_what_is_stored(self, jobs: RecordedTasks) -> None:
        uuid = Quiet.submit(password=PASSWORD, user="ada").uuid
        jobs.drain()

        with pytest.raises(
            InputsUnavailable, match=r"secret inputs are not kept \(password\)\. Submit it again"
        ):
            TaskClient().retry(uuid)

        assert len(jobs.submitted) == 1

    def test_a_job_whose_secret_was_not_given_can_be_retried(self, jobs: RecordedTasks) -> None:
        class Optional(Task):
            name = "optional"
            inputs = {"password": StringParameter(required=False, secret=True)}

            def run(self, password: str = "hunter22") -> None:
                return None

        jobs.services.registry.add(Optional)
        uuid = Optional.submit().uuid
        jobs.drain()

        TaskClient().retry(uuid)

        assert len(jobs.submitted) == 2

    def test_a_message_does_not_show_its_inputs(self, jobs: RecordedTasks) -> None:
        Quiet.submit(password=PASSWORD, user="ada")

        assert PASSWORD not in repr(jobs.submitted)

    def test_a_schedule_names_the_secrets_among_its_inputs(self, jobs: RecordedTasks) -> None:
        class Nightly(Task):
            name = "nightly"
            inputs = {"password": StringParameter(secret=True)}
            schedule = rate(days=1)
            schedule_inputs = {"password": PASSWORD}

            def run(self, password: SecretStr) -> None:
                return None

        jobs.services.registry.add(Nightly)

        tick = Message.decode(recurring_of(jobs.services.registry, Nightly).tick("2026-01-01T00:00:00Z"))

        assert (tick.inputs, tick.secrets) == ({"password": PASSWORD}, ("password",))


class TestTold:
    def test_a_failure_is_told_without_them(self, jobs: RecordedTasks) -> None:
        handle = LogIn(login("fail")).start()
        outcomes = jobs.drain()

        record = jobs.services.store.read(handle.uuid)
        assert record is not None
        assert record.failure is not None
        assert record.failure.message == f"bad password '{MASK}' of ada"
        assert "Traceback" in record.history[0].failure.traceback
        assert PASSWORD not in str(record)
        assert outcomes[0].failure == record.history[0].failure

    def test_messages_are_told_without_them(self, jobs: RecordedTasks) -> None:
        handle = LogIn(login()).start()
        jobs.drain()

        assert handle.refresh().messages == (f"ada with {MASK}",)

    def test_a_secret_parameter_is_masked_alike(self, jobs: RecordedTasks) -> None:
        handle = Quiet.submit(password=PASSWORD, user="fail")
        jobs.drain()

        assert handle.refresh().error == {"type": "RuntimeError", "message": f"{MASK} was refused"}

    def test_a_retried_attempt_is_too(self, jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Quiet, "retries", 1)
        handle = Quiet.submit(password=PASSWORD, user="fail")
        jobs.drain()

        record = jobs.services.store.read(handle.uuid)
        assert record is not None
        assert len(record.history) == 2
        assert PASSWORD not in str(record)

    def test_an_output_that_is_secret_is_masked(self) -> None:
        class Returns(Task[Account]):
            def run(self) -> Account:
                return self.params

        shown = definition_of(Returns).outputs_to_json(Account(user="ada", password=SecretStr(PASSWORD)))

        assert shown == {"user": "ada", "password": MASK}

    def test_the_schema_marks_them(self) -> None:
        properties = definition_of(Quiet).input_schema()["properties"]
        marked = {"format": "password", "writeOnly": True}

        assert properties["password"].items() >= ({"type": "string"} | marked).items()
        assert properties["pins"]["items"].items() >= ({"type": "number"} | marked).items()
        assert properties["pins"]["writeOnly"] is True  # pydantic says it of texts alone
        assert "writeOnly" not in properties["user"]
        key = definition_of(LogIn).input_schema()["properties"]["key"]
        assert key.items() >= marked.items()

    def test_the_schema_does_not_tell_a_default(self) -> None:
        class Optional(Task):
            inputs = {"password": StringParameter(required=False, secret=True)}

            def run(self, password: str = "hunter22") -> str:
                return password

        definition = definition_of(Optional)

        assert "hunter22" not in json.dumps(definition.input_schema())
        assert definition.arguments(definition.parse_json({})) == {}


class TestRefused:
    def refusal(self, definition: Any, inputs: dict[str, Any]) -> InvalidInputs:
        with pytest.raises(InvalidInputs) as raised:
            definition.parse_json(inputs)
        return raised.value

    def test_a_parameter_that_quotes_the_value_is_not_quoted(self) -> None:
        class Pin(Task):
            inputs = {"pin": NumberParameter(secret=True), "count": NumberParameter()}

            def run(self, pin: Any, count: float) -> None:
                return None

        error = self.refusal(definition_of(Pin), {"pin": "hunter22", "count": "many"})

        assert "hunter22" not in str(error)
        assert [field.message for field in error.fields] == [
            "is invalid; the reason is not shown, because the input is secret",
            "String is not a number: 'many'",
        ]

    def test_neither_is_a_parameter_of_one_s_own(self) -> None:
        class Picky(Parameter):
            def to_python(self, value: Any) -> Any:
                raise ParameterNotValidError(f"{value} is too weak")

        class Uses(Task):
            inputs = {"password": Picky(secret=True)}

            def run(self, password: Any) -> None:
                return None

        assert "hunter22" not in str(self.refusal(definition_of(Uses), {"password": "hunter22"}))
        with pytest.raises(InvalidInputs) as raised:
            definition_of(Uses).to_json({"password": SecretStr("hunter22")})
        assert "hunter22" not in str(raised.value)

    def test_nor_what_validators_of_a_model_say(self) -> None:
        class Checked(BaseModel):
            password: SecretStr
            user: str

            @field_validator("password")
            @classmethod
            def strong(cls, value: SecretStr) -> SecretStr:
                if value.get_secret_value() == "weak-one":
                    raise ValueError(f"{value.get_secret_value()} is weak")
                return value

            @model_validator(mode="after")
            def differ(self) -> "Checked":
                if self.user == self.password.get_secret_value():
                    raise ValueError(f"user and password are both {self.user}")
                return self

        class Checks(Task[Checked]):
            def run(self) -> None:
                return None

        definition = definition_of(Checks)

        assert "weak-one" not in str(self.refusal(definition, {"password": "weak-one", "user": "a"}))
        alike = self.refusal(definition, {"password": "same-one", "user": "same-one"})
        assert alike.fields[0].message == f"user and password are both {MASK}"

    def test_what_says_nothing_of_the_value_is_told(self) -> None:
        error = self.refusal(definition_of(Quiet), {"user": "ada"})

        assert [(field.field, field.message) for field in error.fields] == [("password", "Field required")]
        types = self.refusal(definition_of(LogIn), {"account": {"user": "ada", "password": 5}})
        assert [(field.field, field.message) for field in types.fields] == [
            ("account.password", "Input should be a valid string")
        ]


class TestMask:
    def test_the_longest_goes_first_and_short_texts_stay(self) -> None:
        mask = Mask(["abc", "hunter", "hunter22"])

        assert mask("abc hunter22 hunter2") == f"abc {MASK} {MASK}2"

    def test_it_knows_how_python_and_json_write_a_text(self) -> None:
        secret = 'it\'s "a"\n\\ü'
        mask = Mask([secret])

        for written in (secret, repr(secret), json.dumps(secret), json.dumps(secret, ensure_ascii=False)):
            assert "\\u" not in mask(written)
            assert '"a' not in mask(written).replace(MASK, "").strip("\"'")

    def test_it_does_not_show_them_itself(self) -> None:
        assert "hunter22" not in repr(Mask(["hunter22"]))

    def test_an_exception_is_told_with_notes_and_causes_masked(self) -> None:
        error = ValueError("hunter22")
        error.add_note("it was hunter22")
        error.__cause__ = KeyError("hunter22")

        told = failure_of(error, Mask(["hunter22"]))

        assert "hunter22" not in str(told)
        assert told.traceback.count(MASK) == 3

    def test_json_of_another_shape_stays_as_it_is(self) -> None:
        assert with_secrets("shown", {"a": SecretStr("b")}) == "shown"
        assert with_secrets([1], [SecretStr("b"), 2]) == [1]
        assert with_secrets({"a": MASK, "b": 1}, {"a": SecretStr("x"), "b": 1}) == {"a": "x", "b": 1}


def test_a_message_without_the_task_s_class_is_masked_by_its_names() -> None:
    message = Message(
        uuid="u", task="t", inputs={"a": "secret", "b": 1}, secrets=("a",), created=1, expires=2
    )

    assert json.loads(job_item(message)["inputs"]) == {"a": MASK, "b": 1}


def test_secrets_that_are_no_names_are_undecodable(jobs: RecordedTasks) -> None:
    Quiet.submit(password="x", user="y")
    body = json.loads(jobs.submitted[0].encode())
    for wrong in ([1], 5):
        with pytest.raises(MessageUndecodable):
            Message.decode(json.dumps(body | {"secrets": wrong}))
