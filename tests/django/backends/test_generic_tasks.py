"""``TASKS_BACKEND`` and the e-mail example of django-generic-tasks, run both ways."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.core import mail
from django.core.checks import run_checks

from serverless_tasks import SubmitFailed, Task
from serverless_tasks.engine.services import current_services
from tests.django import run_backends
from tests.django.conftest import queued
from tests.django.mailing.notifications import EmailNotificationParams, EmailNotificationTask

PARAMS = EmailNotificationParams(
    subject="Hello", content="Have a nice day", recipients=["alice@example.com", "bob@example.com"]
)
THREADING = "django_integration.generic_tasks.ThreadingBackend"


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Letters go to locmem, as in every test of Django; no thread outlives its test."""
    run_backends.seen.clear()
    yield
    for thread in threading.enumerate():
        if thread.name.startswith("task "):
            thread.join()


@pytest.fixture
def without_aws(settings: Any) -> None:
    """A project that has moved nothing but its imports and `TASKS_BACKEND`."""
    settings.SERVERLESS_TASKS = {}


def sent() -> list[tuple[str, list[str]]]:
    return [(letter.subject, letter.to) for letter in mail.outbox]


LETTER = [("Hello", ["alice@example.com", "bob@example.com"])]


def test_run_sends_here_and_now() -> None:
    EmailNotificationTask(PARAMS).run()
    assert sent() == LETTER


def test_start_sends_through_the_queue(work: Any) -> None:
    handle = EmailNotificationTask(PARAMS).start()
    assert (sent(), handle.status) == ([], "pending")
    assert work() == 1
    assert (sent(), handle.refresh().status) == (LETTER, "succeeded")


def test_start_sends_on_a_thread(settings: Any, without_aws: None) -> None:
    settings.TASKS_BACKEND = THREADING
    handle = EmailNotificationTask(PARAMS).start()
    assert handle.wait(10) == {"result": None}
    assert sent() == LETTER


class Remembers(Task[EmailNotificationParams]):
    name = "remembers"
    note = "of the class"

    def run(self) -> str:
        return self.note


def test_run_is_called_on_a_task_that_is_made_anew(settings: Any, without_aws: None) -> None:
    settings.TASKS_BACKEND = THREADING
    task = Remembers(PARAMS)
    task.note = "of this one"  # type: ignore[misc]
    assert task.start().wait(10) == {"result": "of the class"}


class Count(Task[EmailNotificationParams]):
    """Not registered: in-process backends learn of a class as it is started."""

    name = "count letters"

    def run(self) -> int:
        self.set_target(2)
        for recipient in self.params.recipients:
            self.inc_progress()
            self.add_message(recipient)
        return len(self.params.recipients)


def test_threading_records_progress_messages_and_result(settings: Any, without_aws: None) -> None:
    settings.TASKS_BACKEND = THREADING
    handle = Count(PARAMS).start()
    assert handle.wait(10) == {"result": 2}
    assert (handle.progress, handle.target) == (2, 2)
    assert list(handle.messages) == PARAMS.recipients


def test_with_a_table_the_record_is_kept_there(settings: Any) -> None:
    settings.TASKS_BACKEND = run_backends.Inline  # moto shows a reader on another thread half-written items
    handle = Count(PARAMS).options(owner="7").start(PARAMS)
    assert handle.wait(10) == {"result": 2}
    assert current_services().store.list_owner("7", limit=5, cursor=None).records[0].outputs == {"result": 2}
    assert queued() == []


def test_a_failure_is_recorded(settings: Any, without_aws: None) -> None:
    class Fails(Task[EmailNotificationParams]):
        name = "fails to send"

        def run(self) -> None:
            raise RuntimeError("no stamps")

    settings.TASKS_BACKEND = run_backends.Inline()
    assert Fails(PARAMS).start().refresh().error == {"type": "RuntimeError", "message": "no stamps"}


@pytest.mark.parametrize(
    "backend",
    [run_backends.Inline(), run_backends.Inline, "tests.django.run_backends.Inline"],
    ids=["object", "class", "path"],
)
def test_a_backend_of_ones_own_is_given_the_task(settings: Any, without_aws: None, backend: Any) -> None:
    settings.TASKS_BACKEND = backend
    handle = Count(PARAMS).start()
    assert run_backends.seen == [PARAMS]
    assert handle.refresh().outputs == {"result": 2}


def test_what_a_backend_raises_is_raised_by_start(settings: Any, without_aws: None) -> None:
    settings.TASKS_BACKEND = run_backends.Broken
    with pytest.raises(SubmitFailed, match=r"Broken.run\(\) raised OSError: no route"):
        EmailNotificationTask(PARAMS).start()


@pytest.mark.parametrize(
    ("backend", "said"),
    [
        ("tests.django.run_backends.Missing", "cannot be imported"),
        ("tests.django.run_backends.Misshapen", "has no run"),
        ("tests.django.run_backends.Demanding", "cannot be instantiated without arguments"),
    ],
)
def test_a_wrong_backend_is_a_check_error(settings: Any, backend: str, said: str) -> None:
    settings.TASKS_BACKEND = backend
    (error,) = run_checks(tags=["serverless_tasks"])
    assert (error.id, backend in error.msg, said in error.msg) == ("serverless_tasks.E001", True, True)


def test_two_backends_are_a_check_error(settings: Any) -> None:
    settings.TASKS_BACKEND = THREADING
    settings.TASK_API_BACKEND = "tests.django.own_backends.Inline"
    assert "set only one of them" in run_checks(tags=["serverless_tasks"])[0].msg
