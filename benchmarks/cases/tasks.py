"""Tasks that do nothing: what is measured is what surrounds them."""

from __future__ import annotations

from typing import Any

from serverless_tasks import Task
from serverless_tasks.params import ListParameter, NumberParameter, StringParameter


class Noop(Task):
    """Does nothing."""

    name = "noop"
    inputs = {"numbers": ListParameter(NumberParameter())}

    def run(self, numbers: list[float]) -> Any:
        return None


class Count(Task):
    """Counts its progress up, and does nothing else."""

    name = "count"
    inputs = {"times": NumberParameter()}

    def run(self, times: int) -> Any:
        for _ in range(times):
            self.inc_progress()


class Text(Task):
    """Takes a text, and does nothing."""

    name = "text"
    inputs = {"text": StringParameter()}

    def run(self, text: str) -> Any:
        return None
