"""The smallest task there is."""

from typing import Any

from serverless_tasks import Task
from serverless_tasks.params import ListParameter, NumberParameter


class SumNumbers(Task):
    """Add numbers."""

    name = "sum"
    inputs = {"numbers": ListParameter(NumberParameter())}
    outputs = {"sum": NumberParameter()}

    def run(self, numbers: list[float]) -> Any:
        return sum(numbers)
