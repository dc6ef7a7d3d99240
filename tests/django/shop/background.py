"""A project's tasks, in both styles."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, RootModel

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
