"""The queues as an operator sees them, and jobs that do not get on."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from serverless_tasks import Task
from serverless_tasks.cli.app import app
from serverless_tasks.client.operations import queues as overview
from serverless_tasks.client.operations.queues import read_queues, tenant_sample
from serverless_tasks.client.operations.stuck import ADVICE, LAG, Stuck, end_lost, find_stuck
from serverless_tasks.engine.aws.scheduler import one_time
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.job.record import Failure, no_such_task
from serverless_tasks.engine.services import Services, use
from serverless_tasks.engine.worker.pauses import QUEUE, TASK, Pause
from serverless_tasks.errors import AwsError, ConfigurationError, NotFinished, TaskNotFound
from tests.support.calls import counted_calls
from tests.support.clock import FakeClock
from tests.support.jobs import a_message


class Sum(Task):
    name = "sum"

    def run(self) -> None:
        return None


@pytest.fixture
def services(
    config: Config, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Services]:
    monkeypatch.chdir(tmp_path)
    with use(Services(config, clock=clock)) as services:
        services.registry.add(Sum)
        yield services


def run(*words: str) -> tuple[int, Any]:
    result = CliRunner().invoke(app, [*words, "--json"])
    return result.exit_code, json.loads(result.stdout)


def submit(services: Services, **options: Any) -> str:
    return str(Sum.options(**options).submit().uuid)


def oldest(services: Services, monkeypatch: pytest.MonkeyPatch, **ages: float) -> None:
    """Let CloudWatch tell the ages of the queues' oldest messages."""
    monkeypatch.setattr(services.queue_metrics, "_ages", lambda: ages)


def put(services: Services, clock: FakeClock, **given: Any) -> Message:
    """A job whose message nobody has."""
    message = a_message(clock, **given)
    services.store.put_jobs([message])
    return message


class TestQueues:
    def test_each_queue_has_its_messages_and_its_scheduled_jobs(
        self, services: Services, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        submit(services)
        submit(services, delay=60)
        submit(services, delay=3600)
        submit(services, delay=3600, queue="low")
        submit(services, delay=3600, tenant="acme")
        oldest(services, monkeypatch, default=42.0)
        found = read_queues(services)
        by_name = {queue.name: queue for queue in found.queues}
        default = by_name["default"]
        assert (default.visible, default.in_flight, default.delayed, default.oldest) == (1, 0, 1, 42.0)
        assert {name: queue.scheduled for name, queue in by_name.items()} == {
            "high": 0,
            "default": 1,
            "low": 1,
        }
        assert found.scheduled is not None
        assert (found.scheduled.other, found.scheduled.more) == (1, False)
        assert found.dead_letters is not None
        assert found.dead_letters.empty
        assert found.unknown == ()

    def test_the_count_of_schedules_is_bounded_and_says_so(
        self, services: Services, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(one_time, "PAGE", 2)
        monkeypatch.setattr(one_time, "PAGES", 2)
        _moto_lists_in_pages(monkeypatch)
        for _ in range(5):
            submit(services, delay=3600)
        with counted_calls("scheduler") as calls:
            counts = services.schedules.waiting()
        assert (counts.by_queue["default"], counts.more) == (4, True)
        assert calls["ListSchedules"] == 2

    def test_no_message_is_received(self, services: Services) -> None:
        submit(services)
        with counted_calls("sqs", "dynamodb", "lambda", "scheduler") as calls:
            read_queues(services)
        assert "ReceiveMessage" not in calls
        assert not {name for name in calls if name.startswith(("Put", "Update", "Delete", "Send", "Change"))}

    def test_what_cannot_be_asked_is_named_and_the_rest_is_shown(
        self, services: Services, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: Any, **__: Any) -> None:
            raise AwsError("lambda.list_event_source_mappings", "AccessDenied", "not allowed", applied=False)

        monkeypatch.setattr(overview, "mappings_of", refuse)
        monkeypatch.setattr(services.schedules, "waiting", refuse)
        found = read_queues(services)
        assert [queue.receiving for queue in found.queues] == [None] * 3
        assert [queue.scheduled for queue in found.queues] == [None] * 3
        assert len(found.unknown) == 2
        assert all("AccessDenied" in sentence for sentence in found.unknown)

    def test_pauses_are_shown(self, services: Services, clock: FakeClock) -> None:
        assert services.pauses is not None
        services.pauses.put(Pause(kind=QUEUE, name="low", since=clock.ms, by="ada"))
        services.pauses.put(Pause(kind=TASK, name="sum", since=clock.ms, by="bob"))
        code, document = run("queues")
        assert code == 0
        assert {
            queue["queue"]: queue["paused"] and queue["paused"]["by"] for queue in document["queues"]
        } == {
            "high": None,
            "default": None,
            "low": "ada",
        }
        assert [pause["by"] for pause in document["paused_tasks"]] == ["bob"]
        text = CliRunner().invoke(app, ["queues"]).stdout
        assert "The queue low is paused by ada since" in text

    def test_there_are_none_where_jobs_run_in_the_process(self, clock: FakeClock) -> None:
        with pytest.raises(ConfigurationError, match="There are no queues"):
            read_queues(Services(Config(), backend="threading", clock=clock))


class TestTenants:
    def test_who_waits_is_counted_by_queue_and_tenant_the_most_first(
        self, services: Services, clock: FakeClock
    ) -> None:
        for tenant, count in (("acme", 3), ("bolt", 1)):
            for _ in range(count):
                submit(services, tenant=tenant)
        submit(services, queue="low")
        ended = put(services, clock, tenant="acme")
        services.store.settle(ended, Failure(type="E", message=""))
        sample = tenant_sample(services)
        assert [(count.queue, count.tenant, count.jobs) for count in sample.counts] == [
            ("default", "acme", 3),
            ("default", "bolt", 1),
            ("low", None, 1),
        ]
        assert (sample.looked_at, sample.looked_back_to, sample.waiting) == (6, None, 5)

    def test_it_is_a_sample_and_says_how_far_it_looked(
        self, services: Services, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(overview, "LOOKED_AT", 3)
        for _ in range(5):
            submit(services, tenant="acme")
            clock.move(1)
        sample = tenant_sample(services)
        assert (sample.looked_at, sample.waiting, sample.looked_back_to) == (3, 3, clock.ms - 3_000)
        assert "Of the newest 3 jobs, submitted since" in CliRunner().invoke(app, ["queues"]).stdout


class TestStuck:
    def kinds(self, services: Services) -> dict[str, Stuck]:
        return {job.record.uuid: job.kind for job in find_stuck(services).jobs}

    def test_a_job_that_waits_and_has_no_message(
        self, services: Services, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gone = put(services, clock)
        clock.move(3600)
        there = submit(services)
        clock.move(LAG / 1000 + 1)
        oldest(services, monkeypatch, default=LAG / 1000 + 1)
        assert self.kinds(services) == {gone.uuid: Stuck.NO_MESSAGE}
        assert there not in self.kinds(services)

    def test_a_queue_whose_oldest_message_is_as_old_may_have_it(
        self, services: Services, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put(services, clock)
        submit(services)
        clock.move(7200)
        oldest(services, monkeypatch, default=7200.0)
        assert self.kinds(services) == {}

    def test_an_empty_queue_has_no_message_of_anything(self, services: Services, clock: FakeClock) -> None:
        gone = put(services, clock)
        clock.move(LAG / 1000)
        assert self.kinds(services) == {}
        clock.move(1)
        assert self.kinds(services) == {gone.uuid: Stuck.NO_MESSAGE}

    def test_without_cloudwatch_a_queue_with_messages_says_nothing(
        self, services: Services, clock: FakeClock
    ) -> None:
        put(services, clock)
        submit(services)
        clock.move(7200)
        assert self.kinds(services) == {}

    def test_a_job_that_is_not_due_waits_as_it_should(self, services: Services, clock: FakeClock) -> None:
        late = put(services, clock, run_at=clock.ms + 86_400_000, expires=clock.ms + 5 * 86_400_000)
        clock.move(7200)
        assert self.kinds(services) == {}
        clock.move(86_400)
        assert self.kinds(services) == {late.uuid: Stuck.NO_MESSAGE}

    def test_a_lease_that_is_over(
        self, services: Services, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lost = put(services, clock)
        services.store.claim(lost, token="t", lease=clock.ms + 1000, request_id="")
        clock.move(61)
        assert self.kinds(services) == {}
        clock.move(1)
        assert self.kinds(services) == {lost.uuid: Stuck.LOST}
        submit(services)
        assert self.kinds(services) == {lost.uuid: Stuck.LEASE_OVER}

    def test_a_job_whose_task_no_worker_has_is_found_though_nobody_here_knows_the_task(
        self, services: Services, clock: FakeClock
    ) -> None:
        unknown = put(services, clock, task="not.deployed")
        services.store.returned(unknown, no_such_task("not.deployed"))
        held = put(services, clock)
        services.store.returned(held, Pause(kind=TASK, name="sum", since=clock.ms).failure)
        follows = put(services, clock)
        services.store.returned(follows, Failure(type="Waiting", message="for another"))
        assert self.kinds(services) == {unknown.uuid: Stuck.RETURNED, held.uuid: Stuck.PAUSED}

    def test_a_job_that_runs_again_is_stuck_no_more(self, services: Services, clock: FakeClock) -> None:
        job = put(services, clock)
        services.store.returned(job, no_such_task("sum"))
        services.store.claim(job, token="t", lease=clock.ms + 600_000, request_id="")
        assert self.kinds(services) == {}

    def test_it_is_bounded_and_says_how_far_it_looked(
        self, services: Services, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("serverless_tasks.client.operations.stuck.LOOKED_AT", 2)
        jobs = []
        for _ in range(3):
            jobs.append(put(services, clock).uuid)
            clock.move(1)
        clock.move(3600)
        page = find_stuck(services)
        assert [job.record.uuid for job in page.jobs] == jobs[:0:-1]
        assert (page.looked_at, page.looked_back_to) == (2, page.jobs[-1].record.created)
        older = find_stuck(services, cursor=page.cursor)
        assert [job.record.uuid for job in older.jobs] == jobs[:1]
        assert (older.cursor, older.looked_back_to) == (None, None)

    def test_the_command_line_lists_some_of_those_that_are_stuck_alike(
        self, services: Services, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for _ in range(5):
            unknown = put(services, clock, task="not.deployed")
            services.store.returned(unknown, no_such_task("not.deployed"))
        gone = put(services, clock)
        clock.move(3600)
        lines = CliRunner().invoke(app, ["stuck"]).stdout.splitlines()
        assert lines[0] == "Waits, no message: 1 job of sum"
        assert lines[1].startswith(f"  {gone.uuid}  since 20")
        assert "Given back: 5 jobs of not.deployed" in lines
        assert "  and 2 more: --json has all" in lines
        assert sum("The deployed worker has no task named" in line for line in lines) == 1

    def test_the_command_line_looks_at_as_many_as_are_asked_for(
        self, services: Services, clock: FakeClock
    ) -> None:
        for _ in range(3):
            put(services, clock)
            clock.move(1)
        clock.move(3600)
        _, document = run("stuck", "--look", "2")
        assert (document["looked_at"], len(document["jobs"])) == (2, 2)
        assert CliRunner().invoke(app, ["stuck", "--look", "0"]).exit_code == 2

    def test_the_command_line_says_what_to_do(self, services: Services, clock: FakeClock) -> None:
        gone = put(services, clock)
        clock.move(3600)
        code, document = run("stuck")
        [job] = document["jobs"]
        assert (code, job["uuid"], job["kind"]) == (0, gone.uuid, "no_message")
        assert job["advice"] == ADVICE[Stuck.NO_MESSAGE]
        assert document["looked_at"] == 1
        text = CliRunner().invoke(app, ["stuck"]).stdout
        assert gone.uuid in text
        assert "serverless-tasks retry UUID" in " ".join(text.split())

    def test_what_it_says_to_do_works(self, services: Services, clock: FakeClock) -> None:
        gone = put(services, clock, inputs={})
        clock.move(3600)
        assert run("cancel", gone.uuid)[0] == 0
        code, again = run("retry", gone.uuid)
        assert (code, again["retry_of"]) == (0, gone.uuid)
        lost = put(services, clock, inputs={})
        services.store.claim(lost, token="t", lease=clock.ms, request_id="")
        clock.move(120)
        code, [ended] = run("stuck", "--end", lost.uuid)
        assert (code, ended["status"], ended["error"]["type"]) == (0, "failed", "WorkerLost")
        assert run("retry", lost.uuid)[0] == 0


class TestEndLost:
    def test_a_live_attempt_is_not_ended(self, services: Services, clock: FakeClock) -> None:
        job = put(services, clock)
        services.store.claim(job, token="t", lease=clock.ms + 1000, request_id="")
        with pytest.raises(NotFinished):
            end_lost(services, job.uuid)

    def test_a_waiting_job_is_not_ended(self, services: Services, clock: FakeClock) -> None:
        with pytest.raises(NotFinished):
            end_lost(services, put(services, clock).uuid)

    def test_an_unknown_job_is_named(self, services: Services, clock: FakeClock) -> None:
        with pytest.raises(TaskNotFound):
            end_lost(services, a_message(clock).uuid)

    def test_a_job_that_has_ended_stays_as_it_is(self, services: Services, clock: FakeClock) -> None:
        job = put(services, clock)
        services.store.settle(job, Failure(type="Mine", message="so"))
        assert end_lost(services, job.uuid).error == {"type": "Mine", "message": "so"}


def _moto_lists_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """moto's ListSchedules knows no NextToken: let it have one."""
    from serverless_tasks.engine.aws.scheduler.one_time import call

    def paged(method: Any, **parameters: Any) -> dict[str, Any]:
        if getattr(method, "__name__", "") != "list_schedules":
            return call(method, **parameters)
        size, start = parameters.pop("MaxResults"), int(parameters.pop("NextToken", "0"))
        found = call(method, **parameters)["Schedules"]
        more = {"NextToken": str(start + size)} if len(found) > start + size else {}
        return {"Schedules": found[start : start + size], **more}

    monkeypatch.setattr(one_time, "call", paged)


def test_replaced_settings_are_seen(services: Services) -> None:
    """Of a stack without a scheduler nothing is scheduled."""
    bare = Services(
        replace(services.config, schedule_group=""), clock=services.clock, registry=services.registry
    )
    assert [queue.scheduled for queue in read_queues(bare).queues] == [None] * 3
