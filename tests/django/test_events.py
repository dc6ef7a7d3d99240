"""GET /tasks/<uuid>/events/."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import AsyncClient, Client, RequestFactory

from django_integration import events
from serverless_tasks.errors import AwsError
from serverless_tasks.record import Failure, Record
from serverless_tasks.services import services
from tests.django.conftest import queued
from tests.django.shop.background import SumNumbers


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    async def sleep(seconds: float) -> None:
        """The stream's pauses take no time."""

    monkeypatch.setattr(events.asyncio, "sleep", sleep)


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


async def collect(stream: AsyncIterator[str]) -> list[str]:
    return [part async for part in stream]


@pytest.mark.django_db(transaction=True)
class TestCall:
    def test_an_ended_task_is_one_event(self, job: str, user: User) -> None:
        (message,) = queued()
        services().runner.execute(message)
        answer, body = read_asgi(f"/tasks/{job}/events/", user)
        assert answer["Content-Type"] == "text/event-stream"
        (record,) = records(body)
        assert (record["status"], record["outputs"]) == ("succeeded", {"sum": 42})

    def test_a_client_that_has_the_last_event_is_told_to_stay_away(self, job: str, user: User) -> None:
        (message,) = queued()
        services().runner.execute(message)
        _, body = read_asgi(f"/tasks/{job}/events/", user)
        last = body.decode().split("\n")[0].removeprefix("id: ")
        answer, _ = read_asgi(f"/tasks/{job}/events/", user, **{"Last-Event-ID": last})
        assert answer.status_code == 204

    def test_a_client_that_lost_the_stream_of_a_running_task_goes_on(self) -> None:
        record = Record(uuid="u", task="sum", status="running")
        headers = {"Last-Event-ID": events._id(events._data(record))}
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


@pytest.mark.usefixtures("no_pause")
class TestStream:
    def follow(self, monkeypatch: pytest.MonkeyPatch, *seen: Record | Exception | None) -> list[str]:
        left = list(seen)

        def read(uuid: str) -> Record | None:
            found = left.pop(0)
            if isinstance(found, Exception):
                raise found
            return found

        monkeypatch.setattr(services().store, "read", read)
        first = left.pop(0)
        assert isinstance(first, Record)
        return asyncio.run(collect(events.stream(first)))

    def record(self, **changes: Any) -> Record:
        return Record(uuid="u", task="sum", **changes)

    def test_one_event_a_change_up_to_the_last(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pending, running = self.record(), self.record(status="running", progress=1)
        failed = self.record(status="failed", failure=Failure(type="TaskError", message="no"))
        parts = self.follow(monkeypatch, pending, pending, running, running, failed)
        assert [record["status"] for record in records("".join(parts).encode())] == [
            "pending",
            "running",
            "failed",
        ]
        assert len(parts) == 3

    def test_silence_is_broken_for_proxies(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ended = self.record(status="cancelled")
        parts = self.follow(monkeypatch, *[self.record()] * (events.KEEP_ALIVE + 1), ended)
        assert [part[:1] for part in parts] == ["i", ":", "i"]

    def test_a_store_that_cannot_be_read_ends_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        error = AwsError("dynamodb.Query", "Throttled", "slow down", applied=False)
        assert len(self.follow(monkeypatch, self.record(), error)) == 1

    def test_it_does_not_last_for_ever(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(events, "LONGEST", 3)
        assert len(self.follow(monkeypatch, *[self.record()] * 4)) == 1
