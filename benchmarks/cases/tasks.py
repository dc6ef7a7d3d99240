"""Tasks that do nothing, or wait: what is measured is what surrounds them."""

from __future__ import annotations

import os
import time
from typing import Any, Final

from serverless_tasks import Task
from serverless_tasks.params import DictParameter, ListParameter, NumberParameter, StringParameter

# Seconds that a task takes which waits for something.
PAUSE: Final = float(os.environ.get("BENCH_PAUSE", "0.02"))


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


class People(Task):
    """Takes records, and does nothing."""

    name = "people"
    inputs = {"people": DictParameter()}

    def run(self, people: list[Any]) -> Any:
        return None


class Pause(Task):
    """Waits, as for an answer, and returns a number."""

    name = "pause"
    inputs = {"number": NumberParameter()}
    outputs = {"number": NumberParameter()}

    def run(self, number: int) -> int:
        time.sleep(PAUSE)
        return number
