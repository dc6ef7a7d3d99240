"""What the backend of Django's tasks framework does besides what Django's documentation shows."""

import copy
import json
import pickle
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from django.db import transaction
from django.db.models import TextChoices
from django.tasks import TaskResult, TaskResultStatus, task, task_backends
from django.tasks.exceptions import InvalidTask, TaskResultDoesNotExist
from django.tasks.signals import task_enqueued, task_finished, task_started
from django.test import TestCase

from django_integration.django_tasks import function
from django_integration.django_tasks.reading import read_result
from serverless_tasks import TaskClient
from serverless_tasks.engine.definition.registry import Registry
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import (
    AwsError,
    ConfigurationError,
    IdempotencyConflict,
    SubmitFailed,
    SubmitUncertain,
    TaskCancelled,
    TaskDefinitionError,
    TaskFailed,
    TaskRetry,
    TaskTimeout,
    UnknownOption,
    UnknownTask,
)
from serverless_tasks.testing import RecordedTasks, recorded
from tests.django import dispatched
from tests.django.conftest import queued, stored
from tests.django.newsletter import tasks
from tests.django.shop.background import SumNumbers

pytestmark = pytest.mark.django_db(transaction=True)

READY, RUNNING, FAILED, SUCCESSFUL = (
    TaskResultStatus.READY,
    TaskResultStatus.RUNNING,
    TaskResultStatus.FAILED,
    TaskResultStatus.SUCCESSFUL,
)


class Size(TextChoices):
    LARGE = "l"


class Stop(Exception):
    pass


@contextmanager
def rolled_back() -> Iterator[None]:
    with suppress(Stop), transaction.atomic():
        yield
        raise Stop


@contextmanager
def heard(*signals: Any) -> Iterator[list[tuple[str, TaskResult]]]:
    """What the signals of Django's framework tell, in order."""
    told: list[tuple[str, TaskResult]] = []
    names = {task_enqueued: "enqueued", task_started: "started", task_finished: "finished"}
    receivers = []
    for signal, name in names.items():

        def receive(sender: Any, task_result: TaskResult, name: str = name, **_: Any) -> None:
            told.append((name, copy.copy(task_result)))

        receivers.append((signal, receive))
        signal.connect(receive, weak=False)
    try:
        yield told
    finally:
        for signal, receive in receivers:
            signal.disconnect(receive)


def module_level(a: int = 0) -> int:
    return a


@pytest.fixture
def jobs() -> Iterator[RecordedTasks]:
    with recorded() as jobs:
        yield jobs


class TestOptions:
    def test_they_are_the_tasks_of_ours(self) -> None:
        run_by = current_services().registry.get("tests.django.dispatched.fails_twice")
        assert (run_by.retries, run_by.backoff, run_by.timeout) == (2, 1, 60)
        assert dispatched.fails_twice.retries == 2

    def test_an_unknown_one_is_refused_where_it_is_written(self) -> None:
        with pytest.raises(UnknownOption, match=r"'retrys' is not an option of @task.*retries, timeout"):
            task(retrys=3)(module_level)

    @pytest.mark.parametrize(
        "wrong", [{"retries": -1}, {"timeout": "long"}, {"on_lost": "weep"}, {"unique": 1}]
    )
    def test_one_that_does_not_fit_is_refused(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(TaskDefinitionError, match=next(iter(wrong))):
            task(**wrong)(module_level)

    def test_what_is_said_where_it_is_defined_is_not_said_later(self) -> None:
        with pytest.raises(UnknownOption, match="is an option of @task"):
            dispatched.add.using(retries=3)
        with pytest.raises(UnknownOption, match="does not take 'colour'"):
            dispatched.add.using(colour="red")

    def test_a_function_has_its_options_once(self) -> None:
        with pytest.raises(TaskDefinitionError, match=r"dispatched\.fails_twice is already a task"):
            task(retries=5)(dispatched.fails_twice.func)

    def test_what_was_enqueued_before_a_function_was_renamed_is_run_and_read(
        self, work: Callable[[], int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        result = dispatched.add.enqueue(1, 2)
        declared = current_services().registry.get(dispatched.add.module_path)
        renamed = type("renamed", (declared,), {"name": "shop.add", "aliases": (declared.name,)})
        monkeypatch.delitem(function._functions, declared.name)
        monkeypatch.setitem(function._functions, renamed.name, renamed)
        monkeypatch.setattr(current_services(), "registry", Registry([renamed]))
        assert work() == 1
        read = current_services().store.read(result.id)
        assert read is not None
        assert (read.status, read.task) == ("succeeded", declared.name)
        assert read_result(result.id).return_value == 3

    def test_aliases_are_said_where_it_is_defined(self) -> None:
        with pytest.raises(TaskDefinitionError, match="aliases"):
            task(aliases="shop.add")(module_level)
        assert dispatched.add.aliases == ()

    def test_owner_and_tenant(self) -> None:
        result = dispatched.add.using(owner="7", tenant="acme").enqueue(1)
        (message,) = queued()
        assert (message.owner, message.options.tenant) == ("7", "acme")
        (listed,) = current_services().store.list_owner("7").records
        assert listed.uuid == result.id

    def test_an_option_that_does_not_fit_is_refused_before_anything_is_sent(self) -> None:
        with pytest.raises(UnknownOption, match="tenant"):
            dispatched.add.using(tenant="white space").enqueue(1)
        assert queued() == []

    def test_a_lambda_has_no_name_to_be_called_by(self) -> None:
        with pytest.raises(InvalidTask, match="lambda"):
            task(lambda: None)

    def test_an_idempotency_key_gives_back_the_first(self, work: Callable[[], int]) -> None:
        keyed = dispatched.add.using(idempotency_key="order 7")
        with heard() as told:
            first = keyed.enqueue(1, b=2)
            work()
            again = keyed.using(run_after=timedelta(seconds=5), priority=3).enqueue(1, b=2)
        assert (again.id, again.status, again.return_value) == (first.id, SUCCESSFUL, 3)
        assert [name for name, _ in told] == ["enqueued", "started", "finished"]
        with pytest.raises(IdempotencyConflict):
            keyed.enqueue(2)

    def test_of_a_unique_task_one_job_lives(self) -> None:
        first = dispatched.only_one.enqueue(1)
        again = dispatched.only_one.using(priority=5).enqueue(1)
        other = dispatched.only_one.enqueue(2)
        assert first.id == again.id != other.id
        assert len(queued()) == 2


class TestAttempts:
    def test_each_has_its_error_and_its_worker(self, jobs: RecordedTasks) -> None:
        result = dispatched.fails_twice.enqueue("no")
        for attempt in (1, 2, 3):
            assert [outcome.attempt for outcome in jobs.run_due()] == [attempt]
            result.refresh()
            assert result.attempts == len(result.errors) == attempt
            assert result.status == (FAILED if attempt == 3 else READY)
            assert (result.finished_at is None) == (attempt < 3)
            jobs.move(60)
        assert [error.exception_class for error in result.errors] == [dispatched.NotToday] * 3
        assert all("NotToday: no" in error.traceback for error in result.errors)
        assert all(result.worker_ids)
        assert result.last_attempted_at > result.started_at

    def test_the_context_knows_the_earlier_ones(self, jobs: RecordedTasks) -> None:
        result = dispatched.works_at_last.enqueue()
        with heard() as told:
            jobs.drain()
        result.refresh()
        assert result.return_value == [2, 1, "RUNNING"]
        assert len(result.errors) == 1
        assert [(name, each.status, each.attempts) for name, each in told] == [
            ("started", RUNNING, 1),
            ("started", RUNNING, 2),
            ("finished", SUCCESSFUL, 2),
        ]
        assert told[-1][1].return_value == [2, 1, "RUNNING"]
        assert told[-1][1].worker_ids == result.worker_ids

    def test_some_errors_are_not_tried_again(self, work: Callable[[], int]) -> None:
        result = dispatched.gives_up.enqueue()
        work()
        result.refresh()
        assert (result.status, result.attempts) == (FAILED, 1)
        assert "There is no more paper." in result.errors[0].traceback

    def test_a_task_asks_to_be_run_again(self, jobs: RecordedTasks) -> None:
        result = dispatched.asks_for_another_time.enqueue()
        jobs.run_due()
        result.refresh()
        assert (result.status, result.errors[0].exception_class) == (READY, TaskRetry)
        jobs.move(29)
        assert jobs.run_due() == []
        jobs.move(1)
        jobs.run_due()
        result.refresh()
        assert result.return_value == "open"

    def test_the_call_counts_of_the_common_path(self, calls: Counter[str], work: Callable[[], int]) -> None:
        dispatched.add.enqueue(1)
        assert calls == {"SendMessage": 1, "PutItem": 1}
        messages = queued()
        calls.clear()
        current_services().runner.execute(messages[0])
        assert calls == {"UpdateItem": 2}


class TestWhatATaskTells:
    def test_progress_and_messages_are_in_the_results_record(self, work: Callable[[], int]) -> None:
        result = dispatched.reports.enqueue(pages=5)
        work()
        result.refresh()
        record = result.record
        assert (record.progress, record.target, record.messages) == (5, 5, ("printed",))

    def test_a_cancelled_task_failed_and_says_so(self, work: Callable[[], int]) -> None:
        result = dispatched.add.enqueue(1)
        current_services().store.cancel(result.id)
        result.refresh()
        assert result.status == FAILED
        assert [error.exception_class for error in result.errors] == [TaskCancelled]
        assert "cancelled" in result.errors[0].traceback
        with heard() as told:
            work()
        assert told == []

    def test_one_that_is_cancelled_while_it_runs(self, work: Callable[[], int], monkeypatch: Any) -> None:
        result = dispatched.reports.enqueue(pages=5)
        monkeypatch.setattr(current_services().store, "cancel_requested", lambda *_: True)
        with heard() as told:
            work()
        result.refresh()
        assert (result.status, result.attempts) == (FAILED, 1)
        assert [error.exception_class for error in result.errors] == [TaskCancelled]
        assert [(name, each.status) for name, each in told] == [("started", RUNNING), ("finished", FAILED)]

    def test_one_that_expired_in_the_queue(self, jobs: RecordedTasks) -> None:
        result = dispatched.add.enqueue(1)
        jobs.move(10 * 86_400)
        result.refresh()
        assert (result.status, result.attempts) == (FAILED, 0)
        assert result.errors[0].exception_class is TaskFailed
        assert "Expired: " in result.errors[0].traceback

    def test_an_exception_that_cannot_be_imported_does_not_break_the_result(
        self, work: Callable[[], int]
    ) -> None:
        result = dispatched.raises_what_nobody_can_import.enqueue()
        work()
        result.refresh()
        (error,) = result.errors
        assert error.exception_class_path.endswith("<locals>.Local")
        assert error.exception_class is TaskFailed
        assert "from within" in error.traceback

    def test_a_return_value_that_is_no_json_is_a_failure(self, work: Callable[[], int]) -> None:
        result = dispatched.returns_what_is_no_json.enqueue()
        work()
        result.refresh()
        assert (result.status, result.errors[0].exception_class) == (FAILED, TypeError)
        assert result.attempts == 1  # it has retries, and would return the same

    def test_keys_that_are_no_texts_become_texts(self, work: Callable[[], int]) -> None:
        result = dispatched.gives_back.enqueue({1: {None: 2}}, more=[{True: 3}])
        assert (result.args, result.kwargs) == ([{"1": {"null": 2}}], {"more": [{"true": 3}]})
        work()
        result.refresh()
        assert result.return_value == [{"1": {"null": 2}}, [{"true": 3}]]

    def test_two_keys_that_become_one_are_refused(self) -> None:
        with pytest.raises(ValueError, match="same text"):
            dispatched.gives_back.enqueue({1: 2, "1": 3})
        assert queued() == []

    def test_arguments_that_do_not_fit_the_function(self, work: Callable[[], int]) -> None:
        result = dispatched.add.enqueue(c=3)
        work()
        result.refresh()
        assert result.errors[0].exception_class is TypeError

    def test_a_member_of_an_enum_arrives_as_its_value_as_with_djangos_own(
        self, work: Callable[[], int]
    ) -> None:
        result = dispatched.gives_back.enqueue({"size": [Size.LARGE]}, more={Size.LARGE: Size.LARGE})
        (message,) = queued()
        assert message.inputs == {"args": [{"size": ["l"]}], "kwargs": {"more": {"l": "l"}}}
        assert [type(each) for each in result.args[0]["size"]] == [str]

    def test_what_is_returned_is_the_value_whatever_its_names_are(self, work: Callable[[], int]) -> None:
        result = dispatched.gives_it_back.enqueue({"return_value": 3})
        work()
        result.refresh()
        assert result.return_value == {"return_value": 3}

    def test_a_number_that_json_does_not_have(self) -> None:
        with pytest.raises(ValueError, match="JSON"):
            dispatched.add.enqueue(float("nan"))
        assert queued() == []

    def test_a_job_of_another_kind_is_no_result(self) -> None:
        with pytest.raises(TaskResultDoesNotExist):
            task_backends["default"].get_result(SumNumbers.submit(numbers=[1]).uuid)


class TestQueues:
    @pytest.mark.parametrize(
        ("using", "queue"),
        [
            ({}, "default"),
            ({"priority": 1}, "high"),
            ({"priority": 100}, "high"),
            ({"priority": -100}, "low"),
            ({"queue_name": "high", "priority": -1}, "high"),
            ({"queue_name": "low"}, "low"),
            ({"queue_name": "emails", "priority": 5}, "low"),
        ],
    )
    def test_a_name_wins_over_a_priority(self, using: dict[str, Any], queue: str) -> None:
        result = dispatched.add.using(**using).enqueue(1)
        (message,) = queued()
        assert message.queue == queue
        found = dispatched.add.get_result(result.id).task
        assert {name: getattr(found, name) for name in using} == using

    def test_without_a_queue_for_a_priority_the_default_one_is_as_good(self, settings: Any) -> None:
        urls = settings.SERVERLESS_TASKS["QUEUE_URLS"]
        settings.SERVERLESS_TASKS = {"TABLE": "tasks", "QUEUE_URLS": {"default": urls["default"]}}
        dispatched.add.using(priority=5).enqueue(1)
        (message,) = queued()
        assert message.queue == "default"

    def test_any_name_is_taken_where_queues_is_empty(self, settings: Any) -> None:
        settings.TASKS = {"default": {"BACKEND": settings.TASKS["default"]["BACKEND"], "QUEUES": []}}
        assert dispatched.add.using(queue_name="low").enqueue(1).task.queue_name == "low"
        with pytest.raises(ConfigurationError, match="unheard"):
            dispatched.add.using(queue_name="unheard").enqueue(1)


class TestRunAfter:
    @pytest.mark.parametrize("distance", [timedelta(seconds=90), timedelta(days=40)])
    def test_as_a_time_or_as_a_distance(self, jobs: RecordedTasks, distance: timedelta) -> None:
        due = datetime.fromtimestamp(jobs.clock.now(), UTC) + distance
        by_time = dispatched.add.using(run_after=due).enqueue(1)
        by_distance = dispatched.add.using(run_after=distance).enqueue(1)
        for result in (by_time, by_distance):
            assert result.task.run_after == due
            assert dispatched.add.get_result(result.id).task.run_after == due
        jobs.move(distance.total_seconds() - 1)
        assert jobs.run_due() == []
        jobs.move(1)
        assert len(jobs.run_due()) == 2

    def test_a_near_one_waits_in_the_queue(self, calls: Counter[str]) -> None:
        dispatched.add.using(run_after=timedelta(minutes=14)).enqueue(1)
        assert calls == {"SendMessage": 1, "PutItem": 1}
        assert queued() == []

    def test_what_is_past_runs_at_once(self, work: Callable[[], int]) -> None:
        result = dispatched.add.using(run_after=datetime.now(UTC) - timedelta(days=1)).enqueue(1)
        assert work() == 1
        result.refresh()
        assert result.status == SUCCESSFUL

    def test_a_naive_time_is_refused(self) -> None:
        with pytest.raises(InvalidTask, match="aware"):
            dispatched.add.using(run_after=datetime(2030, 1, 1))  # noqa: DTZ001 - what is refused

    @pytest.mark.parametrize("given", [5, 0, "tomorrow", date(2030, 1, 1), False])
    def test_neither_a_time_nor_a_distance_is_refused(self, given: Any) -> None:
        with pytest.raises(
            InvalidTask, match=r"run_after is .*; expected a datetime or a timedelta\."
        ) as caught:
            dispatched.add.using(run_after=given).enqueue(1)
        assert repr(given) in str(caught.value)

    def test_without_time_zones_all_times_are_naive(self, settings: Any, work: Callable[[], int]) -> None:
        settings.USE_TZ = False
        due = datetime.now() + timedelta(minutes=2)  # noqa: DTZ005 - as a project without time zones has it
        result = dispatched.add.using(run_after=due).enqueue(1)
        assert result.enqueued_at is not None
        assert result.enqueued_at.tzinfo is None
        assert abs(datetime.now() - result.enqueued_at) < timedelta(minutes=1)  # noqa: DTZ005


class TestOnCommit:
    def test_the_signal_comes_with_the_commit(self) -> None:
        with heard() as told, transaction.atomic():
            result = dispatched.add.enqueue(1)
            assert (told, queued()) == ([], [])
            result.refresh()
            assert result.status == READY
        assert [(name, each.id) for name, each in told] == [("enqueued", result.id)]
        result.refresh()
        assert result.status == READY
        assert len(queued()) == 1

    def test_what_was_rolled_back_failed_and_says_so(self) -> None:
        with heard() as told, rolled_back():
            result = dispatched.add.enqueue(1)
        assert (told, queued(), stored()) == ([], [], 0)
        result.refresh()
        assert (result.status, result.is_finished) == (FAILED, True)
        (error,) = result.errors
        assert error.exception_class.__name__ == "NotPublished"
        assert "rolled back" in error.traceback
        with pytest.raises(TaskResultDoesNotExist):
            dispatched.add.get_result(result.id)

    def test_an_option_sends_at_once(self, settings: Any) -> None:
        settings.TASKS = {
            "default": {**settings.TASKS["default"], "OPTIONS": {"ENQUEUE_ON_COMMIT": False}},
        }
        with rolled_back():
            dispatched.add.enqueue(1)
        assert len(queued()) == 1

    def test_ten_of_one_transaction_are_one_call(self, calls: Counter[str]) -> None:
        with transaction.atomic():
            for number in range(10):
                dispatched.add.enqueue(number)
        assert calls == {"SendMessageBatch": 1, "BatchWriteItem": 1}

    @pytest.mark.parametrize("way", [pickle.dumps, copy.deepcopy, asdict])
    def test_a_result_can_be_kept_before_and_after(self, way: Callable[[Any], Any]) -> None:
        with transaction.atomic():
            result = dispatched.add.enqueue(1)
            way(result)
        way(result)
        with rolled_back():
            result = dispatched.add.enqueue(1)
        way(result)

    def test_a_result_that_was_unpickled_asks_for_its_job(self, work: Callable[[], int]) -> None:
        with transaction.atomic():
            text = pickle.dumps(dispatched.add.enqueue(1))
            early = pickle.loads(text)
            with pytest.raises(TaskResultDoesNotExist):
                early.refresh()
            assert early.status == READY
        work()
        early.refresh()
        assert (early.status, early.return_value) == (SUCCESSFUL, 1)

    def test_a_send_that_fails_on_commit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        _unreachable(monkeypatch)
        with pytest.raises(SubmitFailed), transaction.atomic():
            result = dispatched.add.enqueue(1)
        result.refresh()
        assert (result.status, result.errors[0].exception_class) == (FAILED, SubmitFailed)


def test_an_argument_of_numpy_is_refused_with_the_call_that_makes_it_plain() -> None:
    number = type("int64", (), {"__module__": "numpy"})()
    with pytest.raises(TypeError, match=r"a numpy.int64 x becomes plain by int\(x\)"):
        dispatched.add.enqueue(number)


class TestBulk:
    def test_ten_go_in_a_call(self, calls: Counter[str], work: Callable[[], int]) -> None:
        results = dispatched.add.enqueue_many([((number,), {"b": 1}) for number in range(25)])
        assert calls["SendMessageBatch"] == 3
        assert calls["BatchWriteItem"] == 1
        assert work() == 25
        for number, result in enumerate(results):
            result.refresh()
            assert result.return_value == number + 1

    def test_of_several_tasks_in_their_order(self, work: Callable[[], int]) -> None:
        both = [
            (dispatched.add, (1,), {}),
            (tasks.calculate_meaning_of_life, (), {}),
            (dispatched.add, (2,), {}),
        ]
        results = task_backends["default"].enqueue_many(both)  # type: ignore[attr-defined]
        work()
        for result in results:
            result.refresh()
        assert [result.return_value for result in results] == [1, 42, 2]

    def test_nothing_is_sent_unless_all_can_be(self) -> None:
        with pytest.raises(TypeError):
            dispatched.add.enqueue_many([((1,), {}), ((object(),), {})])
        assert queued() == []

    def test_none(self) -> None:
        assert dispatched.add.enqueue_many([]) == []

    def test_what_could_not_be_sent_is_told_item_by_item(self, monkeypatch: pytest.MonkeyPatch) -> None:
        refuse = _refusing(monkeypatch, {3, 17})
        results = dispatched.add.enqueue_many([((number,), {}) for number in range(20)])
        failed = [index for index, result in enumerate(results) if result.status == FAILED]
        assert failed == [3, 17]
        assert all(results[index].errors[0].exception_class is SubmitFailed for index in failed)
        refuse.clear()
        dispatched.add.enqueue_many([(results[index].args, results[index].kwargs) for index in failed])
        assert sorted(message.inputs["args"][0] for message in queued()) == list(range(20))

    def test_one_that_could_not_be_sent(self, monkeypatch: pytest.MonkeyPatch) -> None:
        _unreachable(monkeypatch)
        (result,) = dispatched.add.enqueue_many([((1,), {})])
        assert (result.status, result.errors[0].exception_class) == (FAILED, SubmitFailed)

    def test_the_table_that_keeps_unique_jobs_cannot_be_asked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: Any, **__: Any) -> Any:
            raise AwsError("dynamodb.transact_write_items", "Throttling", "slow down", applied=False)

        monkeypatch.setattr(type(current_services().locks), "only", refuse)
        results = dispatched.only_one.enqueue_many([((number,), {}) for number in range(3)])
        assert [result.status for result in results] == [FAILED] * 3
        assert all(result.errors[0].exception_class is AwsError for result in results)
        assert queued() == []

    def test_one_key_for_many_is_refused(self) -> None:
        with pytest.raises(UnknownOption, match="names one job"):
            dispatched.add.using(idempotency_key="k").enqueue_many([((1,), {}), ((2,), {})])
        assert queued() == []

    def test_what_may_have_been_sent_is_sent_again_under_its_id(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lost = _losing_answers(monkeypatch)
        (result,) = dispatched.add.enqueue_many([((1,), {})])
        assert (result.status, result.errors[0].exception_class) == (FAILED, SubmitUncertain)
        monkeypatch.undo()
        again = dispatched.add.using(uuid=result.id).enqueue(1)
        assert again.id == result.id
        assert {message.uuid for message in queued()} == {result.id}
        assert lost

    async def _enqueue(self) -> list[Any]:
        return await dispatched.add.aenqueue_many([((1,), {}), ((2,), {})])

    def test_async(self) -> None:
        results = async_to_sync(self._enqueue)()
        assert [result.status for result in results] == [READY, READY]
        assert len(queued()) == 2


class TestCoroutines:
    def test_the_orm_is_asked_on_the_workers_own_thread(self, user: Any, work: Callable[[], int]) -> None:
        result = dispatched.asks_the_database.enqueue()
        work()
        result.refresh()
        assert result.return_value[0] == "ada"

    def test_the_time_limit_ends_one_that_waits(self, work: Callable[[], int]) -> None:
        result = dispatched.sleeps_too_long.enqueue([])
        work()
        result.refresh()
        assert (result.status, result.errors[0].exception_class) == (FAILED, TaskTimeout)

    def test_the_time_limit_ends_one_that_does_not(self, work: Callable[[], int]) -> None:
        result = dispatched.counts_too_long.enqueue()
        work()
        result.refresh()
        assert (result.status, result.errors[0].exception_class) == (FAILED, TaskTimeout)

    def test_its_own_timeout_is_its_own(self, work: Callable[[], int]) -> None:
        result = dispatched.times_out_by_itself.enqueue()
        work()
        result.refresh()
        assert result.errors[0].exception_class is TimeoutError


class TestInProcess:
    def test_immediate_runs_while_it_is_enqueued_and_tells_in_order(self, settings: Any) -> None:
        settings.SERVERLESS_TASKS = {"BACKEND": "immediate"}
        with heard() as told:
            result = dispatched.add.enqueue(1, b=1)
        assert (result.status, result.return_value, result.attempts) == (SUCCESSFUL, 2, 1)
        assert [(name, each.status) for name, each in told] == [
            ("enqueued", READY),
            ("started", RUNNING),
            ("finished", SUCCESSFUL),
        ]

    def test_immediate_fails_as_a_worker_would(self, settings: Any) -> None:
        settings.SERVERLESS_TASKS = {"BACKEND": "immediate"}
        result = tasks.double_dictionary.enqueue((1, 2))
        assert (result.status, result.errors[0].exception_class) == (FAILED, TypeError)

    def test_threading(self, settings: Any) -> None:
        settings.SERVERLESS_TASKS = {"BACKEND": "threading"}
        result = dispatched.add.enqueue(1, b=1)
        _handle_of(result.id).wait(timeout=10)
        result.refresh()
        assert result.return_value == 2

    def test_recorded_tasks_are_run_when_the_test_says_so(self) -> None:
        with recorded() as jobs, heard() as told:
            result = dispatched.works_at_last.using(run_after=timedelta(days=2)).enqueue()
            jobs.run_due()
            result.refresh()
            assert result.status == READY
            jobs.drain()
            result.refresh()
            assert result.return_value == [2, 1, "RUNNING"]
            assert [name for name, _ in told] == ["enqueued", "started", "started", "finished"]
            jobs.assert_submitted(dispatched.works_at_last, args=[], kwargs={})
            with pytest.raises(AssertionError, match=r"dispatched\.add .* was not submitted"):
                jobs.assert_submitted(dispatched.add, args=[1])
        assert queued() == []


class TestReceivers:
    def test_one_that_fails_changes_nothing(self, work: Callable[[], int], caplog: Any) -> None:
        def receive(**_: Any) -> None:
            raise RuntimeError("a broken receiver")

        for signal in (task_enqueued, task_started, task_finished):
            signal.connect(receive)
        try:
            result = dispatched.add.enqueue(1)
            work()
        finally:
            for signal in (task_enqueued, task_started, task_finished):
                signal.disconnect(receive)
        result.refresh()
        assert result.status == SUCCESSFUL
        assert caplog.text.count("a broken receiver") >= 3

    def test_the_end_of_a_failure_has_its_exception_at_hand(self, work: Callable[[], int]) -> None:
        seen: list[Any] = []

        def receive(**_: Any) -> None:
            seen.append(sys.exc_info()[0])

        task_finished.connect(receive)
        try:
            tasks.fail_with_value_error.enqueue()
            dispatched.add.enqueue(1)
            work()
        finally:
            task_finished.disconnect(receive)
        assert seen == [ValueError, None]

    def test_an_exception_that_python_cannot_print_is_told_and_logged(
        self, work: Callable[[], int], caplog: Any
    ) -> None:
        caplog.set_level("INFO", "django.tasks")
        with heard(task_finished) as told:
            result = dispatched.fails_beyond_print.enqueue()
            assert work() == 1
        assert [(name, ended.status) for name, ended in told][-1] == ("finished", FAILED)
        assert "SyntaxError: half a template" in caplog.text
        result.refresh()
        assert result.errors[0].exception_class_path == "builtins.SyntaxError"


class TestTasksOfOthers:
    def test_one_of_another_backend_is_sent_to_ours(self, work: Callable[[], int]) -> None:
        assert not current_services().registry.get(tasks.elsewhere.module_path).late
        assert tasks.elsewhere.enqueue(1).return_value == 2
        assert queued() == []
        result = tasks.elsewhere.using(backend="default").enqueue(1)
        assert work() == 1
        result.refresh()
        assert (result.return_value, result.backend) == (2, "default")

    def test_one_of_ours_is_run_by_another(self) -> None:
        assert dispatched.add.using(backend="immediate").enqueue(1).return_value == 1
        assert queued() == []


class TestCopies:
    def test_tasks_and_results_can_be_copied_and_pickled(self) -> None:
        changed = dispatched.add.using(priority=3, owner="7")
        assert copy.deepcopy(changed) == pickle.loads(pickle.dumps(changed)) == changed
        result = changed.enqueue(1)
        again = pickle.loads(pickle.dumps(result))
        assert again == copy.deepcopy(result) == result
        again.refresh()
        assert again.status == READY


class TestInDjangosTestCase(TestCase):
    def test_captured_callbacks_enqueue(self) -> None:
        with self.captureOnCommitCallbacks(execute=True) as callbacks:
            result = dispatched.add.enqueue(1)
            assert queued() == []
        assert len(callbacks) == 1
        assert [message.uuid for message in queued()] == [result.id]


def test_a_message_of_an_unknown_function_runs_nothing(work: Callable[[], int]) -> None:
    message = Message(uuid=str(uuid4()), task="tests.django.newsletter.tasks.logger", expires=2**42)
    with pytest.raises(UnknownTask):
        current_services().runner.execute(message)


def _handle_of(uuid: str) -> Any:
    return TaskClient(services=current_services())._handle(uuid)


def _unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    def send(**_: Any) -> Any:
        raise EndpointConnectionError(endpoint_url="https://sqs")

    monkeypatch.setattr(current_services().queue._client, "send_message", send)
    monkeypatch.setattr(current_services().queue._clock, "sleep", lambda seconds: None)


def _losing_answers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    sent: list[str] = []
    send_message = current_services().queue._client.send_message

    def send(**message: Any) -> Any:
        sent.append(send_message(**message)["MessageId"])
        raise ReadTimeoutError(endpoint_url="https://sqs")

    monkeypatch.setattr(current_services().queue._client, "send_message", send)
    monkeypatch.setattr(current_services().queue._clock, "sleep", lambda seconds: None)
    return sent


def _refusing(monkeypatch: pytest.MonkeyPatch, numbers: set[int]) -> set[int]:
    """SQS refuses the messages whose first argument is one of these."""
    client = current_services().queue._client
    send_message, send_batch = client.send_message, client.send_message_batch

    def refused(entry: Any) -> bool:
        return json.loads(entry["MessageBody"])["inputs"]["args"][0] in numbers

    def send_one(**message: Any) -> Any:
        if refused(message):
            raise EndpointConnectionError(endpoint_url="https://sqs")
        return send_message(**message)

    def send_many(**batch: Any) -> Any:
        taken = [entry for entry in batch["Entries"] if not refused(entry)]
        answer = send_batch(QueueUrl=batch["QueueUrl"], Entries=taken) if taken else {}
        told = {"SenderFault": True, "Code": "InvalidMessageContents", "Message": "no"}
        answer["Failed"] = [{"Id": entry["Id"], **told} for entry in batch["Entries"] if refused(entry)]
        return answer

    monkeypatch.setattr(client, "send_message", send_one)
    monkeypatch.setattr(client, "send_message_batch", send_many)
    monkeypatch.setattr(current_services().queue._clock, "sleep", lambda seconds: None)
    return numbers
