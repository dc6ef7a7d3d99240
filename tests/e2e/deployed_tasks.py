"""Tasks that the deployed tests run; they travel in the artefact."""

from pydantic import BaseModel

from serverless_tasks import Task, TaskError
from serverless_tasks.params import ListParameter, NumberParameter


class SumNumbers(Task):
    """Adds up, and tells how far it is."""

    name = "sum"
    inputs = {"numbers": ListParameter(NumberParameter())}
    outputs = {"sum": NumberParameter()}

    def run(self, numbers):
        self.set_target(len(numbers))
        total = 0
        for number in numbers:
            total += number
            self.inc_progress()
        self.add_message(f"added {len(numbers)} numbers")
        return total


class Words(BaseModel):
    text: str
    times: int = 1


class Repeated(BaseModel):
    text: str


class Repeat(Task[Words]):
    """Makes a text as long as one likes, past what a message or an item holds."""

    name = "repeat"
    queue = "low"

    def run(self) -> Repeated:
        return Repeated(text=self.params.text * self.params.times)


class Refuse(Task):
    """Fails in a way that its user may read."""

    name = "refuse"
    inputs = {}
    outputs = {}

    def run(self):
        raise TaskError("this one never works")
