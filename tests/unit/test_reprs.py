"""What objects that users hold show of themselves: what they are, no addresses, no secrets."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from serverless_tasks import (
    Task,
    TaskClient,
    as_completed,
    chain,
    cron,
    group,
    previous,
    rate,
    results,
    services,
)
from serverless_tasks.params import (
    BooleanParameter,
    DictParameter,
    ListParameter,
    NumberParameter,
    StringParameter,
)
from serverless_tasks.testing import RecordedTasks, recorded


class Sum(Task):
    name = "sum"
    inputs = {
        "numbers": ListParameter(NumberParameter()),
        "password": StringParameter(required=False, secret=True),
    }
    outputs = {"sum": NumberParameter()}

    def run(self, numbers: list[float], password: Any = None) -> float:
        return sum(numbers)


class Params(BaseModel):
    token: SecretStr


class Sends(Task[Params]):
    name = "sends"

    def run(self) -> None: ...


REPRS: dict[str, tuple[Callable[[RecordedTasks], object], str]] = {
    "task": (lambda _: Sum(), "<Task sum>"),
    "handle": (lambda _: Sum.submit(numbers=[1]), "<Handle {uuid} sum pending>"),
    "group's handle": (
        lambda _: group(Sum.signature(numbers=[1])).submit(),
        "<GroupHandle {uuid} group pending>",
    ),
    "record": (lambda _: Sum.submit(numbers=[1]).record, "<Record {uuid} sum pending>"),
    "submission": (
        lambda _: Sum.options(delay=60, queue="low"),
        "<Submission sum Options(queue='low', delay=60)>",
    ),
    "signature": (lambda _: Sum.signature(numbers=previous["n"]), "sum(numbers=previous['n'])"),
    "secret input": (
        lambda _: Sum.signature(numbers=[1], password="hunter2"),
        "sum(numbers=[1], password=***)",
    ),
    "secret field": (lambda _: Sends.signature(token="hunter2"), "sends(token=***)"),
    "group": (
        lambda _: group((Sum.signature(numbers=[n]) for n in range(5)), name="sums"),
        "group(sum(numbers=[0]), sum(numbers=[1]), sum(numbers=[2]), ... 2 more, name='sums')",
    ),
    "chain": (lambda _: chain(Sum.signature(numbers=[1])), "chain(sum(numbers=[1]))"),
    "results": (lambda _: results["sum"][0], "results['sum'][0]"),
    "client": (lambda _: TaskClient(), "<TaskClient table=''>"),
    "services": (lambda _: services(), "<Services backend='RecordedTasks' table=''>"),
    "dead letters": (lambda _: TaskClient().dead_letters, "<DeadLetters bucket=''>"),
    "completed": (lambda _: as_completed([Sum.submit(numbers=[1])]), "<as_completed handles=1>"),
    "recorded": (lambda jobs: jobs, "<RecordedTasks submitted=0>"),
    "list": (lambda _: Sum.inputs["numbers"], "ListParameter(NumberParameter())"),
    "optional": (lambda _: Sum.inputs["password"], "StringParameter(required=False, secret=True)"),
    "boolean": (lambda _: BooleanParameter(), "BooleanParameter()"),
    "dictionary": (lambda _: DictParameter(required=False), "DictParameter(required=False)"),
    "cron": (
        lambda _: cron("0 6 * * ? *", zone="Europe/Vienna"),
        "Schedule(expression='cron(0 6 * * ? *)', zone='Europe/Vienna')",
    ),
    "rate": (lambda _: rate(hours=1), "Schedule(expression='rate(1 hour)', zone='UTC')"),
}


@pytest.mark.parametrize("name", REPRS)
def test_it_says_what_it_is(name: str) -> None:
    make, expected = REPRS[name]
    with recorded(Sum, Sends) as jobs:
        made = make(jobs)

        assert repr(made) == expected.replace("{uuid}", getattr(made, "uuid", ""))
