"""The build's id: in the message, in the record, and in the reason of a job that the deployed code cannot run."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from lambda_handlers import dead_letter, invoke, worker
from serverless_tasks import Task, configure
from serverless_tasks.engine.definition.recurring import recurring_of
from serverless_tasks.engine.definition.registry import Registry
from serverless_tasks.engine.definition.schedule import rate
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.statistics.fingerprint import kind_of
from serverless_tasks.engine.worker.pauses import TASK, Pause
from serverless_tasks.params import NumberParameter
from tests.support.calls import counted_calls
from tests.unit.handlers import tasks
from tests.unit.handlers.conftest import Context, Site
from tests.unit.handlers.tasks import Sum


class Renamed(Task):
    name = "shop.count"
    aliases = ["count"]
    inputs = {"n": NumberParameter()}
    outputs = {"n": NumberParameter()}
    schedule = rate(hours=1)
    schedule_inputs = {"n": 7}

    def run(self, n: float) -> float:
        return n


class Before(Renamed):
    name = "count"
    aliases = ()


def deploy(site: Site, build: str, *more: type[Task], **settings: Any) -> Site:
    """Let the process be another build's."""
    services = configure(replace(site.services.config, build=build, **settings))
    services.registry.add_defined_in(tasks.__name__)
    for task in more:
        services.registry.add(task)
    services.build_record._done = True
    site.services = services
    return site


def error(site: Site, uuid: str) -> dict[str, str]:
    record = site.services.store.read(uuid)
    assert record is not None
    failure: dict[str, str] = record.to_json()["error"]
    return failure


def test_a_message_has_the_build_that_submitted_it_and_the_record_the_one_that_ran_it(site: Site) -> None:
    deploy(site, "A")
    job = Sum.submit(numbers=[1])
    body = json.loads(site.event()["Records"][0]["body"])
    assert body["build"] == "A"
    assert "build" not in job.refresh().record.to_json()
    deploy(site, "B")
    site.put(json.dumps(body))
    site.deliver(worker.handler)
    assert job.refresh().record.to_json()["build"] == "B"


def test_without_builds_none_is_said(site: Site) -> None:
    job = Sum.submit(numbers=[1])
    event = site.event()
    assert "build" not in json.loads(event["Records"][0]["body"])
    worker.handler(event, Context())
    assert "build" not in job.refresh().record.to_json()


def test_an_attempt_of_code_without_a_build_takes_out_that_of_the_attempt_before(site: Site) -> None:
    deploy(site, "A")
    job = tasks.Again.submit()
    site.deliver(worker.handler)
    assert job.refresh().record.build == "A"
    stored = site.services.store
    deploy(site, "")
    message = stored.job(job.uuid)
    assert message is not None
    site.services.clock.now = lambda: 2**32  # type: ignore[method-assign]
    lease = 2**32 * 1000 + 1
    site.services.store.claim(replace(message, expires=lease), token="t", lease=lease, request_id="")
    assert job.refresh().record.build == ""


def test_it_costs_no_call(site: Site) -> None:
    def calls() -> dict[str, int]:
        Sum.submit(numbers=[1])
        event = site.event()
        with counted_calls("dynamodb", "sqs") as made:
            worker.handler(event, Context())
        return dict(made)

    without = calls()
    deploy(site, "A")
    calls()  # makes clients
    assert calls() == without


def test_inputs_that_other_code_accepted_fail_with_both_builds(
    site: Site, message: Callable[..., Message]
) -> None:
    deploy(site, "B")
    sent = replace(message(figures=[1]), build="A")
    site.put(sent.encode())
    assert site.deliver(worker.handler) == []
    assert error(site, sent.uuid) == {
        "type": "InvalidInputs",
        "message": "Inputs of task 'sum' are invalid: figures: Extra inputs are not permitted; numbers: Field required"
        " (build: worker 'B', job 'A')",
    }


def test_the_kind_of_such_a_failure_is_the_same_for_all_builds(message: Callable[..., Message]) -> None:
    def fingerprint(job: str, build: str) -> str:
        text = f"Inputs are invalid{replace(message(), build=job).builds(build)}"
        return kind_of("sum", "InvalidInputs", text).fingerprint

    assert fingerprint("release-1", "blue") == fingerprint("x", "4.2")


def test_the_reasons_name_what_is_known(message: Callable[..., Message]) -> None:
    sent = message()
    assert sent.builds("") == ""
    assert sent.builds("B") == " (build: worker 'B')"
    assert replace(sent, build="A").builds("") == " (build: job 'A')"
    assert replace(sent, build="A").builds("A") == " (build 'A')"


def test_an_unknown_task_waits_and_ends_with_both_builds(site: Site, message: Callable[..., Message]) -> None:
    deploy(site, "B")
    unknown = replace(message("shop.gone"), build="A")
    site.put(unknown.encode())
    assert len(site.deliver(worker.handler)) == 1
    record = site.services.store.read(unknown.uuid)
    assert record is not None
    assert record.returned is not None
    assert "no task named 'shop.gone' (build: worker 'B', job 'A'): deploy" in record.returned.message
    site.put(unknown.encode(), queue="dead")
    site.deliver(dead_letter.handler, queue="dead")
    text = error(site, unknown.uuid)["message"]
    assert text.startswith(
        "No deployed task is named 'shop.gone' (build: worker 'B', job 'A'). Deploy a class"
    )
    assert "`aliases`" in text
    assert len(text) <= 200  # the state has no more


def test_a_message_of_a_newer_version_ends_with_both_builds(
    site: Site, message: Callable[..., Message]
) -> None:
    deploy(site, "B")
    sent = replace(message(numbers=[]), build="C")
    body = json.loads(sent.encode()) | {"v": 99, "something": "new"}
    site.put(json.dumps(body), queue="dead")
    site.deliver(dead_letter.handler, queue="dead")
    assert error(site, sent.uuid)["message"].endswith("reads up to 2 (build: worker 'B', job 'C').")


class TestMessagesOfOtherVersions:
    def test_one_of_the_next_may_have_more_members(self, site: Site, message: Callable[..., Message]) -> None:
        sent = message(numbers=[1, 2])
        body = json.loads(sent.encode()) | {"build": "C", "colour": "green", "shards": [1]}
        body["options"] |= {"weight": 3}
        site.put(json.dumps(body))
        assert site.deliver(worker.handler) == []
        record = site.services.store.read(sent.uuid)
        assert record is not None
        assert record.outputs == {"sum": 3}

    def test_one_of_the_last_has_no_build(self, site: Site, message: Callable[..., Message]) -> None:
        deploy(site, "B")
        sent = message(numbers=[1, 2])
        assert "build" not in json.loads(sent.encode())
        site.put(sent.encode())
        assert site.deliver(worker.handler) == []
        record = site.services.store.read(sent.uuid)
        assert record is not None
        assert (record.status, record.build) == ("succeeded", "B")

    @pytest.mark.parametrize("build", [3, None, ["A"], "x" * 41, "caf\u00e9"])
    def test_a_build_that_is_none_keeps_no_job_from_running(
        self, message: Callable[..., Message], build: object
    ) -> None:
        body = json.loads(message(numbers=[1]).encode()) | {"build": build}
        assert Message.decode(json.dumps(body)).build == ""


class TestARenamedTask:
    def test_its_waiting_jobs_run_under_the_name_that_they_were_submitted_with(
        self, site: Site, message: Callable[..., Message]
    ) -> None:
        deploy(site, "B", Renamed)
        sent = message("count", n=3)
        site.put(sent.encode())
        assert site.deliver(worker.handler) == []
        record = site.services.store.read(sent.uuid)
        assert record is not None
        assert (record.status, record.outputs, record.task) == ("succeeded", {"n": 3}, "count")

    def test_a_dead_letter_of_it_is_not_of_an_unknown_task(
        self, site: Site, message: Callable[..., Message]
    ) -> None:
        deploy(site, "B", Renamed)
        sent = message("count", n=3)
        site.put(sent.encode(), queue="dead")
        site.deliver(dead_letter.handler, queue="dead")
        assert error(site, sent.uuid)["type"] == "Undeliverable"

    def test_its_schedule_fires_until_the_new_one_is_there(self, site: Site) -> None:
        registry = Registry()
        registry.add(Before)
        tick = recurring_of(registry, Before).tick("2026-06-01T12:00:00Z")
        deploy(site, "B", Renamed)
        sent = Message.decode(tick)
        site.services.clock.now = lambda: sent.created / 1000 + 1  # type: ignore[method-assign]
        site.put(tick)
        assert site.deliver(worker.handler) == []
        record = site.services.store.read(sent.uuid)
        assert record is not None
        assert record.outputs == {"n": 7}

    def test_a_direct_invoke_by_its_old_name_is_a_job_of_the_new_one(self, site: Site) -> None:
        deploy(site, "B", Renamed)
        answer = invoke.handler({"task": "count", "inputs": {"n": 3}}, Context())
        assert (answer["status"], answer["task"], answer["build"]) == ("succeeded", "shop.count", "B")
        again = invoke.handler({"task": "count", "inputs": {"n": 3}, "uuid": answer["uuid"]}, Context())
        assert again["outputs"] == {"n": 3}

    def test_it_is_paused_under_its_present_name(self, site: Site, message: Callable[..., Message]) -> None:
        deploy(site, "B", Renamed, pauses=True)
        pauses = site.services.pauses
        assert pauses is not None
        pauses.put(Pause(kind=TASK, name="shop.count", since=1))
        site.put(message("count", n=3).encode())
        assert len(site.deliver(worker.handler)) == 1
