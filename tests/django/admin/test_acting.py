"""Actions in the admin: what asks first, what is told afterwards, and actions on all that match."""

import json
import re
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client

from django_integration.admin import acting, actions, bulk
from serverless_tasks.client.operations.bulk.submission import BULK, submit_bulk
from serverless_tasks.client.search import JobFilter
from serverless_tasks.engine.job.record import EndedAttempt, Failure, Record
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import AwsError, SubmitFailed
from tests.django.admin.test_admin import LIST, said, staff, submit, text
from tests.django.shop.background import Fails, SumNumbers

REFUSAL = AwsError("dynamodb.Query", "AccessDenied", "not yours", applied=False)


def post(client: Client, path: str = "act/", **form: Any) -> Any:
    return client.post(f"{LIST}{path}", form, follow=True)


def failed(work: Callable[[], int], count: int = 1) -> list[str]:
    uuids = [submit(Fails, kindly=1) for _ in range(count)]
    work()
    return uuids


def exists(uuid: str) -> bool:
    return current_services().store.read(uuid) is not None


class TestDeletingAsksFirst:
    def test_of_one_job(self, operator: Client, work: Callable[[], int]) -> None:
        (uuid,) = failed(work)
        question = post(operator, action="delete", uuid=uuid)
        assert "Delete 1 job?" in text(question)
        assert uuid[:8] in text(question)
        assert exists(uuid)
        answer = post(operator, action="delete", uuid=uuid, confirmed="yes")
        assert said(answer) == [f"Job {uuid[:8]}: The job was deleted."]
        assert not exists(uuid)

    def test_of_several_which_it_lists_and_those_that_refuse_apart(
        self, operator: Client, work: Callable[[], int]
    ) -> None:
        ended = failed(work, 2)
        waiting = submit(SumNumbers)
        question = post(operator, action="delete", uuid=[*ended, waiting], query="?days=1")
        page = text(question)
        assert "Delete 2 jobs?" in page
        assert "1 job has not ended, and stays as it is:" in page
        assert question.context["uuids"] == ended
        assert "?days=1" in question.content.decode()
        assert all(exists(uuid) for uuid in ended)

    def test_of_one_that_has_not_ended_there_is_nothing_to_confirm(self, operator: Client) -> None:
        page = post(operator, action="delete", uuid=submit(SumNumbers)).content.decode()
        assert "has not ended" in page
        assert 'name="confirmed"' not in page

    def test_of_an_owner_with_the_jobs_that_are_meant(
        self, operator: Client, work: Callable[[], int], user: User
    ) -> None:
        uuid = submit(Fails, kindly=1, owner=str(user.pk))
        work()
        question = operator.get(f"{LIST}owner/delete/?owner={user.pk}")
        page = text(question)
        assert f"ada ({user.pk})" in page
        assert "1 job:" in page
        assert uuid[:8] in page
        assert exists(uuid)
        answer = post(operator, "owner/delete/", owner=str(user.pk))
        assert said(answer) == [f"1 job of the owner “{user.pk}” was deleted."]
        assert not exists(uuid)

    def test_of_an_owner_of_whom_nothing_is_kept_there_is_no_question(self, operator: Client) -> None:
        answer = operator.get(f"{LIST}owner/delete/?owner=nobody", follow=True)
        assert said(answer) == ["No job of the owner “nobody” is kept."]
        assert "delete-confirmation" not in answer.content.decode()

    def test_of_an_owner_who_cannot_be_read(self, operator: Client) -> None:
        with mock.patch.object(current_services().store, "owner_uuids", side_effect=REFUSAL):
            answer = operator.get(f"{LIST}owner/delete/?owner=7", follow=True)
        assert "AccessDenied" in said(answer)[0]

    def test_jobs_that_cannot_be_read_are_not_deleted(self, operator: Client) -> None:
        uuid = submit(SumNumbers)
        with mock.patch.object(current_services().store, "read_many", side_effect=REFUSAL):
            answer = post(operator, action="delete", uuid=uuid)
        assert "AccessDenied" in said(answer)[0]


class TestRetryingOnceMoreAsksFirst:
    def test_what_was_not_retried_is_retried_at_once(self, operator: Client, work: Callable[[], int]) -> None:
        (uuid,) = failed(work)
        answer = post(operator, action="retry", uuid=uuid)
        assert said(answer)[0].startswith(f"Job {uuid[:8]}: The job was submitted again as ")

    @pytest.mark.parametrize("count", [1, 2])
    def test_what_was_retried_before_is_asked_about(
        self, operator: Client, work: Callable[[], int], count: int
    ) -> None:
        uuids = failed(work, count)
        new = post(operator, action="retry", uuid=uuids[0]).context["record"].uuid
        question = post(operator, action="retry", uuid=uuids)
        page = text(question)
        assert f"{'This job' if count == 1 else '1 of these jobs'} was retried before" in page
        assert f"retried as {new[:8]}" in page
        before = work()
        answer = post(operator, action="retry", uuid=uuids, confirmed="yes")
        assert len(said(answer)) == count
        assert (before, work()) == (1, count)

    def test_an_action_on_many_jobs_is_not_retried(self, operator: Client, work: Callable[[], int]) -> None:
        (uuid,) = failed(work)
        handle = submit_bulk(current_services(), "delete", JobFilter(status="failed"))
        work()
        again = submit(Fails, kindly=1)
        work()
        changer = staff("changer", "view", "change")
        answer = post(changer, action="retry", uuid=handle.uuid)
        assert "An action on many jobs is not retried" in said(answer)[0]
        assert work() == 0
        assert (exists(uuid), exists(again)) == (False, True)
        assert 'value="retry"' not in changer.get(f"{LIST}{handle.uuid}/").content.decode()


class TestBanners:
    def test_they_link_to_jobs_and_leave_ids_as_they_are(
        self, operator: Client, work: Callable[[], int]
    ) -> None:
        uuid = "abcdef01-0000-4000-8000-000000000001"
        Fails.options(uuid=uuid, on_commit=False).submit(kindly=1)
        work()
        page = post(operator, action="retry", uuid=uuid).content.decode()
        new = re.search(r'again as <a href="([^"]+)"', page)
        assert new is not None
        assert operator.get(new[1]).status_code == 200
        assert f'Job <a href="{LIST}{uuid}/" title="{uuid}">abcdef01</a>: ' in page
        assert "Abcdef01" not in page

    def test_jobs_alike_share_one(self, operator: Client) -> None:
        uuids = [submit(SumNumbers) for _ in range(12)]
        (banner,) = said(post(operator, action="cancel", uuid=uuids))
        assert banner.startswith(f"12 jobs ({uuids[0][:8]}, {uuids[1][:8]}, ")
        assert banner.endswith(" and 2 more): The job was cancelled.")
        assert LogEntry.objects.count() == 12

    def test_of_many_that_refuse_the_first_are_told(self, operator: Client, work: Callable[[], int]) -> None:
        uuids = failed(work, acting.NAMED + 2)
        banners = said(post(operator, action="cancel", uuid=uuids))
        assert len(banners) == acting.NAMED + 1
        assert banners[-1] == "2 more jobs answered; see the list."

    def test_markup_in_an_error_stays_text(self, operator: Client) -> None:
        uuid = submit(SumNumbers)
        done = [actions.Done(uuid, "<b>{no}</b> %s", failed=True)]
        with mock.patch.object(actions, "run", return_value=done):
            page = post(operator, action="cancel", uuid=uuid).content.decode()
        assert "&lt;b&gt;{no}&lt;/b&gt; %s" in page


class TestAllThatMatch:
    def ask(self, client: Client, action: str, query: str = "?status=failed") -> Any:
        return post(client, action=action, select_across="1", query=query)

    def confirm(self, client: Client, question: Any, **more: str) -> Any:
        names = ("action", "filter", "bulk_uuid")
        return post(client, "act/all/", **{name: question.context[name] for name in names}, **more)

    def test_it_says_what_matches_and_does_nothing_before_it_is_confirmed(
        self, operator: Client, work: Callable[[], int]
    ) -> None:
        failed(work, 3)
        question = self.ask(operator, "retry", "?status=failed&task=fails")
        page = text(question)
        assert "Submit all jobs that match these filters once more?" in page
        assert "Status Failed Task fails" in page
        assert "Matching jobs 3" in page
        assert work() == 0

    def test_confirmed_it_runs_as_a_job_with_a_summary(
        self, operator: Client, work: Callable[[], int]
    ) -> None:
        uuids = failed(work, 3)
        submit(Fails, kindly=1)
        answer = self.confirm(operator, self.ask(operator, "retry"))
        record = answer.context["record"]
        assert record.task == BULK
        assert "The action was submitted as a job" in said(answer)[0]
        work()
        page = operator.get(f"{LIST}{record.uuid}/")
        assert re.search(
            r"Retry all that match Status Failed .* Asked for by operator Retried 3 Refused 0", text(page)
        )
        for uuid in uuids:
            retried = current_services().store.read(uuid)
            assert retried is not None
            assert len(retried.retried_as) == 1

    def test_attempts_that_went_on_say_so_in_words(
        self, operator: Client, work: Callable[[], int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from serverless_tasks.client.operations.bulk import action as task

        monkeypatch.setattr(task, "PAGE", 1)
        monkeypatch.setattr(task, "BUDGET", 0)
        failed(work, 2)
        uuid = self.confirm(operator, self.ask(operator, "delete")).context["record"].uuid
        work()
        page = text(operator.get(f"{LIST}{uuid}/"))
        assert "The time of this attempt was over; the next attempt goes on" in page
        assert "cursor" not in page

    def test_what_aws_said_of_such_an_attempt_is_shown_whole(self) -> None:
        why = 'AWS answered: {"code": 500}; the next attempt goes on'
        failure = Failure(type="Retry", message=f'{why}: {{"cursor": "abc"}}')
        ended = EndedAttempt(number=1, started=1, ended=2, failure=failure, request_id="")
        shown = bulk.without_places(Record(uuid="u", task=BULK, history=(ended,)))
        assert [each.failure.message for each in shown.history] == [why]

    def test_what_refused_is_shown_with_examples(self, operator: Client, work: Callable[[], int]) -> None:
        (uuid,) = failed(work)
        self.confirm(operator, self.ask(operator, "retry"))
        work()
        second = self.confirm(operator, self.ask(operator, "retry")).context["record"].uuid
        work()
        page = operator.get(f"{LIST}{second}/")
        assert "AlreadyRetried" in text(page)
        assert f'<a href="{LIST}{uuid}/" title="{uuid}">' in page.content.decode()

    def test_those_retried_before_are_retried_where_it_is_ticked(
        self, operator: Client, work: Callable[[], int]
    ) -> None:
        (uuid,) = failed(work)
        query = f"?q={uuid[:8]}&status=failed"
        self.confirm(operator, self.ask(operator, "retry", query))
        work()
        question = self.ask(operator, "retry", query)
        assert "Also those that were retried before (1)" in text(question)
        self.confirm(operator, question, again="1")
        work()
        record = current_services().store.read(uuid)
        assert record is not None
        assert len(record.retried_as) == 2

    def test_a_double_click_is_one_action(self, operator: Client, work: Callable[[], int]) -> None:
        uuids = failed(work, 2)
        question = self.ask(operator, "retry")
        first, second = (self.confirm(operator, question).context["record"].uuid for _ in range(2))
        assert first == second
        while work():
            pass
        for uuid in uuids:
            record = current_services().store.read(uuid)
            assert record is not None
            assert len(record.retried_as) == 1

    def test_delete_and_cancel(self, operator: Client, work: Callable[[], int]) -> None:
        uuids = failed(work, 2)
        waiting = submit(SumNumbers)
        assert "have ended?" in text(self.ask(operator, "delete", ""))
        self.confirm(operator, self.ask(operator, "cancel", ""))
        services = current_services()
        services.runner.execute(next(m for m in queued_bulk()))
        record = services.store.read(waiting)
        assert record is not None
        assert record.status == "cancelled"
        self.confirm(operator, self.ask(operator, "delete"))
        work()
        assert [exists(uuid) for uuid in [*uuids, waiting]] == [False, False, True]

    def test_the_action_is_the_persons_and_is_logged(self, operator: Client, work: Callable[[], int]) -> None:
        failed(work)
        uuid = self.confirm(operator, self.ask(operator, "retry")).context["record"].uuid
        record = current_services().store.read(uuid)
        assert record is not None
        assert record.owner == str(User.objects.get(username="operator").pk)
        assert "Retry selected jobs" in LogEntry.objects.get(object_id=uuid).change_message

    @pytest.mark.parametrize(
        ("permissions", "action", "allowed"),
        [
            (("view",), "retry", False),
            (("view",), "cancel", False),
            (("view",), "delete", False),
            (("view", "change"), "retry", True),
            (("view", "change"), "cancel", True),
            (("view", "change"), "delete", False),
            (("view", "delete"), "delete", True),
            (("view", "delete"), "retry", False),
        ],
    )
    def test_it_takes_the_permission_to_ask_and_to_do(
        self, db: None, permissions: tuple[str, ...], action: str, allowed: bool
    ) -> None:
        client = staff("somebody", *permissions)
        form = {"action": action, "filter": json.dumps({"status": "failed"})}
        expected = 200 if allowed else 403
        assert self.ask(client, action).status_code == expected
        assert post(client, "act/all/", **form).status_code == expected

    def test_a_search_that_cannot_be_read_is_refused(self, operator: Client) -> None:
        answer = self.ask(operator, "delete", "?since=yesterday")
        assert "“yesterday” is not a time" in said(answer)[0]
        assert "delete-confirmation" not in answer.content.decode()

    @pytest.mark.parametrize("given", ["", "[]", "nonsense", '{"colour": "red"}'])
    def test_a_form_without_a_filter_is_refused(self, operator: Client, given: str) -> None:
        answer = post(operator, "act/all/", action="delete", filter=given)
        assert len(said(answer)) == 1
        assert current_services().store.list_tasks([BULK]).records == ()

    def test_what_cannot_be_counted_or_sent_is_said(self, operator: Client) -> None:
        with mock.patch.object(bulk, "search_jobs", side_effect=REFUSAL):
            assert "AccessDenied" in said(self.ask(operator, "retry"))[0]
        with mock.patch.object(bulk, "submit_bulk", side_effect=SubmitFailed("Nothing was sent.")):
            answer = post(operator, "act/all/", action="retry", filter="{}")
        assert said(answer) == ["Nothing was sent."]

    def test_it_takes_a_post_and_an_action(self, operator: Client) -> None:
        assert operator.get(f"{LIST}act/all/").status_code == 405
        assert operator.post(f"{LIST}act/all/", {"action": "explode"})["Location"] == LIST


def queued_bulk() -> list[Any]:
    """The messages of actions on many jobs; all others are dropped."""
    from tests.django.conftest import queued

    return [message for message in queued() if message.task == BULK]


class TestNobodyElse:
    def test_a_browser_cannot_submit_it(self, browser: Client) -> None:
        body = {"task": BULK, "inputs": {"action": "delete", "filter": {}, "until": 9_999_999_999_999}}
        answer = browser.post("/tasks/", body, content_type="application/json")
        assert answer.status_code in (400, 404)
        for path in (f"/tasks/{BULK}/", f"/tasks/{BULK}/run"):
            status = browser.post(path, body["inputs"], content_type="application/json").status_code
            assert status in (404, 405)
        assert queued_bulk() == []

    def test_no_document_and_no_list_names_it(self, browser: Client) -> None:
        current_services().registry.for_message(BULK)  # a worker of this process has run one
        assert BULK not in browser.get("/tasks/openapi.json").content.decode()
        assert BULK not in [task.name for task in current_services().registry.listed()]
