"""Who may call: sessions and CSRF, anonymous callers, Django REST framework's classes."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from rest_framework.authtoken.models import Token
from rest_framework.permissions import BasePermission

from tests.django.conftest import queued
from tests.django.shop.background import SumNumbers

SUM = {"task": "sum", "inputs": {"numbers": [1]}}
SESSION = "rest_framework.authentication.SessionAuthentication"
TOKEN = "rest_framework.authentication.TokenAuthentication"
IS_AUTHENTICATED = "rest_framework.permissions.IsAuthenticated"
ALLOW_ANY = "rest_framework.permissions.AllowAny"


class OfficeHours(BasePermission):
    message = "Come back tomorrow."

    def has_permission(self, request: Any, view: Any) -> bool:
        return bool(request.user.username == "ada" and request.data["task"] == "sum")


def post(client: Client, **extra: Any) -> Any:
    return client.post("/tasks/", SUM, content_type="application/json", **extra)


@pytest.fixture
def strict(user: User) -> Client:
    """Ada's browser, with CSRF enforced."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    return client


@pytest.fixture
def csrf(strict: Client, settings: Any) -> str:
    strict.get("/tasks/docs")
    return strict.cookies["csrftoken"].value


class TestCsrf:
    def test_a_session_needs_the_token(self, strict: Client) -> None:
        answer = post(strict)
        assert answer.status_code == 403
        assert answer.json()["error"]["type"] == "CSRFFailed"
        assert queued() == []

    @pytest.mark.parametrize("header", ["X-CSRFToken", "X-CSRF-Token"])
    def test_both_headers_are_taken(self, strict: Client, csrf: str, header: str) -> None:
        assert post(strict, headers={header: csrf}).status_code == 201

    def test_a_wrong_token_is_refused(self, strict: Client, csrf: str) -> None:
        assert post(strict, headers={"X-CSRF-Token": "x" * 32}).status_code == 403

    def test_another_sites_page_is_refused_even_with_the_token(self, strict: Client, csrf: str) -> None:
        answer = post(strict, headers={"X-CSRFToken": csrf, "Origin": "https://evil.example"})
        message = answer.json()["error"]["message"]
        assert "add 'https://evil.example' to CSRF_TRUSTED_ORIGINS" in message
        assert "header." not in message  # of the token, which was right
        assert answer.status_code == 403

    @pytest.mark.parametrize(
        ("referer", "advice"),
        [
            ("https://evil.example/page?x=1", "add 'https://evil.example' to CSRF_TRUSTED_ORIGINS"),
            (
                "http://testserver/",
                "send one of the headers Origin and Referer, of a page that is served by HTTPS",
            ),
            ("", "send one of the headers Origin and Referer"),
        ],
    )
    def test_by_https_without_an_origin_the_referer_is_named(
        self, strict: Client, csrf: str, referer: str, advice: str
    ) -> None:
        headers = {"X-CSRFToken": csrf, **({"Referer": referer} if referer else {})}
        answer = post(strict, headers=headers, secure=True)
        assert answer.status_code == 403
        assert advice in answer.json()["error"]["message"]

    def test_a_missing_token_is_asked_for(self, strict: Client, csrf: str) -> None:
        message = post(strict).json()["error"]["message"]
        assert "token" in message
        assert "X-CSRFToken header" in message

    def test_cancelling_needs_it_too(self, strict: Client, csrf: str) -> None:
        uuid = post(strict, headers={"X-CSRFToken": csrf}).json()["uuid"]
        assert strict.post(f"/tasks/{uuid}/cancel/").status_code == 403
        assert strict.post(f"/tasks/{uuid}/cancel/", headers={"X-CSRFToken": csrf}).status_code == 200

    @pytest.mark.parametrize("header", ["X-Shop-Token", "X-CSRFToken", "X-CSRF-Token"])
    def test_a_header_of_the_sites_own_is_taken_beside_both(
        self, strict: Client, csrf: str, settings: Any, header: str
    ) -> None:
        settings.CSRF_HEADER_NAME = "HTTP_X_SHOP_TOKEN"
        assert post(strict, headers={header: csrf}).status_code == 201

    def test_names_of_the_sites_own_reach_the_refusal_and_the_client(
        self, strict: Client, settings: Any
    ) -> None:
        settings.CSRF_HEADER_NAME, settings.CSRF_COOKIE_NAME = "HTTP_X_SHOP_TOKEN", "crumb"
        said = post(strict).json()["error"]["message"]
        assert said.endswith("Send the token of the cookie crumb in the X-Shop-Token header.")
        uuid = SumNumbers.options(on_commit=False).submit(numbers=[1]).uuid
        for url in ("/page/", "/tasks/docs", f"/tasks/{uuid}/view/"):
            page = strict.get(url).content.decode()
            assert 'data-csrf-cookie="crumb"' in page
            assert 'data-csrf-header="X-Shop-Token"' in page
        sent = {"X-Shop-Token": strict.cookies["crumb"].value}
        assert post(strict, headers=sent).status_code == 201

    def test_reading_does_not(self, strict: Client) -> None:
        assert strict.get("/tasks/").status_code == 200

    @pytest.mark.django_db
    def test_an_anonymous_form_of_another_site_cannot_submit(self, settings: Any) -> None:
        settings.DEBUG = True
        client = Client(enforce_csrf_checks=True)
        assert post(client).status_code == 201
        queued()
        form = client.post("/tasks/", '{"task":"sum","inputs":{"numbers":[1]}}', content_type="text/plain")
        assert form.status_code == 415
        assert queued() == []


@pytest.mark.django_db
class TestAnonymous:
    @pytest.mark.parametrize("path", ["", "0b9f7a52-6a1c-4a3e-9c53-1d2f3a4b5c6d/", "openapi.json"])
    def test_outside_debug_they_are_refused(self, path: str) -> None:
        answer = Client().get(f"/tasks/{path}")
        assert answer.status_code == 401
        assert answer["WWW-Authenticate"]
        assert post(Client()).status_code == 401
        assert queued() == []

    def test_under_debug_they_are_served(self, settings: Any) -> None:
        settings.DEBUG = True
        created = post(Client())
        assert created.status_code == 201
        assert Client().get(created["Location"]).status_code == 200

    def test_a_setting_opens_production(self, settings: Any) -> None:
        settings.SERVERLESS_TASKS = settings.SERVERLESS_TASKS | {"ALLOW_ANONYMOUS": True}
        assert post(Client()).status_code == 201

    def test_a_site_without_sessions_serves_them(self, settings: Any) -> None:
        settings.MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
        settings.DEBUG = True
        assert post(Client()).status_code == 201


def test_a_site_where_all_views_need_a_login_still_answers_in_json(settings: Any, db: None) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]
    assert Client().get("/tasks/").status_code == 401


@pytest.mark.django_db
class TestDrf:
    def use(self, settings: Any, authentication: Any = None, permissions: Any = None) -> None:
        settings.TASK_API_AUTHENTICATION_CLASSES = authentication
        settings.TASK_API_PERMISSIONS_CLASSES = permissions

    def test_a_token_needs_no_csrf_and_owns_the_job(self, settings: Any, user: User) -> None:
        self.use(settings, [TOKEN], [IS_AUTHENTICATED])
        client = Client(enforce_csrf_checks=True)
        token = {"Authorization": f"Token {Token.objects.create(user=user).key}"}
        created = post(client, headers=token)
        assert created.status_code == 201
        assert client.get(created["Location"], headers=token).status_code == 200
        (message,) = queued()
        assert message.owner == str(user.pk)

    @pytest.mark.parametrize("permissions", [[IS_AUTHENTICATED], None])
    def test_without_a_token_it_is_401_with_the_scheme(self, settings: Any, permissions: Any) -> None:
        self.use(settings, [TOKEN], permissions)
        settings.DEBUG = True
        answer = post(Client())
        assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Token")

    def test_a_wrong_token_is_401(self, settings: Any) -> None:
        self.use(settings, [TOKEN], [ALLOW_ANY])
        answer = post(Client(), headers={"Authorization": "Token wrong"})
        assert answer.status_code == 401
        assert answer.json()["error"]["message"] == "Invalid token."

    def test_without_a_session_it_is_403_as_drf_answers(self, settings: Any) -> None:
        self.use(settings, [SESSION], [IS_AUTHENTICATED])
        assert post(Client()).status_code == 403

    def test_a_session_needs_csrf_by_either_header(self, settings: Any, strict: Client, csrf: str) -> None:
        self.use(settings, [SESSION], [IS_AUTHENTICATED])
        assert post(strict).status_code == 403
        assert post(strict, headers={"X-CSRF-Token": csrf}).status_code == 201
        assert post(strict, headers={"X-CSRFToken": csrf}).status_code == 201

    def test_only_the_configured_classes_count(self, settings: Any, browser: Client) -> None:
        self.use(settings, [TOKEN], [IS_AUTHENTICATED])
        assert post(browser).status_code == 401

    def test_a_class_and_a_custom_permission_decide(
        self, settings: Any, browser: Client, other_user: User
    ) -> None:
        self.use(settings, [SESSION], [OfficeHours])
        assert post(browser).status_code == 201
        bob = Client()
        bob.force_login(other_user)
        answer = post(bob)
        assert answer.status_code == 403
        assert answer.json()["error"] == {"type": "PermissionDenied", "message": "Come back tomorrow."}

    def test_permission_classes_alone_open_the_site(self, settings: Any) -> None:
        self.use(settings, None, [ALLOW_ANY])
        assert post(Client()).status_code == 201
        (message,) = queued()
        assert message.owner is None

    def test_an_empty_list_of_permissions_opens_it_too(self, settings: Any) -> None:
        self.use(settings, [TOKEN], [])
        assert post(Client()).status_code == 201
