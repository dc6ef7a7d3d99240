"""One run's story in the admin and on the status page: its timeline, messages, retries and log, and who sees what."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.test.utils import override_settings

from django_integration.admin import logs
from serverless_tasks.client.operations.story.logs import LogLine
from serverless_tasks.client.resubmit import resubmit
from serverless_tasks.engine.job.record import AttemptMessages, EndedAttempt, Failure, Record
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import AwsError
from tests.django.admin.test_admin import LIST, staff, text
from tests.django.shop.background import Fails, SumNumbers

SECRET = "password=hunter2"
START = 1_767_225_600_000  # 2026-01-01T00:00:00Z


@pytest.fixture
def failed(user: User, work: Callable[[], int]) -> Record:
    """A job of Ada's that failed at its second attempt, with all that an operator may read of it."""
    uuid = Fails.options(owner=str(user.pk), on_commit=False).submit().uuid
    work()
    record = current_services().store.read(uuid)
    assert record is not None
    private = Failure(
        type="RuntimeError", message=SECRET, public=False, traceback="Traceback: line 7 of secret.py"
    )
    ended = [
        EndedAttempt(
            number=number,
            started=START + begin,
            ended=START + end,
            failure=private,
            request_id=f"request-{number}",
            due=due,
        )
        for number, begin, end, due in ((1, 1_000, 2_250, START + 7_250), (2, 8_000, 8_001, None))
    ]
    return replace(
        record,
        created=START,
        attempt=2,
        started=START + 1_000,
        attempted=START + 8_000,
        finished=START + 8_001,
        failure=private,
        request_id="request-2",
        history=tuple(ended),
        messages=("second",),
        messages_by_attempt=(
            AttemptMessages(attempt=1, texts=("first",), times=(START + 1_500,)),
            AttemptMessages(attempt=2, texts=("second",), times=(None,)),
        ),
        retried_as=("0b9f7a52-6a1c-4a3e-9c53-1d2f3a4b5c6d",),
        retry_of="1b9f7a52-6a1c-4a3e-9c53-1d2f3a4b5c6d",
    )


def shown(client: Client, path: str, record: Record) -> Any:
    with mock.patch.object(current_services().store, "read", return_value=record):
        return client.get(path)


def test_the_owner_sees_the_timeline_without_what_operators_read(browser: Client, failed: Record) -> None:
    answer = shown(browser, f"/tasks/{failed.uuid}/view/", failed)
    page, words = answer.content.decode(), text(answer)
    assert '<svg class="tl" role="img" aria-label="Timeline from ' in page
    for part in (
        "In the queue 1.000 s",
        "Attempt 1: failed 1.250 s",
        "Pause before attempt 2 5.000 s",
        "In the queue 750 ms",
        "Attempt 2: failed 1 ms",
    ):
        assert part in words
    for private in (SECRET, "request-1", "request-2", "Traceback", "secret.py", "RuntimeError: password"):
        assert private not in page
    assert "style=" not in page


def test_the_owner_sees_what_was_retried_as_what(browser: Client, failed: Record) -> None:
    page = shown(browser, f"/tasks/{failed.uuid}/view/", failed).content.decode()
    assert "Retried as" in page
    assert f'href="/tasks/{failed.retried_as[0]}/view/"' in page
    assert "Retry of" in page
    assert f'href="/tasks/{failed.retry_of}/view/"' in page


@override_settings(DEBUG=True)
def test_where_errors_are_shown_the_timeline_shows_them(browser: Client, failed: Record) -> None:
    page = shown(browser, f"/tasks/{failed.uuid}/view/", failed).content.decode()
    assert f"RuntimeError: {SECRET}" in page
    assert "request-1" not in page


def test_an_operator_sees_reasons_and_the_messages_of_all_attempts(operator: Client, failed: Record) -> None:
    words = text(shown(operator, f"{LIST}{failed.uuid}/", failed))
    assert f"Attempt 1: failed RuntimeError: {SECRET}" in words
    assert ".500 CST attempt 1 first" in words
    assert "attempt 2 second" in words
    assert "request-1" in words
    assert f"Retried as: {failed.retried_as[0]}" in words


def test_all_of_a_job_has_the_messages_of_all_attempts(operator: Client, failed: Record) -> None:
    whole = shown(operator, f"{LIST}{failed.uuid}/whole/", failed).json()
    assert [(each["attempt"], each["message"]) for each in whole["messages_by_attempt"]] == [
        (1, "first"),
        (2, "second"),
    ]
    assert whole["messages"] == ["second"]


def test_a_retry_is_linked_from_the_original(operator: Client, user: User, work: Callable[[], int]) -> None:
    uuid = SumNumbers.options(owner=str(user.pk), on_commit=False).submit(numbers=[1]).uuid
    work()
    again = resubmit(current_services(), uuid, on_commit=False).uuid
    assert f'href="{LIST}{again}/"' in operator.get(f"{LIST}{uuid}/").content.decode()
    assert f'href="{LIST}{uuid}/"' in operator.get(f"{LIST}{again}/").content.decode()


def test_a_note_of_a_retry_is_another_state_to_those_who_follow_it(
    browser: Client, user: User, work: Callable[[], int]
) -> None:
    uuid = SumNumbers.options(owner=str(user.pk), on_commit=False).submit(numbers=[1]).uuid
    work()
    etag = browser.get(f"/tasks/{uuid}/")["ETag"]
    again = resubmit(current_services(), uuid, on_commit=False).uuid
    answer = browser.get(f"/tasks/{uuid}/", headers={"If-None-Match": etag})
    assert answer.status_code == 200
    assert answer.json()["retried_as"] == [again]


def test_who_may_read_jobs_in_the_admin_has_a_link_there(user: User, failed: Record) -> None:
    for permissions, is_staff, linked in (
        (("view",), True, True),
        ((), True, False),
        (("view",), False, False),
    ):
        user.is_staff = is_staff
        user.save()
        codenames = [f"{permission}_job" for permission in permissions]
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        client = Client()
        client.force_login(User.objects.get(pk=user.pk))
        page = shown(client, f"/tasks/{failed.uuid}/view/", failed).content.decode()
        assert (f'href="{LIST}{failed.uuid}/"' in page) == linked


def test_the_admin_links_to_a_status_page_that_its_reader_may_see(
    operator: Client, failed: Record, user: User
) -> None:
    address = f'href="/tasks/{failed.uuid}/view/"'
    assert address not in shown(operator, f"{LIST}{failed.uuid}/", failed).content.decode()
    own = replace(failed, owner=str(User.objects.get(username="operator").pk))
    assert address in shown(operator, f"{LIST}{failed.uuid}/", own).content.decode()


class TestLog:
    def read(self, client: Client, uuid: str, lines: list[LogLine] | Exception) -> Any:
        how: dict[str, Any] = (
            {"side_effect": lines} if isinstance(lines, Exception) else {"return_value": lines}
        )
        with mock.patch.object(logs, "job_log", **how):
            return client.get(f"{LIST}{uuid}/log/")

    def test_its_lines_are_shown_as_text(self, operator: Client, failed: Record) -> None:
        line = LogLine(
            at=START + 1_234,
            level="ERROR",
            message="<b>task failed</b>",
            exception="Traceback: here",
            attempt=2,
            fields={"seconds": 3},
        )
        answer = self.read(operator, failed.uuid, [line])
        assert ".234 CST 2 ERROR &lt;b&gt;task failed&lt;/b&gt; seconds=3 Traceback: here" in text(answer)
        assert f'href="{LIST}{failed.uuid}/log/"' in operator.get(f"{LIST}{failed.uuid}/").content.decode()

    def test_a_field_may_have_any_name(self, operator: Client, failed: Record) -> None:
        line = LogLine(at=START, level="INFO", message="sold", fields={"items": 3, "keys": [1]})
        assert "sold items=3 keys=[1]" in text(self.read(operator, failed.uuid, [line]))

    def test_the_last_lines_are_shown(self, operator: Client, failed: Record) -> None:
        lines = [LogLine(at=START, level="", message=f"line {number};") for number in range(logs.MOST + 3)]
        words = text(self.read(operator, failed.uuid, lines))
        assert "3 earlier lines are not shown" in words
        assert "line 3;" in words
        assert "line 2;" not in words

    def test_what_is_in_the_way_is_said(self, operator: Client, failed: Record) -> None:
        refusal = AwsError("logs.FilterLogEvents", "AccessDenied", "not yours", applied=False)
        assert "not yours" in text(self.read(operator, failed.uuid, refusal))
        words = text(operator.get(f"{LIST}{failed.uuid}/log/"))
        assert "SERVERLESS_TASKS_LOG_GROUP is not set" in words
        assert "standard output" in words

    def test_a_job_without_lines_says_so(self, operator: Client, failed: Record) -> None:
        assert "No lines (yet)" in text(self.read(operator, failed.uuid, []))

    def test_it_takes_the_permission_and_a_job(self, operator: Client, failed: Record) -> None:
        assert operator.get(f"{LIST}0b9f7a52-6a1c-4a3e-9c53-1d2f3a4b5c6d/log/").status_code == 404
        assert staff("nobody").get(f"{LIST}{failed.uuid}/log/").status_code == 403
        assert Client().get(f"{LIST}{failed.uuid}/log/").status_code == 302
