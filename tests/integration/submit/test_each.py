"""A group of one task by its name, without its code, by the manifest of the deployed build."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from serverless_tasks import InvalidInputs, Task, TaskClient
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.definition.registry import Registry
from serverless_tasks.engine.services import Services, use
from serverless_tasks.engine.submit.each import Continuation, submit_each
from serverless_tasks.engine.submit.groups import GroupHandle
from serverless_tasks.engine.submit.options import Options
from serverless_tasks.errors import WorkflowError
from serverless_tasks.params import IntParameter, ListParameter, StringParameter
from serverless_tasks.workflow import group, results
from tests.support.clock import FakeClock


class Charge(Task):
    name = "charge"
    queue = "low"
    unique = True
    inputs = {"order": IntParameter(), "card": StringParameter(secret=True, required=False)}

    def run(self, order: int, card: str = "") -> None: ...


class Report(Task):
    name = "report"
    priority = 1
    inputs = {
        "title": StringParameter(),
        "orders": ListParameter(IntParameter()),
        "token": StringParameter(secret=True, required=False),
    }

    def run(self, title: str, orders: list[int], token: str = "") -> None: ...


@pytest.fixture
def script(config: Config, clock: FakeClock) -> Iterator[Services]:
    """A script that has no task's code, beside a worker that has written the manifest."""
    registry = Registry()
    for task in (Charge, Report):
        registry.add(task)
    Services(config, clock=clock, registry=registry).build_record.write_once()
    with use(Services(config, clock=clock, registry=Registry())) as services:
        yield services


def each(script: Services, *inputs: Any, then: Continuation | None = None) -> GroupHandle:
    return submit_each(script, "charge", list(enumerate(inputs, 1)), Options(), empty=group(), then=then)


def sent(config: Config, queue: str) -> list[Any]:
    answer = session.client("sqs").receive_message(
        QueueUrl=config.queue_urls[queue], MaxNumberOfMessages=10, VisibilityTimeout=0
    )
    return [json.loads(message["Body"]) for message in answer.get("Messages", ())]


def test_members_are_sent_as_the_deployed_build_says(script: Services, config: Config) -> None:
    handle = each(script, {"order": 1, "card": "4111"}, {"order": 2})

    messages = sorted(sent(config, "low"), key=lambda message: message["member"]["index"])
    assert [message["inputs"] for message in messages] == [{"order": 1, "card": "4111"}, {"order": 2}]
    assert {message["member"]["group"] for message in messages} == {handle.uuid}
    first = script.store.job(messages[0]["uuid"])
    assert first is not None
    assert (first.secrets, first.inputs["card"]) == (("card",), "**********")


def test_a_unique_task_s_same_line_follows_the_first(script: Services, config: Config) -> None:
    each(script, {"order": 1}, {"order": 1})
    first, second = sorted(sent(config, "low"), key=lambda message: message["member"]["index"])
    assert (first.get("follows"), second["follows"]) == (None, first["uuid"])


def test_lines_are_checked_by_the_deployed_schema(script: Services, config: Config) -> None:
    with pytest.raises(InvalidInputs, match=r"line 2, order: a list does not fit.*line 3, other: is not"):
        each(script, {"order": 1}, {"order": [2]}, {"order": 3, "other": 4})
    assert sent(config, "low") == []


def test_what_follows_is_checked_but_for_its_references(script: Services, config: Config) -> None:
    following = Continuation(task="report", inputs={"title": "June", "orders": results["order"]})
    handle = each(script, {"order": 1}, then=following)

    plan = script.store.job(handle.uuid)
    assert plan is not None
    assert plan.inputs["then"] == {
        "task": "report",
        "queue": "high",
        "inputs": {"title": "June"},
        "references": {"orders": ["results", "order"]},
    }
    for inputs, reason in (
        ({"orders": results["order"]}, "title: Field required"),
        ({"title": "June", "orders": results["order"], "when": results["when"]}, "when: is not an input"),
    ):
        with pytest.raises(InvalidInputs, match=reason):
            each(script, {"order": 1}, then=Continuation(task="report", inputs=inputs))


def test_what_follows_takes_no_secret(script: Services) -> None:
    inputs = {"title": "June", "orders": [], "token": "secret"}
    with pytest.raises(WorkflowError, match="'token' of task 'report' is secret"):
        each(script, {"order": 1}, then=Continuation(task="report", inputs=inputs))


def test_a_script_waits_for_a_group_and_cancels_it(script: Services) -> None:
    handle = each(script, {"order": 1})
    client = TaskClient(services=script)
    assert client.get(handle.uuid).to_json()["members"]["total"] == 1
    assert client.cancel(handle.uuid).cancel_requested
