"""A project's tasks, in both styles."""

from pydantic import BaseModel, Field

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
