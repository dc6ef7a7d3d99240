"""Everybody who follows a task is told by one look at the store."""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from django.core.handlers.asgi import ASGIHandler

from django_integration.web.live import events, watcher
from django_integration.web.live.watcher import Follower, Watcher
from serverless_tasks.engine.job.progress import Snapshot
from serverless_tasks.engine.job.record import Record
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import AwsError
from serverless_tasks.workflow import group
from tests.django.conftest import queued
from tests.django.shop.background import SumNumbers


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as threads:
        yield threads


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "PAUSE", 0)


def submitted(count: int = 1) -> list[Record]:
    """Tasks that wait."""
    handles = [SumNumbers.options(on_commit=False).submit(numbers=[1]) for _ in range(count)]
    return [handle.record for handle in handles]


def begin(record: Record) -> Any:
    message = next(message for message in queued() if message.uuid == record.uuid)
    return current_services().store.claim(message, token="t", lease=2_000_000_000_000, request_id="r")


def unread(followers: list[Follower]) -> list[int]:
    """Which of them have something new to see."""
    return [number for number, follower in enumerate(followers) if follower.woken.is_set()]


def follow_all(watching: Watcher, records: list[Record], stack: ExitStack) -> list[Follower]:
    return [stack.enter_context(watching.follow(record)) for record in records]


class TestLooks:
    def test_a_thousand_who_follow_cost_a_read_for_each_hundred_tasks(
        self, pool: ThreadPoolExecutor, calls: Counter[str]
    ) -> None:
        async def run() -> None:
            watching = Watcher()
            with ExitStack() as stack:
                follow_all(watching, [Record(uuid=str(uuid4()), task="sum") for _ in range(1_000)], stack)
                for watched in watching._watched.values():
                    watched.mark = ""  # seen once: they wait
                await watching.look(pool)
                assert calls == {"BatchGetItem": 10}

        asyncio.run(run())

    def test_many_who_follow_one_task_cost_one_read(
        self, pool: ThreadPoolExecutor, calls: Counter[str]
    ) -> None:
        async def run() -> None:
            watching = Watcher()
            (record,) = submitted()
            with ExitStack() as stack:
                followers = follow_all(watching, [record] * 250, stack)
                await watching.look(pool)
                calls.clear()
                await watching.look(pool)
                assert calls == {"BatchGetItem": 1}
                begin(record)
                await watching.look(pool)
                assert len(unread(followers)) == 250

        asyncio.run(run())

    def test_who_follows_is_woken_by_their_own_task_alone(self, pool: ThreadPoolExecutor) -> None:
        async def run() -> None:
            watching = Watcher()
            records = submitted(3)
            with ExitStack() as stack:
                followers = follow_all(watching, records, stack)
                await watching.look(pool)
                assert unread(followers) == []
                begin(records[1])
                await watching.look(pool)
                assert unread(followers) == [1]
                view = followers[1].view
                assert view is not None
                assert '"status":"running"' in view.data

        asyncio.run(run())

    def test_who_joins_with_old_news_is_told_what_the_others_know(self, pool: ThreadPoolExecutor) -> None:
        async def run() -> None:
            watching = Watcher()
            (record,) = submitted()
            with watching.follow(record) as first:
                begin(record)
                await watching.look(pool)
                with watching.follow(record) as late:
                    await watching.look(pool)
                    assert late.view == first.view
                    assert unread([late]) == [0]

        asyncio.run(run())

    def test_who_joins_during_a_look_is_not_told_what_is_older_than_theirs(
        self, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def run() -> None:
            watching = Watcher()
            (record,) = submitted()
            store, stack = current_services().store, ExitStack()
            changed, loop = store.changed, asyncio.get_running_loop()
            joined: list[Follower] = []

            async def join() -> None:
                newer = store.read(record.uuid)
                assert newer is not None
                joined.append(stack.enter_context(watching.follow(newer)))

            def slow(seen: Any) -> Any:
                found = changed(seen)
                begin(record)
                asyncio.run_coroutine_threadsafe(join(), loop).result(5)
                return found

            with stack:
                (first,) = follow_all(watching, [record], stack)
                monkeypatch.setattr(store, "changed", slow)
                await watching.look(pool)
                assert unread([first, *joined]) == []
                monkeypatch.undo()
                await watching.look(pool)
                assert unread([first, *joined]) == [0]
                assert first.view == joined[0].view

        asyncio.run(run())

    def test_who_joins_during_a_look_with_old_news_is_told_by_the_next(
        self, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def run() -> None:
            watching = Watcher()
            (record,) = submitted()
            begin(record)
            store, stack = current_services().store, ExitStack()
            changed, loop = store.changed, asyncio.get_running_loop()
            joined: list[Follower] = []

            async def join() -> None:
                joined.append(stack.enter_context(watching.follow(record)))

            def slow(seen: Any) -> Any:
                found = changed(seen)
                asyncio.run_coroutine_threadsafe(join(), loop).result(5)
                return found

            with stack:
                (first,) = follow_all(watching, [record], stack)
                monkeypatch.setattr(store, "changed", slow)
                await watching.look(pool)
                monkeypatch.undo()
                await watching.look(pool)
                assert unread([first, *joined]) == [0, 1]
                assert joined[0].view == first.view

        asyncio.run(run())

    def test_who_leaves_is_forgotten(self, pool: ThreadPoolExecutor) -> None:
        async def run() -> None:
            watching = Watcher()
            (record,) = submitted()
            with watching.follow(record):
                with watching.follow(record):
                    assert len(watching) == 1
                assert len(watching) == 1
            assert len(watching) == 0
            await watching.look(pool)

        asyncio.run(run())

    def test_what_is_gone_ends_it(self, pool: ThreadPoolExecutor) -> None:
        async def run() -> None:
            watching = Watcher()
            with watching.follow(Record(uuid=str(uuid4()), task="sum")) as follower:
                await watching.look(pool)
                assert follower.view is None

        asyncio.run(run())


@pytest.mark.usefixtures("scheduling")
class TestGroups:
    def submitted(self, size: int) -> Record:
        members = [SumNumbers.signature(numbers=[number]) for number in range(size)]
        return group(members).options(on_commit=False).submit().refresh().record

    def test_many_who_follow_one_group_cost_a_read_of_its_shards(
        self, pool: ThreadPoolExecutor, calls: Counter[str]
    ) -> None:
        async def run() -> None:
            watching = Watcher()
            record = self.submitted(401)
            with ExitStack() as stack:
                followers = follow_all(watching, [record] * 100, stack)
                await watching.look(pool)
                calls.clear()
                await watching.look(pool)
                assert calls == {"BatchGetItem": 2}  # the mark, and three shards
                for message in queued()[:2]:
                    current_services().runner.execute(message)
                await watching.look(pool)
                assert len(unread(followers)) == 100
                view = followers[0].view
                assert view is not None
                assert json.loads(view.data)["members"]["ended"] == 2

        asyncio.run(run())

    @pytest.mark.usefixtures("no_pause")
    def test_a_stream_tells_of_each_member_and_ends_with_the_group(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(events, "close_old_connections", lambda: None)
        record, members = self.submitted(3), queued()

        async def run() -> list[Any]:
            records = []
            async for part in events.stream(record):
                records.append(json.loads(part.split("data: ")[1]))
                if members:
                    await asyncio.to_thread(current_services().runner.execute, members.pop())
            return records

        records = asyncio.run(run())
        ended = [each["members"]["ended"] for each in records]
        assert ended == sorted(ended)
        assert (ended[0], set(ended)) == (0, {0, 1, 2, 3})
        assert [each["status"] for each in records if each["status"] != "running"] == ["succeeded"]
        assert records[-1]["status"] == "succeeded"


class TestOneThatCannotBeRead:
    """A task whose outputs the bucket does not show."""

    ERROR = AwsError("s3.get_object", "AccessDenied", "no", applied=False)

    def look(self, monkeypatch: pytest.MonkeyPatch, *answers: Any) -> tuple[Follower, Follower, list[str]]:
        """Who follows it, who follows another one, and the marks it was asked with, after looks with such answers."""
        bad, good = (Record(uuid=uuid, task="sum") for uuid in ("bad", "good"))
        left, asked = list(answers), list[str]()

        def changed(seen: dict[str, str]) -> Any:
            asked.append(seen["bad"])
            return {
                "bad": ("1", left.pop(0)),
                "good": ("2", Record(uuid="good", task="sum", status="running")),
            }

        monkeypatch.setattr(current_services().store, "changed", changed)

        async def run() -> tuple[Follower, Follower]:
            watching = Watcher()
            with (
                watching.follow(bad) as first,
                watching.follow(good) as second,
                ThreadPoolExecutor(1) as pool,
            ):
                for _ in answers:
                    await watching.look(pool)
                return first, second

        return *asyncio.run(run()), asked

    def test_it_ends_its_own_streams_alone(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        bad, good, _ = self.look(monkeypatch, *[self.ERROR] * watcher.FAILURES)
        assert bad.view is None
        assert good.view is not None
        assert '"running"' in good.view.data
        assert "bad" in caplog.text
        assert "AccessDenied" in caplog.text

    def test_it_is_looked_at_again_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        almost = [self.ERROR] * (watcher.FAILURES - 1)
        running = Record(uuid="bad", task="sum", status="running")
        bad, _, asked = self.look(monkeypatch, *almost, running, *almost, running)
        assert bad.view is not None
        assert '"running"' in bad.view.data
        assert asked == ["?"] * watcher.FAILURES + ["1"] + ["?"] * (watcher.FAILURES - 1)


async def collect(stream: AsyncIterator[str]) -> list[str]:
    return [part async for part in stream]


@pytest.mark.usefixtures("no_pause")
class TestStream:
    @pytest.fixture(autouse=True)
    def no_database(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(events, "close_old_connections", lambda: None)

    def follow(
        self, monkeypatch: pytest.MonkeyPatch, first: Record, *then: Record | Exception | None
    ) -> list[str]:
        """What is streamed when the looks find these, one after another."""
        left = list(enumerate(then))

        def changed(seen: dict[str, str]) -> Any:
            number, found = left.pop(0)
            if isinstance(found, Exception):
                raise found
            return {first.uuid: (str(number), found)}

        monkeypatch.setattr(current_services().store, "changed", changed)
        return asyncio.run(collect(events.stream(first)))

    def record(self, **changes: Any) -> Record:
        return Record(uuid="u", task="sum", **changes)

    def test_an_ended_task_is_one_event(self, monkeypatch: pytest.MonkeyPatch) -> None:
        (part,) = self.follow(monkeypatch, self.record(status="cancelled"))
        assert part.startswith("id: ")
        assert '"cancelled"' in part

    def test_it_ends_with_the_last_record(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pending, running = self.record(), self.record(status="running", progress=1)
        parts = self.follow(monkeypatch, pending, pending, running, running, self.record(status="failed"))
        assert '"pending"' in parts[0]
        assert '"failed"' in parts[-1]
        assert len(parts) == len(set(parts)) <= 3

    def test_several_share_a_stream_until_the_last_has_ended(self, monkeypatch: pytest.MonkeyPatch) -> None:
        first, second = (Record(uuid=uuid, task="sum") for uuid in "ab")
        looks = [
            {"a": ("1", replace(first, status="succeeded")), "b": ("1", second)},
            {"b": ("2", replace(second, status="running"))},
            {"b": ("3", replace(second, status="failed"))},
        ]
        asked = list[set[str]]()

        def changed(seen: dict[str, str]) -> Any:
            asked.append(set(seen))
            return looks[len(asked) - 1]

        monkeypatch.setattr(current_services().store, "changed", changed)
        parts = asyncio.run(collect(events.stream(first, second)))
        told = [
            json.loads(line[6:]) for part in parts for line in part.split("\n") if line.startswith("data: ")
        ]
        assert [(record["uuid"], record["status"]) for record in told] == [
            ("a", "pending"),
            ("b", "pending"),
            ("a", "succeeded"),
            ("b", "running"),
            ("b", "failed"),
        ]
        # One that has ended is not looked at again, and those who lose the stream between two events get both again.
        assert asked == [{"a", "b"}, {"b"}, {"b"}]
        assert [part.count("id: ") for part in parts] == [1] * 4

    def test_a_task_that_is_deleted_ends_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert len(self.follow(monkeypatch, self.record(), None)) == 1

    def test_a_store_that_stumbles_does_not_end_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        error = AwsError("dynamodb.BatchGetItem", "Throttled", "slow down", applied=False)
        ended = self.record(status="succeeded")
        almost = [error] * (watcher.FAILURES - 1)
        parts = self.follow(monkeypatch, self.record(), *almost, self.record(), *almost, ended)
        assert '"succeeded"' in parts[-1]

    def test_a_store_that_cannot_be_read_ends_it(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        error = AwsError("dynamodb.BatchGetItem", "Throttled", "slow down", applied=False)
        assert len(self.follow(monkeypatch, self.record(), *[error] * watcher.FAILURES)) == 1
        assert "slow down" in caplog.text

    def test_silence_is_broken_for_proxies(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(events, "KEEP_ALIVE", 0)
        monkeypatch.setattr(watcher, "PAUSE", 3_600)  # a look would find that there is no such task

        async def run() -> None:
            stream = events.stream(self.record())
            assert [(await anext(stream))[:1] for _ in range(3)] == ["i", ":", ":"]
            await stream.aclose()
            assert len(watcher.watcher()) == 0

        asyncio.run(run())

    def test_it_does_not_last_for_ever(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(events, "LONGEST", 0)
        assert len(self.follow(monkeypatch, self.record())) == 1

    def test_an_error_of_ours_leaves_nobody_waiting(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert len(self.follow(monkeypatch, self.record(), ZeroDivisionError())) == 1
        assert "ZeroDivisionError" in caplog.text


class Site:
    """The site under ASGI, asked by its protocol."""

    def __init__(self) -> None:
        self._app = ASGIHandler()

    async def ask(
        self, method: str, path: str, body: bytes = b"", gone: Awaitable[Any] | None = None
    ) -> tuple[int, bytes]:
        """Ask; the caller hangs up when ``gone`` is there."""
        sent: list[dict[str, Any]] = []
        first = [{"type": "http.request", "body": body, "more_body": False}]
        headers = [
            (b"host", b"testserver"),
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
        ]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "path": path,
            "query_string": b"",
            "headers": headers,
            "server": ("testserver", 80),
        }

        async def receive() -> dict[str, Any]:
            if first:
                return first.pop()
            await (gone or asyncio.Event().wait())
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        return sent[0]["status"], b"".join(part.get("body", b"") for part in sent[1:])


async def followed(times: int = 1) -> None:
    """Until a task is followed by so many."""
    while sum(len(each.followers) for each in watcher.watcher()._watched.values()) < times:  # noqa: ASYNC110
        await asyncio.sleep(0)


@pytest.fixture
def site(settings: Any) -> Site:
    settings.DEBUG = True
    settings.MIDDLEWARE = []
    return Site()


class TestUnderAsgi:
    @pytest.fixture
    def held(self) -> Iterator[tuple[Callable[..., Any], threading.Semaphore, threading.Event]]:
        """A call that waits until it is let go, and says when it has begun."""
        begun, go = threading.Semaphore(0), threading.Event()

        def wait(*_: Any, **__: Any) -> Any:
            begun.release()
            assert go.wait(30)
            raise AwsError("dynamodb.Query", "Throttled", "slow down", applied=False)

        yield wait, begun, go
        go.set()

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("GET", "/tasks/{uuid}/", b""),
            ("GET", "/tasks/{uuid}/events/", b""),
            ("POST", "/tasks/{uuid}/cancel/", b""),
            ("POST", "/tasks/", b'{"task": "sum", "inputs": {"numbers": [1]}}'),
            ("POST", "/tasks/resize/", b'{"box": {"width": 1, "height": 1}}'),
        ],
        ids=["status", "events", "cancel", "submit", "typed"],
    )
    def test_a_slow_store_holds_up_no_other_request(
        self, site: Site, held: Any, monkeypatch: pytest.MonkeyPatch, method: str, path: str, body: bytes
    ) -> None:
        """More of them than the loop's pool has threads."""
        wait, begun, go = held
        services = current_services()
        for name in ("read", "put_jobs"):
            monkeypatch.setattr(services.store, name, wait)

        async def run() -> None:
            paths = [path.format(uuid=uuid4()) for _ in range(40)]
            slow = [asyncio.create_task(site.ask(method, each, body)) for each in paths]
            await asyncio.to_thread(lambda: [begun.acquire(timeout=30) for _ in slow])
            assert not any(task.done() for task in slow)
            assert (await site.ask("GET", "/tasks/"))[0] == 200
            assert not any(task.done() for task in slow)
            go.set()
            await asyncio.gather(*slow)

        asyncio.run(run())

    @pytest.mark.usefixtures("no_pause")
    def test_who_hangs_up_is_forgotten(self, site: Site) -> None:
        (record,) = submitted()

        async def run() -> None:
            gone = asyncio.Event()
            asked = asyncio.create_task(site.ask("GET", f"/tasks/{record.uuid}/events/", gone=gone.wait()))
            await followed()
            gone.set()
            status, body = await asked
            assert status == 200
            assert body.count(b"data: ") == 1
            assert len(watcher.watcher()) == 0

        asyncio.run(run())

    @pytest.mark.usefixtures("no_pause")
    def test_who_follows_keeps_no_database_connection(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Connections belong to threads: it is the one that asked who calls which gives its own back."""
        threads: list[int] = []
        (record,) = submitted()
        read = current_services().store.read
        monkeypatch.setattr(
            current_services().store, "read", lambda uuid: threads.append(threading.get_ident()) or read(uuid)
        )
        monkeypatch.setattr(events, "close_old_connections", lambda: threads.append(threading.get_ident()))

        async def run() -> None:
            gone = asyncio.Event()
            asked = asyncio.create_task(site.ask("GET", f"/tasks/{record.uuid}/events/", gone=gone.wait()))
            await followed()
            gone.set()
            await asked

        asyncio.run(run())
        asked, gave_back = threads
        assert asked == gave_back != threading.get_ident()

    def test_who_follows_keeps_no_thread(self, site: Site) -> None:
        (record,) = submitted()

        async def run() -> None:
            before = set(threading.enumerate())
            gone = asyncio.Event()
            path = f"/tasks/{record.uuid}/events/"
            asked = [asyncio.create_task(site.ask("GET", path, gone=gone.wait())) for _ in range(20)]
            await followed(20)
            left = {thread for thread in threading.enumerate() if thread not in before}
            await asyncio.to_thread(
                lambda: [thread.join(5) for thread in left if "asyncio" not in thread.name]
            )
            assert not any(thread.is_alive() for thread in left if "asyncio" not in thread.name)
            gone.set()
            assert {status for status, _ in await asyncio.gather(*asked)} == {200}

        asyncio.run(run())

    @pytest.mark.usefixtures("no_pause")
    def test_a_task_is_followed_to_its_end(self, site: Site) -> None:
        (record,) = submitted()

        async def run() -> None:
            asked = asyncio.create_task(site.ask("GET", f"/tasks/{record.uuid}/events/"))
            await followed()
            claim = begin(record)
            current_services().store.succeed(record.uuid, claim, Snapshot(1), {"sum": 1})
            _, body = await asked
            events_seen = [part for part in body.decode().split("\n\n") if part.startswith("id")]
            assert '"pending"' in events_seen[0]
            assert '"outputs":{"sum":1}' in events_seen[-1]

        asyncio.run(run())

    def test_head_says_what_there_is_without_following(self, site: Site) -> None:
        (record,) = submitted()

        async def run() -> None:
            assert await site.ask("HEAD", f"/tasks/{record.uuid}/events/") == (200, b"")
            assert len(watcher.watcher()) == 0

        asyncio.run(run())
