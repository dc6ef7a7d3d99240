"""What a site answers whose settings or tasks contradict what it is asked for."""

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from serverless_tasks.engine.services import current_services

ROOT = Path(__file__).resolve().parents[3]
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
        assert said(answer) == "This site is not configured to run tasks. See its log for details."
    logged = [record for record in caplog.records if record.name == "django_integration.web.http.responses"]
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

    monkeypatch.setattr(current_services().backend, "publish", mistaken)
    with pytest.raises(ZeroDivisionError):
        browser.post("/tasks/", SUM, content_type="application/json")


RIVALS = """
import os, sys
from pathlib import Path
from django.conf import settings
settings.configure(
    BASE_DIR=Path(sys.argv[1]),
    DEBUG=True,
    SECRET_KEY="not a secret",
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF=sys.argv[2],
    INSTALLED_APPS=["django.contrib.staticfiles", "django_integration", "tests.django.shop"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
    STATIC_URL="/static/",
    SERVERLESS_TASKS={"TABLE": "tasks", "QUEUE_URLS": {"default": "https://sqs"}, "MODULES": ["tests.django.rivals"]},
    TASK_API_BACKGROUND_TASKS=["tests.django.shop.background.SumNumbers"],
)
import django
django.setup()
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.test import Client
for options in ({}, {"deploy": True}):
    try:
        call_command("check", **options)
    except SystemCheckError as error:
        print([line for line in str(error).splitlines() if "(serverless_tasks.E" in line])
client = Client()
for path in sys.argv[3:]:
    for method in ("get", "post"):
        answer = getattr(client, method)(path, {}, content_type="application/json")
        print(answer.status_code, answer.json()["error"]["type"], answer.json()["error"]["message"])
"""
SAID = (
    "Two tasks are named 'sum': tests.django.shop.background.SumNumbers and tests.django.rivals.OtherSum."
    " Rename one of them."
)


@pytest.mark.parametrize(
    ("urls", "paths"),
    [
        ("tests.django.urls", ["/tasks/resize/", "/tasks/resize/run", "/tasks/openapi.json", "/tasks/sum/"]),
        ("tests.django.own_urls", ["/own/jobs/resize/", "/own/jobs/resize/run", "/own/jobs/sum/"]),
    ],
)
def test_two_tasks_of_one_name_are_one_error_and_no_call_is_served(
    tmp_path: Path, urls: str, paths: list[str]
) -> None:
    (tmp_path / "samconfig.toml").write_text(
        '[default.global.parameters]\nparameter_overrides = ["TaskModules=shop"]\n'
    )
    done = subprocess.run(
        [sys.executable, "-c", RIVALS, str(tmp_path), urls, *paths],
        cwd=ROOT,
        env={**os.environ, "AWS_REGION": "us-east-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    checked, deployed, *answers = done.stdout.splitlines()
    assert checked == deployed == str([f"?: (serverless_tasks.E001) {SAID}"])
    assert answers == [f"500 ConfigurationError {SAID}"] * 2 * len(paths)
