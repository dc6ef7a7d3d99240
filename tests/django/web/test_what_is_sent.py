"""What is sent is what validation made, also over HTTP; and by that two requests are the same."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.http import QueryDict
from django.test import Client

from serverless_tasks import InvalidInputs
from serverless_tasks.engine.services import current_services
from tests.django.conftest import queued
from tests.django.shop.background import Charge, SumNumbers

BACKGROUND = "tests.django.shop.background"
KEY = {"Idempotency-Key": str(uuid4())}


@pytest.fixture(autouse=True)
def served(settings: Any) -> None:
    settings.TASK_API_BACKGROUND_TASKS = [
        f"{BACKGROUND}.{name}" for name in ("Charge", "Shout", "SumNumbers")
    ]


def generic(client: Client, task: str, inputs: Any, **extra: Any) -> Any:
    body = {"task": task, "inputs": inputs}
    return client.post("/tasks/", body, content_type="application/json", **extra)


def typed(client: Client, task: str, inputs: Any, **extra: Any) -> Any:
    return client.post(f"/tasks/{task}/", inputs, content_type="application/json", **extra)


@pytest.fixture(params=[generic, typed])
def post(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Either call."""
    post: Callable[..., Any] = request.param
    return post


def test_a_default_that_is_made_anew_is_one_value_in_every_attempt(
    browser: Client, post: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Charge, "backoff", 0)
    uuid = post(browser, "charge", {"order": "5"}).json()["uuid"]
    (message,) = queued()
    payment = message.inputs["payment"]
    assert message.inputs == {"order": 5, "currency": "EUR", "payment": str(UUID(payment))}
    current_services().runner.execute(message)
    (again,) = queued()
    assert (again.uuid, again.inputs) == (uuid, message.inputs)


def test_several_values_of_a_form_are_not_cut_to_the_last_one() -> None:
    with pytest.raises(InvalidInputs, match="numbers: has several values of one name in a QueryDict"):
        SumNumbers().start(QueryDict("numbers=1&numbers=2"))
    SumNumbers().start(QueryDict("numbers=1"))
    SumNumbers().start(dict(QueryDict("numbers=1&numbers=2").lists()))
    assert [message.inputs for message in queued()] == [{"numbers": [1]}, {"numbers": [1, 2]}]


def test_a_dictionary_is_sent_as_it_was_converted(browser: Client) -> None:
    generic(browser, "sum", {"numbers": ["1", 2]})
    assert queued()[0].inputs == {"numbers": [1, 2]}


@pytest.mark.parametrize(("post", "status"), [(generic, 400), (typed, 422)])
def test_what_would_not_come_back_is_refused_by_name(browser: Client, post: Any, status: int) -> None:
    answer = post(browser, "shout", {"text": "hello"})
    assert answer.status_code == status
    refused = answer.json()
    places = [each["loc"][-1] for each in refused.get("detail") or refused["error"]["fields"]]
    assert (places, queued()) == (["text"], [])


def test_a_key_knows_the_same_inputs_in_every_form(browser: Client, post: Callable[..., Any]) -> None:
    first = post(browser, "charge", {"order": 5}, headers=KEY)
    again = [
        post(browser, "charge", inputs, headers=KEY)
        for inputs in ({"order": 5}, {"order": "5"}, {"currency": "EUR", "order": 5.0})
    ]
    assert [answer.status_code for answer in (first, *again)] == [201, 200, 200, 200]
    assert {answer.json()["uuid"] for answer in again} == {first.json()["uuid"]}
    assert post(browser, "charge", {"order": 6}, headers=KEY).status_code == 409
    assert len(queued()) == 1


def test_a_job_that_is_run_in_the_request_is_kept_as_validation_made_it(
    browser: Client, settings: Any
) -> None:
    settings.TASKS_API_AUTHENTICATION = "tests.django.ninja_auth.KnowsTheWord"
    word = {"Authorization": "Bearer please"}
    answer = browser.post("/tasks/charge/run", {"order": "5"}, content_type="application/json", headers=word)
    record = answer.json()
    job = current_services().store.job(record["uuid"])
    assert job is not None
    assert job.inputs == {"order": 5, "currency": "EUR", "payment": str(UUID(job.inputs["payment"]))}
