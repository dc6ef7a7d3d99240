"""Jobs that are due later, and recurring ones, on the deployed stack with its policies enforced.

MiniStack fires schedules, but it does not put the time where EventBridge Scheduler puts it, so ticks are sent by hand.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from serverless_tasks.client.task_client import TaskClient
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.definition.recurring import SCHEDULED_TIME, task_schedule_name
from serverless_tasks.engine.definition.registry import Registry
from serverless_tasks.engine.definition.schedule_sync import apply, plan
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.job.record import Record
from serverless_tasks.errors import AwsError
from tests.e2e.deployed_tasks import Yearly
from tests.e2e.deployment import REGION, Stack, eventually, user

SECONDS = 45


@pytest.fixture(scope="session")
def deployer(stack: Stack) -> dict[str, str]:
    """Access keys of a user who holds SchedulesPolicy and nothing else."""
    return user(stack, "deployer", [], stack.outputs["SchedulesPolicyArn"])


@pytest.fixture
def as_deployer(
    client: TaskClient, deployer: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[TaskClient]:
    """The publisher's client, whose further calls the deployer makes."""
    for name, value in {**deployer, "AWS_DEFAULT_REGION": REGION}.items():
        monkeypatch.setenv(name, value)
    session.reset()
    yield client
    session.reset()


def schedules(stack: Stack) -> dict[str, Any]:
    scheduler, group = stack.client("scheduler"), stack.outputs["ScheduleGroupName"]
    names = [each["Name"] for each in scheduler.list_schedules(GroupName=group)["Schedules"]]
    return {name: scheduler.get_schedule(GroupName=group, Name=name) for name in names}


def of_job(stack: Stack, uuid: str) -> list[dict[str, Any]]:
    return [each for name, each in schedules(stack).items() if uuid in name]


def registry() -> Registry:
    made = Registry()
    made.add(Yearly)
    return made


def test_a_job_that_is_due_later_waits_in_the_stacks_group_and_can_be_cancelled(
    stack: Stack, client: TaskClient
) -> None:
    due = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
    [handle] = client.submit_many("sum", [{"numbers": [1]}], run_at=due)

    [schedule] = of_job(stack, handle.uuid)
    assert schedule["ScheduleExpression"] == f"at({due:%Y-%m-%dT%H:%M:%S})"
    assert schedule["Target"]["RoleArn"] == stack.outputs["SchedulerRoleArn"]
    assert client.get(handle.uuid).status == "pending"
    assert client.cancel(handle.uuid).status == "cancelled"


def test_its_schedule_brings_it_to_a_worker_and_is_gone(stack: Stack, client: TaskClient) -> None:
    services = client.services
    now = round(time.time() * 1000)
    message = Message(
        uuid="5f0f1c5e-6f34-4c26-9c5c-0d3f5a3f9b11",
        task="sum",
        inputs={"numbers": [40, 2]},
        created=now,
        expires=now + 3_600_000,
        run_at=now + 1000,
    )
    services.store.put_jobs([message])
    assert services.schedules.create(services.schedules.prepare([message])) == [None]
    assert services.schedules.create(services.schedules.prepare([message])) == [
        None
    ]  # said twice, it is there once

    record = eventually(lambda: (found := client.get(message.uuid)).ended and found, SECONDS)
    assert record.outputs == {"sum": 42}
    eventually(lambda: not of_job(stack, message.uuid), SECONDS)


@pytest.mark.parametrize("queued", [True, False])
def test_a_task_may_submit_another_for_later(stack: Stack, client: TaskClient, queued: bool) -> None:
    outputs = client.submit("later").wait(SECONDS) if queued else client.run("later")

    assert len(of_job(stack, outputs["uuid"])) == 1
    client.cancel(outputs["uuid"])


def test_a_publisher_may_not_touch_recurring_schedules(client: TaskClient) -> None:
    with pytest.raises(AwsError, match="AccessDenied"):
        plan(registry(), client.services.schedule_group)


def test_declared_schedules_are_deployed_once_and_a_tick_that_comes_twice_runs_once(
    stack: Stack, as_deployer: TaskClient
) -> None:
    group = as_deployer.services.schedule_group
    assert [change.action for change in plan(registry(), group)] == ["create"]
    apply(plan(registry(), group), group)
    assert [change.action for change in plan(registry(), group)] == ["keep"]

    target = schedules(stack)[task_schedule_name("yearly")]["Target"]
    due = datetime.now(UTC).replace(second=0)
    body = target["Input"].replace(SCHEDULED_TIME, f"{due:%Y-%m-%dT%H:%M:%SZ}")
    sqs = stack.client("sqs")
    url = sqs.get_queue_url(QueueName=target["Arn"].rsplit(":", 1)[-1])["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=body)
    uuid = Message.decode(body).uuid
    table = stack.client("dynamodb")

    def state() -> dict[str, Any] | None:
        key = {"pk": {"S": uuid}, "sk": {"S": "s#state"}}
        item = table.get_item(TableName=stack.outputs["TableName"], Key=key).get("Item")
        return item if item is not None and item["status"]["S"] != "running" else None

    ended = eventually(state, SECONDS)
    # Not before: one that comes while the other runs is hidden until that one's lease is over, for minutes.
    sqs.send_message(QueueUrl=url, MessageBody=body)
    assert (ended["status"]["S"], ended["attempt"]["N"]) == ("succeeded", "1")
    assert f"good morning, it is {due:%Y-%m-%d %H:%M}" in ended["outputs"]["S"]
    eventually(lambda: _is_empty(sqs, url), SECONDS)
    assert state() == ended

    apply(plan(Registry(), group), group)
    assert task_schedule_name("yearly") not in schedules(stack)


def test_what_the_scheduler_leaves_with_the_dead_letters_ends_with_its_reason(
    stack: Stack, client: TaskClient
) -> None:
    declared = plan(registry(), _Empty())[0].declared
    assert declared is not None
    due = f"{datetime.now(UTC) - timedelta(hours=24):%Y-%m-%dT%H:%M:%SZ}"
    stack.client("sqs").send_message(
        QueueUrl=stack.outputs["DeadLetterQueueUrl"],
        MessageBody=declared.body,
        MessageAttributes={
            name: {"DataType": "String", "StringValue": value}
            for name, value in {
                "ERROR_CODE": "AWS.SimpleQueueService.NonExistentQueue",
                "SCHEDULED_TIME": due,
            }.items()
        },
    )

    uuid = Message.decode(declared.tick(due)).uuid
    record = eventually(lambda: ended(client.services.store.read(uuid)), SECONDS)
    assert record is not None
    assert record.failure is not None
    assert (record.status, record.failure.type) == ("failed", "Undeliverable")
    assert "NonExistentQueue" in record.failure.message


def ended(record: Record | None) -> Record | None:
    """The record of a job that has ended: the handler keeps a tick's job before it settles it."""
    return record if record is not None and record.ended else None


class _Empty:
    """A group in which there is nothing, and nothing to be said about."""

    def deployed(self) -> list[Any]:
        return []

    def wanted(self, recurring: Any) -> dict[str, Any]:
        return {}

    def create(self, name: str, wanted: dict[str, Any]) -> None: ...

    def update(self, name: str, wanted: dict[str, Any], state: str) -> None: ...

    def delete(self, name: str) -> None: ...


def _is_empty(sqs: Any, url: str) -> bool:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return all(found[name] == "0" for name in names)
