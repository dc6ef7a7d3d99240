"""Tasks that do what their inputs say, one step after another, and tell the world that they ran."""

from __future__ import annotations

import threading
from typing import Any

from serverless_tasks import Task, TaskError
from serverless_tasks.params import (
    DictParameter,
    ListParameter,
    NumberParameter,
    Parameter,
    StringParameter,
)
from tests.chaos.audit import Run
from tests.chaos.world import FUNCTION_TIMEOUT, world

LARGE = 20_000
HUGE = 400_000
SHORT = 0.03


class Steps(Task):
    """Does the steps of the run that it is in: ``{"1": "tell fail", "*": "tell"}``."""

    name = "steps"
    inputs = {"plan": DictParameter(), "filler": StringParameter(required=False)}
    outputs = {"run": NumberParameter(), "filler": StringParameter(required=False)}

    def run(self, plan: dict[str, str], filler: str = "") -> dict[str, Any]:
        """Begin, do the steps, say which run this was."""
        here = world()
        number = here.clock.now()
        run = here.audit.begin(self.execution.uuid, self.execution.attempt, round(number * 1000))
        outputs: dict[str, Any] = {"run": run.number}
        for step in plan.get(str(run.number), plan.get("*", "")).split():
            getattr(self, f"_{step}")(run, outputs)
        return outputs

    def _tell(self, run: Run, outputs: dict[str, Any]) -> None:
        """Report progress, and wait until that has been written."""
        self.inc_progress()
        run.told.append(f"run {run.number} is at {self.execution.progress.progress}")
        self.add_message(run.told[-1])
        world().clock.settle()
        world().clock.move(1.1)
        world().clock.settle()

    def _listen(self, run: Run, outputs: dict[str, Any]) -> None:
        """Ask whether to stop."""
        self.check_cancelled()

    def _fail(self, run: Run, outputs: dict[str, Any]) -> None:
        raise TaskError(f"run {run.number} failed")

    def _break(self, run: Run, outputs: dict[str, Any]) -> None:
        raise RuntimeError(f"run {run.number} broke")

    def _later(self, run: Run, outputs: dict[str, Any]) -> None:
        """Ask for another attempt in two hours, past what SQS can hold back."""
        self.retry(after=7200)

    def _soon(self, run: Run, outputs: dict[str, Any]) -> None:
        self.retry(after=30)

    def _hang(self, run: Run, outputs: dict[str, Any]) -> None:
        """Run longer than allowed."""
        threading.Event().wait(10)

    def _large(self, run: Run, outputs: dict[str, Any]) -> None:
        outputs["filler"] = "x" * LARGE

    def _huge(self, run: Run, outputs: dict[str, Any]) -> None:
        outputs["filler"] = "x" * HUGE

    def _cancel(self, run: Run, outputs: dict[str, Any]) -> None:
        """Somebody cancels this job now."""
        world().cancel(run.uuid)

    def _cancel_group(self, run: Run, outputs: dict[str, Any]) -> None:
        """Somebody cancels the group of this job now."""
        here = world()
        here.cancel(str(here.read(run.uuid).group))  # type: ignore[union-attr]

    def _duplicate(self, run: Run, outputs: dict[str, Any]) -> None:
        """The queue delivers this job's message a second time, to another worker."""
        here = world()
        queue = here.queues["default"]
        for held in list(queue.messages):
            if run.uuid in held.body:
                queue.duplicate(held)
                here.deliver(queue)
                return

    def _overrun(self, run: Run, outputs: dict[str, Any]) -> None:
        """Stand still until long past the lease, while others go on, as a process does that was paused."""
        world().clock.move(FUNCTION_TIMEOUT + 5)
        world().clock.settle()
        world().drain(within=1000)


class Retried(Steps):
    """The same, with retries."""

    name = "retried"
    retries = 2


class Hurried(Steps):
    """The same, with hardly any time."""

    name = "hurried"
    timeout = SHORT


class Once(Steps):
    """The same, and never twice."""

    name = "once"
    on_lost = "fail"


class Unique(Steps):
    """The same, one job of the same inputs at a time."""

    name = "unique"
    unique = True


class Gather(Task):
    """Follows a group, and takes what its members give."""

    name = "gather"
    inputs = {"runs": ListParameter(Parameter())}
    outputs = {"run": NumberParameter(), "runs": ListParameter(Parameter())}

    def run(self, runs: list[Any]) -> dict[str, Any]:
        """Begin, and say what there was."""
        here = world()
        run = here.audit.begin(self.execution.uuid, self.execution.attempt, round(here.clock.now() * 1000))
        return {"run": run.number, "runs": runs}


TASKS = (Steps, Retried, Hurried, Once, Unique, Gather)
