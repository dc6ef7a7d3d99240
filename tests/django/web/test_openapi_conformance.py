"""Whatever fits or does not fit the OpenAPI document: no 5xx, and answers as the document says."""

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.apps import apps
from django.contrib.auth.models import User
from django.core.handlers.wsgi import WSGIHandler
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as configured
from hypothesis.strategies import sampled_from
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import ignored_auth, negative_data_rejection, positive_data_acceptance

from serverless_tasks.engine.services import reset
from serverless_tasks.workflow import group
from tests.django.shop.background import Fails, Resize, SumNumbers

LONG = os.environ.get("CHAOS") == "long"
# Each call, and an answer to what fits that must have been among the others.
GOOD = {
    "POST /tasks/": {201},
    "GET /tasks/": {200},
    "GET /tasks/{uuid}/": {200},
    "GET /tasks/{uuid}/members/": {200},
    "POST /tasks/{uuid}/cancel/": {409},
    "GET /tasks/{uuid}/events/": {501},
    "GET /tasks/events/": {501},
    "POST /tasks/resize/": {201},
    "POST /tasks/resize/run": {200},
}
CALLS = list(GOOD)
# Inputs are converted as pydantic and Django Task API do it ("1" is a number, one value a list of it), so that more is
# taken than the schemas say.
EXCLUDED = {
    "POST /tasks/": [negative_data_rejection],
    "POST /tasks/resize/": [negative_data_rejection],
    "POST /tasks/resize/run": [negative_data_rejection],
    # Only what a page gave as its cursor is one, and no schema can say that.
    "GET /tasks/": [positive_data_acceptance],
    "GET /tasks/{uuid}/members/": [positive_data_acceptance],
    # WSGI does not stream, and 501 says so.
    "GET /tasks/{uuid}/events/": [not_a_server_error],
    "GET /tasks/events/": [not_a_server_error],
}


@pytest.fixture(autouse=True)
def aws(settings: Any) -> Iterator[None]:
    """Instead of moto: the backend that runs at once, in memory."""
    settings.SERVERLESS_TASKS = {"BACKEND": "immediate"}
    settings.ALLOWED_HOSTS = ["testserver", "localhost"]
    settings.TASKS_API_AUTHENTICATION = "ninja.security.SessionAuth"
    apps.get_app_config("serverless_tasks")._wire()
    yield
    reset()


@pytest.fixture
def sent(browser: Client) -> dict[str, Any]:
    """What Ada's browser sends by itself, and her page with it."""
    browser.get("/tasks/docs")
    cookies = {name: browser.cookies[name].value for name in ("sessionid", "csrftoken")}
    return {"cookies": cookies, "headers": {"X-CSRFToken": cookies["csrftoken"]}}


@pytest.fixture
def document(browser: Client) -> Any:
    """The document as schemathesis reads it, with the site that it is to be asked of."""
    found = schemathesis.openapi.from_dict(browser.get("/tasks/openapi.json").json())
    found.config.generation.update(with_security_parameters=False)  # every request is Ada's
    found.app = WSGIHandler()
    found.location = "/tasks/openapi.json"
    return found


@pytest.fixture
def known(user: User) -> list[str]:
    """Jobs in several states, and a group."""
    members = [SumNumbers.signature(numbers=[1]), Fails.signature()]
    jobs = [
        task.options(owner=str(user.pk), on_commit=False).submit(**inputs).uuid
        for task, inputs in (
            (SumNumbers, {"numbers": [1]}),
            (Fails, {}),
            (Resize, {"box": {"width": 1, "height": 1}}),
        )
    ]
    return [*jobs, group(members).options(owner=str(user.pk), on_commit=False).submit().uuid]


def test_every_call_is_tried(document: Any) -> None:
    labels = {operation.ok().label for operation in document.get_all_operations()}
    assert set(CALLS) <= labels


# Python 3.14 counts the references of locals otherwise than Hypothesis expects, which then warns of its own generator.
@pytest.mark.filterwarnings("ignore:It looks like `register_random`")
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("call", CALLS)
def test_answers_are_as_described(
    document: Any, sent: dict[str, Any], known: list[str], call: str, mode: GenerationMode
) -> None:
    method, path = call.split(" ")
    operation = document[path][method]
    statuses: Counter[int] = Counter()

    @configured(
        max_examples=500 if LONG else 40,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    @given(case=operation.as_strategy(generation_mode=mode), job=sampled_from([None, *known]))
    def check(case: Any, job: str | None) -> None:
        if job is not None and "uuid" in case.path_parameters and mode is GenerationMode.POSITIVE:
            case.path_parameters["uuid"] = job
        if job is not None and "ids" in case.query and mode is GenerationMode.POSITIVE:
            case.query["ids"] = job
        answer = case.call(**sent)
        statuses[answer.status_code] += 1
        case.validate_response(
            answer, excluded_checks=[*EXCLUDED.get(call, []), ignored_auth], transport_kwargs=sent
        )

    check()
    expected = GOOD[call] if mode is GenerationMode.POSITIVE else range(400, 500)
    assert [status for status in statuses if status in expected], statuses
