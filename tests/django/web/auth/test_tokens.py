"""Tokens in `Authorization`: what they open, and nothing beside it."""

import asyncio
import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.test import AsyncClient, Client, RequestFactory

from django_integration.tokens import browser_token
from serverless_tasks import Handle
from serverless_tasks.engine.services import current_services
from serverless_tasks.engine.tokens.token import SUBMIT, Token, expiry
from serverless_tasks.workflow import group
from tests.django.conftest import queued
from tests.django.shop.background import Box, Hidden, Resize, ResizeParams, SumNumbers
from tests.support.clock import FakeClock

UNKNOWN = "0b9f7a52-6a1c-4a3e-9c53-1d2f3a4b5c6d"
JSON = "application/json"
SUM = {"task": "sum", "inputs": {"numbers": [20, 22]}}


@pytest.fixture
def stranger() -> Client:
    """A browser on another site: nobody is logged in, and CSRF is enforced."""
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    clock = FakeClock()
    monkeypatch.setattr(current_services().clock, "now", clock.now)
    return clock


@pytest.fixture
def job() -> Handle:
    return SumNumbers.options(owner="7", on_commit=False).submit(numbers=[20, 22])


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def error(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["type"]


class TestReading:
    def test_it_reads_an_owners_job_without_a_login(self, stranger: Client, job: Handle) -> None:
        assert stranger.get(f"/tasks/{job.uuid}/").status_code == 401
        headers = bearer(job.browser_token())
        answer = stranger.get(f"/tasks/{job.uuid}/", headers=headers)
        assert (answer.status_code, answer.json()["uuid"]) == (200, job.uuid)
        assert "Authorization" in answer["Vary"]
        again = stranger.get(f"/tasks/{job.uuid}/", headers=headers | {"If-None-Match": answer["ETag"]})
        assert again.status_code == 304

    @pytest.mark.parametrize("shared", [0, 1])
    def test_another_job_is_as_unknown_as_one_that_is_not_there(
        self, stranger: Client, job: Handle, settings: Any, shared: int
    ) -> None:
        settings.SERVERLESS_TASKS |= {"SHARED_READ": shared}
        ownerless = SumNumbers.options(on_commit=False).submit(numbers=[1])
        headers = bearer(job.browser_token(allow={"read", "cancel"}))
        for call in ("", "members/", "events/"):
            answers = [
                stranger.get(f"/tasks/{uuid}/{call}", headers=headers) for uuid in (ownerless.uuid, UNKNOWN)
            ]
            texts = [each.content.decode().replace(ownerless.uuid, UNKNOWN) for each in answers]
            assert [each.status_code for each in answers] == [404, 404]
            assert texts[0] == texts[1]
        assert stranger.post(f"/tasks/{ownerless.uuid}/cancel/", headers=headers).status_code == 404

    def test_it_expires(self, stranger: Client, job: Handle, clock: FakeClock) -> None:
        headers = bearer(job.browser_token(minutes=1))
        clock.move(59)
        assert stranger.get(f"/tasks/{job.uuid}/", headers=headers).status_code == 200
        clock.move(1)
        answer = stranger.get(f"/tasks/{job.uuid}/", headers=headers)
        assert error(answer) == (401, "TokenExpired")
        assert answer["WWW-Authenticate"].startswith('Bearer error="invalid_token"')
        assert "get a new one" in answer.json()["error"]["message"]

    def test_a_login_beside_it_does_not_help(self, browser: Client, user: User, job: Handle) -> None:
        own = SumNumbers.options(owner=str(user.pk), on_commit=False).submit(numbers=[1])
        assert browser.get(f"/tasks/{own.uuid}/").status_code == 200
        token = job.browser_token()
        assert browser.get(f"/tasks/{own.uuid}/", headers=bearer(token)).status_code == 404
        assert error(browser.get(f"/tasks/{own.uuid}/", headers=bearer(f"{token}x"))) == (401, "InvalidToken")

    def test_it_opens_no_list_and_no_description(self, stranger: Client, job: Handle) -> None:
        headers = bearer(job.browser_token(allow={"read", "cancel"}))
        for path in ("", "openapi.json"):
            answer = stranger.get(f"/tasks/{path}", headers=headers)
            assert error(answer) == (403, "InsufficientToken")
            assert "insufficient_scope" in answer["WWW-Authenticate"]
        assert error(stranger.post("/tasks/", SUM, content_type=JSON, headers=headers)) == (
            403,
            "InsufficientToken",
        )
        assert queued()[0].uuid == job.uuid
        assert queued() == []

    def test_in_a_url_it_is_nothing(self, stranger: Client, job: Handle) -> None:
        token = job.browser_token()
        for query in ("token", "access_token", "authorization"):
            assert stranger.get(f"/tasks/{job.uuid}/?{query}={token}").status_code == 401

    def test_keys_follow_the_sites_secret(self, stranger: Client, job: Handle, settings: Any) -> None:
        headers, path = bearer(job.browser_token()), f"/tasks/{job.uuid}/"
        before = settings.SECRET_KEY
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "a new one", [before]
        assert stranger.get(path, headers=headers).status_code == 200
        settings.SECRET_KEY_FALLBACKS = []
        assert error(stranger.get(path, headers=headers)) == (401, "InvalidToken")
        settings.SERVERLESS_TASKS |= {"TOKEN_KEYS": ["k" * 32]}
        headers = bearer(current_services().browser_token(job.uuid, minutes=1, allow=["read"]))
        settings.SECRET_KEY = "whatever"
        assert stranger.get(path, headers=headers).status_code == 200

    @pytest.mark.django_db(transaction=True)
    def test_events_end_with_the_token(self, job: Handle) -> None:
        now = current_services().clock.now()
        almost = Token(uuid=job.uuid, allow=frozenset({"read"}), expires=int(now) + 1)
        text = almost.signed(current_services().token_keys)

        async def read() -> bytes:
            answer = await AsyncClient().get(f"/tasks/{job.uuid}/events/", headers=bearer(text))
            assert answer.status_code == 200
            return b"".join([part async for part in answer])

        assert json.loads(asyncio.run(read()).split(b"data: ")[1].split(b"\n")[0])["status"] == "pending"


class TestCancelling:
    def test_it_needs_to_be_allowed_and_no_csrf_token(self, stranger: Client, job: Handle) -> None:
        path = f"/tasks/{job.uuid}/cancel/"
        assert error(stranger.post(path, headers=bearer(job.browser_token()))) == (403, "InsufficientToken")
        answer = stranger.post(path, headers=bearer(job.browser_token(allow={"cancel"})))
        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")

    def test_one_that_cancels_alone_does_not_read(self, stranger: Client, job: Handle) -> None:
        headers = bearer(job.browser_token(allow={"cancel"}))
        assert error(stranger.get(f"/tasks/{job.uuid}/", headers=headers)) == (403, "InsufficientToken")


@pytest.mark.usefixtures("scheduling")
class TestGroups:
    def test_a_groups_token_is_good_for_its_members(self, stranger: Client) -> None:
        members = [SumNumbers.signature(numbers=[number]) for number in range(2)]
        made = group(members).options(owner="7", on_commit=False).submit()
        headers = bearer(made.browser_token(allow={"read", "cancel"}))
        page = stranger.get(f"/tasks/{made.uuid}/members/", headers=headers).json()["members"]
        assert len(page) == 2
        member = page[0]["uuid"]
        assert stranger.get(f"/tasks/{member}/", headers=headers).json()["group"] == made.uuid
        assert stranger.post(f"/tasks/{member}/cancel/", headers=headers).status_code == 200
        own = SumNumbers.options(owner="7", on_commit=False).submit(numbers=[1])
        assert stranger.get(f"/tasks/{own.uuid}/", headers=headers).status_code == 404

    def test_a_members_token_opens_neither_group_nor_sibling(self, stranger: Client, settings: Any) -> None:
        settings.SERVERLESS_TASKS |= {"SHARED_READ": 1}
        made = group([SumNumbers.signature(numbers=[n]) for n in range(2)]).options(on_commit=False).submit()
        all_of_it = bearer(made.browser_token())
        first, second = (
            each["uuid"]
            for each in stranger.get(f"/tasks/{made.uuid}/members/", headers=all_of_it).json()["members"]
        )
        one = bearer(browser_token(_request(all_of_it), first))
        got = {
            uuid: stranger.get(f"/tasks/{uuid}/", headers=one).status_code
            for uuid in (first, second, made.uuid)
        }
        assert got == {first: 200, second: 404, made.uuid: 404}


class TestSubmitting:
    def test_it_submits_its_inputs_once(self, stranger: Client) -> None:
        headers = bearer(SumNumbers.options(owner="7", queue="low").submit_token({"numbers": [20, 22]}))
        first = stranger.post("/tasks/", SUM, content_type=JSON, headers=headers)
        second = stranger.post("/tasks/", SUM, content_type=JSON, headers=headers)
        assert (first.status_code, second.status_code) == (201, 200)
        assert first.json()["uuid"] == second.json()["uuid"]
        (message,) = queued()
        assert (message.uuid, message.owner, message.queue) == (first.json()["uuid"], "7", "low")
        assert message.inputs == {"numbers": [20, 22]}

    def test_its_job_is_not_made_again_once_it_was_deleted(self, stranger: Client) -> None:
        headers = bearer(SumNumbers.submit_token({"numbers": [20, 22]}))
        uuid = stranger.post("/tasks/", SUM, content_type=JSON, headers=headers).json()["uuid"]
        queued()
        current_services().cancel(uuid)
        current_services().delete(uuid)
        answer = stranger.post("/tasks/", SUM, content_type=JSON, headers=headers)
        assert error(answer) == (403, "InsufficientToken")
        assert queued() == []

    def test_it_writes_what_a_submit_does_and_nothing_else(self, stranger: Client, calls: Any) -> None:
        headers = bearer(SumNumbers.submit_token({"numbers": [20, 22]}))
        stranger.post("/tasks/", SUM, content_type=JSON, headers=headers)
        writes = {
            name: count for name, count in calls.items() if name not in ("GetItem", "Query", "BatchGetItem")
        }
        calls.clear()
        SumNumbers.options(on_commit=False).submit(numbers=[20, 22])
        assert writes == calls

    def test_it_reads_the_job_that_it_has_made(self, stranger: Client) -> None:
        headers = bearer(SumNumbers.submit_token({"numbers": [20, 22]}))
        path = f"/tasks/{Token.read(headers['Authorization'][7:], current_services().token_keys, 0).uuid}/"
        assert stranger.get(path, headers=headers).status_code == 404
        made = stranger.post("/tasks/", SUM, content_type=JSON, headers=headers)
        assert made["Location"] == path
        assert stranger.get(path, headers=headers).status_code == 200
        assert stranger.post(f"{path}cancel/", headers=headers).status_code == 403

    @pytest.mark.parametrize(
        "body",
        [
            {"task": "sum", "inputs": {"numbers": [20, 23]}},
            {"task": "fails", "inputs": {}},
        ],
    )
    def test_other_inputs_and_tasks_are_refused(self, stranger: Client, body: Any) -> None:
        headers = bearer(SumNumbers.submit_token({"numbers": [20, 22]}))
        answer = stranger.post("/tasks/", body, content_type=JSON, headers=headers)
        assert error(answer) == (403, "InsufficientToken")
        assert queued() == []

    def test_its_life_ends(self, stranger: Client, clock: FakeClock) -> None:
        headers = bearer(SumNumbers.submit_token({"numbers": [20, 22]}, minutes=5))
        clock.move(300)
        answer = stranger.post("/tasks/", SUM, content_type=JSON, headers=headers)
        assert error(answer) == (401, "TokenExpired")

    def test_typed_calls_take_it(self, stranger: Client, settings: Any) -> None:
        settings.TASKS_API_AUTHENTICATION = "tests.django.ninja_auth.KnowsTheWord"
        token = Resize.submit_token(ResizeParams(box=Box(width=1, height=2)))
        inputs = {"box": {"width": 1, "height": 2}}
        wider = {"box": {"width": 9, "height": 2}}
        path, headers = "/tasks/resize/", bearer(token)
        assert stranger.post(path, wider, content_type=JSON, headers=headers).status_code == 403
        assert stranger.post(path, inputs, content_type=JSON, headers=headers).status_code == 201
        assert stranger.post(path, inputs, content_type=JSON, headers=headers).status_code == 200
        assert stranger.post(f"{path}run", inputs, content_type=JSON, headers=headers).status_code == 403
        assert len(queued()) == 1

    def test_a_task_that_is_not_served_stays_so(self, stranger: Client) -> None:
        answer = stranger.post(
            "/tasks/",
            {"task": "hidden", "inputs": {}},
            content_type=JSON,
            headers=bearer(Hidden.submit_token()),
        )
        assert answer.status_code == 400

    def test_inputs_are_not_in_it(self) -> None:
        token = SumNumbers.submit_token({"numbers": [4_815_162_342]})
        read = Token.read(token, current_services().token_keys, 0)
        assert "4815162342" not in repr(read)
        assert SUBMIT in read.allow

    def test_making_one_asks_nothing_of_aws(self, calls: Any) -> None:
        SumNumbers.submit_token({"numbers": [1]})
        assert calls == {}


def _request(headers: dict[str, str] | None = None, user: User | None = None) -> Any:
    request = RequestFactory().get("/", headers=headers or {})
    if user is not None:
        request.user = user
    return request


class TestMaking:
    """`browser_token` of a view."""

    def test_who_sees_the_job_gets_one(self, user: User, other_user: User) -> None:
        own = SumNumbers.options(owner=str(user.pk), on_commit=False).submit(numbers=[1])
        text = browser_token(_request(user=user), own.uuid, allow={"read", "cancel"})
        assert Token.read(text, current_services().token_keys, 0).allow == {"read", "cancel"}
        with pytest.raises(Http404):
            browser_token(_request(user=other_user), own.uuid)
        with pytest.raises(PermissionDenied):
            browser_token(_request(), own.uuid)

    def test_one_made_of_another_is_no_wider(self, job: Handle, clock: FakeClock) -> None:
        keys = current_services().token_keys
        reads = _request(bearer(job.browser_token(minutes=10)))
        clock.move(60)
        made = Token.read(browser_token(reads, job.uuid, minutes=60), keys, clock.now())
        assert (made.allow, made.expires) == ({"read"}, expiry(9, clock.now()))
        assert Token.read(browser_token(reads, job.uuid, minutes=1), keys, clock.now()).expires == expiry(
            1, clock.now()
        )
        with pytest.raises(PermissionDenied):
            browser_token(reads, job.uuid, allow={"read", "cancel"})
        cancels = _request(bearer(job.browser_token(allow={"cancel"})))
        with pytest.raises(PermissionDenied):
            browser_token(cancels, job.uuid)
        with pytest.raises(Http404):
            browser_token(reads, SumNumbers.options(on_commit=False).submit(numbers=[1]).uuid)

    @pytest.mark.usefixtures("scheduling")
    def test_where_classes_decide_about_each_job_a_groups_has_no_members(
        self, user: User, stranger: Client, settings: Any
    ) -> None:
        """The classes refuse job 7's owner some of the members: a token cannot ask them."""
        settings.TASK_API_PERMISSIONS_CLASSES = ["tests.django.drf_classes.GroupsAlone"]
        settings.TASK_API_AUTHENTICATION_CLASSES = ["rest_framework.authentication.SessionAuthentication"]
        members = [SumNumbers.signature(numbers=[number]) for number in range(2)]
        made = group(members).options(owner=str(user.pk), on_commit=False).submit()
        browser = Client()
        browser.force_login(user)
        path = f"/tasks/{made.uuid}/members/"
        assert browser.get(path).json()["members"] == []
        headers = bearer(browser_token(_request(user=user), made.uuid))
        assert stranger.get(f"/tasks/{made.uuid}/", headers=headers).status_code == 200
        assert stranger.get(path, headers=headers).json()["members"] == []
        member = stranger.get(path, headers=bearer(made.browser_token())).json()["members"][0]["uuid"]
        assert stranger.get(f"/tasks/{member}/", headers=headers).status_code == 404
        again = bearer(browser_token(_request(headers), made.uuid))
        assert stranger.get(f"/tasks/{member}/", headers=again).status_code == 404


class TestBesideOtherAuthentication:
    def test_rest_frameworks_classes_are_not_asked(
        self, stranger: Client, job: Handle, settings: Any
    ) -> None:
        settings.TASK_API_AUTHENTICATION_CLASSES = ["rest_framework.authentication.TokenAuthentication"]
        settings.TASK_API_PERMISSIONS_CLASSES = ["tests.django.drf_classes.Refuses"]
        path = f"/tasks/{job.uuid}/"
        assert stranger.get(path).status_code == 404  # another owner's
        assert stranger.get(path, headers=bearer(job.browser_token())).status_code == 200
        assert stranger.get(path, headers=bearer("eyJhbGciOi.J9.x")).status_code == 404

    def test_throttles_count_it(self, stranger: Client, job: Handle, settings: Any) -> None:
        cache.clear()
        settings.TASK_API_THROTTLE_CLASSES = ["tests.django.drf_classes.TwoAMinute"]
        headers = bearer(job.browser_token())
        got = [stranger.get(f"/tasks/{job.uuid}/", headers=headers).status_code for _ in range(3)]
        assert got == [200, 200, 429]
