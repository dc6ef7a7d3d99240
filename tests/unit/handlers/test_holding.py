"""The worker's look at paused tasks: what it costs, and what becomes of their messages."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from lambda_handlers import worker
from serverless_tasks import configure
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.worker.pauses import TASK, Pause
from serverless_tasks.errors import AwsError
from tests.support.calls import counted_calls
from tests.support.clock import FakeClock
from tests.unit.handlers import tasks
from tests.unit.handlers.conftest import Context, Site
from tests.unit.handlers.tasks import Sum


@pytest.fixture
def looking(site: Site) -> Site:
    """A site whose workers look at pauses, and whose time a test moves."""
    site.services = configure(
        replace(site.services.config, pauses=True), clock=FakeClock(site.services.clock.now())
    )
    site.services.registry.add_defined_in(tasks.__name__)
    site.services.build_record.write_once()
    return site


def pause(site: Site, name: str = "sum", **given: Any) -> None:
    since = round(site.services.clock.now() * 1000)
    assert site.services.pauses is not None
    site.services.pauses.put(Pause(kind=TASK, name=name, since=since, by="ada", **given))


def test_a_worker_that_does_not_look_makes_no_call_for_it(site: Site) -> None:
    def calls() -> dict[str, int]:
        Sum.submit(numbers=[1])
        with counted_calls("dynamodb", "sqs") as counted:
            assert site.deliver(worker.handler) == []
        return dict(counted)

    calls()
    before = calls()
    pause(site)
    assert calls() == before
    assert "GetItem" not in before


def test_a_worker_that_does_not_look_loads_nothing_of_it() -> None:
    loaded = (
        "import sys, lambda_handlers.worker; "
        "print([name for name in sys.modules if 'pauses' in name or 'holding' in name])"
    )
    done = subprocess.run([sys.executable, "-c", loaded], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_a_worker_that_looks_reads_once_in_ten_seconds(looking: Site) -> None:
    def reads() -> int:
        Sum.submit(numbers=[1])
        with counted_calls() as counted:
            assert looking.deliver(worker.handler) == []
        return counted["GetItem"]

    assert [reads() for _ in range(5)] == [1, 0, 0, 0, 0]
    looking.services.clock.move(10)  # type: ignore[attr-defined]
    assert [reads() for _ in range(3)] == [1, 0, 0]


def test_a_job_of_a_paused_task_goes_back_unbegun_and_says_why(looking: Site) -> None:
    job = Sum.submit(numbers=[1])
    pause(looking, why="The sums are wrong")
    assert len(looking.deliver(worker.handler)) == 1
    record = job.refresh().record
    assert (record.status, record.attempt, record.started, tasks.begun) == ("pending", 0, None, [])
    assert record.returned is not None
    assert record.returned.type == "TaskPaused"
    assert record.returned.message.startswith("The task sum is paused by ada since 20")
    assert record.returned.message.endswith("UTC: The sums are wrong.")
    assert looking.hidden_for() == [60]


def test_the_pause_before_the_next_delivery_doubles_up_to_15_minutes(looking: Site) -> None:
    Sum.submit(numbers=[1])
    pause(looking)
    event = looking.event()
    seconds = []
    for deliveries in (1, 2, 3, 4, 5, 60):
        event["Records"][0]["attributes"]["ApproximateReceiveCount"] = str(deliveries)
        worker.handler(event, Context())
        seconds += looking.hidden_for()
    assert seconds == [60, 120, 240, 480, 900, 900]


def test_jobs_of_other_tasks_of_the_batch_run(looking: Site) -> None:
    held, run = Sum.submit(numbers=[1]), tasks.Quiet.submit()
    also_held = Sum.submit(numbers=[2])
    pause(looking)
    assert len(looking.deliver(worker.handler)) == 2
    assert [job.refresh().status for job in (held, run, also_held)] == ["pending", "succeeded", "pending"]
    assert [job.record.attempt for job in (held, also_held)] == [0, 0]


def test_a_resumed_task_runs_within_ten_seconds_and_its_record_says_it_no_more(looking: Site) -> None:
    job = Sum.submit(numbers=[1])
    pause(looking)
    event = looking.event()
    worker.handler(event, Context())
    assert looking.services.pauses is not None
    looking.services.pauses.remove(TASK, "sum")
    looking.services.clock.move(10)  # type: ignore[attr-defined]
    assert worker.handler(event, Context()) == {"batchItemFailures": []}
    record = job.refresh().record
    assert (record.status, record.attempt, record.returned) == ("succeeded", 1, None)


def test_a_job_that_was_claimed_ahead_of_its_turn_is_given_back(looking: Site) -> None:
    """The pause came between the claim, which is made while the job before ends, and its own turn."""
    job = Sum.submit(numbers=[1])
    records = looking.event()["Records"]
    batch = worker._Batch(looking.services, records, Context())  # type: ignore[arg-type]
    batch._claim_ahead(0)
    assert job.refresh().record.attempt == 1
    pause(looking)
    assert batch._done(0, records[0]) is False
    assert (job.refresh().status, job.record.attempt, tasks.begun) == ("pending", 0, [])
    assert job.record.returned is not None
    batch._claim_ahead(0)
    assert job.refresh().record.attempt == 0


def test_before_the_queue_gives_a_held_message_up_it_is_sent_anew_and_lives_longer(looking: Site) -> None:
    job = Sum.submit(numbers=[1])
    pause(looking)
    looking.services.clock.move(86_400)  # type: ignore[attr-defined]
    event = looking.event()
    event["Records"][0]["attributes"]["ApproximateReceiveCount"] = "90"
    expires = json.loads(event["Records"][0]["body"])["expires"]
    sent: list[Any] = []
    session.client("sqs", attempts=1).meta.events.register(
        "provide-client-params.sqs.SendMessage", lambda params, **_: sent.append(params)
    )
    assert worker.handler(event, Context()) == {"batchItemFailures": []}
    [again] = sent
    assert again["DelaySeconds"] == 900
    assert json.loads(again["MessageBody"])["uuid"] == job.uuid
    assert json.loads(again["MessageBody"])["expires"] >= expires + 86_400_000
    assert job.refresh().status == "pending"
    looking.services.clock.move(4 * 86_400 - 3_600)  # type: ignore[attr-defined]
    assert job.refresh().status == "pending"


def test_a_held_message_that_cannot_be_sent_anew_goes_back(
    looking: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    Sum.submit(numbers=[1])
    pause(looking)
    event = looking.event()
    event["Records"][0]["attributes"]["ApproximateReceiveCount"] = "95"

    def refuse(message: object) -> None:
        raise AwsError("sqs.SendMessage", "AccessDenied", "not allowed", applied=False)

    monkeypatch.setattr(looking.services.backend, "resend", refuse)
    assert len(worker.handler(event, Context())["batchItemFailures"]) == 1


def test_a_worker_of_the_version_before_runs_what_is_paused(site: Site) -> None:
    """It does not know the item: a rolling deployment pauses once all workers look."""
    job = Sum.submit(numbers=[1])
    pause(site)
    assert site.deliver(worker.handler) == []
    assert job.refresh().status == "succeeded"


def test_a_group_is_opened_though_a_task_of_its_name_is_paused(
    looking: Site, message: Callable[..., Any]
) -> None:
    pause(looking, "group")
    opening = replace(message("group"), workflow="open")
    batch = worker._Batch(looking.services, [], Context())  # type: ignore[arg-type]
    assert batch._pause(opening) is None
    assert batch._pause(replace(opening, workflow=None)) is not None
