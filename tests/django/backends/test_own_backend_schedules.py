"""What a backend of the project's own is given back that says a schedule has sent it."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from django_integration.own_backend import execute
from serverless_tasks import Task, rate, services
from serverless_tasks.engine.definition.recurring import recurring_of
from serverless_tasks.engine.job.message import Message
from serverless_tasks.errors import NotDue, UnknownSchedule
from serverless_tasks.testing import recorded


class Hourly(Task):
    name = "hourly"
    schedule = rate(hours=1)

    def run(self) -> None: ...


def tick(early: timedelta) -> str:
    """The message of a time that is so much ahead."""
    moment = datetime.fromtimestamp(services().clock.now(), UTC) + early
    return recurring_of(services().registry, Hourly).tick(f"{moment:%Y-%m-%dT%H:%M:%SZ}")


def test_one_that_is_due_is_run() -> None:
    with recorded(Hourly):
        text = tick(timedelta())
        execute(text)
        assert services().store.read(Message.decode(text).uuid).status == "succeeded"  # type: ignore[union-attr]


def test_one_before_its_time_is_refused_and_its_job_left_alone() -> None:
    with recorded(Hourly):
        text = tick(timedelta(hours=1))
        with pytest.raises(NotDue, match=r"fires 3,(599|600) seconds later"):
            execute(text)
        assert services().store.read(Message.decode(text).uuid) is None


@pytest.mark.parametrize("task", ["never.deployed", "mailing.notifications.EmailNotificationTask"])
def test_one_of_a_schedule_that_its_task_does_not_have_is_refused_and_its_job_left_alone(task: str) -> None:
    with recorded(Hourly):
        text = json.dumps(json.loads(tick(timedelta())) | {"task": task})
        with pytest.raises(UnknownSchedule, match=f"No deployed task '{task}' has a schedule"):
            execute(text)
        assert services().store.read(Message.decode(text).uuid) is None
