"""Tasks whose schemas are corner cases of TypeScript; the client's tests compile the types made of them."""

import datetime as dt
import decimal
import enum
import ipaddress
import types
import uuid
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, TypedDict

from pydantic import (
    AliasChoices,
    AnyUrl,
    Base64Bytes,
    BaseModel,
    ConfigDict,
    Field,
    Json,
    JsonValue,
    RootModel,
    SecretStr,
    WithJsonSchema,
    create_model,
)
from pydantic.dataclasses import dataclass

from serverless_tasks import Task
from serverless_tasks.engine.definition.base import BaseTask
from serverless_tasks.params import (
    BooleanParameter,
    DictParameter,
    FloatParameter,
    IntParameter,
    ListParameter,
    Parameter,
    StringParameter,
)


class Colour(enum.Enum):
    """The colours of the shop."""

    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Mixed(enum.Enum):
    TEXT = "a"
    NUMBER = 1
    NOTHING = None


class Money(BaseModel):
    amount: int
    currency: str = "EUR"


class Tree(BaseModel):
    name: str
    children: list["Tree"] = []


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    tricks: list[str]


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    known: int


class TypedExtra(BaseModel):
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, float] = Field(init=False)
    known: str
    perhaps: bool | None = None


class Pair(NamedTuple):
    left: int
    right: str = ""


class Options(TypedDict):
    size: int
    name: NotRequired[str]


@dataclass
class Point:
    x: float
    y: float = 0.0


class Names(RootModel[list[str]]):
    pass


class Odd(BaseModel):
    with_dash: int = Field(alias="with-dash")
    quoted: str = Field(alias='say "hi"')
    class_: str = Field(alias="class")
    first: int = Field(alias="1st")
    unicode: str = Field(alias="größe")
    proto: str = Field(alias="__proto__")


class Described(BaseModel):
    """Ends a comment: */ and goes on.

    A second paragraph.
    """

    field: int = Field(3, description="More than one line:\n  of */ text.")


type Nested = dict[str, Nested] | list[Nested] | int

# The name of a case -> the type of its one input, which is its one output as well.
VALUES: dict[str, Any] = {
    "text": str,
    "integer": int,
    "float": float,
    "boolean": bool,
    "nothing": None,
    "anything": Any,
    "object": object,
    "nullable": str | None,
    "union": int | str,
    "union.of-lists": list[int] | list[str],
    "union.in-list": list[int | str | None],
    "literal": Literal["a", "b"],
    "literal.mixed": Literal["a", 1, True, None],
    "literal.one": Literal["only"],
    "literal.quotes": Literal['a"b', "c\\d", "e\nf", "g`${h}`"],
    "enum": Colour,
    "enum.integers": Level,
    "enum.mixed": Mixed,
    "enum.nullable": Colour | None,
    "date": dt.date,
    "datetime": dt.datetime,
    "time": dt.time,
    "duration": dt.timedelta,
    "uuid": uuid.UUID,
    "decimal": decimal.Decimal,
    "url": AnyUrl,
    "address": ipaddress.IPv4Address,
    "bytes": Base64Bytes,
    "json": JsonValue,
    "json-text": Json[list[int]],
    "pattern": Annotated[str, Field(pattern="^[a-z]+$")],
    "bounded": Annotated[int, Field(gt=0, le=10)],
    "list": list[str],
    "list.bounded": Annotated[list[int], Field(min_length=1, max_length=3)],
    "list.of-lists": list[list[float]],
    "list.anything": list,
    "set": set[int],
    "frozenset": frozenset[str],
    "sequence": Sequence[int],
    "tuple": tuple[int, str],
    "tuple.open": tuple[int, ...],
    "tuple.empty": tuple[()],
    "tuple.of-unions": tuple[int | None, list[str]],
    "named-tuple": Pair,
    "map": dict[str, int],
    "map.anything": dict[str, Any],
    "map.literal-keys": dict[Literal["a", "b"], int],
    "map.enum-keys": dict[Colour, str],
    "map.integer-keys": dict[int, str],
    "map.pattern-keys": dict[Annotated[str, Field(pattern="^x")], bool],
    "map.of-maps": Mapping[str, dict[str, list[int]]],
    "model": Money,
    "model.nullable": Money | None,
    "model.list": list[Money],
    "model.recursive": Tree,
    "model.open": Open,
    "model.typed-extra": TypedExtra,
    "model.odd-names": Odd,
    "model.described": Described,
    "discriminated": Annotated[Cat | Dog, Field(discriminator="kind")],
    "typed-dict": Options,
    "dataclass": Point,
    "root-model": Names,
    "recursive-alias": Nested,
    "schema.anything": Annotated[str, WithJsonSchema({})],
    "schema.never": Annotated[str, WithJsonSchema({"not": {}})],
    "schema.types": Annotated[Any, WithJsonSchema({"type": ["string", "null"]})],
    "schema.all-of": Annotated[
        Any,
        WithJsonSchema(
            {
                "allOf": [
                    {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
                    {"type": "object", "properties": {"b": {"type": "number"}}, "required": ["b"]},
                ]
            }
        ),
    ],
    "schema.const-object": Annotated[Any, WithJsonSchema({"const": {"a": [1, None]}})],
    "schema.unknown-reference": Annotated[Any, WithJsonSchema({"$ref": "https://example.org/schema"})],
    "schema.tuple-with-rest": Annotated[
        Any,
        WithJsonSchema({"type": "array", "prefixItems": [{"type": "string"}], "items": {"type": "number"}}),
    ],
}


def case(name: str, value: Any) -> type[BaseTask]:
    """A task that takes such a value and gives it back."""
    model: type[BaseModel] = create_model("Value", value=(value, ...))

    def run(self: Any) -> Any:
        return self.params

    run.__annotations__["return"] = model
    body = {"name": f"case.{name}", "run": run, "__module__": __name__}
    made: type[BaseTask] = types.new_class("Case", (Task[model],), exec_body=lambda space: space.update(body))
    return made


class Defaults(BaseModel):
    """Inputs that need not be given, which outputs have all the same."""

    required: int
    given: int = 3
    nullable: str | None = None
    made: list[int] = Field(default_factory=list)
    secret: SecretStr = SecretStr("")
    renamed: int = Field(0, validation_alias=AliasChoices("new", "old"), serialization_alias="shown")


class WithDefaults(Task[Defaults]):
    """Take few inputs.

    This paragraph is in no type.
    """

    name = "with-defaults"

    def run(self) -> Defaults:
        return self.params


class Dictionary(Task):
    """A task in the style of parameter objects."""

    name = "dictionary"
    inputs = {
        "count": IntParameter(),
        "numbers": ListParameter(IntParameter()),
        "ratio": FloatParameter(required=False),
        "exact": BooleanParameter(required=False),
        "labels": DictParameter(required=False),
        "password": StringParameter(secret=True),
        "other": Parameter(required=False),
    }
    outputs = {"total": IntParameter(), "parts": ListParameter(StringParameter())}

    def run(self, count, numbers, password, ratio=0.5, exact=True, labels=None, other=None):  # type: ignore[no-untyped-def]
        return 0, []


class NoInputs(Task):
    name = "1st of all: nothing"
    inputs = {}
    outputs = {}

    def run(self) -> None:
        pass


class Elsewhere:
    class Money(BaseModel):
        cents: int


class Colliding(BaseModel):
    money: Elsewhere.Money


class Other(Task[Colliding]):
    name = "colliding"

    def run(self) -> Colliding:
        return self.params


TASKS: tuple[type[BaseTask], ...] = (
    *(case(name, value) for name, value in VALUES.items()),
    WithDefaults,
    Dictionary,
    NoInputs,
    Other,
)
