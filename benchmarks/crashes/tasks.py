"""A member of a group, and what follows the group."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from serverless_tasks import Task
from serverless_tasks.params import IntParameter, ListParameter

RUNS: Final[Counter[str]] = Counter()
"""How often each job that follows a group has run, by its id."""


class Member(Task):
    """Returns its number."""

    name = "member"
    inputs = {"number": IntParameter()}
    outputs = {"number": IntParameter()}

    def run(self, number: int) -> int:
        return number


class Gather(Task):
    """Is given the numbers of all members."""

    name = "gather"
    inputs = {"numbers": ListParameter(IntParameter())}

    def run(self, numbers: list[int]) -> Any:
        RUNS[self.execution.uuid] += 1
