"""What the example's tasks do not do; it travels in the artefact of the deployed tests."""

from pydantic import BaseModel

from serverless_tasks import Task, TaskError


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
