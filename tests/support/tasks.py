"""Tasks for tests that need one whose result is known."""

from serverless_tasks import Task
from serverless_tasks.params import NumberParameter


class Double(Task):
    name = "double"
    inputs = {"number": NumberParameter()}
    outputs = {"doubled": NumberParameter()}

    def run(self, number: float) -> float:
        return 2 * number
