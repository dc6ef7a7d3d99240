"""The typed calls of django-generic-tasks' tasks: who may use them, and running in the request."""

from base64 import b64encode
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.test import Client

from serverless_tasks.engine.services import current_services
from tests.django.conftest import queued, stored
from tests.django.mailing.notifications import EmailNotificationTask
from tests.django.shop.background import Resize

EMAIL = f"/tasks/{EmailNotificationTask.name}/"
PARAMS = {"subject": "Hello", "content": "Have a nice day", "recipients": ["alice@example.com"]}
WORD = {"Authorization": "Bearer please"}
KNOWS_THE_WORD = "tests.django.ninja_auth.KnowsTheWord"
BOX = {"box": {"width": 1, "height": 2}}

pytestmark = pytest.mark.django_db


def post(client: Client, url: str = EMAIL, body: Any = PARAMS, **extra: Any) -> Any:
    return client.post(url, body, **({"content_type": "application/json"} | extra))


@pytest.fixture
def word(settings: Any) -> None:
    settings.TASKS_API_AUTHENTICATION = KNOWS_THE_WORD


@pytest.fixture
def strict(user: User) -> Client:
    """Ada's browser, with CSRF enforced."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    return client


class TestBasicAuth:
    @pytest.fixture(autouse=True)
    def basic(self, settings: Any) -> None:
        settings.TASKS_API_AUTHENTICATION = "django_integration.security.BasicAuth"
        User.objects.create_user("grace", password="hopper")

    def asked(self, named: str) -> Any:
        return post(Client(), headers={"Authorization": f"Basic {b64encode(named.encode()).decode()}"})

    def test_a_user_of_the_site_owns_the_job(self) -> None:
        answer = self.asked("grace:hopper")
        assert answer.status_code == 201
        assert queued()[0].owner == str(User.objects.get(username="grace").pk)

    @pytest.mark.parametrize("named", ["grace:murray", "nobody:hopper", "grace"])
    def test_others_are_401(self, named: str) -> None:
        assert (self.asked(named).status_code, queued()) == (401, [])


@pytest.mark.usefixtures("word")
class TestRunningInTheRequest:
    def test_it_runs_and_answers_with_the_record(self) -> None:
        answer = post(Client(), f"{EMAIL}run", headers=WORD)
        assert answer.status_code == 200, answer.content
        assert answer.json()["status"] == "succeeded"
        assert [letter.to for letter in mail.outbox] == [["alice@example.com"]]
        assert queued() == []

    def test_the_result_is_in_the_record_and_kept(self) -> None:
        answer = post(Client(), "/tasks/resize/run", BOX, headers=WORD).json()
        assert answer["outputs"] == BOX
        record = current_services().store.read(answer["uuid"])
        assert record is not None
        assert record.outputs == BOX

    def test_inputs_that_cannot_be_kept_are_413_and_nothing_runs(self) -> None:
        answer = post(Client(), f"{EMAIL}run", PARAMS | {"content": "x" * 1_000_000}, headers=WORD)
        assert (answer.status_code, mail.outbox, stored()) == (413, [], 0)

    def test_bad_inputs_are_422_with_their_place(self) -> None:
        answer = post(Client(), f"{EMAIL}run", PARAMS | {"recipients": [1]}, headers=WORD)
        assert answer.status_code == 422
        assert [error["loc"] for error in answer.json()["detail"]] == [["body", "params", "recipients", 0]]
        assert (len(mail.outbox), stored()) == (0, 0)

    def test_inputs_that_there_are_not_are_422(self) -> None:
        answer = post(Client(), f"{EMAIL}run", PARAMS | {"bcc": "x"}, headers=WORD)
        assert [error["loc"] for error in answer.json()["detail"]] == [["body", "params", "bcc"]]

    def test_a_failed_task_is_answered_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Resize, "run", lambda self: 1 / 0)
        answer = post(Client(), "/tasks/resize/run", BOX, headers=WORD)
        assert answer.status_code == 200
        assert (answer.json()["status"], answer.json()["error"]["type"]) == ("failed", "ZeroDivisionError")

    @pytest.mark.parametrize(
        "header", [{}, {"Authorization": "Bearer no"}, {"Authorization": "Basic please"}]
    )
    def test_others_are_401(self, header: dict[str, str]) -> None:
        answer = post(Client(), f"{EMAIL}run", headers=header)
        assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
        assert mail.outbox == []

    def test_a_header_that_names_a_job_must_be_signed(self) -> None:
        headers = WORD | {"X-Serverless-Tasks-Job": '{"v": 1}'}
        assert post(Client(), f"{EMAIL}run", headers=headers).status_code == 400
        assert mail.outbox == []


class TestUnset:
    """Nothing says who may call: what the site's other calls ask for holds, and nothing runs in a request."""

    def test_submitting_needs_a_login_outside_debug(self) -> None:
        assert post(Client()).status_code == 401
        assert queued() == []

    def test_submitting_is_open_under_debug(self, settings: Any) -> None:
        settings.DEBUG = True
        assert post(Client()).status_code == 201

    @pytest.mark.parametrize("debug", [False, True])
    def test_running_is_off(self, settings: Any, browser: Client, debug: bool) -> None:
        settings.DEBUG = debug
        for client in (browser, Client()):
            answer = post(client, f"{EMAIL}run")
            assert (answer.status_code, answer.json()["error"]["type"]) == (403, "RunDisabled")
        assert mail.outbox == []

    def test_rest_frameworks_classes_say_who_may_run(self, settings: Any, strict: Client) -> None:
        settings.TASK_API_AUTHENTICATION_CLASSES = ["rest_framework.authentication.SessionAuthentication"]
        settings.TASK_API_PERMISSIONS_CLASSES = ["rest_framework.permissions.AllowAny"]
        assert post(Client(), f"{EMAIL}run").status_code == 401
        assert post(strict, f"{EMAIL}run").status_code == 403
        strict.get("/tasks/docs")
        token = strict.cookies["csrftoken"].value
        assert post(strict, f"{EMAIL}run", headers={"X-CSRFToken": token}).status_code == 200


class TestNone:
    def test_an_explicit_none_opens_both_calls(self, settings: Any) -> None:
        settings.TASKS_API_AUTHENTICATION = None
        assert post(Client()).status_code == 201
        assert post(Client(), f"{EMAIL}run").status_code == 200
        assert len(mail.outbox) == 1

    def test_a_session_is_worth_nothing_there_so_that_no_other_site_can_use_it(
        self, settings: Any, strict: Client
    ) -> None:
        settings.TASKS_API_AUTHENTICATION = None
        assert post(strict).status_code == 201
        assert [message.owner for message in queued()] == [None]

    def test_a_form_of_another_site_is_refused(self, settings: Any) -> None:
        settings.TASKS_API_AUTHENTICATION = None
        assert post(Client(), f"{EMAIL}run", "x", content_type="text/plain").status_code == 415


class TestOfOneTask:
    def test_its_class_says_otherwise_than_the_setting(
        self, word: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Resize, "TASKS_API_AUTHENTICATION", None, raising=False)
        assert post(Client(), "/tasks/resize/run", BOX).status_code == 200
        assert post(Client(), f"{EMAIL}run").status_code == 401

    def test_it_can_be_closed_where_the_others_are_open(
        self, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.TASKS_API_AUTHENTICATION = None
        monkeypatch.setattr(Resize, "TASKS_API_AUTHENTICATION", KNOWS_THE_WORD, raising=False)
        assert post(Client(), "/tasks/resize/", BOX).status_code == 401
        assert post(Client(), "/tasks/resize/", BOX, headers=WORD).status_code == 201


@pytest.mark.parametrize("call", [EMAIL, f"{EMAIL}run"])
class TestSessions:
    """Whatever class reads the cookie: another site's page cannot use it."""

    @pytest.mark.parametrize(
        "ask",
        [
            "ninja.security.SessionAuth",
            "tests.django.ninja_auth.OpenSession",
            "tests.django.ninja_auth.logged_in",
        ],
    )
    @pytest.mark.parametrize("header", ["X-CSRFToken", "X-CSRF-Token"])
    def test_they_need_the_csrf_token(
        self, settings: Any, strict: Client, call: str, ask: str, header: str
    ) -> None:
        settings.TASKS_API_AUTHENTICATION = ask
        assert post(strict, call).status_code == 403
        assert (queued(), mail.outbox, stored()) == ([], [], 0)
        strict.get("/tasks/docs")
        token = strict.cookies["csrftoken"].value
        assert post(strict, call, headers={header: token}).status_code in (200, 201)

    def test_the_user_owns_the_job(self, settings: Any, browser: Client, user: User, call: str) -> None:
        settings.TASKS_API_AUTHENTICATION = "tests.django.ninja_auth.OpenSession"
        uuid = post(browser, call).json()["uuid"]
        assert [job["uuid"] for job in browser.get("/tasks/").json()["tasks"]] == [uuid]


@pytest.mark.parametrize("header", [WORD, {"Authorization": "Bearer no"}])
def test_an_asynchronous_class_is_awaited(settings: Any, header: dict[str, str]) -> None:
    settings.TASKS_API_AUTHENTICATION = "tests.django.ninja_auth.KnowsItLater"
    assert post(Client(), headers=header).status_code == (201 if header == WORD else 401)


@pytest.mark.urls("tests.django.own_urls")
class TestOnAProjectsOwnApi:
    def test_both_calls_are_there(self, word: None) -> None:
        for call, status in (("", 201), ("run", 200)):
            answer = post(Client(), f"/own/jobs/{EmailNotificationTask.name}/{call}", headers=WORD)
            assert answer.status_code == status

    def test_its_openapi_page_types_both_by_the_model(self) -> None:
        assert Client().get("/own/docs").status_code == 200
        document = Client().get("/own/openapi.json").json()
        for call in ("", "run"):
            operation = document["paths"][f"/own/jobs/{EmailNotificationTask.name}/{call}"]["post"]
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            model = document["components"]["schemas"][schema["$ref"].split("/")[-1]]
            assert model["title"] == "EmailNotificationParams"
            assert set(model["properties"]) == set(PARAMS)


def test_our_own_document_types_both(word: None, browser: Client) -> None:
    document = browser.get("/tasks/openapi.json").json()
    for call, status in (("", "201"), ("run", "200")):
        operation = document["paths"][f"{EMAIL}{call}"]["post"]
        parts = document["components"]["schemas"]
        inputs = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].split("/")[-1]
        record = operation["responses"][status]["content"]["application/json"]["schema"]["$ref"].split("/")[
            -1
        ]
        assert set(parts[inputs]["properties"]) == set(PARAMS)
        assert parts[record]["properties"]["task"] == {"const": EmailNotificationTask.name}
