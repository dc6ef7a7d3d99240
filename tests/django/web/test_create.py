"""POST /tasks/."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from django.apps import apps
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client, RequestFactory
from django.test.client import FakePayload

from django_integration.conf import served_tasks
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.services import current_services
from tests.django.conftest import queued, stored

SUM = {"task": "sum", "inputs": {"numbers": [1, "2"]}}


def post(client: Client, body: Any, **extra: Any) -> Any:
    text = body if isinstance(body, (str, bytes)) else json.dumps(body)
    return client.post("/tasks/", text, **({"content_type": "application/json"} | extra))


def fields(answer: Any) -> list[tuple[str, str]]:
    return [(field["field"], field["type"]) for field in answer.json()["error"]["fields"]]


def test_a_task_is_submitted_run_and_served(browser: Client, work: Callable[[], int]) -> None:
    created = post(browser, SUM)
    assert created.status_code == 201, created.content
    assert created.json()["status"] == "pending"
    assert created["Location"] == f"/tasks/{created.json()['uuid']}/"
    assert created["Cache-Control"] == "no-store"
    assert work() == 1
    record = browser.get(created["Location"]).json()
    assert (record["status"], record["outputs"]) == ("succeeded", {"sum": 3})


def test_a_renamed_task_is_submitted_by_its_old_name_under_the_new_one(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = current_services().registry
    monkeypatch.setitem(registry._aliases, "add", registry.get("sum"))
    created = post(browser, SUM | {"task": "add"})
    assert (created.status_code, created.json()["task"]) == (201, "sum")
    monkeypatch.setitem(
        registry._aliases, "hidden", next(each for each in registry if each.name not in served_tasks())
    )
    refused = post(browser, SUM | {"task": "hidden"})
    assert (refused.status_code, refused.json()["error"]["type"]) == (400, "UnknownTask")
    assert "'hidden'" in refused.json()["error"]["message"]


def test_a_pydantic_task_takes_nested_inputs(browser: Client, work: Callable[[], int]) -> None:
    box = {"width": 2, "height": 3}
    created = post(browser, {"task": "resize", "inputs": {"box": box}})
    assert created.status_code == 201, created.content
    work()
    assert browser.get(created["Location"]).json()["outputs"] == {"box": box}


def test_a_submit_is_one_sqs_call_and_one_write(browser: Client, calls: Counter[str]) -> None:
    assert post(browser, SUM).status_code == 201
    assert calls == {"SendMessage": 1, "PutItem": 1}


@pytest.mark.django_db(transaction=True)
def test_201_means_sent_whatever_transaction_is_open(user: User) -> None:
    client = Client()
    client.force_login(user)
    with transaction.atomic():
        assert post(client, SUM).status_code == 201
        assert len(queued()) == 1


def test_the_view_is_outside_atomic_requests(settings: Any) -> None:
    from django.urls import resolve

    assert "default" in resolve("/tasks/").func._non_atomic_requests


def test_the_owner_is_the_user(browser: Client, user: User) -> None:
    post(browser, SUM)
    (message,) = queued()
    assert message.owner == str(user.pk)


class TestBadInput:
    """A 4xx with the field and the reason; nothing published, nothing recorded."""

    @pytest.fixture(autouse=True)
    def nothing_happens(self, aws: None) -> Any:
        yield
        assert queued() == []
        assert stored() == 0

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ({"task": "nosuch", "inputs": {}}, ("task", "unknown_task")),
            ({"task": "hidden", "inputs": {}}, ("task", "unknown_task")),
            ({"inputs": {}}, ("task", "body")),
            ({"task": 7, "inputs": {}}, ("task", "body")),
            ({"task": "sum", "inputs": {"numbers": [1]}, "uuid": "x"}, ("uuid", "body")),
            ([], ("", "body")),
            (None, ("", "body")),
            ({"task": "sum"}, ("numbers", "missing")),
            ({"task": "sum", "inputs": {}}, ("numbers", "missing")),
            ({"task": "sum", "inputs": {"numbers": [1], "x": 1}}, ("x", "extra_forbidden")),
            ({"task": "sum", "inputs": {"numbers": ["six"]}}, ("numbers", "value_error")),
            ({"task": "sum", "inputs": [1]}, ("", "dict_type")),
            ({"task": "sum", "inputs": None}, ("", "dict_type")),
            (
                {"task": "resize", "inputs": {"box": {"width": "w", "height": 1}}},
                ("box.width", "int_parsing"),
            ),
            ('{"task": "sum", "inputs": {"numbers": [1, NaN]}}', ("numbers.1", "finite_number")),
            ('{"task": "sum", "inputs": {"numbers": 1e999}}', ("numbers", "finite_number")),
            ('{"task": "sum", "inputs": {"numbers": "\\ud800"}}', ("numbers", "string_unicode")),
            ('{"task": "sum", "inputs": {"\\ud800": 1}}', ("", "string_unicode")),
        ],
    )
    def test_the_field_is_named(self, browser: Client, body: Any, expected: tuple[str, str]) -> None:
        answer = post(browser, body)
        assert answer.status_code == 400, answer.content
        assert fields(answer) == [expected]
        assert answer.json()["error"]["message"]

    @pytest.mark.parametrize(
        "body",
        [
            b" ",
            b"{",
            b'{"task": "sum", "inputs": {"numbers": [1,]}}',
            b'\xff\xfe{"task": "sum"}',
            b"[" * 100_000,
            b'{"task": "sum", "inputs": {"numbers": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
            b'{"task": "sum", "inputs": {"numbers": [' + b"9" * 5_000 + b"]}}",
        ],
        ids=["empty", "cut", "comma", "not UTF-8", "open", "deep", "long number"],
    )
    def test_what_is_not_json_is_refused(self, browser: Client, body: bytes) -> None:
        answer = post(browser, body)
        assert answer.status_code == 400, answer.content
        assert answer.json()["error"]["type"] == "InvalidJSON"

    @pytest.mark.parametrize("depth", [100, 500, 900, 5_000])
    def test_nesting_is_taken_or_refused_with_a_reason(self, browser: Client, depth: int) -> None:
        text = '{"task": "sum", "inputs": {"numbers": ' + "[" * depth + "1" + "]" * depth + "}}"
        answer = post(browser, text)
        assert answer.status_code == 400, answer.content

    @pytest.mark.parametrize(
        "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
    )
    def test_what_a_form_can_send_is_refused(self, browser: Client, kind: str) -> None:
        answer = post(browser, SUM, content_type=kind)
        assert answer.status_code == 415
        assert "application/json" in answer.json()["error"]["message"]

    def test_a_body_over_the_limit(self, browser: Client, settings: Any) -> None:
        settings.SERVERLESS_TASKS = settings.SERVERLESS_TASKS | {"MAX_BODY": 100}
        text = json.dumps(SUM) + " " * 100
        answer = post(browser, text)
        assert answer.status_code == 413
        error = answer.json()["error"]
        assert (error["size"], error["limit"]) == (len(text), 100)

    def test_a_body_of_unknown_length_over_the_limit(self, browser: Client, settings: Any) -> None:
        settings.SERVERLESS_TASKS = settings.SERVERLESS_TASKS | {"MAX_BODY": 100}
        from django_integration.web.http import request_body as body
        from django_integration.web.http.responses import HTTPError

        request = RequestFactory().post("/tasks/", content_type="application/json")
        del request.META["CONTENT_LENGTH"]
        request._stream = FakePayload(b" " * 10_000)
        with pytest.raises(HTTPError) as caught:
            body.read(request)
        assert caught.value.status == 413
        assert caught.value.extra["limit"] == 100

    def test_inputs_past_what_a_message_holds_without_a_bucket(self, browser: Client) -> None:
        answer = post(
            browser, {"task": "resize", "inputs": {"box": {"width": 1, "height": 1}, "note": "x" * 300_000}}
        )
        assert answer.status_code == 413
        assert answer.json()["error"]["size"] > 300_000
        assert answer.json()["error"]["limit"] == 200_000


def test_a_body_over_djangos_own_limit_but_under_ours_is_taken(browser: Client, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10
    assert post(browser, SUM).status_code == 201


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_other_methods_are_refused_in_json(browser: Client, method: str) -> None:
    answer = getattr(browser, method)("/tasks/")
    assert answer.status_code == 405
    assert answer["Allow"] == "GET, HEAD, OPTIONS, POST"
    assert answer.json()["error"]["type"] == "MethodNotAllowed"


class TestAwsTrouble:
    def break_send(self, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
        def send(**_: Any) -> Any:
            raise error

        queue = current_services().queue
        monkeypatch.setattr(queue._client, "send_message", send)
        monkeypatch.setattr(queue._clock, "sleep", lambda seconds: None)

    def test_a_client_that_cannot_be_made_is_503(
        self, browser: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuses() -> Any:
            raise ValueError("Invalid endpoint: localhost:4566")

        monkeypatch.setattr(session, "_maker", refuses)
        session._client.cache_clear()
        settings.SERVERLESS_TASKS = {**settings.SERVERLESS_TASKS}
        try:
            created, read = post(browser, SUM), browser.get("/tasks/0b0e64f7-7d0b-4d6c-8a3a-1f5f3d8f1c11/")
        finally:
            session._client.cache_clear()
        assert [answer.status_code for answer in (created, read)] == [503, 503]
        assert created.json()["error"]["type"] == "SubmitFailed"
        assert read.json()["error"]["type"] == "Unavailable"
        assert b"localhost:4566" not in created.content + read.content

    def test_an_uncertain_send_is_503_with_the_uuid(
        self, browser: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.break_send(monkeypatch, ReadTimeoutError(endpoint_url="https://sqs/123456789012"))
        answer = post(browser, SUM)
        assert answer.status_code == 503
        assert browser.get(f"/tasks/{answer.json()['error']['uuid']}/").json()["status"] == "pending"
        assert b"123456789012" not in answer.content

    def test_a_send_that_failed_for_sure_is_503_and_leaves_nothing(
        self, browser: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.break_send(monkeypatch, EndpointConnectionError(endpoint_url="https://sqs/123456789012"))
        answer = post(browser, SUM)
        assert answer.status_code == 503
        assert answer.json()["error"]["type"] == "SubmitFailed"
        assert int(answer["Retry-After"]) > 0
        assert b"123456789012" not in answer.content
        assert stored() == 0

    def test_a_table_that_cannot_be_read_is_503(
        self, browser: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        location = post(browser, SUM)["Location"]

        def query(**_: Any) -> Any:
            raise EndpointConnectionError(endpoint_url="https://dynamodb/123456789012")

        monkeypatch.setattr(session.client("dynamodb"), "query", query)
        answer = browser.get(location)
        assert answer.status_code == 503
        assert answer.json()["error"]["type"] == "Unavailable"
        assert b"123456789012" not in answer.content

    def test_credentials_that_cannot_be_used_are_503(
        self, browser: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        location = post(browser, SUM)["Location"]
        monkeypatch.setenv("AWS_PROFILE", "absent-123456789012")
        session.reset()
        apps.get_app_config("serverless_tasks")._wire()
        for answer, kind in ((post(browser, SUM), "SubmitFailed"), (browser.get(location), "Unavailable")):
            assert answer.status_code == 503
            assert answer.json()["error"]["type"] == kind
            assert b"123456789012" not in answer.content
