"""The tasks of the smoke test beside README's own; its project has them as ``shop/tasks.py``."""

from __future__ import annotations

import os

from serverless_tasks import Task, rate
from serverless_tasks.params import IntParameter, ListParameter


class Square(Task):
    """A member of a group."""

    name = "smoke-square"
    inputs = {"number": IntParameter()}
    outputs = {"square": IntParameter()}

    def run(self, number: int) -> int:
        return number * number


class Total(Task):
    """Follows the group."""

    name = "smoke-total"
    inputs = {"squares": ListParameter(IntParameter())}
    outputs = {"total": IntParameter()}

    def run(self, squares: list[int]) -> int:
        return sum(squares)


class LoseWorker(Task):
    """Ends its process in the middle of the first attempt, as Lambda does to a function that takes too much memory."""

    name = "smoke-lose-worker"
    queue = "low"
    inputs = {}
    outputs = {"attempt": IntParameter()}

    def run(self) -> int:
        if self.execution.attempt == 1:
            os._exit(1)
        return self.execution.attempt


class Tick(Task):
    """Runs every minute, by a schedule that the deployment makes."""

    name = "smoke-tick"
    schedule = rate(minutes=1)
    inputs = {}
    outputs = {}

    def run(self) -> dict[str, int]:
        return {}
