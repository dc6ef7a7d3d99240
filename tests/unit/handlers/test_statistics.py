"""Statistics and errors of the worker and of the dead-letter handler, and that they cost nothing when they are off."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest

from lambda_handlers import dead_letter, worker
from serverless_tasks import Task
from serverless_tasks.client.operations.errors import ErrorSummary, list_errors
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.statistics.counts import Counts
from serverless_tasks.engine.statistics.errors import NewError
from serverless_tasks.engine.statistics.gatherer import Gatherer
from serverless_tasks.errors import AwsError, ConfigurationError
from tests.support.calls import counted_calls
from tests.support.clock import FakeClock
from tests.unit.handlers.tasks import Again, Break, Quiet, Refuse, SignIn, Sum
from tests.unit.handlers.test_start import started

announced: list[NewError] = []


def announce(error: NewError) -> None:
    announced.append(error)


@pytest.fixture
def site(site: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The site with statistics, in a function of 512 MB, and with a clock of its own."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
    site.services.config = replace(site.services.config, statistics=True, on_new_error=f"{__name__}.announce")
    site.services.clock = FakeClock(site.services.clock.now())
    announced.clear()
    yield site
    session.meter(None)


def broken(*_: object, **__: object) -> None:
    raise RuntimeError("broken")


def counted(site: Any, task: str) -> Counts:
    total = Counts()
    for counts in site.services.statistics_store.hours(task, "2000", "2100").values():
        total += counts
    return total


def errors(site: Any) -> list[ErrorSummary]:
    now = site.services.clock.ms
    return list_errors(site.services.statistics_store, since=now - 3_600_000, until=now + 1)


def deliver(site: Any, handler: Callable[..., Any] = worker.handler, queue: str = "default") -> list[str]:
    back: list[str] = site.deliver(handler, queue)
    return back


class TestWorker:
    def test_a_job_that_succeeds(self, site: Any) -> None:
        Quiet.submit()
        site.services.clock.move(3)
        assert deliver(site) == []
        counts = counted(site, "quiet")
        assert (counts.submitted, counts.succeeded, counts.ended) == (1, 1, 1)
        assert (counts.duration.count, counts.queue_wait.count) == (1, 1)
        assert counts.queue_wait.percentile(50) == pytest.approx(3.0, rel=0.2)
        # Its claim, and its end; the batch's receipt, deletion and change of visibility; one invocation.
        calls = {"dynamodb_write_units": 2.0, "sqs_requests": 3.0, "lambda_requests": 1.0}
        assert {name: counts.calls[name] for name in calls} == calls

    def test_the_calls_of_a_batch_of_ten_are_those_without_statistics_and_one_more(self, site: Any) -> None:
        Quiet.submit_many([{} for _ in range(10)])
        site.services.statistics_store.add("warm", "2026-01-01T00", 0, {"succeeded": 1})  # its client is made
        writer = session.client("dynamodb", attempts=1, read_timeout=1)
        calls: Counter[str] = Counter()
        writer.meta.events.register("before-call", lambda model, **_: calls.update([model.name]))
        with counted_calls("dynamodb", "sqs") as shared:
            assert deliver(site) == []
        assert shared["UpdateItem"] == 20 + 1
        assert calls == {"UpdateItem": 1}
        assert counted(site, "quiet").succeeded == 10

    @pytest.mark.parametrize("part", ["note", "end"])
    def test_what_cannot_be_counted_is_done_all_the_same(
        self, site: Any, part: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(f"serverless_tasks.engine.statistics.gatherer.Batch.{part}", broken)
        Quiet.submit()
        assert deliver(site) == []

    def test_a_failure_has_a_fingerprint_and_is_counted_under_it(self, site: Any) -> None:
        job = Break.submit()
        deliver(site)
        [error] = errors(site)
        record = site.services.store.read(job.uuid)
        assert (record.fingerprint, error.count, error.examples) == (error.fingerprint, 1, (job.uuid,))
        assert (error.task, error.type, error.message) == (
            "break",
            "RuntimeError",
            "the password is swordfish",
        )
        assert error.frame == "tests.unit.handlers.tasks.Break.run"
        assert counted(site, "break").failed == 1
        [new] = announced
        assert (new.fingerprint, new.uuid, new.seen) == (error.fingerprint, job.uuid, site.services.clock.ms)

    def test_a_secret_is_masked_in_the_message_and_in_the_hook(self, site: Any) -> None:
        SignIn.submit(password="swordfish-17")
        [body] = taken(site)
        for _ in range(2):
            site.put(body)
            deliver(site)
            site.services.clock.move(1_800)
        [error] = errors(site)
        assert error.message == "********** was refused"
        raw = json.dumps([item for item in scanned() if item["pk"]["S"].startswith("error")])
        assert "swordfish-17" not in raw + repr(announced)

    def test_a_retry_is_counted_as_such_and_the_end_as_an_error(self, site: Any) -> None:
        job = Again.submit()
        message = Message.decode(site.event()["Records"][0]["body"])
        for attempt in range(3):
            site.put(message.encode())
            deliver(site)
            counts = counted(site, "again")
            assert (counts.submitted, counts.retried, counts.failed) == (
                1,
                min(attempt + 1, 2),
                int(attempt == 2),
            )
            assert len(errors(site)) == int(attempt == 2)
            site.services.clock.move(3_600)
        assert job.refresh().status == "failed"
        assert (counts.duration.count, counts.queue_wait.count) == (3, 1)

    def test_a_lost_worker_is_counted_by_the_attempt_that_takes_over(self, site: Any) -> None:
        job = Sum.submit(numbers=[1])
        message = Message.decode(site.event()["Records"][0]["body"])
        lease = site.services.clock.ms + 1_000
        site.services.store.claim(message, token="lost", lease=lease, request_id="")
        site.services.clock.move(5)
        site.put(message.encode())
        deliver(site)
        counts = counted(site, "sum")
        assert (counts.submitted, counts.lost, counts.succeeded) == (1, 1, 1)
        assert job.refresh().status == "succeeded"

    def test_a_job_that_was_cancelled_while_it_waited_is_counted_once(self, site: Any) -> None:
        job = Sum.submit(numbers=[1])
        job.cancel()
        message = Message.decode(site.event()["Records"][0]["body"])
        site.put(message.encode())
        deliver(site)
        counts = counted(site, "sum")
        assert (counts.submitted, counts.cancelled, counts.duration.count) == (1, 1, 0)
        assert errors(site) == []

    def test_a_job_that_came_too_late_is_a_failure(self, site: Any, message: Callable[..., Message]) -> None:
        late = replace(message(numbers=[1]), expires=site.services.clock.ms - 1)
        site.put(late.encode())
        deliver(site)
        [error] = errors(site)
        assert (error.type, error.examples) == ("Expired", (late.uuid,))
        assert site.services.store.read(late.uuid).fingerprint == error.fingerprint
        counts = counted(site, "sum")
        assert (counts.submitted, counts.failed) == (1, 1)
        site.put(late.encode())
        deliver(site)
        site.services.clock.move(20)
        Quiet.submit()
        deliver(site)
        again = counted(site, "sum")
        assert (again.submitted, again.ended) == (1, 1)  # a duplicate is not counted again

    def test_the_wait_of_a_delayed_job_begins_when_it_is_due(
        self, site: Any, message: Callable[..., Message]
    ) -> None:
        now = site.services.clock.ms
        for delay in (300_000, 7_200_000):
            late = 0 if delay <= 900_000 else 86_400_000
            waiting = replace(message("quiet"), created=now - delay - 2_000)
            expires = waiting.created + delay + 345_600_000 + late
            uuid = f"6f3f5cf2-0000-4000-8000-{delay:012d}"
            site.put(replace(waiting, uuid=uuid, expires=expires).encode())
        deliver(site)
        waits = counted(site, "quiet").queue_wait
        assert waits.count == 2
        assert [waits.percentile(percent) for percent in (1, 99)] == pytest.approx([2.0, 2.0], rel=0.3)

    def test_what_the_task_calls_itself_is_counted_as_its_own(self, site: Any) -> None:
        class Parent(Task):
            name = "parent"

            def run(self) -> None:
                Quiet.submit()

        site.services.registry.add(Parent)
        site.put(
            Message(
                uuid="6f3f5cf2-0000-4000-8000-000000000009",
                task="parent",
                created=1,
                expires=4_000_000_000_000,
            ).encode()
        )
        deliver(site)
        calls = counted(site, "parent").calls
        assert calls["dynamodb_write_units"] == 2.0  # the item of the job that it has submitted is that job's
        assert calls["sqs_requests"] == 3.0  # as any batch; so is the message

    def test_a_public_text_is_the_example_as_it_is(self, site: Any) -> None:
        Refuse.submit(text="olives")
        deliver(site)
        [error] = errors(site)
        assert (error.type, error.message) == ("TaskError", "I do not like olives.")


class TestDeadLetters:
    def test_a_dead_letter_is_a_failure_of_its_task(self, site: Any, message: Callable[..., Message]) -> None:
        site.put(message(numbers=[1]).encode(), "dead")
        assert deliver(site, dead_letter.handler, "dead") == []
        [error] = errors(site)
        assert (error.task, error.type, error.count) == ("sum", "Undeliverable", 1)
        assert site.services.store.read(message().uuid).fingerprint == error.fingerprint
        counts = counted(site, "sum")
        assert (counts.submitted, counts.failed, counts.duration.count) == (1, 1, 0)

    @pytest.mark.parametrize("part", ["note", "end"])
    def test_one_that_cannot_be_counted_is_done_with_all_the_same(
        self, site: Any, message: Callable[..., Message], part: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(f"serverless_tasks.engine.statistics.gatherer.Batch.{part}", broken)
        site.put(message(numbers=[1]).encode(), "dead")
        assert deliver(site, dead_letter.handler, "dead") == []
        assert site.services.store.read(message().uuid).status == "failed"

    def test_one_that_ended_before_is_not_counted(self, site: Any) -> None:
        job = Sum.submit(numbers=[1]).cancel()
        site.sqs.send_message(QueueUrl=site.url("dead"), MessageBody=site.event()["Records"][0]["body"])
        deliver(site, dead_letter.handler, "dead")
        assert job.refresh().status == "cancelled"
        assert (counted(site, "sum"), errors(site)) == (Counts(), [])


class TestDeletion:
    def test_the_example_of_a_deleted_job_goes(self, site: Any) -> None:
        job = Break.submit()
        deliver(site)
        site.services.delete(job.uuid)
        [error] = errors(site)
        assert (error.count, error.examples, error.message) == (1, (), "")
        kept = [item for item in scanned() if item["pk"]["S"] != job.uuid]
        assert job.uuid not in json.dumps(kept)
        assert "swordfish" not in json.dumps(kept)

    def test_the_deletion_of_a_job_that_did_not_fail_costs_what_it_did(self, site: Any) -> None:
        job = Quiet.submit()
        deliver(site)
        with counted_calls("dynamodb") as calls:
            site.services.delete(job.uuid)
        assert calls["UpdateItem"] == 0
        assert calls["GetItem"] == 0


class TestFaults:
    @pytest.mark.parametrize("applied", [True, False])
    def test_jobs_succeed_though_nothing_can_be_counted(
        self, site: Any, applied: bool, caplog: pytest.LogCaptureFixture
    ) -> None:
        error = AwsError("dynamodb.update_item", "ThrottlingException", "slow down", applied=applied)
        with mock.patch.object(type(site.services.statistics_store), "_update", side_effect=error):
            jobs = [Quiet.submit() for _ in range(3)]
            assert deliver(site) == []
        assert {job.refresh().status for job in jobs} == {"succeeded"}
        assert caplog.text.count("statistics could not be written") == 1

    def test_nothing_is_written_when_little_time_is_left(self, site: Any) -> None:
        job = Quiet.submit()
        site.deliver(worker.handler, seconds=9)
        assert job.refresh().status == "succeeded"
        assert counted(site, "quiet") == Counts()

    def test_a_write_is_tried_once_and_does_not_wait_for_long(self, site: Any) -> None:
        writer = site.services.statistics_store._writer()
        assert writer.meta.config.retries["total_max_attempts"] == 1
        assert writer.meta.config.read_timeout == 1

    @pytest.mark.parametrize(
        "name", ["nowhere.at.all", "json", "json.nothing", "tests.unit.handlers.tasks.begun"]
    )
    def test_a_hook_that_cannot_be_called_is_refused_at_the_start(self, site: Any, name: str) -> None:
        site.services.config = replace(site.services.config, on_new_error=name)
        with pytest.raises(ConfigurationError, match="SERVERLESS_TASKS_ON_NEW_ERROR"):
            site.services.statistics  # noqa: B018 - it is made


class TestOff:
    def test_a_process_makes_no_gatherer(self, site: Any) -> None:
        site.services.config = replace(site.services.config, statistics=False)
        assert site.services.statistics is None

    def test_nothing_is_called_and_no_state_has_a_fingerprint(self, site: Any) -> None:
        site.services.config = replace(site.services.config, statistics=False)
        with mock.patch.object(Gatherer, "__init__", side_effect=AssertionError):
            job = Break.submit()
            Quiet.submit()
            with counted_calls("dynamodb", "sqs") as calls:
                deliver(site)
        # Two claims, two ends, how the failed attempt ended, the batch's visibility; and the queue's own side.
        own = {"ReceiveMessage": 1, "DeleteMessage": 2}
        assert calls == {"UpdateItem": 4, "PutItem": 1, "ChangeMessageVisibilityBatch": 1} | own
        assert site.services.store.read(job.uuid).fingerprint == ""
        keys = {item["pk"]["S"] for item in scanned()}
        assert not [key for key in keys if "#" in key]

    def test_nothing_is_imported(self) -> None:
        modules = set(started()["modules"])
        ours = {
            name
            for name in modules
            if "statistics" in name or name.endswith((".counting", ".metering", ".topic"))
        }
        assert ours - {"statistics"} == set()  # Python's own

    def test_what_is_imported_when_they_are_on(self) -> None:
        modules = set(
            started(SERVERLESS_TASKS_STATISTICS="true", AWS_LAMBDA_FUNCTION_NAME="worker")["modules"]
        )
        assert "serverless_tasks.engine.statistics.gatherer" in modules
        assert "serverless_tasks.engine.aws.topic" not in modules


def taken(site: Any) -> list[str]:
    return [record["body"] for record in site.event()["Records"]]


def scanned() -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = session.client("dynamodb").scan(TableName="jobs")["Items"]
    return items
