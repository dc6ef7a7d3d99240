"""The tasks of the run: their effects are lines in the diary."""

from __future__ import annotations

from benchmarks.soak.diary import FINISHED, STARTED, await_kill, note
from serverless_tasks import Task
from serverless_tasks.params import BooleanParameter, IntParameter, ListParameter


class Soak(Task):
    """Does one thing that can be counted; when doomed, its first attempt waits to be killed before that."""

    name = "soak"
    inputs = {"number": IntParameter(), "doomed": BooleanParameter()}
    outputs = {"number": IntParameter()}

    def run(self, number: int, doomed: bool) -> int:
        uuid, attempt = self.execution.uuid, self.execution.attempt
        note(STARTED, uuid, attempt)
        if doomed and attempt == 1:
            await_kill(uuid, attempt)
        note(FINISHED, uuid, attempt)
        return number


class Collect(Task):
    """Follows a group, and is given what its members have returned."""

    name = "soak-collect"
    inputs = {"numbers": ListParameter(IntParameter())}
    outputs = {"first": IntParameter(), "count": IntParameter()}

    def run(self, numbers: list[int]) -> dict[str, int]:
        uuid, attempt = self.execution.uuid, self.execution.attempt
        note(STARTED, uuid, attempt)
        note(FINISHED, uuid, attempt)
        return {"first": min(numbers), "count": len(set(numbers))}
