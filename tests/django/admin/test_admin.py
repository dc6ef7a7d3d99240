"""The jobs in Django's admin: what it reads, who may do what, and what becomes of errors."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from typing import Any
from unittest import mock

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext, override_settings

from django_integration.web.times import local_time
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import AwsError
from tests.django.shop.background import Fails, SumNumbers

LIST = "/admin/serverless_tasks/job/"
UNKNOWN = "0b9f7a52-6a1c-4a3e-9c53-1d2f3a4b5c6d"


def staff(name: str, *permissions: str) -> Client:
    """A member of staff with these permissions on jobs."""
    user = User.objects.create_user(name, password="pw", is_staff=True)
    codenames = [f"{permission}_job" for permission in permissions]
    user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


def submit(task: Any = SumNumbers, owner: str | None = None, **inputs: Any) -> str:
    given = inputs or ({"numbers": [20, 22]} if task is SumNumbers else {})
    uuid: str = task.options(owner=owner, on_commit=False).submit(**given).uuid
    return uuid


def text(answer: Any) -> str:
    """A page's text without its tags."""
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def said(answer: Any) -> list[str]:
    """The banners of a page, without their tags."""
    return [re.sub(r"<[^>]+>", "", str(message)) for message in answer.context["messages"]]


class TestList:
    def test_it_lists_jobs_newest_first_with_those_of_nobody(
        self, operator: Client, user: User, work: Callable[[], int]
    ) -> None:
        submit(Fails)
        work()
        submit(owner=str(user.pk))
        page = text(operator.get(LIST))
        assert re.search(rf"Pending .* sum .* ada \({user.pk}\) .*Failed RuntimeError: .* fails", page)

    def test_owners_names_are_one_query(self, operator: Client, user: User, other_user: User) -> None:
        for owner in (str(user.pk), str(other_user.pk), "a service", "a service"):
            submit(owner=owner)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            page = text(operator.get(LIST))
        about_users = [query for query in queries if '"auth_user"."id" IN' in query["sql"]]
        assert len(about_users) == 1
        assert "a service" in page

    @pytest.mark.parametrize(
        ("query", "count"),
        [
            ("", 3),
            ("?status=failed", 1),
            ("?status=pending", 2),
            ("?status=nonsense", 3),
            ("?task=sum", 2),
            ("?task=nobody-has-this-one", 0),
            ("?owner=ada", 1),
            ("?owner=ada&task=fails", 0),
            ("?owner=ada&status=pending&days=30", 1),
            ("?owner=nobody", 0),
            ("?days=1", 3),
            ("?days=100000", 3),
        ],
    )
    def test_it_is_narrowed(
        self, operator: Client, user: User, work: Callable[[], int], query: str, count: int
    ) -> None:
        submit(Fails)
        work()
        submit()
        submit(owner=str(user.pk))
        assert len(operator.get(LIST + query).context["rows"]) == count

    def test_it_goes_on_in_pages(self, operator: Client) -> None:
        SumNumbers.options(on_commit=False).submit_many([{"numbers": [n]} for n in range(60)])
        first = operator.get(LIST)
        second = operator.get(LIST + first.context["next"])
        shown = [row.record.uuid for page in (first, second) for row in page.context["rows"]]
        assert len(shown) == len(set(shown)) == 60
        assert second.context["next"] == ""
        assert "Newest" in text(second)

    def test_a_job_id_in_the_search_box_leads_to_its_page(self, operator: Client) -> None:
        uuid = submit()
        assert operator.get(f"{LIST}?owner={uuid}")["Location"] == f"{LIST}{uuid}/"
        assert operator.get(f"{LIST}?owner={UNKNOWN}").status_code == 200

    def test_a_cursor_that_no_page_gave_leads_to_the_beginning(self, operator: Client) -> None:
        assert operator.get(f"{LIST}?cursor=%00made-up")["Location"] == LIST

    def test_a_table_that_cannot_be_read_is_said(self, operator: Client) -> None:
        refusal = AwsError("dynamodb.Query", "AccessDenied", "not yours", applied=False)
        with mock.patch.object(current_services().store, "list_tasks", side_effect=refusal):
            answer = operator.get(LIST)
        assert "The jobs could not be read. dynamodb.Query failed: AccessDenied" in text(answer)

    def test_a_table_that_cannot_be_asked_for_a_job_id_is_said(self, operator: Client) -> None:
        refusal = AwsError("dynamodb.Query", "AccessDenied", "not yours", applied=False)
        with mock.patch.object(current_services().store, "read", side_effect=refusal):
            answer = operator.get(f"{LIST}?owner={UNKNOWN}")
        assert "The jobs could not be read. dynamodb.Query failed: AccessDenied" in text(answer)

    def test_what_a_page_costs(self, operator: Client, calls: Counter[str]) -> None:
        for _ in range(3):
            submit()
        calls.clear()
        operator.get(f"{LIST}?days=1&task=sum")
        assert calls["BatchGetItem"] <= 2
        assert calls["Query"] <= 8  # two days, four shards


class TestJob:
    def test_it_shows_what_was_submitted_and_every_attempt(
        self, operator: Client, user: User, work: Callable[[], int]
    ) -> None:
        uuid = submit(Fails, owner=str(user.pk), kindly=1)
        work()
        answer = operator.get(f"{LIST}{uuid}/")
        page = text(answer)
        assert "TaskError : There is no more paper." in page
        assert "kindly: 1" in page
        assert "Queue: default" in page
        assert f"ada ({user.pk})" in page
        assert "raise TaskError" in page

    def test_it_says_when_a_waiting_one_is_due(self, operator: Client, work: Callable[[], int]) -> None:
        uuid = SumNumbers.options(delay=600, on_commit=False).submit(numbers=[1]).uuid
        record = current_services().store.read(uuid)
        assert record is not None
        assert record.run_at is not None
        due = local_time(record.run_at)
        page = operator.get(f"{LIST}{uuid}/")
        assert f'<time datetime="{due.isoformat()}">' in page.content.decode()
        assert "Due:" in text(page)
        current_services().store.cancel(uuid)
        assert "Due:" not in text(operator.get(f"{LIST}{uuid}/"))

    def test_an_operator_reads_what_a_browser_does_not(
        self, operator: Client, work: Callable[[], int]
    ) -> None:
        uuid = submit(Fails)
        work()
        assert "RuntimeError : password=hunter2" in text(operator.get(f"{LIST}{uuid}/"))

    def test_markup_in_a_tasks_words_stays_text(self, operator: Client) -> None:
        uuid = submit(Fails, kindly=1, owner="<script>alert(1)</script>")
        for place in ("", f"{uuid}/"):
            assert b"<script>alert(1)" not in operator.get(LIST + place).content

    def test_long_values_and_many_messages_are_clipped_with_a_link_to_all(self, operator: Client) -> None:
        uuid = submit(SumNumbers, numbers=list(range(2_000)))
        record = current_services().store.read(uuid)
        assert record is not None
        messages = tuple(f"Page {number}" for number in range(10_000))
        outputs = {"text": "x" * 1_000_000, "lines": "\n" * 5_000, **{f"more{n}": n for n in range(150)}}
        long = replace(record, messages=messages, outputs=outputs)
        with mock.patch.object(current_services().store, "read", return_value=long):
            answer = operator.get(f"{LIST}{uuid}/")
            whole = operator.get(f"{LIST}{uuid}/whole/").json()
        page = text(answer)
        assert len(answer.content) < 100_000
        assert "Page 9800" in page
        assert "Page 9799" not in page
        assert "9800 earlier ones: all of them" in page
        assert "996000 more characters: all of it" in page
        assert "102 more outputs: all of them" in page
        assert "numbers:" in page
        assert answer.content.decode().count(f"{LIST}{uuid}/whole/") == 5
        assert (whole["outputs"], len(whole["messages"])) == (outputs, 10_000)
        assert whole["inputs"] == {"numbers": list(range(2_000))}

    def test_all_of_one_takes_the_permission_and_a_job(self, operator: Client, reader: Client) -> None:
        uuid = submit()
        assert reader.get(f"{LIST}{uuid}/whole/").json()["uuid"] == uuid
        assert operator.get(f"{LIST}{UNKNOWN}/whole/").status_code == 404
        assert Client().get(f"{LIST}{uuid}/whole/").status_code == 302
        refusal = AwsError("dynamodb.Query", "AccessDenied", "not yours", applied=False)
        with mock.patch.object(current_services().store, "read", side_effect=refusal):
            assert operator.get(f"{LIST}{uuid}/whole/").status_code == 503

    def test_an_unknown_one_is_404(self, operator: Client) -> None:
        assert operator.get(f"{LIST}{UNKNOWN}/").status_code == 404
        assert operator.get(f"{LIST}not-an-id/").status_code == 404

    def test_a_table_that_cannot_be_read_is_said(self, operator: Client) -> None:
        refusal = AwsError("dynamodb.Query", "AccessDenied", "not yours", applied=False)
        with mock.patch.object(current_services().store, "read", side_effect=refusal):
            answer = operator.get(f"{LIST}{UNKNOWN}/", follow=True)
        assert "The job could not be read" in said(answer)[0]


class TestActions:
    def act(self, client: Client, action: str, *uuids: str, **more: str) -> Any:
        return client.post(f"{LIST}act/", {"action": action, "uuid": list(uuids), **more}, follow=True)

    def test_cancel(self, operator: Client, work: Callable[[], int]) -> None:
        uuid = submit()
        assert said(self.act(operator, "cancel", uuid)) == [f"Job {uuid[:8]}: The job was cancelled."]
        work()
        assert current_services().store.read(uuid).status == "cancelled"
        assert LogEntry.objects.get(object_id=uuid).change_message == "The job was cancelled."

    def test_retry_is_a_new_job_that_says_whose_retry_it_is(
        self, operator: Client, work: Callable[[], int]
    ) -> None:
        uuid = submit(Fails, owner="7", kindly=1)
        work()
        answer = self.act(operator, "retry", uuid)
        new = answer.context["record"].uuid
        assert new != uuid
        assert f"Retry of: {uuid}" in text(answer)
        assert current_services().store.job(new).inputs == {"kindly": 1}
        assert current_services().store.job(new).owner == "7"
        assert work() == 1

    def test_delete_leaves_nothing_to_read(self, operator: Client, work: Callable[[], int]) -> None:
        uuid = submit()
        work()
        answer = self.act(operator, "delete", uuid, confirmed="yes")
        assert said(answer) == [f"Job {uuid[:8]}: The job was deleted."]
        assert operator.get(f"{LIST}{uuid}/").status_code == 404

    def test_one_that_refuses_does_not_keep_the_others_from_it(
        self, operator: Client, work: Callable[[], int]
    ) -> None:
        ended = submit()
        work()
        waiting = submit()
        sentences = said(self.act(operator, "cancel", ended, waiting))
        assert "has already ended" in sentences[0]
        assert sentences[1] == f"Job {waiting[:8]}: The job was cancelled."

    @pytest.mark.parametrize("form", [{}, {"action": "cancel"}, {"action": "explode", "uuid": UNKNOWN}])
    def test_a_form_without_a_choice_is_asked_for_one(self, operator: Client, form: dict[str, str]) -> None:
        answer = operator.post(f"{LIST}act/", form, follow=True)
        assert said(answer) == ["Select an action and the jobs to apply it to."]

    def test_a_page_elsewhere_cannot_be_returned_to(self, operator: Client) -> None:
        form = {"action": "", "query": "//elsewhere.example/"}
        answer = operator.post(f"{LIST}act/", form)
        assert answer["Location"] == LIST

    def test_an_owners_jobs_are_deleted_and_nobody_elses(
        self, operator: Client, work: Callable[[], int]
    ) -> None:
        theirs = [submit(owner="7") for _ in range(3)]
        other = submit(owner="8")
        work()
        waiting = submit(owner="7")
        assert "Delete all stored data of the jobs of 7" in text(operator.get(f"{LIST}owner/delete/?owner=7"))
        operator.post(f"{LIST}owner/delete/", {"owner": "7"}, follow=True)
        assert [current_services().store.read(uuid) for uuid in [*theirs, waiting]] == [None] * 4
        assert current_services().store.read(other) is not None


class TestPermissions:
    PAGES = ("", "queues/", "live/", f"{UNKNOWN}/", "owner/delete/")

    @pytest.mark.parametrize("page", PAGES)
    def test_without_a_login_the_admin_asks_for_one(self, db: None, page: str) -> None:
        assert Client().get(LIST + page)["Location"].startswith("/admin/login/")

    @pytest.mark.parametrize("page", PAGES)
    def test_staff_without_the_permission_see_nothing(self, db: None, page: str) -> None:
        assert staff("nobody").get(LIST + page).status_code == 403

    @pytest.mark.parametrize("action", ["cancel", "retry", "delete"])
    def test_who_may_read_may_not_act(self, reader: Client, action: str) -> None:
        uuid = submit()
        assert reader.post(f"{LIST}act/", {"action": action, "uuid": uuid}).status_code == 403
        assert current_services().store.read(uuid).status == "pending"

    def test_who_may_change_may_not_delete(self, db: None) -> None:
        client = staff("changer", "view", "change")
        assert client.post(f"{LIST}act/", {"action": "delete", "uuid": submit()}).status_code == 403
        assert client.post(f"{LIST}owner/delete/", {"owner": "7"}).status_code == 403
        assert set(client.get(LIST).context["actions"]) == {"cancel", "retry"}

    def test_acting_takes_a_csrf_token_and_a_post(self, db: None) -> None:
        client = Client(enforce_csrf_checks=True)
        client.force_login(User.objects.create_superuser("root"))
        uuid = submit()
        assert client.post(f"{LIST}act/", {"action": "cancel", "uuid": uuid}).status_code == 403
        assert client.get(f"{LIST}act/?action=cancel&uuid={uuid}").status_code == 405
        assert current_services().store.read(uuid).status == "pending"

    def test_the_index_shows_jobs_without_a_button_to_add_one(self, operator: Client) -> None:
        page = operator.get("/admin/").content.decode()
        assert LIST in page
        assert "job/add" not in page


class TestLive:
    def test_it_says_how_jobs_stand(self, reader: Client, work: Callable[[], int]) -> None:
        ended = submit()
        work()
        waiting = submit()
        answer = reader.get(f"{LIST}live/", {"uuid": [ended, waiting, UNKNOWN, "nonsense"]})
        assert {uuid: (job["status"], job["percent"]) for uuid, job in answer.json().items()} == {
            ended: ("succeeded", 100),
            waiting: ("pending", None),
        }
        assert "no-store" in answer["Cache-Control"]

    def test_it_is_one_call_however_many_jobs(self, reader: Client, calls: Counter[str]) -> None:
        uuids = [submit() for _ in range(5)]
        calls.clear()
        reader.get(f"{LIST}live/", {"uuid": uuids})
        assert calls["BatchGetItem"] == 2  # states, and the jobs that have none yet


class TestQueues:
    def test_it_counts_what_waits(self, reader: Client) -> None:
        for _ in range(3):
            submit()
        SumNumbers.options(priority=5, on_commit=False).submit(numbers=[1])
        page = text(reader.get(f"{LIST}queues/"))
        assert "high Active 1 0 0" in page
        assert "default Active 3 0 0" in page

    def test_the_age_of_the_oldest_message_comes_from_cloudwatch(self, reader: Client) -> None:
        series = {"MetricDataResults": [{"Id": "q0", "Values": [125.0, 60.0]}, {"Id": "q1", "Values": []}]}
        with mock.patch.object(session.client("cloudwatch"), "get_metric_data", return_value=series):
            page = text(reader.get(f"{LIST}queues/"))
        assert "high Active 0 0 0 - 2 min 5 s" in page
        assert "default Active 0 0 0 - -" in page

    def test_without_leave_to_ask_cloudwatch_it_still_counts(self, reader: Client) -> None:
        refusal = AwsError("cloudwatch.GetMetricData", "AccessDenied", "not yours", applied=False)
        submit()
        with mock.patch.object(session.client("cloudwatch"), "get_metric_data", side_effect=refusal):
            assert "default Active 1 0 0 - -" in text(reader.get(f"{LIST}queues/"))

    def test_queues_that_cannot_be_asked_are_said(self, reader: Client) -> None:
        for name in ("high", "default", "low"):
            session.client("sqs").delete_queue(QueueUrl=current_services().config.queue_urls[name])
        assert "The queues could not be read." in text(reader.get(f"{LIST}queues/"))

    def test_a_site_that_runs_its_own_tasks_has_none(self, reader: Client) -> None:
        with override_settings(SERVERLESS_TASKS={"BACKEND": "immediate"}):
            assert "has no queues" in text(reader.get(f"{LIST}queues/"))


@pytest.mark.django_db
def test_there_is_nothing_to_migrate_and_no_table() -> None:
    out = StringIO()
    call_command("makemigrations", "--dry-run", stdout=out)
    assert "serverless_tasks" not in out.getvalue()
    tables = connection.introspection.table_names()
    assert [name for name in tables if name.startswith("serverless_tasks")] == []
