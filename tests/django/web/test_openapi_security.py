"""What the OpenAPI document says of who may call is what the settings ask for."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

SESSION_AUTHENTICATION = "rest_framework.authentication.SessionAuthentication"
TOKEN = "rest_framework.authentication.TokenAuthentication"
BASIC = "rest_framework.authentication.BasicAuthentication"
IS_AUTHENTICATED = "rest_framework.permissions.IsAuthenticated"
READ_ONLY = "rest_framework.permissions.IsAuthenticatedOrReadOnly"
SESSION = {"session": []}
BEARER: dict[str, list[str]] = {"taskToken": []}
SESSION_AND_CSRF = {"session": [], "csrf": []}


class Office:
    """An authentication class that does not say what it reads."""

    def authenticate(self, request: Any) -> Any:
        return User(username="clerk", pk=1), None

    def authenticate_header(self, request: Any) -> str:
        return "Office"


@pytest.fixture
def document(browser: Client) -> Any:
    def fetch(**headers: str) -> Any:
        return browser.get("/tasks/openapi.json", headers=headers).json()

    return fetch


def needs(document: Any, path: str, method: str) -> Any:
    """What the site's settings ask for; a token of ours is an alternative whatever they are."""
    return [need for need in alternatives(document, path, method) if need != BEARER]


def alternatives(document: Any, path: str, method: str) -> Any:
    return document["paths"][f"/tasks/{path}"][method]["security"]


def test_a_token_is_an_alternative_wherever_one_job_is_asked_for(document: Any, settings: Any) -> None:
    settings.TASKS_API_AUTHENTICATION = "tests.django.ninja_auth.KnowsTheWord"
    found = document()
    calls = {
        (path, method): BEARER in alternatives(found, path, method)
        for path, method in (
            ("", "post"),
            ("", "get"),
            ("{uuid}/", "get"),
            ("{uuid}/members/", "get"),
            ("{uuid}/events/", "get"),
            ("events/", "get"),
            ("{uuid}/cancel/", "post"),
            ("resize/", "post"),
            ("resize/run", "post"),
        )
    }
    assert [call for call, taken in calls.items() if not taken] == [("", "get"), ("resize/run", "post")]
    scheme = found["components"]["securitySchemes"]["taskToken"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")


def test_a_login_by_session_needs_the_csrf_token_to_write(document: Any, settings: Any) -> None:
    settings.SESSION_COOKIE_NAME = "sitting"
    settings.CSRF_COOKIE_NAME = "crumb"
    # The browser's cookie has the old name.
    client = Client()
    client.force_login(User.objects.get())
    found = client.get("/tasks/openapi.json").json()
    assert needs(found, "", "get") == needs(found, "{uuid}/", "get") == [SESSION]
    assert needs(found, "{uuid}/events/", "get") == [SESSION]
    for path in ("", "{uuid}/cancel/", "resize/"):
        assert needs(found, path, "post") == [SESSION_AND_CSRF]
    schemes = found["components"]["securitySchemes"]
    assert set(schemes) == {"session", "csrf", "taskToken"}
    assert (schemes["session"]["in"], schemes["session"]["name"]) == ("cookie", "sitting")
    assert (schemes["csrf"]["in"], schemes["csrf"]["name"]) == ("header", "X-CSRFToken")
    assert "crumb" in schemes["csrf"]["description"]


def test_where_everybody_is_served_nothing_is_an_alternative(document: Any, settings: Any) -> None:
    settings.SERVERLESS_TASKS = settings.SERVERLESS_TASKS | {"ALLOW_ANONYMOUS": True}
    assert needs(document(), "", "post") == [SESSION_AND_CSRF, {}]


@pytest.mark.parametrize(
    ("classes", "permissions", "read", "write"),
    [
        ([SESSION_AUTHENTICATION], None, [SESSION], [SESSION_AND_CSRF]),
        ([SESSION_AUTHENTICATION], [], [SESSION, {}], [SESSION_AND_CSRF, {}]),
        ([SESSION_AUTHENTICATION], [READ_ONLY], [SESSION, {}], [SESSION_AND_CSRF]),
        ([TOKEN, BASIC], [READ_ONLY], [{"TokenAuthentication": []}, {"basic": []}, {}], None),
        ([Office], [IS_AUTHENTICATED], [{"Office": []}], [{"Office": []}]),
    ],
)
def test_rest_framework_classes_are_described(
    document: Any, settings: Any, classes: Any, permissions: Any, read: Any, write: Any
) -> None:
    settings.TASK_API_AUTHENTICATION_CLASSES = classes
    settings.TASK_API_PERMISSIONS_CLASSES = permissions
    found = document()
    assert needs(found, "", "get") == read
    assert needs(found, "", "post") == (read[:-1] if write is None else write)
    named = {name for need in [*read, *needs(found, "", "post")] for name in need}
    assert set(found["components"]["securitySchemes"]) == named | {"taskToken"}


@pytest.mark.parametrize(
    ("given", "expected", "scheme"),
    [
        (None, [{}], None),
        ("oidc", [{"oidc": []}], {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}),
        (
            "tests.django.ninja_auth.KnowsTheWord",
            [{"KnowsTheWord": []}],
            {"type": "http", "scheme": "bearer"},
        ),
        ("ninja.security.SessionAuth", [{"SessionAuth": [], "csrf": []}], None),
        ("tests.django.ninja_auth.logged_in", [{"logged_in": [], "csrf": []}], None),
    ],
)
def test_typed_calls_say_what_their_setting_asks_for(
    document: Any, settings: Any, given: Any, expected: Any, scheme: Any
) -> None:
    settings.TASKS_API_AUTHENTICATION = given
    found = document()
    assert needs(found, "resize/", "post") == needs(found, "resize/run", "post") == expected
    assert needs(found, "", "post") == [SESSION_AND_CSRF]
    if scheme is not None:
        assert found["components"]["securitySchemes"][next(iter(expected[0]))] == scheme
