"""GET /tasks/<uuid>/events/."""

import asyncio
import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import AsyncClient, Client, RequestFactory

from django_integration.web.live import events
from django_integration.web.live.watcher import JobView
from serverless_tasks.engine.job.record import Record
from serverless_tasks.engine.services import current_services
from tests.django.conftest import queued
from tests.django.shop.background import SumNumbers


@pytest.fixture
def job(user: User) -> str:
    return SumNumbers.options(owner=str(user.pk), on_commit=False).submit(numbers=[20, 22]).uuid


def read_asgi(path: str, user: User, **headers: str) -> Any:
    async def read() -> tuple[Any, bytes]:
        client = AsyncClient()
        await client.aforce_login(user)
        answer = await client.get(path, headers=headers)
        body = b"".join([part async for part in answer]) if answer.streaming else answer.content
        return answer, body

    return asyncio.run(read())


def records(body: bytes) -> list[dict[str, Any]]:
    lines = body.decode().split("\n")
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


@pytest.mark.django_db(transaction=True)
class TestCall:
    def test_an_ended_task_is_one_event(self, job: str, user: User) -> None:
        (message,) = queued()
        current_services().runner.execute(message)
        answer, body = read_asgi(f"/tasks/{job}/events/", user)
        assert answer["Content-Type"] == "text/event-stream"
        (record,) = records(body)
        assert (record["status"], record["outputs"]) == ("succeeded", {"sum": 42})

    def test_a_client_that_has_the_last_event_is_told_to_stay_away(self, job: str, user: User) -> None:
        (message,) = queued()
        current_services().runner.execute(message)
        _, body = read_asgi(f"/tasks/{job}/events/", user)
        last = body.decode().split("\n")[0].removeprefix("id: ")
        answer, _ = read_asgi(f"/tasks/{job}/events/", user, **{"Last-Event-ID": last})
        assert answer.status_code == 204

    def test_a_client_that_lost_the_stream_of_a_running_task_goes_on(self) -> None:
        record = Record(uuid="u", task="sum", status="running")
        headers = {"Last-Event-ID": JobView.of(record).id}
        assert not events.was_the_last(RequestFactory().get("/", headers=headers), record)

    def test_records_say_that_there_are_events(self, job: str, user: User, browser: Client) -> None:
        answer, _ = read_asgi(f"/tasks/{job}/", user)
        assert answer["X-Task-Events"] == "1"
        assert "X-Task-Events" not in browser.get(f"/tasks/{job}/")

    def test_another_owners_task_is_404(self, job: str, other_user: User) -> None:
        answer, _ = read_asgi(f"/tasks/{job}/events/", other_user)
        assert answer.status_code == 404

    def test_under_wsgi_it_is_501(self, job: str, browser: Client) -> None:
        answer = browser.get(f"/tasks/{job}/events/")
        assert answer.status_code == 501
        assert "poll" in answer.json()["error"]["message"]
