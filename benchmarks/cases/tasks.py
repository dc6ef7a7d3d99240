"""Tasks that do nothing: what is measured is what surrounds them."""

from __future__ import annotations

from typing import Any

from serverless_tasks import Task
from serverless_tasks.params import ListParameter, NumberParameter


class Noop(Task):
    """Does nothing."""

    name = "noop"
    inputs = {"numbers": ListParameter(NumberParameter())}

    def run(self, numbers: list[float]) -> Any:
        return None
