"""What the example's tasks do not do; it travels in the artefact of the deployed tests."""

import os
import signal
import time
from contextlib import suppress

from pydantic import BaseModel

from serverless_tasks import Task, TaskError, cron
from serverless_tasks.params import IntParameter, ListParameter, Parameter, StringParameter


class Words(BaseModel):
    text: str
    times: int = 1


class Repeated(BaseModel):
    text: str


class Repeat(Task[Words]):
    """Makes a text as long as one likes, past what a message or an item holds."""

    name = "repeat"
    queue = "low"

    def run(self) -> Repeated:
        return Repeated(text=self.params.text * self.params.times)


class Refuse(Task):
    """Fails in a way that its user may read."""

    name = "refuse"
    inputs = {}
    outputs = {}

    def run(self):
        raise TaskError("this one never works")


class Quick(Task):
    """Is done at once; a run that is nearly over can still begin it."""

    name = "quick"
    inputs = {"text": StringParameter(required=False)}
    outputs = {}
    timeout = 1

    def run(self, text=""):
        return {}


class Stubborn(Quick):
    """Outlives every limit but the function's own, in its first attempt."""

    name = "stubborn"
    inputs = {}

    def run(self):
        while self.execution.attempt == 1:
            with suppress(BaseException):
                time.sleep(60)
        return {}


class KillWorker(Task):
    """Kills the process that runs it, in so many attempts."""

    name = "kill-worker"
    inputs = {"deaths": IntParameter()}
    outputs = {}

    def run(self, deaths):
        if self.execution.attempt <= deaths:
            os.kill(os.getpid(), signal.SIGKILL)
        return {}


class SecondTry(Task):
    """Works at the second attempt."""

    name = "second-try"
    inputs = {}
    outputs = {}
    retries = 1

    def run(self):
        if self.execution.attempt == 1:
            raise RuntimeError("the first attempt never works")
        return {}


class Busy(Task):
    """Takes so many seconds, and asks meanwhile whether it was cancelled."""

    name = "busy"
    inputs = {"seconds": IntParameter()}
    outputs = {}

    def run(self, seconds):
        self.check_cancelled()
        time.sleep(seconds)
        return {}


class Parent(Task):
    """Submits other jobs and gives their ids; of a single one it reads the record."""

    name = "parent"
    inputs = {"children": IntParameter(), "size": IntParameter()}
    outputs = {"uuids": ListParameter(StringParameter())}

    def run(self, children, size):
        handles = Quick.submit_many([{"text": "x" * size}] * children)
        if children == 1:
            handles[0].refresh()
        return [handle.uuid for handle in handles]


class Yearly(Task):
    """Runs by itself; its times are so rare that none comes while the tests run."""

    name = "yearly"
    inputs = {"greeting": StringParameter()}
    outputs = {"said": StringParameter()}
    schedule = cron("0 6 29 2 ? *", zone="Europe/Vienna")
    schedule_inputs = {"greeting": "good morning"}

    def run(self, greeting):
        return f"{greeting}, it is {self.execution.scheduled:%Y-%m-%d %H:%M}"


class Later(Task):
    """Submits another task, for later."""

    name = "later"
    inputs = {}
    outputs = {"uuid": StringParameter()}

    def run(self):
        return Refuse.options(delay=7200).submit().uuid


class Number(Quick):
    """Gives back a number; below zero there is none."""

    name = "number"
    inputs = {"number": IntParameter()}
    outputs = {"number": IntParameter()}

    def run(self, number):
        if number < 0:
            raise TaskError("no number")
        return number


class Total(Quick):
    """Follows a group of numbers."""

    name = "total"
    inputs = {"numbers": ListParameter(Parameter()), "text": StringParameter(required=False)}
    outputs = {"total": IntParameter(), "members": IntParameter(), "failed": IntParameter()}

    def run(self, numbers, text=""):
        members = self.group.members
        return {
            "total": sum(number or 0 for number in numbers),
            "members": sum(1 for _ in self.group.results()),
            "failed": members.failed,
        }
