"""GET /tasks/<uuid>/, GET /tasks/ and POST /tasks/<uuid>/cancel/."""

import base64
from collections import Counter
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client

from serverless_tasks.engine.job.record import NEUTRAL_MESSAGE
from serverless_tasks.engine.services import current_services
from tests.django.conftest import queued
from tests.django.shop.background import Fails, SumNumbers


def submit(owner: User | None = None) -> str:
    key = None if owner is None else str(owner.pk)
    return SumNumbers.options(owner=key, on_commit=False).submit(numbers=[1]).uuid


class TestRetrieve:
    def test_an_unchanged_record_is_304(self, browser: Client, user: User, work: Callable[[], int]) -> None:
        uuid = submit(user)
        first = browser.get(f"/tasks/{uuid}/")
        again = browser.get(f"/tasks/{uuid}/", headers={"If-None-Match": first["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert again["ETag"] == first["ETag"]
        work()
        changed = browser.get(f"/tasks/{uuid}/", headers={"If-None-Match": first["ETag"]})
        assert changed.status_code == 200
        assert changed.json()["status"] == "succeeded"

    def test_no_cache_shares_it(self, browser: Client, user: User) -> None:
        answer = browser.get(f"/tasks/{submit(user)}/")
        assert answer["Cache-Control"] == "private, no-cache"
        assert {"Cookie", "Authorization"} <= set(answer["Vary"].split(", "))

    def test_a_pending_record_costs_a_query_and_a_read(
        self, browser: Client, user: User, calls: Counter[str]
    ) -> None:
        uuid = submit(user)
        calls.clear()
        assert browser.get(f"/tasks/{uuid}/").status_code == 200
        assert calls == {"Query": 1, "GetItem": 1}

    @pytest.mark.parametrize(
        "uuid", [str(uuid4()), "nonsense", "0" * 32, "%7B" + str(uuid4()) + "%7D", "x" * 2_000]
    )
    def test_an_unknown_id_is_404_in_json(self, browser: Client, uuid: str) -> None:
        answer = browser.get(f"/tasks/{uuid}/")
        assert answer.status_code == 404
        assert answer.json()["error"]["type"] == "TaskNotFound"
        assert len(answer.content) < 300

    def test_an_untracked_job_is_found_by_its_owner_once_it_was_begun(
        self, browser: Client, user: User, other_user: User, work: Callable[[], int]
    ) -> None:
        task = SumNumbers.options(owner=str(user.pk), track=False, on_commit=False)
        uuid = task.submit(numbers=[1]).uuid
        assert browser.get(f"/tasks/{uuid}/").status_code == 404
        assert browser.post(f"/tasks/{uuid}/cancel/").status_code == 404
        work()
        assert browser.get(f"/tasks/{uuid}/").json()["status"] == "succeeded"
        assert browser.get("/tasks/").json()["tasks"] == []
        browser.force_login(other_user)
        assert browser.get(f"/tasks/{uuid}/").status_code == 404

    def test_an_id_is_read_in_capitals_too(self, browser: Client, user: User) -> None:
        uuid = submit(user)
        assert browser.get(f"/tasks/{uuid.upper()}/").json()["uuid"] == uuid

    def test_another_owners_record_is_answered_like_an_unknown_one(
        self, browser: Client, other_user: User
    ) -> None:
        theirs, unknown = submit(other_user), str(uuid4())
        answers = [browser.get(f"/tasks/{uuid}/") for uuid in (theirs, unknown)]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].content.replace(theirs.encode(), b"") == answers[1].content.replace(
            unknown.encode(), b""
        )

    def test_a_record_without_an_owner_is_readable(self, browser: Client) -> None:
        assert browser.get(f"/tasks/{submit()}/").status_code == 200

    def test_an_unexpected_error_is_neutral_outside_debug(
        self, browser: Client, work: Callable[[], int], settings: Any
    ) -> None:
        uuid = Fails.options(on_commit=False).submit().uuid
        work()
        error = {"type": "RuntimeError", "message": NEUTRAL_MESSAGE}
        assert browser.get(f"/tasks/{uuid}/").json()["error"] == error
        settings.DEBUG = True
        assert "hunter2" in browser.get(f"/tasks/{uuid}/").json()["error"]["message"]

    def test_a_task_error_is_told(self, browser: Client, work: Callable[[], int]) -> None:
        uuid = Fails.options(on_commit=False).submit(kindly=1).uuid
        work()
        error = {"type": "TaskError", "message": "There is no more paper."}
        assert browser.get(f"/tasks/{uuid}/").json()["error"] == error


class TestList:
    def test_pages_newest_first(self, browser: Client, user: User, other_user: User) -> None:
        clock = current_services().clock
        uuids = []
        for number in range(5):
            clock.now = lambda number=number: 1_800_000_000.0 + number
            uuids.append(submit(user))
            submit(other_user)
            submit()
        first = browser.get("/tasks/?limit=3").json()
        second = browser.get(f"/tasks/?limit=3&cursor={first['next']}").json()
        assert [task["uuid"] for task in first["tasks"] + second["tasks"]] == uuids[::-1]
        assert second["next"] is None

    @pytest.mark.parametrize(
        "query", ["limit=0", "limit=101", "limit=x", "limit=-1", "limit=%C2%B2", "cursor=zzz"]
    )
    def test_a_query_that_cannot_be_answered(self, browser: Client, query: str) -> None:
        answer = browser.get(f"/tasks/?{query}")
        assert answer.status_code == 400
        assert answer.json()["error"]["message"]

    @pytest.mark.parametrize(
        "position",
        [
            "1800000000000#" + "x" * 5_000,
            "1800000000000",
            "#",
            "-800000000000#0b9f7a52-6a1c-4a3e-9c53-1d2f3a4b5c6d",
            "9" * 5_000 + "#",
            "1800000000000#\x00",
        ],
        ids=range(6),
    )
    def test_a_made_up_cursor_does_not_reach_the_table(
        self, browser: Client, position: str, calls: Counter[str]
    ) -> None:
        cursor = base64.urlsafe_b64encode(position.encode()).decode()
        answer = browser.get("/tasks/", {"cursor": cursor})
        assert (answer.status_code, answer.json()["error"]["type"]) == (400, "InvalidCursor")
        assert calls == {}

    @pytest.mark.django_db
    def test_callers_without_a_login_have_none(self, settings: Any) -> None:
        settings.DEBUG = True
        submit()
        assert Client().get("/tasks/").json() == {"tasks": [], "next": None}


class TestCancel:
    def test_a_waiting_task_never_starts(self, browser: Client, user: User, work: Callable[[], int]) -> None:
        uuid = submit(user)
        answer = browser.post(f"/tasks/{uuid}/cancel/", {}, content_type="application/json")
        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
        work()
        assert browser.get(f"/tasks/{uuid}/").json()["status"] == "cancelled"

    def test_an_ended_task_is_409(self, browser: Client, user: User, work: Callable[[], int]) -> None:
        uuid = submit(user)
        work()
        answer = browser.post(f"/tasks/{uuid}/cancel/")
        assert answer.status_code == 409
        assert answer.json()["error"]["type"] == "AlreadyFinished"

    def test_a_running_task_is_asked_to_stop(self, browser: Client, user: User) -> None:
        uuid = submit(user)
        (message,) = queued()
        current_services().store.claim(message, token="t", lease=2_000_000_000_000, request_id="r")
        record = browser.post(f"/tasks/{uuid}/cancel/").json()
        assert (record["status"], record["cancel_requested"]) == ("running", True)

    def test_another_owners_task_is_404_and_goes_on(self, browser: Client, other_user: User) -> None:
        uuid = submit(other_user)
        assert browser.post(f"/tasks/{uuid}/cancel/").status_code == 404
        record = current_services().store.read(uuid)
        assert record is not None
        assert record.status == "pending"

    def test_reading_does_not_cancel(self, browser: Client, user: User) -> None:
        assert browser.get(f"/tasks/{submit(user)}/cancel/").status_code == 405


def test_the_calls_work_under_another_prefix(browser: Client) -> None:
    body = {"task": "sum", "inputs": {"numbers": [1]}}
    created = browser.post("/deep/er/work/", body, content_type="application/json")
    assert created["Location"] == f"/deep/er/work/{created.json()['uuid']}/"
    assert browser.get(created["Location"]).status_code == 200
