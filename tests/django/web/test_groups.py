"""Groups of jobs over HTTP: their record, their members, cancelling them, and what lists say of them."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client

from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.services import current_services
from serverless_tasks.engine.store.group import Shard
from serverless_tasks.workflow import GroupHandle, chain, group
from tests.django.conftest import queued
from tests.django.shop.background import Fails, SumNumbers
from tests.support.clock import FakeClock

pytestmark = pytest.mark.usefixtures("scheduling")


def submit(owner: User | None, size: int = 3, failing: int = 0) -> GroupHandle:
    """A group whose last members fail."""
    sums = [SumNumbers.signature(numbers=[number]) for number in range(size - failing)]
    fails = [Fails.signature(kindly=1) for _ in range(failing)]
    key = None if owner is None else str(owner.pk)
    return group(sums + fails).options(owner=key, on_commit=False).submit()


def stand_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the time of the site's services: no read is too old to be shared."""
    monkeypatch.setattr(current_services().clock, "now", FakeClock().now)


def run(messages: list[Message]) -> None:
    for message in messages:
        current_services().runner.execute(message)


def page(browser: Client, uuid: str, query: str = "") -> Any:
    answer = browser.get(f"/tasks/{uuid}/members/{query}")
    assert answer.status_code == 200, answer.content
    return answer.json()


class TestRecord:
    def test_it_counts_the_members(self, browser: Client, user: User, work: Callable[[], int]) -> None:
        uuid = submit(user, failing=1).uuid
        record = browser.get(f"/tasks/{uuid}/").json()
        counts = {"total": 3, "ended": 0, "succeeded": 0, "failed": 0, "cancelled": 0}
        assert (record["status"], record["members"]) == ("running", counts)
        work()
        record = browser.get(f"/tasks/{uuid}/").json()
        counts |= {"ended": 3, "succeeded": 2, "failed": 1}
        assert (record["status"], record["members"]) == ("failed", counts)
        assert (record["progress"], record["target"]) == (3, 3)
        assert record["error"] == {
            "type": "MembersFailed",
            "message": "1 of 3 members did not succeed: 2.",
        }

    @pytest.mark.parametrize("shared", [0, 1.0])
    def test_each_member_that_is_counted_makes_another_etag(
        self, browser: Client, user: User, settings: Any, monkeypatch: pytest.MonkeyPatch, shared: float
    ) -> None:
        settings.SERVERLESS_TASKS = settings.SERVERLESS_TASKS | {"SHARED_READ": shared}
        stand_still(monkeypatch)
        path = f"/tasks/{submit(user).uuid}/"
        etag, ended = browser.get(path)["ETag"], []
        for message in queued():
            assert browser.get(path, headers={"If-None-Match": etag}).status_code == 304
            run([message])
            answer = browser.get(path, headers={"If-None-Match": etag})
            assert answer.status_code == 200
            etag = answer["ETag"]
            ended.append((answer.json()["status"], answer.json()["members"]["ended"]))
        assert ended == [("running", 1), ("running", 2), ("succeeded", 3)]

    def test_a_record_that_was_seen_is_not_followed_by_an_older_one(
        self, browser: Client, user: User, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What the shared read holds here is older than what another process has answered."""
        settings.SERVERLESS_TASKS = settings.SERVERLESS_TASKS | {"SHARED_READ": 1.0}
        stand_still(monkeypatch)
        uuid = submit(user).uuid
        path, first = f"/tasks/{uuid}/", queued()[:1]
        browser.get(path)
        elsewhere: Any = current_services().store
        member = first[0].member
        assert member is not None
        elsewhere._inner.groups.count(
            uuid, Shard(number=0, ended=frozenset({member.position})), 2_000_000_000
        )
        assert browser.get(path).json()["members"]["ended"] == 0
        seen = {"If-None-Match": '"0.0.1-of-another-process"'}
        assert browser.get(path, headers=seen).json()["members"]["ended"] == 1

    def test_another_owners_group_is_404(self, browser: Client, other_user: User) -> None:
        assert browser.get(f"/tasks/{submit(other_user).uuid}/").status_code == 404

    def test_a_members_record_names_its_group(self, browser: Client, user: User) -> None:
        uuid = submit(user).uuid
        (member, *_) = page(browser, uuid)["members"]
        assert browser.get(f"/tasks/{member['uuid']}/").json()["group"] == uuid

    def test_a_continuation_is_an_output(self, browser: Client, user: User, work: Callable[[], int]) -> None:
        album = group([SumNumbers.signature(numbers=[1])]).then(SumNumbers.signature(numbers=[2]))
        uuid = album.options(owner=str(user.pk), on_commit=False).submit().uuid
        work()
        following = browser.get(f"/tasks/{uuid}/").json()["outputs"]["continuation"]
        assert browser.get(f"/tasks/{following}/").json()["status"] == "pending"
        assert "group" not in browser.get(f"/tasks/{following}/").json()


class TestMembers:
    def test_pages_in_the_order_of_the_index(
        self, browser: Client, user: User, work: Callable[[], int]
    ) -> None:
        uuid = submit(user, 5).uuid
        work()
        first = page(browser, uuid, "?limit=3")
        second = page(browser, uuid, f"?limit=3&cursor={first['next']}")
        members = first["members"] + second["members"]
        assert [member["index"] for member in members] == [0, 1, 2, 3, 4]
        assert [member["outputs"] for member in members] == [{"sum": number} for number in range(5)]
        assert (len(first["members"]), second["next"]) == (3, None)

    @pytest.mark.parametrize(
        ("status", "indices"), [("succeeded", [0, 1]), ("failed", [2, 3]), ("cancelled", [])]
    )
    def test_those_of_a_status(
        self, browser: Client, user: User, work: Callable[[], int], status: str, indices: list[int]
    ) -> None:
        uuid = submit(user, 4, failing=2).uuid
        work()
        found = page(browser, uuid, f"?status={status}")
        assert [member["index"] for member in found["members"]] == indices
        assert {member["status"] for member in found["members"]} <= {status}
        assert found["next"] is None

    def test_a_page_of_a_large_group_reads_its_shards_and_its_members(
        self, browser: Client, user: User, calls: Counter[str]
    ) -> None:
        uuid = submit(user, 450).uuid
        calls.clear()
        assert len(page(browser, uuid, "?limit=20")["members"]) == 20
        # The record with its three shards, the group, and the members, which have no state yet.
        assert calls == {"Query": 1, "GetItem": 1, "BatchGetItem": 3}

    def test_steps_of_a_chain_that_were_not_sent_are_left_out(self, browser: Client, user: User) -> None:
        steps = chain(SumNumbers.signature(numbers=[1]), SumNumbers.signature(numbers=[2]))
        uuid = steps.options(owner=str(user.pk), on_commit=False).submit().uuid
        found = page(browser, uuid)
        assert [(member["index"], member["status"]) for member in found["members"]] == [(0, "pending")]
        run(queued())
        assert [member["index"] for member in page(browser, uuid)["members"]] == [0, 1]

    def test_errors_of_members_are_told_as_those_of_jobs(
        self, browser: Client, user: User, work: Callable[[], int]
    ) -> None:
        uuid = group([Fails.signature()]).options(owner=str(user.pk), on_commit=False).submit().uuid
        work()
        assert "hunter2" not in json.dumps(page(browser, uuid))

    def test_another_owners_group_is_answered_like_an_unknown_one(
        self, browser: Client, other_user: User
    ) -> None:
        theirs, unknown = submit(other_user).uuid, str(uuid4())
        answers = [browser.get(f"/tasks/{uuid}/members/") for uuid in (theirs, unknown, "nonsense")]
        assert [answer.status_code for answer in answers] == [404] * 3
        assert {answer.json()["error"]["type"] for answer in answers} == {"TaskNotFound"}
        assert answers[0].content.replace(theirs.encode(), b"") == answers[1].content.replace(
            unknown.encode(), b""
        )

    def test_a_job_that_is_no_group_is_404_and_says_so(self, browser: Client, user: User) -> None:
        job = SumNumbers.options(owner=str(user.pk), on_commit=False).submit(numbers=[1])
        answer = browser.get(f"/tasks/{job.uuid}/members/")
        assert (answer.status_code, answer.json()["error"]["type"]) == (404, "NotAGroup")
        assert "is no group and no chain" in answer.json()["error"]["message"]

    @pytest.mark.parametrize(
        ("query", "error"),
        [
            ("status=pending", "InvalidStatus"),
            ("status=running", "InvalidStatus"),
            ("status=", "InvalidStatus"),
            ("status=Failed", "InvalidStatus"),
            ("limit=0", "InvalidLimit"),
            ("limit=101", "InvalidLimit"),
            ("limit=x", "InvalidLimit"),
            ("cursor=3", "InvalidCursor"),
            ("cursor=-1", "InvalidCursor"),
            ("cursor=x", "InvalidCursor"),
            ("cursor=", "InvalidCursor"),
        ],
    )
    def test_a_query_that_cannot_be_answered(
        self, browser: Client, user: User, query: str, error: str
    ) -> None:
        answer = browser.get(f"/tasks/{submit(user).uuid}/members/?{query}")
        assert (answer.status_code, answer.json()["error"]["type"]) == (400, error)

    def test_it_asks_for_a_login(self, user: User) -> None:
        assert Client().get(f"/tasks/{submit(user).uuid}/members/").status_code == 401

    def test_a_write_is_no_way_to_read(self, browser: Client, user: User) -> None:
        assert browser.post(f"/tasks/{submit(user).uuid}/members/").status_code == 405


class TestPage:
    def test_it_shows_how_the_members_ended_and_links_those_that_failed(
        self, browser: Client, user: User, work: Callable[[], int]
    ) -> None:
        uuid = submit(user, 25, failing=22).uuid
        work()
        failed = page(browser, uuid, "?status=failed")["members"]
        html = browser.get(f"/tasks/{uuid}/view/").content.decode()
        assert '<dd data-field="succeeded">3</dd>' in html
        assert '<dd data-field="failed">22</dd>' in html
        for member in failed[:20]:
            link = f'<a href="/tasks/{member["uuid"]}/view/">Member {member["index"]}</a>'
            reason = "<span><bdi>There is no more paper.</bdi></span>"
        assert f'{link} {reason} <code dir="ltr">fails</code>' in html
        assert failed[20]["uuid"] not in html
        assert '<span data-field="more-failures">2 more failed:</span>' in html

    def test_where_none_has_failed_no_member_is_read(
        self, browser: Client, user: User, calls: Counter[str]
    ) -> None:
        uuid = submit(user).uuid
        calls.clear()
        html = browser.get(f"/tasks/{uuid}/view/").content.decode()
        assert "0 of 3" in html
        assert calls == {"Query": 1, "BatchGetItem": 1}  # the state, and its one shard

    def test_errors_that_are_not_for_users_are_neutral(
        self, browser: Client, user: User, work: Callable[[], int]
    ) -> None:
        uuid = group([Fails.signature()]).options(owner=str(user.pk), on_commit=False).submit().uuid
        work()
        html = browser.get(f"/tasks/{uuid}/view/").content.decode()
        assert "The task failed." in html
        assert "hunter2" not in html

    def test_a_member_links_its_group_and_a_group_what_follows_it(
        self, browser: Client, user: User, work: Callable[[], int]
    ) -> None:
        album = group([SumNumbers.signature(numbers=[1])]).then(SumNumbers.signature(numbers=[2]))
        uuid = album.options(owner=str(user.pk), on_commit=False).submit().uuid
        work()
        (member,) = page(browser, uuid)["members"]
        assert f'href="/tasks/{uuid}/view/"' in browser.get(f"/tasks/{member['uuid']}/view/").content.decode()
        following = browser.get(f"/tasks/{uuid}/").json()["outputs"]["continuation"]
        html = browser.get(f"/deep/er/work/{uuid}/view/").content.decode()
        assert f'href="/deep/er/work/{following}/view/"' in html


class TestCancel:
    def test_it_answers_at_once_and_no_member_begins(
        self, browser: Client, user: User, work: Callable[[], int], calls: Counter[str]
    ) -> None:
        uuid = submit(user, 250).uuid
        calls.clear()
        answer = browser.post(f"/tasks/{uuid}/cancel/")
        assert (answer.status_code, answer.json()["cancel_requested"]) == (200, True)
        assert answer.json()["status"] == "running"
        assert calls["BatchWriteItem"] + calls["PutItem"] == 0, "members are a worker's to end"
        assert calls["UpdateItem"] == 1
        assert calls["SendMessage"] + calls["SendMessageBatch"] == 1
        while work():
            pass
        record = browser.get(f"/tasks/{uuid}/").json()
        assert record["status"] == "cancelled"
        assert record["members"] == {
            "total": 250,
            "ended": 250,
            "succeeded": 0,
            "failed": 0,
            "cancelled": 250,
        }

    def test_a_second_time_is_like_the_first(self, browser: Client, user: User) -> None:
        uuid = submit(user).uuid
        first, second = (browser.post(f"/tasks/{uuid}/cancel/") for _ in range(2))
        assert (first.status_code, second.status_code) == (200, 200)
        assert first.json() == second.json()

    def test_a_group_that_has_ended_is_409(
        self, browser: Client, user: User, work: Callable[[], int]
    ) -> None:
        uuid = submit(user).uuid
        work()
        answer = browser.post(f"/tasks/{uuid}/cancel/")
        assert (answer.status_code, answer.json()["error"]["type"]) == (409, "AlreadyFinished")

    def test_another_owners_group_goes_on(self, browser: Client, other_user: User) -> None:
        theirs = submit(other_user)
        assert browser.post(f"/tasks/{theirs.uuid}/cancel/").status_code == 404
        assert not theirs.refresh().record.cancel_requested

    def test_a_member_that_is_cancelled_is_counted(
        self, browser: Client, user: User, work: Callable[[], int]
    ) -> None:
        uuid = submit(user).uuid
        member = page(browser, uuid)["members"][1]["uuid"]
        assert browser.post(f"/tasks/{member}/cancel/").json()["status"] == "cancelled"
        assert browser.get(f"/tasks/{uuid}/").json()["members"]["cancelled"] == 1
        work()
        assert browser.get(f"/tasks/{uuid}/").json()["status"] == "failed"


class TestList:
    def test_the_group_is_listed_and_its_members_are_not(
        self, browser: Client, user: User, work: Callable[[], int]
    ) -> None:
        handles = [submit(user), submit(user, failing=1)]
        job = SumNumbers.options(owner=str(user.pk), on_commit=False).submit(numbers=[1])
        for _ in range(2):
            listed = browser.get("/tasks/").json()["tasks"]
            assert {task["uuid"] for task in listed} == {job.uuid, *(handle.uuid for handle in handles)}
            assert sum("members" in task for task in listed) == 2
            work()

    def test_what_follows_a_group_is_listed(
        self, browser: Client, user: User, work: Callable[[], int]
    ) -> None:
        steps = chain(SumNumbers.signature(numbers=[1]), SumNumbers.signature(numbers=[2]))
        nested = group([steps]).then(SumNumbers.signature(numbers=[3]))
        uuid = nested.options(owner=str(user.pk), on_commit=False).submit().uuid
        while work():
            pass
        following = browser.get(f"/tasks/{uuid}/").json()["outputs"]["continuation"]
        assert {task["uuid"] for task in browser.get("/tasks/").json()["tasks"]} == {uuid, following}
