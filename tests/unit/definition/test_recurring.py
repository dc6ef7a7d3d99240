"""Ticks: what a schedule sends, and what becomes of it."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import BaseModel

from serverless_tasks import Task, cron, rate
from serverless_tasks.engine.definition.recurring import (
    SCHEDULED_TIME,
    recurring_of,
    recurring_schedules,
    schedule_name,
)
from serverless_tasks.engine.definition.registry import Registry
from serverless_tasks.engine.job.message import RETENTION, SCHEDULER_TRIES, Message
from serverless_tasks.errors import AwsError, MessageUndecodable, PayloadTooLarge, TaskDefinitionError
from serverless_tasks.params import IntParameter, StringParameter
from serverless_tasks.testing import RecordedTasks, recorded

SIX = datetime(2026, 1, 5, 6, tzinfo=UTC)


class Report(Task):
    name = "report"
    inputs = {"kind": StringParameter(), "days": IntParameter(required=False)}
    outputs = {"of": StringParameter()}
    schedule = cron("0 6 * * ? *", zone="Europe/Vienna")
    schedule_inputs = {"kind": "<aws.scheduler.attempt-number>", "days": 7}
    queue, retries = "low", 1
    failing = 0

    def run(self, kind: str, days: int = 1) -> str:
        if self.execution.attempt <= Report.failing:
            raise ValueError("not yet")
        assert self.execution.scheduled is not None
        return f"{kind} {self.execution.scheduled.isoformat()}"


class Window(BaseModel):
    since: datetime


class Sweep(Task[Window]):
    name = "sweep"
    schedule = rate(minutes=5)
    schedule_inputs = Window(since=SIX)
    overlap = "allow"
    retries = 1

    def run(self) -> None:
        if self.execution.attempt == 1:
            raise ValueError("not yet")


@pytest.fixture
def jobs() -> Iterator[RecordedTasks]:
    Report.failing = 0
    with recorded(Report, Sweep) as jobs:
        yield jobs


def registry(*tasks: type[Task]) -> Registry:
    made = Registry()
    for task in tasks:
        made.add(task)
    return made


def with_inputs(given: Any) -> type[Task]:
    return type("Other", (Report,), {"name": "other", "schedule_inputs": given})


def test_a_tick_is_the_job_of_its_time(jobs: RecordedTasks) -> None:
    message = jobs.fire(Report, at=SIX)

    assert (message.task, message.queue, message.schedule) == ("report", "low", schedule_name("report"))
    assert message.inputs == {"kind": "<aws.scheduler.attempt-number>", "days": 7}
    assert message.created == SIX.timestamp() * 1000
    assert message.expires == message.created + (SCHEDULER_TRIES + RETENTION) * 1000


def test_the_same_time_is_the_same_job_however_it_is_written_and_another_is_another() -> None:
    declared = recurring_of(registry(Report), Report)
    texts = ["2026-01-05T06:00:00Z", "2026-01-05T06:00:00.000Z", "2026-01-05T07:00:00+01:00"]
    equal_after_json = {Message.decode(declared.tick(text)).uuid for text in texts}
    other = Message.decode(declared.tick("2026-01-05T06:05:00Z")).uuid

    assert equal_after_json == {
        "1647696f-fcc3-54f2-9e4d-f4b83f0d8303"
    }  # changed, it would run again what has run
    assert other not in equal_after_json
    assert equal_after_json.isdisjoint(
        {Message.decode(recurring_of(registry(Sweep), Sweep).tick(texts[0])).uuid}
    )


def test_only_the_scheduled_time_is_left_for_the_scheduler_to_fill_in() -> None:
    declared = recurring_of(registry(Report), Report)

    assert declared.body.count("<aws.scheduler.") == 1
    assert f'"scheduled":"{SCHEDULED_TIME}"' in declared.body


@pytest.mark.parametrize("scheduled", ["", "soon", "2026-01-05T06:00:00", 5, None, SCHEDULED_TIME])
def test_a_tick_without_a_time_is_no_message(scheduled: Any) -> None:
    body = json.loads(recurring_of(registry(Report), Report).body) | {"scheduled": scheduled}

    with pytest.raises(MessageUndecodable):
        Message.decode(json.dumps(body))


@pytest.mark.parametrize("schedule", ["", 5, None, "\ud800"])
def test_a_tick_without_a_schedule_is_no_message(schedule: Any) -> None:
    body = json.loads(recurring_of(registry(Report), Report).tick("2026-01-05T06:00:00Z"))

    with pytest.raises(MessageUndecodable):
        Message.decode(json.dumps(body | {"schedule": schedule}))


def test_a_tick_is_run_listed_and_knows_its_time(jobs: RecordedTasks) -> None:
    jobs.clock.move(SIX.timestamp() - jobs.clock.now() + 30)
    message = jobs.fire(Report, at=SIX)

    assert [outcome.status for outcome in jobs.run_due()] == ["succeeded"]
    record = jobs.record(message.uuid)
    assert record.outputs == {"of": "<aws.scheduler.attempt-number> 2026-01-05T06:00:00+00:00"}
    listed = jobs.services.store.list_tasks(["report"]).records
    assert [each.uuid for each in listed] == [message.uuid]


def test_a_schedule_that_fires_twice_runs_once(jobs: RecordedTasks) -> None:
    first, second = (
        jobs.fire(Report, at=SIX),
        jobs.fire(Report, at=SIX.astimezone(timezone(timedelta(hours=2)))),
    )

    assert first == second
    assert [outcome.status for outcome in jobs.drain()] == ["succeeded", "ended"]


def test_a_tick_that_fails_is_retried_as_any_job_and_keeps_its_time(jobs: RecordedTasks) -> None:
    Report.failing = 1
    message = jobs.fire(Report, at=SIX)

    assert [outcome.status for outcome in jobs.drain()] == ["pending", "succeeded"]
    assert jobs.record(message.uuid).outputs["of"].endswith("2026-01-05T06:00:00+00:00")


def test_a_time_at_which_the_run_before_has_not_ended_is_skipped_and_says_so(jobs: RecordedTasks) -> None:
    Report.failing = 1
    jobs.clock.move(SIX.timestamp() - jobs.clock.now())
    first = jobs.fire(Report)
    assert [outcome.status for outcome in jobs.run_due()] == ["pending"]

    second = jobs.fire(Report, at=SIX - timedelta(hours=1))
    assert [outcome.status for outcome in jobs.run_due()] == ["cancelled"]

    record = jobs.record(second.uuid)
    assert (record.status, record.error) == (
        "cancelled",
        {
            "type": "Skipped",
            "message": "The schedule fired while an earlier run of the task had not ended.",
        },
    )
    jobs.drain()
    assert jobs.record(first.uuid).status == "succeeded"
    third = jobs.fire(Report, at=SIX + timedelta(days=1))
    jobs.drain()
    assert jobs.record(third.uuid).status == "succeeded"


def test_runs_may_overlap_where_the_task_allows_it(jobs: RecordedTasks) -> None:
    jobs.clock.move(SIX.timestamp() - jobs.clock.now())
    jobs.fire(Sweep)
    jobs.fire(Sweep, at=SIX - timedelta(minutes=5))

    assert [outcome.status for outcome in jobs.run_due()] == ["pending", "pending"]


def test_a_job_that_somebody_submits_is_in_no_schedules_way(jobs: RecordedTasks) -> None:
    Report.failing = 1
    jobs.clock.move(SIX.timestamp() - jobs.clock.now())
    jobs.fire(Report)
    jobs.run_due()
    Report.failing = 0

    handle = Report.submit(kind="x")
    jobs.run_due()

    assert (handle.refresh().status, handle.record.attempt) == ("pending", 1)  # it was run, and has no time


def test_a_tick_whose_turn_cannot_be_asked_for_goes_back_and_has_cost_no_attempt(
    jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    def throttled(name: str, uuid: str) -> bool:
        raise AwsError("dynamodb.put_item", "ThrottlingException", "slow down", applied=False)

    message = jobs.fire(Report, at=datetime.fromtimestamp(jobs.clock.now(), UTC))
    with monkeypatch.context() as patched:
        patched.setattr(jobs.services.locks, "acquire", throttled)
        with pytest.raises(AwsError):
            jobs.services.runner.execute(message)

    record = jobs.record(message.uuid)
    assert (record.status, record.attempt) == ("pending", 0)
    assert [outcome.status for outcome in jobs.drain()] == ["succeeded"]


def test_a_time_that_is_to_come_is_waited_for(jobs: RecordedTasks) -> None:
    jobs.fire(Report, at=SIX)

    assert jobs.run_due() == []
    jobs.drain()
    assert jobs.clock.now() == SIX.timestamp()


def test_a_task_without_a_schedule_does_not_fire(jobs: RecordedTasks) -> None:
    with pytest.raises(TaskDefinitionError, match="has no schedule"):
        jobs.fire(type("Plain", (Task,), {"run": lambda self: None}))


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({}, "kind: Field required"),
        ({"kind": "x", "extra": 1}, "extra: Extra inputs"),
        (None, "must be an object"),
    ],
)
def test_inputs_that_do_not_fit_the_task_are_found_when_it_is_defined(inputs: Any, reason: str) -> None:
    with pytest.raises(TaskDefinitionError, match=r"Other\.schedule_inputs are invalid") as raised:
        registry(with_inputs(inputs)).definition("other")

    assert reason in str(raised.value)


def test_inputs_that_a_schedule_has_no_room_for_are_refused_with_their_size() -> None:
    large = with_inputs({"kind": "ä" * 150_000})

    with pytest.raises(PayloadTooLarge, match="schedule_inputs of task 'other'"):
        recurring_schedules(registry(large))


def test_the_declared_schedules_are_those_of_tasks_that_have_one() -> None:
    class Plain(Task):
        def run(self) -> None: ...

    names = [each.task for each in recurring_schedules(registry(Sweep, Plain, Report))]
    assert names == ["report", "sweep"]


@pytest.mark.parametrize("task", ["report", "shop.background.Nightly", "Bericht für März", "x" * 200, "日本"])
def test_a_schedules_name_is_one_that_the_scheduler_takes(task: str) -> None:
    name = schedule_name(task)

    assert re.fullmatch(r"[0-9a-zA-Z-_.]{1,64}", name)
    assert name != schedule_name(task + "x")
