"""Several who ask for one job within a second share one read; each sees only what they may."""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import AsyncClient, Client

from django_integration.web.live.job_view import JobView
from django_integration.web.live.shared_reads import SharedReads, shared_reads
from django_integration.web.live.watcher import Watcher
from serverless_tasks import TaskClient
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.job.progress import Snapshot
from serverless_tasks.engine.job.record import Record
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import AwsError
from tests.django.conftest import queued
from tests.django.shop.background import SumNumbers
from tests.support.clock import FakeClock, until

THROTTLED = AwsError("dynamodb.Query", "Throttled", "slow down", applied=False)


@pytest.fixture(autouse=True)
def sharing(settings: Any) -> None:
    """What most sites leave off."""
    settings.SERVERLESS_TASKS = settings.SERVERLESS_TASKS | {"SHARED_READ": 1.0}


@pytest.fixture
def clock(aws: None, monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The time of the site's services, which stands still."""
    clock = FakeClock()
    monkeypatch.setattr(current_services().clock, "now", clock.now)
    return clock


def running(owner: User | None = None) -> str:
    """A job that somebody else's worker has begun."""
    key = None if owner is None else str(owner.pk)
    uuid = SumNumbers.options(owner=key, on_commit=False).submit(numbers=[1]).uuid
    (message,) = queued()
    current_services().store.claim(message, token="t", lease=2_000_000_000_000, request_id="r")
    return uuid


def progress_elsewhere(uuid: str, progress: int) -> None:
    """Write progress as a worker on another machine does: this process does not hear of it."""
    snapshot = Snapshot(seq=progress, progress=progress)
    elsewhere: Any = current_services().store
    elsewhere._inner.write_progress(uuid, "t", snapshot, lease=None)


def progress(browser: Client, uuid: str, **headers: str) -> Any:
    answer = browser.get(f"/tasks/{uuid}/", headers=headers)
    assert answer.status_code == 200
    return answer.json()["progress"]


class TestCalls:
    def test_fifty_within_a_second_are_one_query(
        self, browser: Client, user: User, calls: Counter[str], clock: FakeClock
    ) -> None:
        uuid = running(user)
        calls.clear()
        for _ in range(50):
            assert browser.get(f"/tasks/{uuid}/").status_code == 200
            clock.move(0.0199)
        assert calls == {"Query": 1}
        clock.move(0.01)
        browser.get(f"/tasks/{uuid}/")
        assert calls == {"Query": 2}

    def test_those_who_have_the_answer_already_share_it_too(
        self, browser: Client, user: User, calls: Counter[str], clock: FakeClock
    ) -> None:
        uuid = running(user)
        etag = browser.get(f"/tasks/{uuid}/")["ETag"]
        calls.clear()
        answers = [browser.get(f"/tasks/{uuid}/", headers={"If-None-Match": etag}) for _ in range(50)]
        assert {answer.status_code for answer in answers} == {304}
        assert calls == {}

    def test_under_asgi_as_well(self, settings: Any, calls: Counter[str], clock: FakeClock) -> None:
        settings.DEBUG = True
        uuid = running()
        calls.clear()

        async def ask() -> list[int]:
            client = AsyncClient()
            answers = await asyncio.gather(*(client.get(f"/tasks/{uuid}/") for _ in range(50)))
            return [answer.status_code for answer in answers]

        assert set(asyncio.run(ask())) == {200}
        assert calls == {"Query": 1}

    def test_unless_a_site_wants_otherwise_each_request_reads(
        self, browser: Client, user: User, settings: Any, calls: Counter[str]
    ) -> None:
        unset = {name: value for name, value in settings.SERVERLESS_TASKS.items() if name != "SHARED_READ"}
        settings.SERVERLESS_TASKS = unset
        counted: Counter[str] = Counter()
        client = session.client("dynamodb")
        client.meta.events.register("before-call.dynamodb", lambda model, **_: counted.update([model.name]))
        uuid = running(user)
        counted.clear()
        for _ in range(3):
            browser.get(f"/tasks/{uuid}/")
        assert counted == {"Query": 3}
        assert shared_reads() is None


class TestFreshness:
    def test_an_answer_is_less_than_a_second_old(self, browser: Client, user: User, clock: FakeClock) -> None:
        uuid = running(user)
        assert progress(browser, uuid) == 0
        progress_elsewhere(uuid, 5)
        clock.move(0.999)
        assert progress(browser, uuid) == 0
        clock.move(0.001)
        assert progress(browser, uuid) == 5

    def test_a_setting_says_how_old(
        self, browser: Client, user: User, clock: FakeClock, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.SERVERLESS_TASKS = settings.SERVERLESS_TASKS | {"SHARED_READ": 0.25}
        monkeypatch.setattr(current_services().clock, "now", clock.now)
        uuid = running(user)
        assert progress(browser, uuid) == 0
        progress_elsewhere(uuid, 5)
        clock.move(0.25)
        assert progress(browser, uuid) == 5

    def test_time_that_is_set_back_makes_nothing_new(
        self, browser: Client, user: User, clock: FakeClock
    ) -> None:
        uuid = running(user)
        assert progress(browser, uuid) == 0
        progress_elsewhere(uuid, 5)
        clock.move(-60)
        assert progress(browser, uuid) == 5

    def test_a_cancellation_is_seen_at_once(self, browser: Client, user: User, clock: FakeClock) -> None:
        uuid = running(user)
        assert "cancel_requested" not in browser.get(f"/tasks/{uuid}/").json()
        browser.post(f"/tasks/{uuid}/cancel/", {}, content_type="application/json")
        assert browser.get(f"/tasks/{uuid}/").json()["cancel_requested"]

    def test_a_cancellation_by_a_handle_is_seen_at_once(
        self, browser: Client, user: User, clock: FakeClock
    ) -> None:
        handle = SumNumbers.options(owner=str(user.pk), on_commit=False).submit(numbers=[1])
        assert browser.get(f"/tasks/{handle.uuid}/").json()["status"] == "pending"
        handle.cancel()
        assert browser.get(f"/tasks/{handle.uuid}/").json()["status"] == "cancelled"

    def test_a_deletion_is_seen_at_once(
        self, browser: Client, user: User, clock: FakeClock, work: Callable[[], int]
    ) -> None:
        uuid = SumNumbers.options(owner=str(user.pk), on_commit=False).submit(numbers=[1]).uuid
        work()
        assert browser.get(f"/tasks/{uuid}/").status_code == 200
        TaskClient().delete(uuid)
        assert browser.get(f"/tasks/{uuid}/").status_code == 404

    def test_a_job_that_was_not_there_is_found_as_soon_as_it_is(
        self, browser: Client, user: User, clock: FakeClock
    ) -> None:
        uuid = str(uuid4())
        assert browser.get(f"/tasks/{uuid}/").status_code == 404
        SumNumbers.options(owner=str(user.pk), on_commit=False, uuid=uuid).submit(numbers=[1])
        assert browser.get(f"/tasks/{uuid}/").status_code == 200

    def test_who_has_seen_more_through_another_process_is_not_shown_less(
        self, browser: Client, user: User, clock: FakeClock, calls: Counter[str]
    ) -> None:
        uuid = running(user)
        assert progress(browser, uuid) == 0
        progress_elsewhere(uuid, 5)
        record = current_services().store.read(uuid)
        assert record is not None
        theirs = f'W/"{JobView.of(record).id}"'
        calls.clear()
        answer = browser.get(f"/tasks/{uuid}/", headers={"If-None-Match": theirs})
        assert (answer.status_code, calls) == (304, {"Query": 1})
        assert progress(browser, uuid) == 5
        assert calls == {"Query": 1}

    @pytest.mark.parametrize("etag", ['"x"', "*", '"1.2', '"9.9.9-x"', f'"1.{"9" * 5_000}.1-x"', '"0.0.0-"'])
    def test_a_made_up_etag_does_no_harm(
        self, browser: Client, user: User, clock: FakeClock, etag: str
    ) -> None:
        uuid = running(user)
        answer = browser.get(f"/tasks/{uuid}/", headers={"If-None-Match": etag})
        assert answer.status_code == (304 if etag == "*" else 200)

    @pytest.mark.parametrize("path", ["/tasks/", "/tasks/{uuid}/view/"])
    def test_who_was_shown_more_by_another_page_is_not_shown_less(
        self, browser: Client, user: User, clock: FakeClock, path: str
    ) -> None:
        uuid = running(user)
        assert progress(browser, uuid) == 0
        progress_elsewhere(uuid, 5)
        assert browser.get(path.format(uuid=uuid)).status_code == 200
        assert progress(browser, uuid) == 5

    def test_who_was_shown_more_by_a_stream_is_not_shown_less(
        self, browser: Client, user: User, clock: FakeClock
    ) -> None:
        uuid = running(user)
        record = current_services().store.read(uuid)
        assert record is not None
        assert progress(browser, uuid) == 0
        progress_elsewhere(uuid, 5)

        async def run() -> None:
            watching = Watcher()
            with watching.follow(record), ThreadPoolExecutor(1) as pool:
                await watching.look(pool)

        asyncio.run(run())
        assert progress(browser, uuid) == 5


class TestWhoMaySee:
    def test_each_is_asked_whoever_had_it_read(
        self, browser: Client, user: User, other_user: User, calls: Counter[str], clock: FakeClock
    ) -> None:
        uuid = running(user)
        etag = browser.get(f"/tasks/{uuid}/")["ETag"]
        calls.clear()
        other, nobody = Client(), Client()
        other.force_login(other_user)
        for headers in ({}, {"If-None-Match": etag}):
            assert other.get(f"/tasks/{uuid}/", headers=headers).status_code == 404
            assert nobody.get(f"/tasks/{uuid}/", headers=headers).status_code == 401
        assert browser.get(f"/tasks/{uuid}/").status_code == 200
        assert calls == {}

    def test_one_who_may_not_leaves_nothing_behind_for_one_who_may(
        self, browser: Client, user: User, other_user: User, clock: FakeClock
    ) -> None:
        uuid = running(other_user)
        assert browser.get(f"/tasks/{uuid}/").status_code == 404
        theirs = Client()
        theirs.force_login(other_user)
        assert theirs.get(f"/tasks/{uuid}/").status_code == 200


class Asked:
    """A store's read that waits until it is let go, and counts."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.begun = 0
        self.go = threading.Semaphore(0)
        self._lock = threading.Lock()

    def __call__(self, uuid: str) -> Record | None:
        with self._lock:
            self.begun += 1
            answer = self.answers.pop(0)
        assert self.go.acquire(timeout=30)
        if isinstance(answer, BaseException):
            raise answer
        found: Record | None = answer
        return found


def at(progress: int, **changes: Any) -> Record:
    fields = {"uuid": "u", "task": "sum", "status": "running", "attempt": 1, "token": "t", "seq": progress}
    return Record(**(fields | {"progress": progress} | changes))


def seen(view: JobView | None) -> Any:
    return None if view is None else json.loads(view.data)["progress"]


class TestThreads:
    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock()

    @pytest.fixture
    def reads(self, clock: FakeClock) -> SharedReads:
        return SharedReads(1.0, clock)

    def ask(self, reads: SharedReads, asked: Asked, count: int, clock: FakeClock) -> list[Any]:
        """So many at once, the first of them ahead; returns what each got."""
        with ThreadPoolExecutor(count) as pool:
            first = pool.submit(reads.read, "u", asked)
            until(lambda: asked.begun == 1)
            others = [pool.submit(reads.read, "u", asked) for _ in range(count - 1)]
            (flight,) = reads._flights.values()
            until(lambda: len(flight.found._condition._waiters) == count - 1)  # type: ignore[attr-defined]
            for _ in range(count):
                asked.go.release()
            return [each.exception() or seen(each.result()) for each in (first, *others)]

    def test_one_asks_and_the_others_wait_for_it(self, reads: SharedReads, clock: FakeClock) -> None:
        asked = Asked(at(3))
        assert self.ask(reads, asked, 8, clock) == [3] * 8
        assert asked.begun == 1

    def test_an_error_is_that_of_all_who_waited_and_of_nobody_later(
        self, reads: SharedReads, clock: FakeClock
    ) -> None:
        asked = Asked(THROTTLED, at(3))
        assert self.ask(reads, asked, 8, clock) == [THROTTLED] * 8
        assert seen(reads.read("u", asked)) == 3
        assert asked.begun == 2

    def test_who_waited_for_a_job_that_was_not_there_asks_again(
        self, reads: SharedReads, clock: FakeClock
    ) -> None:
        asked = Asked(None, at(3), at(3))
        assert self.ask(reads, asked, 3, clock) == [None, 3, 3]

    def test_the_end_of_a_thread_is_not_that_of_others(self, reads: SharedReads, clock: FakeClock) -> None:
        asked = Asked(SystemExit("worker is being restarted"), at(3))
        ended, other = self.ask(reads, asked, 2, clock)
        assert isinstance(ended, SystemExit)
        assert other == 3

    def test_a_read_that_began_before_a_write_answers_nobody_who_asks_after_it(
        self, reads: SharedReads, clock: FakeClock
    ) -> None:
        asked = Asked(at(3), at(4))
        with ThreadPoolExecutor(1) as pool:
            early = pool.submit(reads.read, "u", asked)
            until(lambda: asked.begun == 1)
            reads.drop("u")
            late = Asked(at(4))
            late.go.release()
            assert seen(reads.read("u", late)) == 4
            asked.go.release()
            assert seen(early.result()) == 3
        assert seen(reads.read("u", asked)) == 4
        assert asked.begun == 1

    def test_a_read_that_lasts_longer_than_a_second_is_not_waited_for_by_who_comes_then(
        self, reads: SharedReads, clock: FakeClock
    ) -> None:
        asked = Asked(at(3))
        with ThreadPoolExecutor(1) as pool:
            slow = pool.submit(reads.read, "u", asked)
            until(lambda: asked.begun == 1)
            clock.move(1)
            late = Asked(at(4))
            late.go.release()
            assert seen(reads.read("u", late)) == 4
            asked.go.release()
            assert seen(slow.result()) == 3
        assert seen(reads.read("u", asked)) == 4


class TestMemory:
    def keep(self, reads: SharedReads, uuid: str, size: int = 0) -> None:
        reads.read(uuid, lambda uuid: at(1, uuid=uuid, outputs={"text": "x" * size}))

    def kept(self, reads: SharedReads) -> list[str]:
        return list(reads._kept)

    def test_so_many_jobs_are_kept_and_the_oldest_go_first(self) -> None:
        reads = SharedReads(1.0, FakeClock(), kept=3)
        for uuid in "abcd":
            self.keep(reads, uuid)
        assert self.kept(reads) == ["b", "c", "d"]

    def test_so_many_bytes_are_kept(self) -> None:
        reads = SharedReads(1.0, FakeClock(), kept_bytes=10_000)
        for uuid in "abc":
            self.keep(reads, uuid, size=4_000)
        assert self.kept(reads) == ["b", "c"]
        for _ in range(5):
            reads.drop("c")
            self.keep(reads, "c", size=4_000)
        assert self.kept(reads) == ["b", "c"]

    def test_what_is_larger_than_all_that_may_be_kept_is_not(self) -> None:
        reads = SharedReads(1.0, FakeClock(), kept_bytes=10_000)
        self.keep(reads, "a", size=10_000)
        assert (self.kept(reads), reads._bytes) == ([], 0)

    def test_what_nobody_asks_for_any_more_is_let_go(self) -> None:
        clock = FakeClock()
        reads = SharedReads(1.0, clock)
        self.keep(reads, "a")
        clock.move(11)
        self.keep(reads, "b")
        assert self.kept(reads) == ["b"]

    def test_nothing_is_left_of_reads_that_found_nothing_or_failed(self) -> None:
        def fail(uuid: str) -> Record:
            raise THROTTLED

        clock = FakeClock()
        reads = SharedReads(1.0, clock)
        self.keep(reads, "a")
        clock.move(1)
        assert reads.read("a", lambda uuid: None) is None
        with pytest.raises(AwsError):
            reads.read("b", fail)
        assert (len(reads), reads._bytes, reads._flights) == (0, 0, {})

    def test_an_unchanged_state_is_written_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = FakeClock()
        reads = SharedReads(1.0, clock)
        first = reads.read("u", lambda _: at(3))
        clock.move(1)
        monkeypatch.setattr(JobView, "of", None)
        assert reads.read("u", lambda _: at(3)) is first
