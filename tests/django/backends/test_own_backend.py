"""TASK_API_BACKEND: a project's own backend class is called with the job and the task."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.checks import run_checks
from django.test import Client

from serverless_tasks.engine.aws import session
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import (
    ConfigurationError,
    PayloadTooLarge,
    SubmitFailed,
    UnknownTask,
    WorkflowError,
)
from serverless_tasks.workflow import group
from tests.django.own_backends import Broken, Courier, Inline
from tests.django.shop.background import Fails, SumNumbers
from tests.support.clock import FakeClock

PATH = "tests.django.own_backends"
SUM = {"task": "sum", "inputs": {"numbers": [1, 2]}}


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    yield
    Inline.seen.clear()
    Courier.sent.clear()


@pytest.fixture
def anyone(settings: Any, db: None) -> Client:
    settings.DEBUG = True
    return Client()


def create(client: Client) -> Any:
    return client.post("/tasks/", SUM, content_type="application/json")


@pytest.mark.parametrize("given", [f"{PATH}.Inline", Inline])
@pytest.mark.parametrize("tables", [{}, {"TABLE": "tasks"}])
def test_it_is_called_with_the_record_and_the_task(
    settings: Any, anyone: Client, given: Any, tables: dict[str, str]
) -> None:
    settings.SERVERLESS_TASKS = tables
    settings.TASK_API_BACKEND = given
    assert run_checks(tags=["serverless_tasks"]) == []
    created = create(anyone)
    assert created.status_code == 201
    uuid = created.json()["uuid"]
    inputs = {"numbers": [1, 2]}
    assert Inline.seen == [(uuid, "sum", "pending", inputs, "tests.django.shop.background.SumNumbers")]
    assert anyone.get(f"/tasks/{uuid}/").json()["outputs"] == {"sum": 3}


def test_a_backend_that_carries_jobs_elsewhere(settings: Any, anyone: Client) -> None:
    settings.TASK_API_BACKEND = Courier
    uuid = create(anyone).json()["uuid"]
    assert anyone.get(f"/tasks/{uuid}/").json()["status"] == "pending"
    Courier.deliver()
    assert anyone.get(f"/tasks/{uuid}/").json()["outputs"] == {"sum": 3}
    Courier.deliver()
    assert anyone.get(f"/tasks/{uuid}/").json()["attempt"] == 1


def test_python_submits_through_it_too(settings: Any) -> None:
    settings.TASK_API_BACKEND = Inline
    assert SumNumbers.submit(numbers=[4]).wait() == {"sum": 4}
    assert SumNumbers().start({"numbers": [5]}).wait() == {"sum": 5}


def test_a_task_that_fails_is_recorded_and_raises_nothing_at_its_submitter(settings: Any) -> None:
    settings.TASK_API_BACKEND = Inline
    job = Fails.submit(kindly=1).refresh()
    assert (job.status, job.error) == (
        "failed",
        {"type": "TaskError", "message": "There is no more paper."},
    )


def test_a_delay_is_waited_for_before_the_job_runs(settings: Any) -> None:
    settings.TASK_API_BACKEND = Inline
    current_services().clock = clock = FakeClock()
    assert SumNumbers.options(delay=60).submit(numbers=[1]).wait() == {"sum": 1}
    assert clock.slept == [60]


@pytest.mark.parametrize("backend", [Inline, Courier])
def test_a_retry_goes_through_it(settings: Any, monkeypatch: pytest.MonkeyPatch, backend: Any) -> None:
    settings.TASK_API_BACKEND = backend
    current_services().clock = clock = FakeClock()
    monkeypatch.setattr(Fails, "retries", 2)
    job = Fails.submit(kindly=1)
    Courier.deliver()  # a retry that is sent while it runs is carried too
    assert (job.refresh().status, job.record.attempt) == ("failed", 3)
    assert len(Inline.seen) + len(Courier.sent) == 3
    assert len(clock.slept) == 2


def test_inputs_that_are_too_large_for_the_table_go_to_the_bucket(settings: Any) -> None:
    settings.TASK_API_BACKEND = Inline
    numbers = [1] * 300_000
    with pytest.raises(PayloadTooLarge):
        SumNumbers.submit(numbers=numbers)
    assert Inline.seen == []
    session.client("s3").create_bucket(Bucket="payloads")
    settings.SERVERLESS_TASKS = settings.SERVERLESS_TASKS | {"BUCKET": "payloads"}
    assert SumNumbers.submit(numbers=numbers).wait() == {"sum": 300_000}


def test_a_backend_that_raises_has_not_taken_the_job(settings: Any) -> None:
    settings.TASK_API_BACKEND = Broken
    with pytest.raises(SubmitFailed, match=r"Broken.run_task\(\) raised OSError: the broker is away"):
        SumNumbers.submit(numbers=[1])
    assert current_services().store.list_tasks(["sum"]).records == ()


def test_a_browser_is_told_that_nothing_was_sent(settings: Any, anyone: Client) -> None:
    settings.TASK_API_BACKEND = Broken
    answer = create(anyone)
    assert (answer.status_code, answer.json()["error"]["type"]) == (503, "SubmitFailed")


@pytest.mark.parametrize("given", [f"{PATH}.Nothing", f"{PATH}.Forgetful", "celery.Backend", 7, Broken()])
def test_a_wrong_one_is_named_by_the_check_and_at_submitting(settings: Any, given: Any) -> None:
    settings.TASK_API_BACKEND = given
    (message,) = run_checks(tags=["serverless_tasks"])
    assert message.id == "serverless_tasks.E006"
    assert "TASK_API_BACKEND" in message.msg
    assert repr(given) in message.msg
    with pytest.raises(ConfigurationError, match="TASK_API_BACKEND"):
        SumNumbers.submit(numbers=[1])


def test_only_registered_tasks_have_a_class(settings: Any) -> None:
    settings.TASK_API_BACKEND = Inline
    with pytest.raises(UnknownTask):
        Inline().resolve_class("subprocess.Popen")


def test_a_group_is_refused_in_one_sentence(settings: Any) -> None:
    settings.TASK_API_BACKEND = Courier
    with pytest.raises(WorkflowError, match="own backend is given jobs of tasks alone"):
        group(SumNumbers.signature(numbers=[1])).submit()
    assert Courier.sent == []
