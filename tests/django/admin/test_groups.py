"""Groups and chains in Django's admin: their page, their members, and what may be done with them."""

import re
from collections import Counter
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from django_integration.admin import groups
from serverless_tasks.engine.job.place import continuation_id, member_id
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import AwsError
from serverless_tasks.workflow import Chain, Group, GroupHandle, chain, group, results
from tests.django.admin.test_admin import LIST, UNKNOWN, said, staff, text
from tests.django.shop.background import Fails, SumNumbers

pytestmark = pytest.mark.usefixtures("scheduling")


def numbers(*given: int) -> list[Any]:
    return [SumNumbers.signature(numbers=[number]) for number in given]


def failing(count: int) -> list[Any]:
    return [Fails.signature(kindly=1) for _ in range(count)]


def submit(workflow: Group | Chain, owner: str | None = None) -> GroupHandle:
    return workflow.options(owner=owner, on_commit=False).submit()


def page_of(client: Client, uuid: str) -> str:
    return text(client.get(f"{LIST}{uuid}/"))


class TestPage:
    def test_it_counts_the_members(self, operator: Client, work: Callable[[], int]) -> None:
        uuid = submit(group(numbers(1, 2) + failing(1), name="nightly")).uuid
        page = page_of(operator, uuid)
        assert "nightly" in page
        assert re.search(r"Running .*Members: 0 of 3 ended .*Succeeded 0 Failed 0 Cancelled 0", page)
        work()
        page = page_of(operator, uuid)
        assert re.search(r"Failed .*Members: 3 of 3 ended .*100% Succeeded 2 Failed 1 Cancelled 0", page)
        assert "MembersFailed : 1 of 3 members did not succeed: 2." in page

    def test_it_names_failed_members_with_their_errors(
        self, operator: Client, work: Callable[[], int]
    ) -> None:
        uuid = submit(group(numbers(1) + failing(1))).uuid
        work()
        answer = operator.get(f"{LIST}{uuid}/")
        assert f'<a href="{LIST}{member_id(uuid, 1)}/">1</a>' in answer.content.decode()
        assert "fails TaskError : There is no more paper." in text(answer)

    def test_of_many_the_first_are_named(
        self, operator: Client, work: Callable[[], int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(groups, "FAILED_SHOWN", 2)
        uuid = submit(group(failing(5))).uuid
        work()
        answer = operator.get(f"{LIST}{uuid}/")
        assert [index for index, _ in answer.context["failed"]] == [0, 1]
        assert "3 more: all failed members" in text(answer)
        assert f"{LIST}{uuid}/members/?status=failed" in answer.content.decode()

    def test_what_follows_is_named_and_linked_once_it_was_sent(
        self, operator: Client, work: Callable[[], int]
    ) -> None:
        following = SumNumbers.signature(numbers=results["sum"])
        uuid = submit(group(numbers(1, 2)).then(following)).uuid
        assert "Then sum: Submitted when all members have succeeded" in page_of(operator, uuid)
        work()
        assert f"Then sum: {continuation_id(uuid)}" in page_of(operator, uuid)
        page = page_of(operator, continuation_id(uuid))
        assert f"Follows: {uuid}" in page
        assert "numbers: results[&#x27;sum&#x27;]" in page

    def test_what_will_not_follow_is_said(self, operator: Client, work: Callable[[], int]) -> None:
        uuid = submit(group(failing(1)).then(numbers(1)[0])).uuid
        work()
        assert "Then sum: Not submitted, because not all members succeeded" in page_of(operator, uuid)

    def test_a_chain_has_steps(self, operator: Client, work: Callable[[], int]) -> None:
        uuid = submit(chain(numbers(1, 2))).uuid
        work()
        assert "Steps: 1 of 2 ended" in page_of(operator, uuid)

    def test_a_member_names_its_group_and_its_place(self, operator: Client) -> None:
        uuid = submit(group(numbers(1, 2))).uuid
        page = page_of(operator, member_id(uuid, 1))
        assert f"Group: {uuid} member 1 of 2" in page

    def test_a_group_whose_plan_is_no_longer_kept_is_shown(self, operator: Client) -> None:
        uuid = submit(group(numbers(1))).uuid
        with mock.patch.object(current_services().store, "job", return_value=None):
            assert "0 of 1 ended" in page_of(operator, uuid)

    def test_markup_in_a_members_error_stays_text(self, operator: Client, work: Callable[[], int]) -> None:
        uuid = submit(group(failing(1), name="<b>bold</b>")).uuid
        work()
        assert "<b>bold" not in operator.get(f"{LIST}{uuid}/").content.decode()

    def test_failed_members_are_not_asked_for_where_none_failed(
        self, operator: Client, calls: Counter[str], work: Callable[[], int]
    ) -> None:
        uuid = submit(group(numbers(1))).uuid
        work()
        calls.clear()
        operator.get(f"{LIST}{uuid}/")
        # The job, and for the timeline the group and its first and last members.
        assert calls == {"Query": 1, "GetItem": 2, "BatchGetItem": 1}

    def test_a_plain_job_costs_no_call_more(
        self, operator: Client, calls: Counter[str], work: Callable[[], int]
    ) -> None:
        uuid = SumNumbers.options(on_commit=False).submit(numbers=[1]).uuid
        work()
        calls.clear()
        operator.get(f"{LIST}{uuid}/")
        assert calls == {"Query": 1, "GetItem": 1}


class TestMembers:
    def test_they_are_listed_by_index_in_pages(
        self, operator: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(groups, "PAGE", 2)
        uuid = submit(group(numbers(1, 2, 3))).uuid
        first = operator.get(f"{LIST}{uuid}/members/")
        second = operator.get(f"{LIST}{uuid}/members/{first.context['next']}")
        shown = [(index, row.record.uuid) for page in (first, second) for index, row in page.context["rows"]]
        assert shown == [(index, member_id(uuid, index)) for index in range(3)]
        assert second.context["next"] == ""
        assert "First" in text(second)

    @pytest.mark.parametrize(
        ("status", "indices"),
        [("", [0, 1, 2]), ("succeeded", [0]), ("failed", [1, 2]), ("cancelled", []), ("odd", [0, 1, 2])],
    )
    def test_they_are_narrowed(
        self, operator: Client, work: Callable[[], int], status: str, indices: list[int]
    ) -> None:
        uuid = submit(group(numbers(1) + failing(2))).uuid
        work()
        answer = operator.get(f"{LIST}{uuid}/members/?status={status}")
        assert [index for index, _ in answer.context["rows"]] == indices
        if not indices:
            assert "No members with this status." in text(answer)

    def test_pages_keep_what_they_are_narrowed_to(
        self, operator: Client, work: Callable[[], int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(groups, "PAGE", 1)
        uuid = submit(group(failing(1) + numbers(1) + failing(1))).uuid
        work()
        first = operator.get(f"{LIST}{uuid}/members/?status=failed")
        second = operator.get(f"{LIST}{uuid}/members/{first.context['next']}")
        assert [index for index, _ in second.context["rows"]] == [2]

    def test_a_cursor_that_no_page_gave_leads_to_the_beginning(self, operator: Client) -> None:
        path = f"{LIST}{submit(group(numbers(1))).uuid}/members/"
        assert operator.get(f"{path}?cursor=made-up")["Location"] == path

    def test_what_is_no_group_has_none(self, operator: Client) -> None:
        uuid = SumNumbers.options(on_commit=False).submit(numbers=[1]).uuid
        assert operator.get(f"{LIST}{uuid}/members/").status_code == 404
        assert operator.get(f"{LIST}{UNKNOWN}/members/").status_code == 404

    def test_a_table_that_cannot_be_read_is_said(self, operator: Client) -> None:
        refusal = AwsError("dynamodb.Query", "AccessDenied", "not yours", applied=False)
        with mock.patch.object(current_services().store, "read", side_effect=refusal):
            answer = operator.get(f"{LIST}{UNKNOWN}/members/", follow=True)
        assert "The members could not be read: dynamodb.Query failed: AccessDenied" in said(answer)[0]


class TestActions:
    def test_retrying_what_failed_asks_first(self, operator: Client, work: Callable[[], int]) -> None:
        uuid = submit(group(numbers(1) + failing(2))).uuid
        work()
        assert "Retry failed members" in page_of(operator, uuid)
        question = text(operator.get(f"{LIST}{uuid}/retry-failed/"))
        assert "(2 failed, 0 cancelled)" in question
        assert "The 1 that succeeded is not run again" in question
        assert work() == 0

    def test_one_that_was_retried_before_is_warned_of(
        self, operator: Client, work: Callable[[], int]
    ) -> None:
        uuid = submit(group(numbers(1) + failing(1))).uuid
        work()
        assert "retried before" not in text(operator.get(f"{LIST}{uuid}/retry-failed/"))
        again = operator.post(f"{LIST}{uuid}/retry-failed/", follow=True).context["record"].uuid
        question = operator.get(f"{LIST}{uuid}/retry-failed/")
        assert "This group was retried before" in text(question)
        assert f'href="{LIST}{again}/"' in question.content.decode()

    def test_it_is_a_new_group_that_says_whose_retry_it_is(
        self, operator: Client, work: Callable[[], int]
    ) -> None:
        uuid = submit(group(numbers(1) + failing(2)), owner="7").uuid
        work()
        answer = operator.post(f"{LIST}{uuid}/retry-failed/", follow=True)
        (sentence,) = said(answer)
        (short,) = re.findall(r"submitted again in group ([0-9a-f]{8})\.", sentence)
        again = answer.context["record"].uuid
        assert again.startswith(short)
        assert answer.redirect_chain == [(f"{LIST}{again}/", 302)]
        page = text(answer)
        assert f"Retry of: {uuid}" in page
        assert "Members: 1 of 3 ended" in page
        assert work() == 2
        assert [entry.object_id for entry in LogEntry.objects.all()] == [uuid]

    def test_a_list_retries_what_failed_of_a_group(self, operator: Client, work: Callable[[], int]) -> None:
        uuid = submit(group(numbers(1) + failing(1))).uuid
        work()
        answer = operator.post(f"{LIST}act/", {"action": "retry", "uuid": uuid}, follow=True)
        assert "submitted again in group" in said(answer)[0]
        assert work() == 1

    def test_what_succeeded_offers_no_retry_and_refuses_one(
        self, operator: Client, work: Callable[[], int]
    ) -> None:
        uuid = submit(group(numbers(1))).uuid
        work()
        assert "Retry" not in page_of(operator, uuid)
        answer = operator.post(f"{LIST}{uuid}/retry-failed/", follow=True)
        assert "there is nothing to retry" in said(answer)[0]

    def test_what_runs_refuses_one(self, operator: Client) -> None:
        uuid = submit(group(numbers(1))).uuid
        assert "Retry" not in page_of(operator, uuid)
        answer = operator.post(f"{LIST}{uuid}/retry-failed/", follow=True)
        assert "running" in said(answer)[0]

    def test_cancel(self, operator: Client, work: Callable[[], int]) -> None:
        uuid = submit(group(numbers(1, 2)).then(numbers(3)[0])).uuid
        assert "Cancel group" in page_of(operator, uuid)
        answer = operator.post(f"{LIST}act/", {"action": "cancel", "uuid": uuid}, follow=True)
        assert "members that have not begun will not begin" in said(answer)[0]
        assert "(asked to stop)" in text(answer)
        while work():
            pass
        page = page_of(operator, uuid)
        assert re.search(r"Cancelled .*Succeeded 0 Failed 0 Cancelled 2", page)

    def test_delete_takes_the_members(self, operator: Client, work: Callable[[], int]) -> None:
        uuid = submit(group(numbers(1))).uuid
        work()
        operator.post(f"{LIST}act/", {"action": "delete", "uuid": uuid, "confirmed": "yes"})
        for gone in (uuid, member_id(uuid, 0)):
            assert operator.get(f"{LIST}{gone}/").status_code == 404


class TestPermissions:
    def test_who_may_read_sees_no_button_and_may_not_act(
        self, reader: Client, work: Callable[[], int]
    ) -> None:
        uuid = submit(group(failing(1))).uuid
        work()
        page = page_of(reader, uuid)
        assert "All members" in page
        assert "Retry failed members" not in page
        for ask in (reader.get, reader.post):
            assert ask(f"{LIST}{uuid}/retry-failed/").status_code == 403
        assert work() == 0

    @pytest.mark.parametrize("page", ["", "members/", "retry-failed/"])
    def test_staff_without_the_permission_see_nothing(self, db: None, page: str) -> None:
        uuid = submit(group(numbers(1))).uuid
        assert staff("nobody").get(f"{LIST}{uuid}/{page}").status_code == 403

    def test_retrying_takes_a_csrf_token(self, db: None, work: Callable[[], int]) -> None:
        uuid = submit(group(failing(1))).uuid
        work()
        strict = Client(enforce_csrf_checks=True)
        strict.cookies = staff("operator", "view", "change").cookies
        assert strict.post(f"{LIST}{uuid}/retry-failed/").status_code == 403
        assert work() == 0


class TestList:
    def test_groups_can_be_chosen(self, operator: Client) -> None:
        uuid = submit(group(numbers(1))).uuid
        answer = operator.get(f"{LIST}?task=group")
        assert [row.record.uuid for row in answer.context["rows"]] == [uuid]
        (tasks,) = [each for each in answer.context["filters"] if each.title == "task"]
        assert {"group", "chain"} <= {choice.display for choice in tasks.choices}

    def test_an_owners_list_has_the_group_without_its_members(self, operator: Client) -> None:
        uuid = submit(group(numbers(1, 2)), owner="7").uuid
        answer = operator.get(f"{LIST}?owner=7")
        assert [row.record.uuid for row in answer.context["rows"]] == [uuid]


def test_a_live_page_hears_the_counts(reader: Client, work: Callable[[], int]) -> None:
    uuid = submit(group(numbers(1) + failing(1))).uuid
    plain = SumNumbers.options(on_commit=False).submit(numbers=[1]).uuid
    work()
    live = reader.get(f"{LIST}live/?uuid={uuid}&uuid={plain}").json()
    assert live[uuid]["members"] == {"total": 2, "ended": 2, "succeeded": 1, "failed": 1, "cancelled": 0}
    assert live[plain]["members"] is None
