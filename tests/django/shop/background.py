"""A project's tasks, in both styles."""

from datetime import datetime
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict, Field, RootModel, field_validator

from serverless_tasks import Task, TaskError
from serverless_tasks.params import ListParameter, NumberParameter


class SumNumbers(Task):
    """Adds numbers."""

    name = "sum"
    inputs = {"numbers": ListParameter(NumberParameter())}
    outputs = {"sum": NumberParameter()}

    def run(self, numbers):
        return sum(numbers)


class Box(BaseModel):
    width: int = Field(description="In pixels.")
    height: int


class ResizeParams(BaseModel):
    box: Box
    note: str = ""


class ResizeResult(BaseModel):
    box: Box


class Resize(Task[ResizeParams]):
    name = "resize"

    def run(self) -> ResizeResult:
        return ResizeResult(box=self.params.box)


class Fails(Task):
    name = "fails"
    inputs = {"kindly": NumberParameter(required=False)}

    def run(self, kindly=0):
        if kindly:
            raise TaskError("There is no more paper.")
        raise RuntimeError("password=hunter2")


class Hidden(Task):
    """Registered, not served."""

    name = "hidden"

    def run(self):
        return None


class Quiet(Task[Box]):
    """Registered, and in no way served."""

    name = "quiet"
    http = False

    def run(self) -> None:
        return None


class StrictParams(BaseModel):
    model_config = ConfigDict(strict=True)

    when: datetime
    id: UUID
    size: tuple[int, int]


class Strict(Task[StrictParams]):
    name = "strict"

    def run(self) -> StrictParams:
        return self.params


class PricesParams(RootModel[dict[str, int]]):
    """By the name of what is sold."""


class Prices(Task[PricesParams]):
    name = "prices"

    def run(self) -> PricesParams:
        return self.params


class Order(BaseModel):
    order: int
    currency: str = "EUR"
    payment: UUID = Field(default_factory=uuid4)


class Charge(Task[Order]):
    name = "charge"
    retries = 2

    def run(self) -> UUID:
        if self.attempt < 3:
            raise ConnectionError(str(self.params.payment))
        return self.params.payment


class Loud(BaseModel):
    text: str

    @field_validator("text")
    @classmethod
    def shout(cls, text: str) -> str:
        return f"{text}!"


class Shout(Task[Loud]):
    """Nobody can submit it: what its validator makes is made once more by the worker."""

    name = "shout"

    def run(self) -> str:
        return self.params.text
