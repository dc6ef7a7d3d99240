"""Tasks for tests of groups and chains, in the styles that there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from serverless_tasks import Task, TaskError
from serverless_tasks.params import IntParameter, ListParameter, Parameter, StringParameter

UNLUCKY = 13


class Square(Task):
    """Fails for one number."""

    name = "square"
    inputs = {"n": IntParameter()}
    outputs = {"square": IntParameter()}

    def run(self, n: int) -> int:
        if n == UNLUCKY:
            raise TaskError("unlucky")
        return n * n


class Total(Task):
    """Follows a group."""

    name = "total"
    inputs = {"numbers": ListParameter(Parameter())}
    outputs = {"total": IntParameter(), "missing": IntParameter()}

    def run(self, numbers: list[int | None]) -> dict[str, int]:
        known = [number for number in numbers if number is not None]
        return {"total": sum(known), "missing": len(numbers) - len(known)}


class Words(BaseModel):
    text: str
    times: int = 1


class Repeat(Task[Words]):
    """In pydantic style; its output is `result`."""

    name = "repeat"

    def run(self) -> str:
        return self.params.text * self.params.times


class Pages(Task):
    """Reads the group before it by itself."""

    name = "pages"
    outputs = {"found": ListParameter(Parameter()), "members": Parameter()}

    def run(self) -> dict[str, Any]:
        assert self.group is not None
        return {"found": list(self.group.results()), "members": self.group.members.to_json()}


class Works(Task):
    """Lets a test do something while it runs, and then hears whether it was cancelled."""

    name = "works"
    inputs = {"n": IntParameter(required=False)}
    meanwhile: Callable[[], object] = staticmethod(lambda: None)

    def run(self, n: int | None = None) -> None:
        type(self).meanwhile()
        self.check_cancelled()


class Only(Task):
    """One job of the same inputs at a time."""

    name = "only"
    unique = True
    inputs = {"n": IntParameter()}
    outputs = {"run": IntParameter()}
    runs: list[int] = []

    def run(self, n: int) -> int:
        self.runs.append(n)
        if n == UNLUCKY:
            raise TaskError("unlucky")
        return len(self.runs)


class Login(Task):
    """Takes a secret."""

    name = "login"
    inputs = {"password": StringParameter(secret=True), "user": StringParameter(required=False)}
    outputs = {"letters": IntParameter()}

    def run(self, password: Any, user: str = "") -> int:
        return len(password.get_secret_value())


TASKS = (Square, Total, Repeat, Pages, Works, Only, Login)
