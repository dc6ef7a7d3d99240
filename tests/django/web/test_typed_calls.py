"""POST /tasks/<name>/: a typed call for each pydantic task."""

from typing import Any
from uuid import UUID

import pytest
from django.core.checks import run_checks
from django.test import Client

from tests.django.conftest import queued, stored
from tests.django.shop.background import Resize

BOX = {"box": {"width": 1, "height": 2}}


def post(client: Client, body: Any, url: str = "/tasks/resize/", **extra: Any) -> Any:
    return client.post(url, body, **({"content_type": "application/json"} | extra))


def test_inputs_are_the_body(browser: Client, user: Any) -> None:
    answer = post(browser, BOX)
    assert answer.status_code == 201, answer.content
    assert answer.json()["task"] == "resize"
    (message,) = queued()
    assert (message.inputs, message.owner) == (BOX | {"note": ""}, str(user.pk))


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({}, ["box"]),
        ({"box": {"width": "wide", "height": 2}}, ["box", "width"]),
        (BOX | {"extra": 1}, ["extra"]),
        ('{"box": {"width": 1, "height": 2}, "note": "\\ud800"}', ["note"]),
    ],
)
def test_bad_inputs_are_422_with_their_place(browser: Client, body: Any, loc: list[str]) -> None:
    answer = post(browser, body)
    assert answer.status_code == 422
    assert [error["loc"] for error in answer.json()["detail"]] == [["body", "params", *loc]]
    assert (queued(), stored()) == ([], 0)


def test_every_refused_input_is_named_at_once(browser: Client) -> None:
    answer = post(browser, {"bocks": {"width": 1, "height": 2}})
    assert [error["loc"][-1] for error in answer.json()["detail"]] == ["bocks", "box"]


def test_a_strict_model_reads_what_json_has_no_other_form_for(browser: Client) -> None:
    inputs = {"when": "2026-01-01T00:00:00Z", "id": str(UUID(int=5)), "size": [1, 2]}
    answer = post(browser, inputs, "/tasks/strict/")
    assert answer.status_code == 201, answer.content
    refused = post(browser, inputs | {"size": ["1", 2]}, "/tasks/strict/")
    assert refused.status_code == 422
    assert [error["loc"] for error in refused.json()["detail"]] == [["body", "params", "size", 0]]


def test_a_root_model_is_the_body(browser: Client) -> None:
    answer = post(browser, {"apple": 3}, "/tasks/prices/")
    assert answer.status_code == 201, answer.content
    assert [message.inputs for message in queued()] == [{"apple": 3}]
    assert post(browser, [3], "/tasks/prices/").status_code == 422


@pytest.mark.parametrize("body", ["{", "[" * 100_000], ids=["cut", "deep"])
def test_what_is_not_json_is_400(browser: Client, body: str) -> None:
    assert post(browser, body).status_code == 400


def test_a_form_is_415(browser: Client) -> None:
    assert post(browser, "x", content_type="text/plain").status_code == 415


@pytest.mark.django_db
def test_callers_are_asked_who_they_are_first() -> None:
    assert post(Client(), {}).status_code == 401


def test_a_session_needs_the_csrf_token(user: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    assert post(client, BOX).status_code == 403
    assert queued() == []


@pytest.mark.parametrize("name", ["sum", "quiet"])
def test_dictionary_tasks_and_those_that_opt_out_are_not_served(browser: Client, name: str) -> None:
    assert post(browser, {}, f"/tasks/{name}/").status_code == 405


def test_the_call_is_typed_in_the_document(browser: Client) -> None:
    document = browser.get("/tasks/openapi.json").json()
    call = document["paths"]["/tasks/resize/"]["post"]
    parts = document["components"]["schemas"]
    inputs = call["requestBody"]["content"]["application/json"]["schema"]["$ref"].split("/")[-1]
    assert set(parts[inputs]["properties"]) == {"box", "note"}
    record = call["responses"]["201"]["content"]["application/json"]["schema"]["$ref"].split("/")[-1]
    assert parts[record]["properties"]["task"] == {"const": "resize"}


def test_the_call_is_described_by_its_tasks_docstring(browser: Client, settings: Any) -> None:
    settings.TASKS_API_AUTHENTICATION = None
    paths = browser.get("/tasks/openapi.json").json()["paths"]
    assert paths["/tasks/later.resize/"]["post"]["description"].startswith(
        "Resizes when there is time.\n\n201: "
    )
    assert paths["/tasks/later.resize/run"]["post"]["description"].startswith(
        "Resizes when there is time.\n\n200 "
    )
    assert paths["/tasks/resize/"]["post"]["description"].startswith("201: ")


def test_django_has_nothing_to_say_about_the_urls() -> None:
    assert run_checks(tags=["urls"]) == []


def test_models_of_one_name_are_kept_apart(browser: Client) -> None:
    document = browser.get("/tasks/openapi.json").json()
    parts = document["components"]["schemas"]

    def inputs(task: str) -> set[str]:
        schema = document["paths"][f"/tasks/{task}/"]["post"]["requestBody"]["content"]["application/json"][
            "schema"
        ]
        return set(parts[schema["$ref"].split("/")[-1]]["properties"])

    assert inputs("resize") == {"box", "note"}
    assert inputs("later.resize") == {"percent"}


@pytest.mark.urls("tests.django.own_urls")
class TestOnAProjectsOwnApi:
    def test_it_submits(self, browser: Client) -> None:
        assert post(browser, BOX, "/own/jobs/resize/").status_code == 201
        assert [message.task for message in queued()] == [Resize.name]

    def test_it_guards_itself(self, user: Any) -> None:
        assert post(Client(), BOX, "/own/jobs/resize/").status_code == 401
        client = Client(enforce_csrf_checks=True)
        client.force_login(user)
        assert post(client, BOX, "/own/jobs/resize/").status_code == 403

    def test_the_document_of_that_api_has_it(self, browser: Client) -> None:
        assert "/own/jobs/resize/" in browser.get("/own/openapi.json").json()["paths"]
