"""The tasks that the handlers' tests send."""

from pydantic import BaseModel

from serverless_tasks import Task, TaskError, rate
from serverless_tasks.params import ListParameter, NumberParameter, StringParameter

begun: list[str] = []


class Sum(Task):
    name = "sum"
    inputs = {"numbers": ListParameter(NumberParameter())}
    outputs = {"sum": NumberParameter()}

    def run(self, numbers):
        begun.append("sum")
        self.set_target(len(numbers))
        self.inc_progress(len(numbers))
        return sum(numbers)


class Quiet(Task):
    """Reports no progress."""

    name = "quiet"

    def run(self):
        return None


class Text(BaseModel):
    text: str


class Refuse(Task[Text]):
    name = "refuse"

    def run(self) -> str:
        begun.append("refuse")
        raise TaskError(f"I do not like {self.params.text}.")


class Break(Task):
    name = "break"

    def run(self):
        raise RuntimeError("the password is swordfish")


class SignIn(Task):
    name = "sign-in"
    inputs = {"password": StringParameter(secret=True)}
    retries = 1

    def run(self, password):
        begun.append(password.get_secret_value())
        self.add_message(f"with {password.get_secret_value()}")
        raise RuntimeError(f"{password.get_secret_value()} was refused")


class Again(Task):
    name = "again"
    retries = 2

    def run(self):
        raise RuntimeError("not this time")


class Slow(Task):
    name = "slow"
    timeout = 100

    def run(self):
        begun.append("slow")


class Hourly(Task):
    name = "hourly"
    schedule = rate(hours=1)

    def run(self):
        begun.append(self.execution.scheduled)
