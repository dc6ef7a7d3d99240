"""An action on all jobs that match a filter: what it does, what it leaves alone, and how it goes on."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from serverless_tasks import Task, TaskError, TaskNotFound
from serverless_tasks.client.operations.bulk import action as bulk
from serverless_tasks.client.operations.bulk.action import retry_id
from serverless_tasks.client.operations.bulk.submission import BULK, submit_bulk
from serverless_tasks.client.search import JobFilter
from serverless_tasks.client.timeline import timeline
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.definition.registry import OPERATIONS, Registry
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.job.record import Record
from serverless_tasks.engine.services import Services, use
from serverless_tasks.errors import AwsError, DuplicateTask, UnknownTask
from serverless_tasks.params import NumberParameter
from serverless_tasks.testing import RecordedTasks, recorded
from serverless_tasks.workflow import group
from tests.support.clock import FakeClock, until


class Fails(Task):
    name = "fails"
    inputs = {"number": NumberParameter(required=False)}

    def run(self, number: float = 0) -> None:
        raise TaskError(f"There is no paper for {number:g}.")


class Works(Task):
    name = "works"

    def run(self) -> None:
        return None


FAILED = JobFilter(status="failed")


@pytest.fixture
def jobs() -> Iterator[RecordedTasks]:
    with recorded(Fails, Works) as jobs:
        yield jobs


def failed(jobs: RecordedTasks, count: int = 1, **options: Any) -> list[str]:
    """Jobs that have failed, a moment ago."""
    handles = Fails.options(**options).submit_many([{"number": number} for number in range(count)])
    jobs.drain()
    jobs.move(1)
    return [handle.uuid for handle in handles]


def act(jobs: RecordedTasks, action: str, filters: JobFilter = FAILED, **given: Any) -> Record:
    """Submit an action, run it, and return its record."""
    handle = submit_bulk(jobs.services, action, filters, **given)
    jobs.run_due()
    return jobs.record(handle.uuid)


def acted(jobs: RecordedTasks, action: str, filters: JobFilter = FAILED, **given: Any) -> dict[str, Any]:
    """Return the summary of an action that has run whole."""
    handle = submit_bulk(jobs.services, action, filters, **given)
    jobs.drain()
    record = jobs.record(handle.uuid)
    assert record.status == "succeeded", record.failure
    return record.outputs


def repeats(jobs: RecordedTasks) -> list[str]:
    """The jobs that were retried, once for each retry that was sent."""
    return [message.retry_of for message in jobs.submitted if message.retry_of is not None]


class TestRetry:
    def test_each_failed_job_is_submitted_once_more_and_the_summary_counts_them(
        self, jobs: RecordedTasks
    ) -> None:
        uuids = failed(jobs, 3)
        Works.submit()
        record = act(jobs, "retry", by="ada", owner="7")
        assert sorted(repeats(jobs)) == sorted(uuids)
        assert record.owner == "7"
        assert record.outputs == {
            "action": "retry",
            "done": 3,
            "refused": [],
            "looked_at": record.outputs["looked_at"],
            "left": False,
            "lost": False,
        }
        assert (record.progress, record.target) == (3, 3)
        assert record.messages == ("3 jobs retried.",)

    def test_what_failed_after_the_request_is_left_alone(self, jobs: RecordedTasks) -> None:
        before = failed(jobs)
        Fails.submit()
        jobs.move(1)
        handle = submit_bulk(jobs.services, "retry", FAILED)
        jobs.move(1)
        jobs.run_due()
        assert jobs.record(handle.uuid).outputs["done"] == 1
        assert repeats(jobs) == before

    def test_what_succeeded_is_retried_only_where_the_filter_asks_for_it(self, jobs: RecordedTasks) -> None:
        failed(jobs)
        uuid = Works.submit().uuid
        jobs.drain()
        jobs.move(1)
        act(jobs, "retry", JobFilter())
        assert uuid not in repeats(jobs)
        act(jobs, "retry", JobFilter(status="succeeded"))
        assert uuid in repeats(jobs)

    def test_what_refuses_is_counted_by_its_reason_with_examples(
        self, jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        uuids = failed(jobs, 7, track=True)
        store = jobs.services.store
        real = store.job

        def without_inputs(uuid: str) -> Message | None:
            return None if uuid in uuids[:6] else real(uuid)

        monkeypatch.setattr(store, "job", without_inputs)
        outputs = act(jobs, "retry").outputs
        assert outputs["done"] == 1
        (refusal,) = outputs["refused"]
        assert (refusal["reason"], refusal["count"]) == ("InputsUnavailable", 6)
        assert len(refusal["examples"]) == 5
        assert set(refusal["examples"]) < set(uuids[:6])

    def test_what_was_retried_before_is_left_alone_unless_asked_for(self, jobs: RecordedTasks) -> None:
        (uuid,) = failed(jobs)
        act(jobs, "retry")
        again = act(jobs, "retry", JobFilter(status="failed", id_prefix=uuid))
        assert [each["reason"] for each in again.outputs["refused"]] == ["AlreadyRetried"]
        assert repeats(jobs) == [uuid]
        asked = act(jobs, "retry", JobFilter(status="failed", id_prefix=uuid), again=True)
        assert asked.outputs["done"] == 1
        assert repeats(jobs) == [uuid, uuid]

    def test_of_a_group_what_failed_is_submitted_in_a_new_one(self, jobs: RecordedTasks) -> None:
        old = group([Works.signature(), Fails.signature()]).submit().uuid
        jobs.drain()
        jobs.move(1)
        filters = JobFilter(tasks=("group",), status="failed")
        handle = submit_bulk(jobs.services, "retry", filters)
        jobs.drain()
        assert jobs.record(handle.uuid).outputs["done"] == 1
        new = jobs.record(retry_id(handle.uuid, old))
        assert new.members is not None
        assert (new.members.total, new.members.succeeded) == (2, 1)

    def test_an_action_on_many_jobs_is_never_repeated_by_another(self, jobs: RecordedTasks) -> None:
        failed(jobs)
        act(jobs, "retry")
        jobs.move(1)
        act(jobs, "retry", JobFilter(tasks=(BULK,), status="succeeded"))
        assert [message.task for message in jobs.submitted].count(BULK) == 2


class TestCancel:
    def test_waiting_jobs_never_start_and_ended_ones_stay(self, jobs: RecordedTasks) -> None:
        ended = failed(jobs)
        waiting = [Works.options(delay=60).submit().uuid for _ in range(3)]
        jobs.move(1)
        record = act(jobs, "cancel", JobFilter())
        assert record.outputs["done"] == 3
        assert {jobs.record(uuid).status for uuid in waiting} == {"cancelled"}
        assert jobs.record(ended[0]).status == "failed"

    def test_what_is_submitted_later_is_left_alone(self, jobs: RecordedTasks) -> None:
        handle = submit_bulk(jobs.services, "cancel", JobFilter())
        later = Works.options(delay=60).submit()
        jobs.run_due()
        assert jobs.record(handle.uuid).outputs["done"] == 0
        assert jobs.record(later.uuid).status == "pending"


class TestDelete:
    def test_ended_jobs_are_deleted_and_waiting_ones_stay(self, jobs: RecordedTasks) -> None:
        uuids = failed(jobs, 2)
        waiting = Fails.options(delay=60).submit().uuid
        jobs.move(1)
        assert act(jobs, "delete", JobFilter(tasks=("fails",))).outputs["done"] == 2
        for uuid in uuids:
            with pytest.raises(TaskNotFound):
                jobs.record(uuid)
        assert jobs.record(waiting).status == "pending"


class TestGoingOn:
    @pytest.fixture(autouse=True)
    def small_pages(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bulk, "PAGE", 2)

    @pytest.fixture
    def hurried(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let an attempt have time for one page."""
        monkeypatch.setattr(bulk, "BUDGET", 0)

    @pytest.mark.usefixtures("hurried")
    @pytest.mark.parametrize("action", ["retry", "delete"])
    def test_the_next_attempt_goes_on_where_the_time_was_over(self, jobs: RecordedTasks, action: str) -> None:
        failed(jobs, 7)
        record = act(jobs, action)
        assert record.status == "succeeded"
        assert record.attempt == 4
        assert record.outputs["done"] == 7
        assert (record.progress, record.target) == (7, 7)
        assert {event.reason for event in timeline(record)[1:4]} == {"The time of this attempt was over"}
        if action == "retry":
            assert len(repeats(jobs)) == len(set(repeats(jobs))) == 7

    @pytest.mark.parametrize("page", [2, 10])
    def test_a_run_is_bounded_and_says_that_more_are_left(
        self, jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch, page: int
    ) -> None:
        monkeypatch.setattr(bulk, "MOST_JOBS", 3)
        monkeypatch.setattr(bulk, "PAGE", page)
        failed(jobs, 5)
        first = act(jobs, "delete")
        assert (first.outputs["done"], first.outputs["left"]) == (3, True)
        assert first.messages == ("3 jobs deleted; more are left.",)
        jobs.move(1)
        second = act(jobs, "delete")
        assert (second.outputs["done"], second.outputs["left"]) == (2, False)

    def test_it_stops_when_it_is_cancelled_and_says_how_far_it_came(
        self, jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        uuids = failed(jobs, 6)
        real = jobs.services.delete

        def deleting(uuid: str) -> None:
            real(uuid)
            if not jobs.record(handle.uuid).cancel_requested:
                jobs.services.cancel(handle.uuid)
                jobs.move(2)

        monkeypatch.setattr(jobs.services, "delete", deleting)
        handle = submit_bulk(jobs.services, "delete", FAILED)
        jobs.drain()
        record = jobs.record(handle.uuid)
        assert record.status == "cancelled"
        assert record.messages == ("Cancelled: 2 jobs deleted.",)
        assert sum(jobs.services.store.read(uuid) is not None for uuid in uuids) == 4

    def test_a_message_that_comes_before_its_job_is_stored_waits_for_that(
        self, jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        failed(jobs, 2)
        handle = submit_bulk(jobs.services, "delete", FAILED)
        real, hidden = jobs.services.store.job, [handle.uuid]
        monkeypatch.setattr(jobs.services.store, "job", lambda uuid: None if uuid in hidden else real(uuid))
        jobs.run_due()
        assert jobs.record(handle.uuid).status == "pending"
        hidden.clear()
        jobs.drain()
        assert jobs.record(handle.uuid).outputs["done"] == 2

    def test_what_is_never_stored_is_not_done(
        self, jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        uuids = failed(jobs, 2)
        handle = submit_bulk(jobs.services, "delete", FAILED)
        monkeypatch.setattr(jobs.services.store, "job", lambda uuid: None)
        jobs.drain()
        assert jobs.record(handle.uuid).status == "failed"
        assert all(jobs.services.store.read(uuid) is not None for uuid in uuids)

    def test_a_fault_of_this_code_is_not_repeated_for_ever(
        self, jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        failed(jobs, 2)
        monkeypatch.setattr(bulk, "search_jobs", lambda *args, **given: 1 / 0)
        handle = submit_bulk(jobs.services, "delete", FAILED)
        jobs.drain()
        record = jobs.record(handle.uuid)
        assert (record.status, record.attempt) == ("failed", bulk.TRIES + 1)

    def test_a_filter_of_what_is_no_group_fails_at_once(self, jobs: RecordedTasks) -> None:
        (uuid,) = failed(jobs)
        record = act(jobs, "delete", JobFilter(group=uuid))
        assert record.failure is not None
        assert (record.failure.type, record.attempt) == ("WorkflowError", 1)

    def test_what_aws_did_not_do_is_done_by_the_next_attempt(
        self, jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        uuids = failed(jobs, 5)
        faulty = fault_once(jobs, monkeypatch, uuids[1], uuids[3])
        outputs = acted(jobs, "delete")
        assert (outputs["done"], outputs["refused"]) == (5, [])
        assert faulty == {}

    def test_what_aws_never_does_is_refused_in_the_end(
        self, jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        uuids = failed(jobs, 5)
        fault_once(jobs, monkeypatch, uuids[1], times=100)
        outputs = acted(jobs, "delete")
        assert outputs["done"] == 4
        (refusal,) = outputs["refused"]
        assert (refusal["reason"], refusal["examples"]) == ("AwsError", [uuids[1]])

    @pytest.mark.parametrize("text", ["slow down", 'Sorry: {"message": "slow down"}'])
    def test_a_search_that_aws_refused_is_made_again(
        self, jobs: RecordedTasks, text: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        failed(jobs, 5)
        real, refusals = bulk.search_jobs, [1, 1]

        def searching(*args: Any, **given: Any) -> Any:
            if given["cursor"] is not None and refusals and refusals.pop():
                raise AwsError("dynamodb.Query", "Throttled", text, applied=False)
            return real(*args, **given)

        monkeypatch.setattr(bulk, "search_jobs", searching)
        assert acted(jobs, "delete")["done"] == 5

    def test_an_unforeseen_error_loses_no_place(
        self, jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        failed(jobs, 5)
        real, errors = bulk.search_jobs, [RuntimeError("{}"), RuntimeError("no {place}")]

        def searching(*args: Any, **given: Any) -> Any:
            if given["cursor"] is not None and errors:
                raise errors.pop()
            return real(*args, **given)

        monkeypatch.setattr(bulk, "BUDGET", 0.0)
        monkeypatch.setattr(bulk, "search_jobs", searching)
        outputs = acted(jobs, "delete")
        assert (outputs["done"], outputs["refused"]) == (5, [])

    def test_a_retry_whose_worker_was_lost_is_not_made_twice(
        self, jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        uuids = failed(jobs, 4)
        handle = submit_bulk(jobs.services, "retry", FAILED)
        message = jobs.submitted[-1]
        store = jobs.services.store
        claim = store.claim(message, token="lost", lease=1, request_id="")
        task: Any = bulk.BulkAction()
        task.execution = type("Execution", (), {"uuid": handle.uuid})()
        task.params = bulk.BulkInputs.model_validate(message.inputs)
        for uuid in uuids[:3]:  # what the lost worker did
            record = store.read(uuid)
            assert record is not None
            task._retry(jobs.services, record)
        assert claim.attempt == 1
        jobs.move(60)
        jobs.run_due()
        record = jobs.record(handle.uuid)
        assert sorted(repeats(jobs)) == sorted(uuids)
        assert (record.outputs["done"], record.outputs["lost"]) == (4, True)


def fault_once(
    jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch, *uuids: str, times: int = 1
) -> dict[str, int]:
    """Let AWS refuse the deletion of jobs so many times; returns how many refusals are left."""
    real, left = jobs.services.delete, dict.fromkeys(uuids, times)

    def deleting(uuid: str) -> None:
        if uuid in left:
            left[uuid] -= 1
            if not left[uuid]:
                del left[uuid]
            raise AwsError("dynamodb.PutItem", "Throttled", "slow down", applied=False)
        real(uuid)

    monkeypatch.setattr(jobs.services, "delete", deleting)
    return left


class TestWhoMayNameIt:
    def test_a_message_names_it_and_nothing_else_finds_it(self) -> None:
        registry = Registry()
        assert registry.for_message(BULK).name == BULK
        assert registry.definition_for_message(BULK).task.name == BULK
        assert BULK not in registry
        assert list(registry) == registry.listed() == []
        for look in (registry.get, registry.definition):
            with pytest.raises(UnknownTask):
                look(BULK)

    def test_its_name_is_nobody_elses(self) -> None:
        other: Any = type("Other", (Task,), {"run": lambda self: None, "name": BULK, "__module__": "shop"})
        with pytest.raises(DuplicateTask, match="as a task of this library is"):
            Registry().add(other)

    def test_registering_it_does_not_list_it(self) -> None:
        registry = Registry()
        registry.add(bulk.BulkAction)
        assert list(registry) == []

    @pytest.mark.parametrize("name", OPERATIONS)
    def test_it_is_imported_by_a_message_alone(self, name: str) -> None:
        code = f"""
import sys
from serverless_tasks.engine.definition.registry import OPERATIONS, Registry
from serverless_tasks.testing import recorded
from tests.support.tasks import *
import serverless_tasks, lambda_handlers.dead_letter
module = OPERATIONS[{name!r}][0]
registry = Registry()
{name!r} in registry, registry.listed(), list(registry)
try:
    registry.get({name!r})
except Exception:
    pass
assert module not in sys.modules and module.rpartition(".")[0] not in sys.modules
registry.for_message({name!r})
assert module in sys.modules
"""
        subprocess.run([sys.executable, "-c", code], check=True)

    def test_a_message_alone_does_not_act(self, jobs: RecordedTasks) -> None:
        uuids = failed(jobs, 2)
        real = submit_bulk(jobs.services, "cancel", JobFilter())
        forged = Message.decode(jobs.submitted[-1].encode().replace('"cancel"', '"delete"'))
        jobs.services.runner.execute(forged)
        record = jobs.record(real.uuid)
        assert record.failure is not None
        assert "is stored before it is sent" in record.failure.message
        assert all(jobs.services.store.read(uuid) is not None for uuid in uuids)


@pytest.mark.parametrize("backend", ["immediate", "threading"])
def test_it_runs_on_backends_of_this_process(
    backend: str, monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    monkeypatch.setattr(bulk, "PAGE", 2)
    monkeypatch.setattr(bulk, "BUDGET", 0)
    with use(Services(Config(), backend=backend, clock=clock)) as services:
        handles = Fails.submit_many([{}] * 5)
        until(lambda: all(handle.refresh().record.ended for handle in handles))
        clock.move(1)
        submitted = submit_bulk(services, "delete", FAILED)
        until(lambda: submitted.refresh().record.ended)
        assert submitted.record.outputs["done"] == 5
        assert BULK not in services.registry
