"""Django REST framework's permission and throttle classes: what they are asked, and with which view."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.test import AsyncClient, Client
from rest_framework.throttling import SimpleRateThrottle

from serverless_tasks.engine.services import current_services
from serverless_tasks.workflow import group
from tests.django import drf_classes
from tests.django.admin.test_admin import LIST, staff
from tests.django.conftest import queued, stored
from tests.django.shop.background import Fails, SumNumbers

HERE = "tests.django.drf_classes"
SESSION = "rest_framework.authentication.SessionAuthentication"
IS_AUTHENTICATED = "rest_framework.permissions.IsAuthenticated"
UUID = "0b9f7a52-6a1c-4a3e-9c53-1d2f3a4b5c6d"
SUM = {"task": "sum", "inputs": {"numbers": [1]}}
BOX = {"box": {"width": 1, "height": 2}}
JSON = "application/json"
SENT_ONCE = {"Idempotency-Key": "one"}

type Call = Callable[[Client, str], Any]
READS: dict[str, Call] = {
    "retrieve": lambda client, uuid: client.get(f"/tasks/{uuid}/"),
    "head": lambda client, uuid: client.head(f"/tasks/{uuid}/"),
    "events": lambda client, uuid: client.get(f"/tasks/{uuid}/events/"),
    "members": lambda client, uuid: client.get(f"/tasks/{uuid}/members/"),
    "progress": lambda client, uuid: client.get(f"/tasks/{uuid}/progress/"),
    "view": lambda client, uuid: client.get(f"/tasks/{uuid}/view/"),
    "cancel": lambda client, uuid: client.post(f"/tasks/{uuid}/cancel/"),
}
CALLS: dict[str, Call] = READS | {
    "create": lambda client, uuid: client.post("/tasks/", SUM, content_type=JSON),
    "list": lambda client, uuid: client.get("/tasks/"),
    "typed": lambda client, uuid: client.post("/tasks/resize/", BOX, content_type=JSON),
    "run": lambda client, uuid: client.post("/tasks/resize/run", BOX, content_type=JSON),
    "openapi": lambda client, uuid: client.get("/tasks/openapi.json"),
    "docs": lambda client, uuid: client.get("/tasks/docs"),
}


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    for kind in (drf_classes.OwnRunning, drf_classes.Looks, drf_classes.Never):
        kind.seen.clear()
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def job(user: User) -> str:
    return SumNumbers.options(owner=str(user.pk), on_commit=False).submit(numbers=[20, 22]).uuid


def permit(settings: Any, *names: Any) -> None:
    settings.TASK_API_AUTHENTICATION_CLASSES = [SESSION]
    settings.TASK_API_PERMISSIONS_CLASSES = [
        f"{HERE}.{name}" if isinstance(name, str) and "." not in name else name for name in names
    ]


class TestObjectPermissions:
    @pytest.mark.parametrize("call", READS)
    def test_a_job_that_they_refuse_is_403(self, settings: Any, browser: Client, job: str, call: str) -> None:
        permit(settings, "Refuses")
        assert READS[call](browser, job).status_code == 403
        record = current_services().store.read(job)
        assert record is not None
        assert not record.cancel_requested
        assert not record.ended

    def test_the_refusal_says_why(self, settings: Any, browser: Client, job: str) -> None:
        permit(settings, "Refuses")
        answer = browser.get(f"/tasks/{job}/")
        assert answer.json() == {"error": {"type": "PermissionDenied", "message": "This job is not for you."}}

    def test_who_is_not_logged_in_is_told_to_as_by_the_framework(self, settings: Any, db: None) -> None:
        permit(settings, "Refuses")
        settings.TASK_API_AUTHENTICATION_CLASSES = ["rest_framework.authentication.TokenAuthentication"]
        uuid = SumNumbers.options(on_commit=False).submit(numbers=[1]).uuid
        answer = Client().get(f"/tasks/{uuid}/")
        assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Token")
        assert Client().get(f"/tasks/{uuid}/view/").status_code == 302

    @pytest.mark.django_db(transaction=True)
    def test_under_asgi_nobody_follows_a_refused_job(self, settings: Any, user: User, job: str) -> None:
        permit(settings, "Refuses")

        async def read() -> int:
            client = AsyncClient()
            await client.aforce_login(user)
            return int((await client.get(f"/tasks/{job}/events/")).status_code)

        assert asyncio.run(read()) == 403

    def test_they_decide_by_the_record(
        self, settings: Any, browser: Client, job: str, work: Callable[[], int]
    ) -> None:
        permit(settings, "OwnRunning")
        assert browser.get(f"/tasks/{job}/").status_code == 200
        assert drf_classes.OwnRunning.seen == [current_services().store.read(job)]
        work()
        assert browser.get(f"/tasks/{job}/").status_code == 403

    def test_what_they_hide_is_as_if_it_did_not_exist(self, settings: Any, browser: Client, job: str) -> None:
        permit(settings, "Hides")
        answer, none = browser.get(f"/tasks/{job}/"), browser.get(f"/tasks/{UUID}/")
        assert answer.status_code == none.status_code == 404
        assert answer.json()["error"]["type"] == none.json()["error"]["type"]
        assert answer.content.replace(job.encode(), UUID.encode()) == none.content
        assert browser.get(f"/tasks/{job}/view/").status_code == 404
        assert browser.post(f"/tasks/{job}/cancel/").status_code == 404

    def test_an_etag_does_not_get_past_them(self, settings: Any, browser: Client, job: str) -> None:
        permit(settings)
        etag = browser.get(f"/tasks/{job}/")["ETag"]
        permit(settings, "Refuses")
        assert browser.get(f"/tasks/{job}/", headers={"If-None-Match": etag}).status_code == 403

    def test_nor_does_a_shared_read(self, settings: Any, browser: Client, job: str) -> None:
        settings.SERVERLESS_TASKS = settings.SERVERLESS_TASKS | {"SHARED_READ": 1}
        permit(settings)
        assert browser.get(f"/tasks/{job}/").status_code == 200
        permit(settings, "Refuses")
        assert browser.get(f"/tasks/{job}/").status_code == 403

    @pytest.mark.usefixtures("scheduling")
    def test_a_page_of_members_leaves_out_what_they_refuse(
        self, settings: Any, browser: Client, user: User, work: Callable[[], int]
    ) -> None:
        members = [SumNumbers.signature(numbers=[1]), Fails.signature()]
        uuid = group(members).options(owner=str(user.pk), on_commit=False).submit().uuid
        run, _ = queued()
        current_services().runner.execute(run)
        permit(settings, "OwnRunning")
        page = browser.get(f"/tasks/{uuid}/members/").json()
        assert [(member["index"], member["status"]) for member in page["members"]] == [(1, "pending")]

    def test_a_list_leaves_out_what_they_refuse(self, settings: Any, browser: Client, job: str) -> None:
        permit(settings, IS_AUTHENTICATED)
        assert [each["uuid"] for each in browser.get("/tasks/").json()["tasks"]] == [job]
        permit(settings, "Refuses")
        assert browser.get("/tasks/").json()["tasks"] == []

    @pytest.mark.parametrize(("path", "body"), [("/tasks/", SUM), ("/tasks/resize/", BOX)])
    def test_a_new_job_is_told_and_an_earlier_one_only_with_their_leave(
        self, settings: Any, browser: Client, path: str, body: Any
    ) -> None:
        permit(settings, "Refuses")
        assert browser.post(path, body, content_type=JSON, headers=SENT_ONCE).status_code == 201
        assert browser.post(path, body, content_type=JSON, headers=SENT_ONCE).status_code == 403
        assert len(queued()) == 1

    def test_a_delivered_job_is_not_run_without_their_leave(self, settings: Any, browser: Client) -> None:
        from django_integration.web.http.signed_job import signed

        permit(settings, "Refuses")
        uuid = browser.post("/tasks/resize/", BOX, content_type=JSON).json()["uuid"]
        (message,) = queued()
        headers = {"X-Serverless-Tasks-Job": signed(message)}
        assert browser.post("/tasks/resize/run", BOX, content_type=JSON, headers=headers).status_code == 403
        record = current_services().store.read(uuid)
        assert record is None or record.status == "pending"
        permit(settings, IS_AUTHENTICATED)
        assert browser.post("/tasks/resize/run", BOX, content_type=JSON, headers=headers).status_code == 200

    def test_another_owners_job_is_404_before_they_are_asked(
        self, settings: Any, browser: Client, other_user: User
    ) -> None:
        permit(settings, "OwnRunning")
        uuid = SumNumbers.options(owner=str(other_user.pk), on_commit=False).submit(numbers=[1]).uuid
        assert browser.get(f"/tasks/{uuid}/").status_code == 404
        assert drf_classes.OwnRunning.seen == []

    @pytest.mark.parametrize("name", ["Composed", drf_classes.Composed])
    def test_composed_classes_are_asked(self, settings: Any, browser: Client, job: str, name: Any) -> None:
        permit(settings, name)
        assert browser.post("/tasks/", SUM, content_type=JSON).status_code == 403  # ~ of a yes
        assert browser.get("/tasks/openapi.json").status_code == 403
        permit(settings, drf_classes.IsAuthenticated & drf_classes.Refuses)
        assert browser.post("/tasks/", SUM, content_type=JSON).status_code == 201
        assert browser.get("/tasks/openapi.json").status_code == 200
        assert browser.get(f"/tasks/{job}/").status_code == 403

    @pytest.mark.parametrize("names", [[IS_AUTHENTICATED], ["Refuses"]])
    def test_a_call_reads_no_more_than_without_them(
        self, settings: Any, browser: Client, job: str, calls: Counter[str], names: list[str]
    ) -> None:
        permit(settings)
        browser.get(f"/tasks/{job}/")
        without = dict(calls)
        calls.clear()
        permit(settings, *names)
        browser.get(f"/tasks/{job}/")
        assert dict(calls) == without


class TestView:
    @pytest.mark.parametrize(
        ("call", "action"),
        [
            ("create", "create"),
            ("typed", "create"),
            ("run", "create"),
            ("list", "list"),
            ("retrieve", "retrieve"),
            ("head", "retrieve"),
            ("events", "retrieve"),
            ("members", "retrieve"),
            ("view", "retrieve"),
            ("cancel", "cancel"),
            ("openapi", "metadata"),
            ("docs", "metadata"),
        ],
    )
    def test_it_is_what_the_frameworks_own_view_set_gives(
        self, settings: Any, browser: Client, job: str, call: str, action: str
    ) -> None:
        permit(settings, "Looks")
        # A job that is no group has no members.
        assert CALLS[call](browser, job).status_code in ((404,) if call == "members" else (200, 201, 501))
        kwargs = {"uuid": job} if call in READS else {}
        assert drf_classes.Looks.seen == [(action, kwargs, call in READS)]

    def test_it_finds_the_job(self, settings: Any, browser: Client, user: User, job: str) -> None:
        permit(settings, "OnlyWhoCanRead")
        assert browser.get(f"/tasks/{job}/").status_code == 200
        for none in (UUID, "none"):
            assert browser.get(f"/tasks/{none}/").status_code == 404
        resize = browser.post("/tasks/resize/", BOX, content_type=JSON).json()["uuid"]
        assert browser.get(f"/tasks/{resize}/").status_code == 403

    def test_a_view_set_without_the_shape_of_answers_refuses_nobody(
        self, settings: Any, browser: Client, job: str
    ) -> None:
        settings.REST_FRAMEWORK = {
            "DEFAULT_VERSIONING_CLASS": "rest_framework.versioning.NamespaceVersioning",
            "ALLOWED_VERSIONS": ["v1"],
        }
        permit(settings, "Looks")
        answer = browser.get(f"/tasks/{job}/?format=xml", headers={"Accept": "text/event-stream"})
        assert answer.status_code == 200

    @pytest.mark.parametrize(
        ("name", "status", "error"),
        [
            ("Payment", 402, {"type": "APIException", "message": "Pay first."}),
            ("Listed", 400, {"type": "ValidationError", "message": '["One.", "Two."]'}),
        ],
    )
    def test_what_a_class_raises_is_the_answer(
        self, settings: Any, browser: Client, name: str, status: int, error: Any
    ) -> None:
        permit(settings, name)
        answer = browser.get("/tasks/")
        assert (answer.status_code, answer.json()["error"]) == (status, error)
        assert browser.get("/tasks/docs").status_code == status

    def test_model_permissions_that_users_can_have_work(
        self, settings: Any, browser: Client, user: User
    ) -> None:
        permit(settings, "OwnModelPermissions")
        assert browser.post("/tasks/", SUM, content_type=JSON).status_code == 403
        user.user_permissions.add(Permission.objects.get(codename="change_job"))
        assert browser.post("/tasks/", SUM, content_type=JSON).status_code == 201


class TestThrottles:
    @pytest.fixture(params=["setting", "default", "setting without drf", "default without drf"])
    def throttled(self, request: Any, settings: Any) -> None:
        """Two calls a minute, by each of the settings that can say so."""
        if "without" not in request.param:
            permit(settings, IS_AUTHENTICATED)
        if request.param.startswith("setting"):
            settings.TASK_API_THROTTLE_CLASSES = [f"{HERE}.TwoAMinute"]
        else:
            settings.REST_FRAMEWORK = {"DEFAULT_THROTTLE_CLASSES": [f"{HERE}.TwoAMinute"]}

    @pytest.fixture
    def now(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        time = [1_000.0]
        monkeypatch.setattr(SimpleRateThrottle, "timer", lambda throttle: time[0])
        return time

    @pytest.mark.parametrize("call", [call for call in CALLS if call != "run"])
    def test_the_third_call_is_429(
        self, throttled: None, now: list[float], browser: Client, job: str, call: str
    ) -> None:
        browser.get("/tasks/")
        now[0] += 10
        browser.get("/tasks/")
        queued()
        before = stored()
        answer = CALLS[call](browser, job)
        assert (answer.status_code, answer["Retry-After"]) == (429, "50")
        assert (queued(), stored()) == ([], before)
        now[0] += 51
        assert CALLS[call](browser, job).status_code != 429

    def test_running_in_the_request_is_limited_too(
        self, settings: Any, now: list[float], browser: Client
    ) -> None:
        permit(settings, IS_AUTHENTICATED)
        settings.TASK_API_THROTTLE_CLASSES = [f"{HERE}.TwoAMinute"]
        assert [CALLS["run"](browser, "").status_code for _ in range(3)] == [200, 200, 429]

    def test_the_page_of_a_job_in_the_admin_is_no_call(
        self, throttled: None, now: list[float], job: str
    ) -> None:
        reader = staff("reader", "view")
        for _ in range(3):
            assert reader.get(f"{LIST}{job}/").status_code == 200
        assert reader.get("/tasks/").status_code == 200

    def test_it_is_said_in_the_shape_of_all_errors(
        self, throttled: None, now: list[float], browser: Client
    ) -> None:
        for _ in range(2):
            assert browser.get("/tasks/").status_code == 200
        error = browser.get("/tasks/").json()["error"]
        assert error["type"] == "Throttled"
        assert "60 seconds" in error["message"]

    @pytest.mark.django_db(transaction=True)
    def test_under_asgi(self, settings: Any, user: User, job: str) -> None:
        settings.TASK_API_THROTTLE_CLASSES = [f"{HERE}.Never"]

        async def read() -> Any:
            client = AsyncClient()
            await client.aforce_login(user)
            return await client.get(f"/tasks/{job}/events/")

        answer = asyncio.run(read())
        assert (answer.status_code, answer["Retry-After"]) == (429, "60")

    @pytest.mark.parametrize("of_drf", [False, True])
    def test_they_see_who_calls_and_what_for(
        self, settings: Any, browser: Client, job: str, of_drf: bool
    ) -> None:
        if of_drf:
            permit(settings, IS_AUTHENTICATED)
        settings.TASK_API_THROTTLE_CLASSES = [drf_classes.Never]
        assert browser.get(f"/tasks/{job}/").status_code == 429
        assert drf_classes.Never.seen == [("retrieve", "ada")]

    def test_anonymous_callers_are_counted_by_their_address(
        self, settings: Any, now: list[float], db: None
    ) -> None:
        settings.DEBUG = True
        settings.TASK_API_THROTTLE_CLASSES = [drf_classes.TwoAMinute]
        statuses = [
            Client().get("/tasks/", REMOTE_ADDR=f"10.0.0.{host}").status_code for host in (1, 1, 1, 2)
        ]
        assert statuses == [200, 200, 429, 200]

    def test_those_who_are_refused_anyway_are_not_counted(self, settings: Any, db: None) -> None:
        settings.TASK_API_THROTTLE_CLASSES = [drf_classes.Never]
        assert Client().get("/tasks/").status_code == 401
        permit(settings, IS_AUTHENTICATED)
        assert Client().get("/tasks/").status_code == 403

    def test_an_empty_list_takes_the_frameworks_default_away(self, settings: Any, browser: Client) -> None:
        settings.REST_FRAMEWORK = {"DEFAULT_THROTTLE_CLASSES": [f"{HERE}.Never"]}
        assert browser.get("/tasks/").status_code == 429
        settings.TASK_API_THROTTLE_CLASSES = []
        assert browser.get("/tasks/").status_code == 200
        permit(settings, IS_AUTHENTICATED)
        assert browser.get("/tasks/").status_code == 200

    def test_calls_that_another_setting_opens_are_limited_by_name_alone(self, settings: Any) -> None:
        settings.TASKS_API_AUTHENTICATION = None
        settings.REST_FRAMEWORK = {"DEFAULT_THROTTLE_CLASSES": [f"{HERE}.Never"]}
        assert CALLS["typed"](Client(), "").status_code == 201
        settings.TASK_API_THROTTLE_CLASSES = [f"{HERE}.Never"]
        for call in ("typed", "run"):
            assert CALLS[call](Client(), "").status_code == 429

    @pytest.mark.parametrize("opened", [False, True])
    def test_what_a_push_queue_delivers_is_not_limited(
        self, settings: Any, browser: Client, opened: bool
    ) -> None:
        from django_integration.web.http.signed_job import signed

        permit(settings, IS_AUTHENTICATED)
        browser.post("/tasks/resize/", BOX, content_type=JSON)
        (message,) = queued()
        settings.TASK_API_THROTTLE_CLASSES = [f"{HERE}.Never"]
        if opened:
            settings.TASKS_API_AUTHENTICATION = None
        headers = {"X-Serverless-Tasks-Job": signed(message)}
        assert browser.post("/tasks/resize/run", BOX, content_type=JSON, headers=headers).status_code == 200
        forged = {"X-Serverless-Tasks-Job": "forged"}
        assert browser.post("/tasks/resize/run", BOX, content_type=JSON, headers=forged).status_code == 400

    @pytest.mark.parametrize(
        ("rates", "allowed"),
        [
            ({}, ["create", "retrieve"]),
            ({"tasks": "0/min"}, []),
            ({"tasks-create": "0/min"}, ["retrieve"]),
            ({"tasks": "0/min", "tasks-retrieve": "9/min"}, ["retrieve"]),
        ],
    )
    def test_scopes_are_those_that_have_a_rate(
        self,
        settings: Any,
        monkeypatch: pytest.MonkeyPatch,
        browser: Client,
        job: str,
        rates: dict[str, str],
        allowed: list[str],
    ) -> None:
        monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", rates)
        settings.TASK_API_THROTTLE_CLASSES = [f"{HERE}.Scoped"]
        answers = {call: CALLS[call](browser, job).status_code for call in ("create", "retrieve")}
        assert [call for call, status in answers.items() if status != 429] == allowed
