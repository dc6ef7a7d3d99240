"""Django's documentation of its tasks framework, example by example, on this backend.

https://docs.djangoproject.com/en/6.1/topics/tasks/ and https://docs.djangoproject.com/en/6.1/ref/tasks/; the tasks
are in `tests.django.newsletter.tasks`, an app that knows nothing of ours.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.db import transaction
from django.tasks import (
    DEFAULT_TASK_BACKEND_ALIAS,
    DEFAULT_TASK_QUEUE_NAME,
    Task,
    TaskResult,
    TaskResultStatus,
    default_task_backend,
    task,
    task_backends,
)
from django.tasks.exceptions import (
    InvalidTask,
    InvalidTaskBackend,
    TaskResultDoesNotExist,
    TaskResultMismatch,
)
from django.tasks.signals import task_enqueued, task_finished, task_started

from django_integration.tasks_backend import ServerlessBackend
from tests.django.newsletter import tasks
from tests.django.newsletter.tasks import email_users, email_users_in_context, email_users_soon

pytestmark = pytest.mark.django_db(transaction=True)

EMAIL = {"emails": ["user@example.com"], "subject": "You have a message", "message": "Hello there!"}
type Work = Callable[[], int]


class TestConfiguringABackend:
    def test_backends_are_had_by_alias(self) -> None:
        assert isinstance(task_backends["default"], ServerlessBackend)
        assert isinstance(task_backends["reserve"], ServerlessBackend)
        assert default_task_backend.alias == DEFAULT_TASK_BACKEND_ALIAS

    def test_an_alias_that_is_not_configured(self) -> None:
        with pytest.raises(InvalidTaskBackend):
            task_backends["nowhere"]

    def test_the_feature_flags_are_all_up(self) -> None:
        backend = default_task_backend
        assert backend.supports_defer
        assert backend.supports_async_task
        assert backend.supports_get_result
        assert backend.supports_priority


class TestDefiningTasks:
    def test_the_decorator_gives_a_task(self) -> None:
        assert isinstance(email_users, Task)
        assert email_users.name == "email_users"
        assert (email_users.priority, email_users.queue_name) == (0, DEFAULT_TASK_QUEUE_NAME)
        assert (email_users.run_after, email_users.backend) == (None, "default")
        assert not email_users.takes_context

    def test_its_attributes_are_customised_by_the_decorators_arguments(self) -> None:
        assert (email_users_soon.priority, email_users_soon.queue_name) == (2, "emails")

    def test_the_function_can_still_be_called(self) -> None:
        assert tasks.calculate_meaning_of_life.call() == 42
        assert email_users.func(**EMAIL) == 1

    def test_run_after_is_not_said_there(self) -> None:
        with pytest.raises(TypeError, match="run_after"):
            task(run_after=datetime.now(UTC))(_module_level)  # type: ignore[call-overload]

    @pytest.mark.parametrize("wrong", [{"priority": 101}, {"priority": -101}, {"queue_name": "unheard of"}])
    def test_a_task_that_is_not_valid(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(InvalidTask):
            task(**wrong)(_module_level)
        with pytest.raises(InvalidTask):
            email_users.using(**wrong)

    def test_a_function_must_be_at_a_modules_level(self) -> None:
        def nested() -> None:
            return None

        with pytest.raises(InvalidTask, match="module level"):
            task(nested)


class TestTaskContext:
    def test_a_task_that_takes_it_knows_its_attempt_and_its_result(
        self, work: Work, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.DEBUG, "tests.django.newsletter.tasks"):
            result = email_users_in_context.enqueue(**EMAIL)
            work()
        assert f"Attempt 1 to send user email. Task result id: {result.id}." in caplog.messages

    def test_one_that_has_no_such_argument_is_refused(self) -> None:
        with pytest.raises(InvalidTask, match="context"):
            task(takes_context=True)(_module_level)


class TestModifyingTasks:
    def test_a_modified_task_leaves_the_original_as_it_is(self) -> None:
        assert email_users.priority == 0
        assert email_users.using(priority=10).priority == 10
        assert email_users.priority == 0

    def test_an_instance_cannot_be_modified(self) -> None:
        with pytest.raises(AttributeError):
            email_users.priority = 3  # type: ignore[misc]

    def test_another_backend(self) -> None:
        assert email_users.using(backend="reserve").get_backend() is task_backends["reserve"]


class TestEnqueueing:
    def test_a_result_is_had_at_once_and_the_worker_does_the_rest(self, work: Work, mailoutbox: Any) -> None:
        result = email_users.enqueue(**EMAIL)
        assert isinstance(result, TaskResult)
        assert result.status == TaskResultStatus.READY
        assert mailoutbox == []
        assert work() == 1
        assert [mail.subject for mail in mailoutbox] == ["You have a message"]

    def test_arguments_by_position(self, work: Work) -> None:
        result = tasks.process_data.enqueue([1, "two", None, {"three": 3.5}])
        work()
        result.refresh()
        assert result.return_value == [1, "two", None, {"three": 3.5}]
        assert (result.args, result.kwargs) == ([[1, "two", None, {"three": 3.5}]], {})

    def test_async(self, work: Work) -> None:
        result = async_to_sync(tasks.calculate_meaning_of_life.aenqueue)()
        work()
        async_to_sync(result.arefresh)()
        assert result.return_value == 42

    def test_what_is_not_json_is_a_type_error(self) -> None:
        with pytest.raises(TypeError):
            tasks.process_data.enqueue(datetime.now(UTC))

    def test_what_json_changes_arrives_changed(self, work: Work) -> None:
        result = tasks.double_dictionary.enqueue((1, 2, 3))
        work()
        result.refresh()
        assert result.status == TaskResultStatus.FAILED
        assert "unhashable type: 'list'" in result.errors[0].traceback
        assert result.errors[0].exception_class is TypeError


class TestTransactions:
    def test_enqueued_on_commit_by_hand_as_the_documentation_does(self, work: Work) -> None:
        with transaction.atomic():
            User.objects.create_user("ada")
            transaction.on_commit(partial(tasks.greet.enqueue, username="ada"))
            assert work() == 0
        assert work() == 1

    def test_enqueued_in_the_middle_it_is_sent_on_commit_all_the_same(self, work: Work) -> None:
        with transaction.atomic():
            User.objects.create_user("ada")
            result = tasks.greet.enqueue(username="ada")
            assert work() == 0
        assert work() == 1
        result.refresh()
        assert result.return_value == "Hello, ada!"


class TestResults:
    def test_a_result_is_retrieved_by_its_id(self, work: Work) -> None:
        enqueued = email_users.enqueue(**EMAIL)
        assert len(enqueued.id) < 64
        found = email_users.get_result(enqueued.id)
        assert (found.id, found.status, found.kwargs) == (enqueued.id, TaskResultStatus.READY, EMAIL)
        assert found.task == email_users

    def test_by_the_backend_whatever_the_task(self) -> None:
        enqueued = email_users.enqueue(**EMAIL)
        assert default_task_backend.get_result(enqueued.id).task == email_users

    def test_async(self) -> None:
        enqueued = email_users.enqueue(**EMAIL)
        assert async_to_sync(email_users.aget_result)(enqueued.id).id == enqueued.id
        assert async_to_sync(default_task_backend.aget_result)(enqueued.id).id == enqueued.id

    @pytest.mark.parametrize("unknown", ["0b0e64f7-7d0b-4d6c-8a3a-1f5f3d8f1c11", "12345", "", None, 7])
    def test_an_unknown_id(self, unknown: Any) -> None:
        with pytest.raises(TaskResultDoesNotExist):
            email_users.get_result(unknown)
        with pytest.raises(TaskResultDoesNotExist):
            async_to_sync(default_task_backend.aget_result)(unknown)

    def test_another_tasks_result(self) -> None:
        enqueued = tasks.calculate_meaning_of_life.enqueue()
        with pytest.raises(TaskResultMismatch):
            email_users.get_result(enqueued.id)
        with pytest.raises(TaskResultMismatch):
            async_to_sync(email_users.aget_result)(enqueued.id)

    def test_it_does_not_update_by_itself(self, work: Work) -> None:
        result = tasks.calculate_meaning_of_life.enqueue()
        work()
        assert result.status == TaskResultStatus.READY
        result.refresh()
        assert result.status == TaskResultStatus.SUCCESSFUL


class TestReturnValues:
    def test_of_a_task_that_has_finished(self, work: Work) -> None:
        result = tasks.calculate_meaning_of_life.enqueue()
        work()
        result.refresh()
        assert (result.status, result.return_value) == (TaskResultStatus.SUCCESSFUL, 42)
        assert result.is_finished

    def test_of_one_that_has_not(self) -> None:
        result = tasks.calculate_meaning_of_life.enqueue()
        with pytest.raises(ValueError, match="Task has not finished yet"):
            result.return_value  # noqa: B018 - reading it raises
        assert not result.is_finished

    def test_of_one_that_failed(self, work: Work) -> None:
        result = tasks.fail_with_value_error.enqueue()
        work()
        result.refresh()
        with pytest.raises(ValueError, match="Task failed"):
            result.return_value  # noqa: B018 - reading it raises
        assert result.is_finished

    @pytest.mark.parametrize("value", [None, 0, "", [], {}, False, 1.5, "ä", {"return_value": 1}, [[{}]]])
    def test_any_json_comes_back_as_it_went(self, work: Work, value: Any) -> None:
        result = tasks.process_data.enqueue(value)
        work()
        assert tasks.process_data.get_result(result.id).return_value == value


class TestErrors:
    def test_the_exceptions_class_and_its_traceback_are_kept(self, work: Work) -> None:
        result = tasks.fail_with_value_error.enqueue()
        work()
        result.refresh()
        (error,) = result.errors
        assert error.exception_class is ValueError
        assert error.exception_class_path == "builtins.ValueError"
        assert "This Task failed due to ValueError" in error.traceback
        assert "in fail_with_value_error" in error.traceback


class TestTimesAndWorkers:
    def test_at_every_stage(self, work: Work) -> None:
        before = datetime.now(UTC) - timedelta(milliseconds=1)
        enqueued = tasks.calculate_meaning_of_life.enqueue()
        assert enqueued.enqueued_at is not None
        assert before <= enqueued.enqueued_at <= datetime.now(UTC)
        assert (enqueued.started_at, enqueued.last_attempted_at, enqueued.finished_at) == (None, None, None)
        assert (enqueued.attempts, enqueued.worker_ids, enqueued.backend) == (0, [], "default")
        work()
        enqueued.refresh()
        assert enqueued.started_at is not None
        assert enqueued.finished_at is not None
        assert enqueued.enqueued_at <= enqueued.started_at <= enqueued.finished_at <= datetime.now(UTC)
        assert enqueued.last_attempted_at == enqueued.started_at
        assert enqueued.attempts == len(enqueued.worker_ids) == 1
        assert all(enqueued.worker_ids)


class TestSignals:
    def test_each_has_the_backends_class_and_the_result_as_it_is_then(self, work: Work) -> None:
        told: list[tuple[str, Any, str, str]] = []

        def hear(name: str) -> Callable[..., None]:
            def receive(sender: Any, task_result: TaskResult, **_: Any) -> None:
                told.append((name, sender, task_result.id, task_result.status))

            return receive

        signals = {"enqueued": task_enqueued, "started": task_started, "finished": task_finished}
        receivers = {name: hear(name) for name in signals}
        for name, signal in signals.items():
            signal.connect(receivers[name])
        try:
            good = tasks.calculate_meaning_of_life.enqueue()
            bad = tasks.fail_with_value_error.enqueue()
            work()
        finally:
            for name, signal in signals.items():
                signal.disconnect(receivers[name])
        ours = ServerlessBackend
        for result, end in ((good, TaskResultStatus.SUCCESSFUL), (bad, TaskResultStatus.FAILED)):
            assert [each for each in told if each[2] == result.id] == [
                ("enqueued", ours, result.id, TaskResultStatus.READY),
                ("started", ours, result.id, TaskResultStatus.RUNNING),
                ("finished", ours, result.id, end),
            ]


def _module_level() -> None:
    return None
