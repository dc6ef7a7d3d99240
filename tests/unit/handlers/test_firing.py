"""Messages that say a schedule has sent them, written by hand by somebody who may send to the queue.

The id of a schedule's job can be worked out by anybody. Such a message must not keep the job of that time from running.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from lambda_handlers import dead_letter, worker
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.definition.recurring import recurring_of, task_schedule_name
from serverless_tasks.engine.definition.registry import Registry
from serverless_tasks.engine.job.message import RETENTION, SCHEDULER_TRIES, Message
from serverless_tasks.engine.worker.firing import LONGEST_HELD, SKEW
from tests.unit.handlers import tasks
from tests.unit.handlers.conftest import Context
from tests.unit.handlers.tasks import Again, Hourly, Slow, Sum

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC).timestamp()
HOUR = 3_600.0


class Time:
    """The time of the services, which stands still until it is set."""

    def __init__(self) -> None:
        self.seconds = NOON

    def now(self) -> float:
        return self.seconds


@pytest.fixture
def time(site: Any, monkeypatch: pytest.MonkeyPatch) -> Time:
    moved = Time()
    monkeypatch.setattr(site.services.clock, "now", moved.now)
    return moved


def as_the_schedule_sends_it(moment: float) -> dict[str, Any]:
    scheduled = f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%SZ}"
    tick: dict[str, Any] = json.loads(recurring_of(registry(), Hourly).tick(scheduled))
    return tick


def as_a_retry_is_sent(moment: float) -> dict[str, Any]:
    sent: dict[str, Any] = json.loads(Message.decode(json.dumps(as_the_schedule_sends_it(moment))).encode())
    return sent


def as_if_it_had_expired(moment: float) -> dict[str, Any]:
    return as_a_retry_is_sent(moment) | {"expires": 1}


FORMS = [as_the_schedule_sends_it, as_a_retry_is_sent, as_if_it_had_expired]


def registry() -> Registry:
    made = Registry()
    made.add_defined_in(tasks.__name__)
    return made


def uuid_of(moment: float) -> str:
    return Message.decode(json.dumps(as_the_schedule_sends_it(moment))).uuid


def items() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = session.client("dynamodb").scan(TableName="jobs")["Items"]
    return found


def letters(site: Any) -> list[tuple[str, str, str]]:
    return [
        (letter.id.split("/")[0], letter.task, letter.reason)
        for letter in site.services.dead_letter_store.all()
    ]


def runs_at_its_time(site: Any, time: Time, moment: float) -> None:
    """See that the real message of a time runs, with its first attempt."""
    time.seconds = moment
    site.put(json.dumps(as_the_schedule_sends_it(moment)))
    assert site.deliver(worker.handler) == []
    record = site.services.store.read(uuid_of(moment))
    assert (record.status, record.attempt) == ("succeeded", 1)
    assert tasks.begun == [datetime.fromtimestamp(moment, UTC)]


@pytest.mark.parametrize("form", FORMS)
def test_one_that_comes_early_is_held_back_until_its_time_and_then_is_that_job(
    site: Any, time: Time, form: Callable[[float], dict[str, Any]]
) -> None:
    body = json.dumps(form(NOON + HOUR))
    site.put(body)

    assert site.deliver(worker.handler) == [body]
    assert (site.hidden_for(), items(), tasks.begun) == ([3600], [], [])
    runs_at_its_time(site, time, NOON + HOUR)


@pytest.mark.parametrize("form", FORMS)
def test_one_for_a_day_that_is_far_off_is_kept_as_a_dead_letter_and_its_job_still_runs(
    site: Any, time: Time, form: Callable[[float], dict[str, Any]]
) -> None:
    later = NOON + 400 * 86_400
    site.put(json.dumps(form(later)))

    assert site.deliver(worker.handler) == []
    assert site.deliver(dead_letter.handler, "dead") == []
    assert (items(), tasks.begun) == ([], [])
    [(kind, task, reason)] = letters(site)
    assert (kind, task) == ("undecodable", "hourly")
    assert reason.endswith("fires 34,560,000 seconds later; its message came too early.")
    runs_at_its_time(site, time, later)


@pytest.mark.parametrize(("early", "held"), [(LONGEST_HELD, [LONGEST_HELD]), (LONGEST_HELD + 1, [])])
def test_it_is_held_for_as_long_as_a_queue_can_surely_hide_it(
    site: Any, time: Time, early: int, held: list[int]
) -> None:
    site.put(json.dumps(as_the_schedule_sends_it(NOON + early)))

    assert len(site.deliver(worker.handler)) == len(held)
    assert site.visibility[1:] == ([held] if held else [])


def test_a_clock_that_is_a_little_slow_makes_nothing_wait(site: Any, time: Time) -> None:
    time.seconds = NOON - SKEW
    site.put(json.dumps(as_the_schedule_sends_it(NOON)))

    assert site.deliver(worker.handler) == []
    assert site.services.store.read(uuid_of(NOON)).status == "succeeded"


@pytest.mark.parametrize(
    "forged",
    [
        {"task": "sum", "inputs": {"numbers": [1]}},
        {"task": "quiet"},
        {"schedule": task_schedule_name("other")},
        {"schedule": "somebody-elses"},
        {"task": "never.deployed"},
    ],
)
def test_one_for_a_task_that_has_not_that_schedule_goes_back_and_ends_as_a_letter_alone(
    site: Any, time: Time, forged: dict[str, Any]
) -> None:
    body = json.dumps(as_the_schedule_sends_it(NOON) | forged)
    site.put(body)

    assert site.deliver(worker.handler) == [body]
    assert (site.hidden_for(), items(), tasks.begun) == ([60], [], [])
    site.put(body, "dead")
    assert site.deliver(dead_letter.handler, "dead") == []
    assert items() == []
    [(kind, _, reason)] = letters(site)
    assert (kind, reason.split(" has")[0].split("'")[0]) == ("undecodable", "No deployed task ")
    runs_at_its_time(site, time, NOON)


@pytest.mark.parametrize("name", ["sum", "quiet"])
def test_a_task_without_a_schedule_is_not_run_by_one_of_its_own_name(
    site: Any, time: Time, name: str
) -> None:
    body = json.dumps(as_the_schedule_sends_it(NOON) | {"task": name, "schedule": task_schedule_name(name)})
    site.put(body)

    assert site.deliver(worker.handler) == [body]
    assert (site.hidden_for(), items(), tasks.begun) == ([60], [], [])
    site.put(body, "dead")
    assert site.deliver(dead_letter.handler, "dead") == []
    assert items() == []


def test_a_due_time_of_a_task_that_is_not_deployed_ends_as_failed_with_the_reason(
    site: Any, time: Time
) -> None:
    name = "gone"
    body = json.dumps(as_the_schedule_sends_it(NOON) | {"task": name, "schedule": task_schedule_name(name)})
    site.put(body, "dead")

    assert site.deliver(dead_letter.handler, "dead") == []
    assert site.services.store.read(Message.decode(body).uuid).error["type"] == "UnknownTask"


@pytest.mark.parametrize("form", FORMS)
def test_a_dead_letter_that_comes_before_its_time_settles_nothing(
    site: Any, time: Time, form: Callable[[float], dict[str, Any]]
) -> None:
    site.put(json.dumps(form(NOON + 60)), "dead")

    assert site.deliver(dead_letter.handler, "dead") == []
    assert (items(), len(letters(site))) == ([], 1)
    runs_at_its_time(site, time, NOON + 60)


def test_without_a_bucket_such_a_letter_waits_and_settles_nothing(site: Any, time: Time) -> None:
    site.services.config = replace(site.services.config, bucket="")
    body = json.dumps(as_the_schedule_sends_it(NOON + 60))
    site.put(body, "dead")

    assert site.deliver(dead_letter.handler, "dead") == [body]
    assert items() == []


@pytest.mark.parametrize("of", ["another time", "another schedule", "nothing"])
def test_one_whose_id_is_not_that_of_its_schedule_and_time_is_no_message(
    site: Any, time: Time, of: str
) -> None:
    forged: dict[str, dict[str, Any]] = {
        "another time": {"uuid": uuid_of(NOON + HOUR)},
        "another schedule": {"schedule": task_schedule_name("sum"), "task": "sum"},
        "nothing": {"uuid": "6f3f5cf2-0000-4000-8000-000000000001"},
    }
    body = json.dumps(as_a_retry_is_sent(NOON) | forged[of])
    site.put(body)

    assert site.deliver(worker.handler) == []
    assert site.deliver(dead_letter.handler, "dead") == []
    assert items() == []
    [(kind, _, reason)] = letters(site)
    assert kind == "undecodable"
    assert "the uuid of a schedule's job must be that of its time" in reason


@pytest.mark.parametrize("forged", [{}, {"schedule": task_schedule_name("other")}])
def test_the_job_of_one_is_not_claimed_ahead_of_its_turn_either(
    site: Any, time: Time, forged: dict[str, Any]
) -> None:
    job = Sum.submit(numbers=[1])
    event = site.event()
    record = event["Records"][0]
    body = json.dumps(as_the_schedule_sends_it(NOON + HOUR) | forged)
    event["Records"].append(record | {"messageId": "2", "receiptHandle": "2", "body": body})

    answer = worker.handler(event, Context())

    assert answer == {"batchItemFailures": [{"itemIdentifier": "2"}]}
    assert {item["pk"]["S"] for item in items()} == {job.uuid}


def test_one_that_is_held_back_takes_no_long_tasks_first_place(site: Any, time: Time) -> None:
    job = Slow.submit()
    event = site.event()
    early = {
        "messageId": "2",
        "receiptHandle": "2",
        "body": json.dumps(as_the_schedule_sends_it(NOON + HOUR)),
    }
    event["Records"].insert(0, event["Records"][0] | early)

    worker.handler(event, Context(20))

    assert job.refresh().status == "succeeded"


def test_a_real_job_that_fails_is_retried_with_its_own_id(site: Any, time: Time, monkeypatch: Any) -> None:
    def fail(self: Hourly) -> None:
        raise ValueError("not yet")

    with monkeypatch.context() as failing:
        failing.setattr(Hourly, "run", fail)
        failing.setattr(Hourly, "retries", 1)
        site.put(json.dumps(as_the_schedule_sends_it(NOON)))
        assert site.deliver(worker.handler) == []
    assert site.services.store.read(uuid_of(NOON)).status == "pending"
    time.seconds += 60
    site.put(json.dumps(as_a_retry_is_sent(NOON)))

    assert site.deliver(worker.handler) == []
    record = site.services.store.read(uuid_of(NOON))
    assert (record.status, record.attempt) == ("succeeded", 2)


def test_the_message_of_a_retry_that_is_sent_early_by_hand_goes_back_and_costs_no_attempt(
    site: Any, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serverless_tasks.engine.worker.completion.backoff", lambda *_: 600)
    job = Again.submit()
    body = site.event()["Records"][0]["body"]
    site.put(body)
    assert site.deliver(worker.handler) == []

    site.put(body)

    assert site.deliver(worker.handler) == [body]
    assert (job.refresh().status, job.record.attempt, job.record.ended) == ("pending", 1, False)
    assert 599 <= site.hidden_for()[0] <= 601


def test_what_the_scheduler_brings_late_still_runs(site: Any, time: Time) -> None:
    moment = NOON - SCHEDULER_TRIES - RETENTION + 60
    site.put(json.dumps(as_the_schedule_sends_it(moment)))

    assert site.deliver(worker.handler) == []
    assert site.services.store.read(uuid_of(moment)).status == "succeeded"
