"""Submitting a task by its name, without its code, by the manifest of the deployed build."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from serverless_tasks import InvalidInputs, Task, TaskClient
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.definition.manifest.deployed import FRESH
from serverless_tasks.engine.definition.registry import Registry
from serverless_tasks.engine.services import Services, use
from serverless_tasks.errors import UnknownOption
from serverless_tasks.params import IntParameter, StringParameter
from tests.support.calls import counted_calls
from tests.support.clock import FakeClock


class Charge(Task):
    """Charges a card."""

    name = "charge"
    queue = "low"
    unique = True
    inputs = {"order": IntParameter(), "card": StringParameter(secret=True, required=False)}

    def run(self, order: int, card: str = "") -> None: ...


class Note(BaseModel):
    text: str
    times: int = 1
    token: SecretStr | None = None


class Remind(Task[Note]):
    name = "remind"
    priority = 1
    unique = True

    def run(self) -> None: ...


def deployment(config: Config, clock: FakeClock, *tasks: type[Task]) -> Services:
    registry = Registry()
    for task in tasks:
        registry.add(task)
    return Services(config, clock=clock, registry=registry)


@pytest.fixture
def deployed(config: Config, clock: FakeClock) -> Services:
    """A worker's services, which has written the manifest."""
    services = deployment(config, clock, Charge, Remind)
    services.build_record.write_once()
    return services


@pytest.fixture
def script(deployed: Services, config: Config, clock: FakeClock) -> Iterator[TaskClient]:
    """A script that has no task's code."""
    with use(Services(config, clock=clock, registry=Registry())) as services:
        yield TaskClient(services=services)


def sent(config: Config, queue: str) -> list[Any]:
    answer = session.client("sqs").receive_message(
        QueueUrl=config.queue_urls[queue], MaxNumberOfMessages=10, VisibilityTimeout=0
    )
    return [json.loads(message["Body"]) for message in answer.get("Messages", ())]


@pytest.mark.parametrize(
    ("task", "inputs", "queue"),
    [("charge", {"order": 5}, "low"), ("remind", {"text": "x"}, "high")],
)
def test_a_job_goes_to_the_tasks_own_queue(
    script: TaskClient, config: Config, task: str, inputs: dict[str, Any], queue: str
) -> None:
    handle = script.submit(task, **inputs)
    assert [message["uuid"] for message in sent(config, queue)] == [handle.uuid]


@pytest.mark.parametrize(
    ("options", "queue"),
    [({"queue": "high"}, "high"), ({"priority": 0}, "default"), ({"priority": 1}, "high")],
)
def test_what_the_submission_says_counts_before_the_task(
    script: TaskClient, config: Config, options: dict[str, Any], queue: str
) -> None:
    [handle] = script.submit_many("charge", [{"order": 5}], **options)
    assert [message["uuid"] for message in sent(config, queue)] == [handle.uuid]


def test_secrets_are_masked_in_the_table(script: TaskClient, config: Config) -> None:
    handle = script.submit("charge", order=5, card="4711 0815")
    job = script._services.store.job(handle.uuid)
    assert job is not None
    assert (job.secrets, job.inputs) == (("card",), {"order": 5, "card": "**********"})
    [message] = sent(config, "low")
    assert (message["secrets"], message["inputs"]["card"]) == (["card"], "4711 0815")


def test_one_job_of_a_unique_task_lives_however_it_is_submitted(
    script: TaskClient, deployed: Services
) -> None:
    by_name = script.submit("charge", order=5)
    assert script.submit("charge", order=5).uuid == by_name.uuid
    assert TaskClient(services=deployed).submit(Charge, order=5).uuid == by_name.uuid
    by_class = TaskClient(services=deployed).submit(Remind, text="x")
    assert script.submit("remind", text="x", times=1, token=None).uuid == by_class.uuid
    [other] = script.submit_many("charge", [{"order": 5}], unique=False)
    assert other.uuid != by_name.uuid


def test_a_unique_task_is_tracked(script: TaskClient) -> None:
    with pytest.raises(UnknownOption, match="jobs of task 'charge' are unique"):
        script.submit_many("charge", [{"order": 5}], track=False)


def test_inputs_are_checked_before_anything_is_sent(script: TaskClient, config: Config) -> None:
    with pytest.raises(InvalidInputs) as refusal:
        script.submit_many("charge", [{"order": 5}, {"card": [1], "more": 2}])
    assert [each.field for each in refusal.value.fields] == ["more", "order", "card"]
    assert sent(config, "low") == []


def test_the_manifest_is_read_once_a_process(script: TaskClient) -> None:
    with counted_calls("dynamodb") as first:
        script.submit_many("charge", [{"order": 1}], unique=False)
    with counted_calls("dynamodb") as second:
        script.submit_many("charge", [{"order": 2}], unique=False)
    assert dict(first - second) == {"GetItem": 1}
    assert "GetItem" not in second


def test_before_inputs_are_refused_a_newer_build_is_looked_for(
    script: TaskClient, config: Config, clock: FakeClock
) -> None:
    script.submit("charge", order=5)

    class Renewed(Charge):
        name = "charge"
        inputs = {**Charge.inputs, "tip": IntParameter(required=False)}

        def run(self, order: int, card: str = "", tip: int = 0) -> None: ...

    clock.move(FRESH)
    deployment(config, clock, Renewed).build_record.write_once()
    assert script.submit("charge", order=6, tip=1).published


def test_a_task_that_the_manifest_has_not_is_sent_with_a_warning(
    script: TaskClient, config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        handle = script.submit("elsewhere", anything=1)
    assert [message["uuid"] for message in sent(config, "default")] == [handle.uuid]
    assert "the manifest of the deployed build does not have it" in caplog.text


def test_a_class_that_is_here_is_used_as_it_is(deployed: Services, config: Config, clock: FakeClock) -> None:
    class Newer(Charge):
        name = "charge"
        queue = "high"
        inputs = {"invoice": IntParameter()}

        def run(self, invoice: int) -> None: ...

    client = TaskClient(services=deployment(config, clock, Newer))
    with counted_calls("dynamodb") as calls:
        handle = client.submit("charge", invoice=1)
        assert client.submit(Newer, invoice=1).uuid == handle.uuid
    assert [message["inputs"] for message in sent(config, "high")] == [{"invoice": 1}]
    assert calls["GetItem"] <= 1  # the lock's owner, and no manifest


def test_an_ended_job_is_submitted_again_by_the_manifest(
    script: TaskClient, deployed: Services, config: Config
) -> None:
    first = script.submit("remind", text="x")
    script.cancel(first.uuid)
    again = script.retry(first.uuid)
    assert again.uuid != first.uuid
    assert script.submit("remind", text="x").uuid == again.uuid


class RemindOfNow(Remind):
    name = "note.remind"
    aliases = ("remind",)
    unique = False


def test_a_renamed_task_is_submitted_under_its_present_name(
    config: Config, clock: FakeClock, script: TaskClient
) -> None:
    renamed = deployment(config, clock, RemindOfNow)
    renamed.build_record.write_once()
    handle = script.submit("remind", text="x")
    [body] = sent(config, "high")
    assert (body["uuid"], body["task"]) == (handle.uuid, "note.remind")
    tasks = script.services.deployed_tasks
    assert tasks.names_of("remind") == tasks.names_of("note.remind") == ("note.remind", "remind")
    assert set(tasks.names()) == {"note.remind", "remind"}
