"""Functions that Django's `@task` decorated, in groups and chains."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.tasks import TaskResultStatus, default_task_backend
from django.tasks.signals import task_enqueued, task_finished, task_started
from django.test import override_settings

from serverless_tasks import TaskClient
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.job.place import member_id
from serverless_tasks.errors import InvalidInputs, WorkflowError
from serverless_tasks.testing import RecordedTasks, recorded
from serverless_tasks.workflow import chain, group, previous, results
from tests.django import dispatched
from tests.django.django_tasks.test_backend import heard
from tests.django.shop.background import SumNumbers

pytestmark = pytest.mark.django_db(transaction=True)

RETURNED = "return_value"


@pytest.fixture
def jobs() -> Iterator[RecordedTasks]:
    with recorded() as jobs:
        yield jobs


def messages(jobs: RecordedTasks) -> list[Message]:
    """The messages of the tasks' jobs, without those of groups and chains."""
    return [message for message in jobs.submitted if message.workflow is None]


def value(jobs: RecordedTasks, uuid: str) -> Any:
    return jobs.record(uuid).outputs[RETURNED]


class TestMembers:
    def test_a_groups_results_come_in_order(self, jobs: RecordedTasks) -> None:
        handle = group(dispatched.add.signature(number, b=1) for number in (1, 2, 3)).submit()
        jobs.run_due()
        assert [each and each[RETURNED] for each in handle.results()] == [2, 3, 4]
        assert handle.refresh().members.succeeded == 3

    def test_nothing_is_sent_before_the_group_is_submitted(self, jobs: RecordedTasks) -> None:
        dispatched.add.signature(1)
        assert jobs.submitted == []

    def test_a_member_has_a_result_in_djangos_framework(self, jobs: RecordedTasks) -> None:
        handle = group(
            dispatched.add.signature(1, b=1), dispatched.gives_when_asked_again.signature(2)
        ).submit()
        jobs.drain()
        result = dispatched.add.get_result(member_id(handle.uuid, 0))
        assert (result.status, result.return_value) == (TaskResultStatus.SUCCESSFUL, 2)
        assert (result.args, result.kwargs) == ([1], {"b": 1})
        assert result.record.group == handle.uuid
        result = default_task_backend.get_result(member_id(handle.uuid, 1))
        assert result.status == TaskResultStatus.SUCCESSFUL
        assert [error.exception_class for error in result.errors] == [dispatched.NotToday]

    def test_functions_and_tasks_of_ours_stand_side_by_side(self, jobs: RecordedTasks) -> None:
        handle = group(dispatched.add.signature(1), SumNumbers.signature(numbers=[1, 2])).submit()
        jobs.run_due()
        assert list(handle.results()) == [{RETURNED: 1}, {"sum": 3}]

    def test_a_coroutine_function_is_a_member(self, jobs: RecordedTasks) -> None:
        handle = group(dispatched.generates_asynchronously.signature()).submit()
        jobs.run_due()
        assert list(handle.results()) == [{RETURNED: [1, 2]}]

    def test_a_call_by_itself_is_enqueued(self, jobs: RecordedTasks) -> None:
        handle = dispatched.add.using(priority=3, owner="ada").signature(1, b=2).submit()
        jobs.run_due()
        (message,) = jobs.submitted
        assert (message.member, message.queue, message.owner) == (None, "high", "ada")
        assert value(jobs, handle.uuid) == 3

    def test_a_group_waits_for_the_commit(self, settings: Any) -> None:
        settings.SERVERLESS_TASKS = {"BACKEND": "immediate"}
        with transaction.atomic():
            handle = group(dispatched.add.signature(1)).submit()
            assert not handle.published
        assert [each and each[RETURNED] for each in handle.results()] == [1]


class TestReferences:
    def test_a_result_is_an_argument_of_the_next(self, jobs: RecordedTasks) -> None:
        chain(
            dispatched.add.signature(1, b=1),
            dispatched.add.signature(previous[RETURNED], b=10),
            dispatched.add.signature(a=100, b=previous[RETURNED]),
        ).submit()
        jobs.drain()
        assert [value(jobs, message.uuid) for message in messages(jobs)] == [2, 12, 112]

    def test_results_are_an_argument_of_what_follows(self, jobs: RecordedTasks) -> None:
        members = group(dispatched.add.signature(number) for number in (1, 2))
        handle = members.then(dispatched.sums_up.signature(results[RETURNED])).submit()
        jobs.run_due()
        following = handle.refresh().continuation
        assert following is not None
        assert value(jobs, following.uuid) == [[1, 2], [1, 2], 0]

    def test_a_member_that_failed_gives_none(self, jobs: RecordedTasks) -> None:
        members = group(dispatched.add.signature(1), dispatched.gives_up.signature())
        handle = members.then(dispatched.sums_up.signature(numbers=results[RETURNED]), on="end").submit()
        jobs.run_due()
        following = handle.refresh().continuation
        assert following is not None
        assert value(jobs, following.uuid) == [[1, None], [1, None], 1]

    def test_they_stand_deep_within_arguments(self, jobs: RecordedTasks) -> None:
        """Also under a key that has the sign of a path."""
        chain(
            dispatched.gives_it_back.signature({"rows": [1, {"x": 2}]}),
            dispatched.gives_back.signature(
                [0, {"a/b": previous[RETURNED]["rows"]}], more=(previous[RETURNED]["rows"][1]["x"], "~1")
            ),
        ).submit()
        jobs.drain()
        _, second = messages(jobs)
        assert value(jobs, second.uuid) == [[0, {"a/b": [1, {"x": 2}]}], [2, "~1"]]

    def test_what_is_not_there_ends_the_job_with_its_place(self, jobs: RecordedTasks) -> None:
        chain(
            dispatched.gives_it_back.signature({"rows": []}),
            dispatched.gives_back.signature(1, more=previous[RETURNED]["rows"][0]),
        ).submit()
        jobs.drain()
        _, second = messages(jobs)
        failure = jobs.record(second.uuid).failure
        assert failure is not None
        assert failure.type == InvalidInputs.__name__
        assert "kwargs.more: " in failure.message

    def test_a_retry_finds_them_anew(self, jobs: RecordedTasks) -> None:
        """The message of the next attempt holds references, and no outputs."""
        chain(
            dispatched.add.signature(1), dispatched.gives_when_asked_again.signature(previous[RETURNED])
        ).submit()
        jobs.drain()
        _, first, again = messages(jobs)
        assert first.uuid == again.uuid
        assert again.inputs["args"] == [None]
        assert value(jobs, again.uuid) == 1

    def test_a_job_that_is_retried_by_hand_finds_them_as_well(self, jobs: RecordedTasks) -> None:
        handle = chain(
            dispatched.add.signature(1), dispatched.add.signature(previous[RETURNED], b=1)
        ).submit()
        jobs.drain()
        again = TaskClient().retry(member_id(handle.uuid, 1))
        jobs.drain()
        assert value(jobs, again.uuid) == 2

    def test_the_members_result_shows_what_is_not_known_as_none(self, jobs: RecordedTasks) -> None:
        handle = chain(
            dispatched.add.signature(1), dispatched.add.signature(previous[RETURNED], b=1)
        ).submit()
        jobs.drain()
        result = dispatched.add.get_result(member_id(handle.uuid, 1))
        assert (result.args, result.kwargs, result.return_value) == ([None], {"b": 1}, 2)

    def test_the_running_task_sees_the_arguments_that_it_was_called_with(self, jobs: RecordedTasks) -> None:
        chain(dispatched.add.signature(1), dispatched.add.signature(previous[RETURNED], b=1)).submit()
        with heard(task_started) as told:
            jobs.drain()
        assert [result.args for name, result in told if name == "started"] == [[1], [1]]

    @pytest.mark.parametrize(
        ("reference", "why"),
        [
            (previous["result"], r"has no such output; it has 'return_value'"),
            (results[RETURNED], r"no group comes before it"),
            (previous, r"name the output"),
        ],
    )
    def test_one_that_cannot_be_is_refused_when_the_chain_is_submitted(
        self, jobs: RecordedTasks, reference: Any, why: str
    ) -> None:
        parts = chain(dispatched.add.signature(1), dispatched.add.signature(1, b=reference))
        with pytest.raises(
            WorkflowError, match=rf"Input 'kwargs/b' of task 'tests.django.dispatched.add' .*{why}"
        ):
            parts.submit()
        assert jobs.submitted == []

    def test_one_without_a_workflow_is_refused(self, jobs: RecordedTasks) -> None:
        with pytest.raises(
            WorkflowError, match=r"Input 'args/0' .*previous\['return_value'\].*nothing comes before"
        ):
            dispatched.add.signature(previous[RETURNED]).submit()
        assert jobs.submitted == []

    def test_a_unique_task_takes_none(self, jobs: RecordedTasks) -> None:
        with pytest.raises(WorkflowError, match="are unique"):
            chain(dispatched.add.signature(1), dispatched.only_one.signature(previous[RETURNED])).submit()


class TestOptions:
    def test_those_of_using_travel(self, jobs: RecordedTasks) -> None:
        members = [
            dispatched.add.using(priority=-1, tenant="acme").signature(1),
            dispatched.add.using(queue_name="high", run_after=timedelta(minutes=5)).signature(2),
        ]
        group(members).submit()
        first, second = messages(jobs)
        assert (first.queue, first.options.tenant, first.run_at) == ("low", "acme", None)
        assert (second.queue, second.delay(jobs.clock.now())) == ("high", 300)

    def test_a_delay_counts_from_a_steps_turn(self, jobs: RecordedTasks) -> None:
        later = dispatched.add.using(run_after=timedelta(minutes=5))
        handle = chain(later.signature(1), later.signature(2)).submit()
        jobs.drain()
        first, second = (jobs.record(member_id(handle.uuid, index)) for index in (0, 1))
        assert (second.started or 0) - (first.started or 0) == 300_000

    def test_a_time_is_refused_with_what_to_do(self, jobs: RecordedTasks) -> None:
        at = dispatched.add.using(run_after=datetime(2030, 1, 1, tzinfo=UTC))
        with pytest.raises(WorkflowError, match=r"run_after is datetime.*Give a timedelta"):
            at.signature(1)

    @pytest.mark.parametrize(
        "option",
        [{"owner": "ada"}, {"idempotency_key": "k"}, {"uuid": "6f0c7a0e-2d0c-4f6e-9a53-0d5f0f1d2c3b"}],
    )
    def test_those_of_the_whole_are_refused(self, jobs: RecordedTasks, option: dict[str, Any]) -> None:
        (name,) = option
        with pytest.raises(
            WorkflowError, match=rf"takes no option {name}.*group\(\.\.\.\)\.options\({name}=\.\.\.\)"
        ):
            group(dispatched.add.using(**option).signature(1)).submit()
        assert jobs.submitted == []

    def test_a_backend_that_enqueues_at_once_has_members_too(self, settings: Any) -> None:
        """Whether a group waits for a commit is its own option."""
        settings.SERVERLESS_TASKS = {"BACKEND": "immediate"}
        settings.TASKS = {
            "default": {**settings.TASKS["default"], "OPTIONS": {"ENQUEUE_ON_COMMIT": False}},
        }
        with transaction.atomic():
            assert not group(dispatched.add.signature(1)).submit().published
            assert dispatched.add.signature(1).submit().published

    def test_an_argument_without_a_form_in_json_is_refused(self) -> None:
        with pytest.raises(TypeError, match="object"):
            dispatched.add.signature(object())

    def test_another_kind_of_backend_has_none(self) -> None:
        dummy = {
            "default": {"BACKEND": "django_integration.tasks_backend.ServerlessBackend"},
            "dummy": {"BACKEND": "django.tasks.backends.dummy.DummyBackend"},
        }
        with override_settings(TASKS=dummy):
            elsewhere = dispatched.add.using(backend="dummy")
            with pytest.raises(WorkflowError, match=r"TASKS\['dummy'\], a DummyBackend"):
                elsewhere.signature(1)


class TestSignals:
    def test_members_tell_of_their_start_and_end(self, jobs: RecordedTasks) -> None:
        with heard(task_enqueued, task_started, task_finished) as told:
            group(dispatched.add.signature(1), dispatched.add.signature(2)).submit()
            jobs.run_due()
        assert [name for name, _ in told] == ["started", "finished"] * 2

    def test_it_is_the_same_where_they_run_at_once(self, settings: Any) -> None:
        settings.SERVERLESS_TASKS = {"BACKEND": "immediate"}
        with heard(task_enqueued, task_started, task_finished) as told:
            handle = (
                group(dispatched.add.signature(1))
                .then(dispatched.sums_up.signature(results[RETURNED]))
                .submit()
            )
        assert [name for name, _ in told] == ["started", "finished"] * 2
        assert handle.status == "succeeded"
