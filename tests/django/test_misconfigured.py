"""What a site answers whose settings or tasks contradict what it is asked for."""

import logging
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from serverless_tasks.services import services

QUEUES = {"default": "https://sqs.us-east-1.amazonaws.com/123456789012/default"}
SUM = {"task": "sum", "inputs": {"numbers": [1]}}
BOX = {"box": {"width": 1, "height": 1}}
MISTAKES = [
    ({}, "SERVERLESS_TASKS_QUEUE_URLS is not set"),
    ({"BACKND": "threading"}, "SERVERLESS_TASKS has no setting 'BACKND'"),
]


def calls(client: Client) -> list[Any]:
    """What each call that needs the settings answers."""
    return [
        client.post("/tasks/", SUM, content_type="application/json"),
        client.post("/tasks/resize/", BOX, content_type="application/json"),
    ]


def said(answer: Any) -> Any:
    assert answer.status_code == 500
    assert answer["Content-Type"] == "application/json"
    assert answer["Cache-Control"] == "no-store"
    error = answer.json()["error"]
    assert error["type"] == "ConfigurationError"
    return error["message"]


@pytest.mark.parametrize(("given", "mistake"), MISTAKES)
def test_it_is_an_error_as_all_others_and_does_not_tell_strangers_why(
    browser: Client, settings: Any, caplog: pytest.LogCaptureFixture, given: Any, mistake: str
) -> None:
    settings.SERVERLESS_TASKS = given
    for answer in calls(browser):
        assert said(answer) == "This site is not set up to run tasks. Its log says what is wrong."
    logged = [record for record in caplog.records if record.name == "django_integration.answers"]
    assert len(logged) == 2
    for record in logged:
        assert record.levelno == logging.ERROR
        assert mistake in record.getMessage()
        assert record.exc_info is not None


@pytest.mark.parametrize(("given", "mistake"), MISTAKES)
def test_whoever_sets_the_site_up_is_told_why(
    browser: Client, settings: Any, given: Any, mistake: str
) -> None:
    settings.SERVERLESS_TASKS = given
    settings.DEBUG = True
    for answer in calls(browser):
        assert mistake in said(answer)


def test_a_task_is_asked_for_in_vain(browser: Client, settings: Any) -> None:
    settings.SERVERLESS_TASKS = {"QUEUE_URLS": QUEUES}
    settings.DEBUG = True
    uuid = uuid4()
    for answer in (
        browser.get(f"/tasks/{uuid}/"),
        browser.get(f"/tasks/{uuid}/events/"),
        browser.get("/tasks/"),
        browser.post(f"/tasks/{uuid}/cancel/"),
    ):
        assert said(answer).startswith("SERVERLESS_TASKS_TABLE is not set")


def test_a_mistake_in_code_is_djangos_to_answer(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def mistaken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(services().backend, "publish", mistaken)
    with pytest.raises(ZeroDivisionError):
        browser.post("/tasks/", SUM, content_type="application/json")
