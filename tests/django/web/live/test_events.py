"""GET /tasks/<uuid>/events/ and GET /tasks/events/."""

import asyncio
import json
from collections import Counter
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
        assert not events.has_last_event(RequestFactory().get("/", headers=headers), [record])

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


@pytest.mark.django_db(transaction=True)
class TestStreamOfSeveral:
    UNKNOWN = "0b9f7a52-6a1c-4a3e-9c53-1d2f3a4b5c6d"

    def submitted(self, owner: User, count: int = 1) -> list[str]:
        options = SumNumbers.options(owner=str(owner.pk), on_commit=False)
        return [options.submit(numbers=[number]).uuid for number in range(count)]

    def run_all(self) -> None:
        for message in queued():
            current_services().runner.execute(message)

    def test_each_job_is_an_event(self, user: User, calls: Counter[str]) -> None:
        jobs = self.submitted(user, 12)
        self.run_all()
        calls.clear()
        answer, body = read_asgi(f"/tasks/events/?ids={','.join(jobs)}", user)
        assert answer["Content-Type"] == "text/event-stream"
        assert [(each["uuid"], each["outputs"]) for each in records(body)] == [
            (uuid, {"sum": number}) for number, uuid in enumerate(jobs)
        ]
        assert calls == {"BatchGetItem": 1}

    def test_what_the_caller_may_not_see_is_missing_like_what_is_unknown(
        self, user: User, other_user: User
    ) -> None:
        (mine,), (theirs,) = self.submitted(user), self.submitted(other_user)
        self.run_all()
        asked = [theirs, self.UNKNOWN, "no-uuid", mine.upper(), mine]
        _, body = read_asgi(f"/tasks/events/?ids={','.join(asked)}", user)
        *missing, seen = body.decode().strip().split("\n\n")
        assert missing == [
            f'event: missing\ndata: {{"uuid": "{uuid}"}}' for uuid in (theirs, self.UNKNOWN, "no-uuid")
        ]
        assert [each["uuid"] for each in records(seen.encode())] == [mine]

    def test_none_to_see_is_404(self, user: User, other_user: User) -> None:
        (theirs,) = self.submitted(other_user)
        answer, _ = read_asgi(f"/tasks/events/?ids={theirs},{self.UNKNOWN}", user)
        assert answer.status_code == 404

    @pytest.mark.parametrize(("count", "said"), [(0, "0 jobs"), (101, "101 jobs")])
    def test_none_or_too_many_are_refused(self, user: User, count: int, said: str) -> None:
        answer, body = read_asgi(f"/tasks/events/?ids={','.join([self.UNKNOWN] * count)}", user)
        assert answer.status_code == 400
        assert json.loads(body)["error"]["type"] == "InvalidIds"
        assert said in body.decode()

    def test_a_client_that_has_seen_all_end_is_told_to_stay_away(self, user: User) -> None:
        jobs = self.submitted(user, 3)
        self.run_all()
        path = f"/tasks/events/?ids={','.join(jobs)}"
        _, body = read_asgi(path, user)
        (last,) = [line.removeprefix("id: ") for line in body.decode().split("\n") if line.startswith("id: ")]
        answer, _ = read_asgi(path, user, **{"Last-Event-ID": last})
        assert answer.status_code == 204

    def test_under_wsgi_it_is_501(self, browser: Client, job: str) -> None:
        assert browser.get(f"/tasks/events/?ids={job}").status_code == 501

    def test_it_asks_who_calls(self, job: str) -> None:
        async def ask() -> int:
            return (await AsyncClient().get(f"/tasks/events/?ids={job}")).status_code

        assert asyncio.run(ask()) == 401

    def test_posting_is_not_for_it(self, browser: Client) -> None:
        answer = browser.post("/tasks/events/", {}, content_type="application/json")
        assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD, OPTIONS")
