"""The backends that run jobs in this process keep the promises of groups and chains."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from serverless_tasks.engine.config import Config
from serverless_tasks.engine.job.place import member_id
from serverless_tasks.engine.job.record import Members
from serverless_tasks.engine.services import Services, use
from serverless_tasks.errors import AwsError
from serverless_tasks.workflow import chain, group, previous, results
from tests.support.clock import FakeClock, until
from tests.unit.workflow.tasks import UNLUCKY, Only, Repeat, Square, Total, Works


@pytest.fixture(params=["immediate", "threading"])
def services(request: pytest.FixtureRequest, clock: FakeClock) -> Iterator[Services]:
    with use(Services(Config(), backend=request.param, clock=clock)) as services:
        yield services


@pytest.fixture
def threads(clock: FakeClock) -> Iterator[Services]:
    with use(Services(Config(), backend="threading", clock=clock)) as services:
        yield services


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Works, "meanwhile", lambda: None)
    monkeypatch.setattr(Only, "runs", [])


def ended(handle: Any) -> Any:
    until(lambda: handle.refresh().record.ended)
    return handle


class TestBoth:
    def test_a_group_and_what_follows(self, services: Services) -> None:
        handle = ended(
            group(Square.signature(n=n) for n in range(3))
            .then(Total.signature(numbers=results["square"]))
            .submit()
        )
        assert handle.members == Members(total=3, succeeded=3)
        assert ended(handle.continuation).outputs == {"total": 5, "missing": 0}

    def test_an_empty_group(self, services: Services) -> None:
        handle = ended(group([]).then(Total.signature(numbers=results["square"])).submit())
        assert ended(handle.continuation).outputs == {"total": 0, "missing": 0}

    def test_a_chain_of_groups(self, services: Services) -> None:
        squares = group(Square.signature(n=previous["square"]), Square.signature(n=3))
        handle = ended(
            chain(Square.signature(n=2), squares, Total.signature(numbers=results["square"])).submit()
        )
        assert list(handle.results())[2] == {"total": 25, "missing": 0}

    def test_a_long_chain(self, services: Services) -> None:
        steps = [Square.signature(n=1)] + [Square.signature(n=previous["square"])] * 99
        assert ended(chain(steps).submit()).members == Members(total=100, succeeded=100)

    def test_the_first_failure_cancels_the_others(self, services: Services) -> None:
        members = [Square.signature(n=UNLUCKY), group(Square.signature(n=UNLUCKY), cancel_on_failure=True)]
        handle = ended(group(members, cancel_on_failure=True).submit())
        assert (handle.status, handle.members.succeeded, handle.members.ended) == ("failed", 0, 2)

    def test_an_inner_group_cancels_its_own_members(self, services: Services) -> None:
        inner = group(
            Square.signature(n=UNLUCKY), *[Works.signature(n=n) for n in range(5)], cancel_on_failure=True
        )
        handle = ended(group(inner, Square.signature(n=1)).submit())
        assert handle.members == Members(total=2, succeeded=1, failed=1)
        assert services.store.read(member_id(handle.uuid, 0)).members.ended == 6  # type: ignore[union-attr]

    def test_the_same_unique_member_twice(self, services: Services) -> None:
        handle = ended(group(Only.signature(n=1), Only.signature(n=1)).submit())
        assert handle.members == Members(total=2, succeeded=2)
        assert Only.runs == [1]


def test_a_task_that_waits_for_a_group_which_it_submits_gets_it_at_once(
    immediate: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Any] = []

    def submits() -> None:
        handle = group(Square.signature(n=2)).then(Repeat.signature(text="x")).submit()
        found.extend([handle.status, handle.continuation.status])

    monkeypatch.setattr(Works, "meanwhile", submits)
    Works.submit()
    assert found == ["succeeded", "succeeded"]


def test_a_unique_member_of_a_group_that_its_own_holder_submits_runs_by_itself(
    immediate: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups: list[Any] = []

    def submits(self: Any, n: int) -> int:
        if not groups:
            groups.append(None)
            groups.append(group(Only.signature(n=n)).submit())
        return 7

    monkeypatch.setattr(Only, "run", submits)
    assert Only.submit(n=1).status == "succeeded"
    assert groups[1].status == "succeeded"


def test_one_thread_waits_for_the_deadlines_of_all_groups(threads: Services, clock: FakeClock) -> None:
    before = threading.active_count()
    handles = [group(Works.options(delay=0).signature(n=n)).submit() for n in range(20)]
    for handle in handles:
        ended(handle)
    waiting = [thread for thread in threading.enumerate() if thread.name == "deadlines"]
    assert len(waiting) >= 1
    assert all(thread.daemon for thread in waiting)
    until(lambda: threading.active_count() <= before + 6)


def test_the_deadline_comes_and_ends_what_is_lost(
    threads: Services, clock: FakeClock, monkeypatch: Any
) -> None:
    backend: Any = threads.backend
    real = backend._hand_over
    lost: list[str] = []

    def loses(body: str, delay: float) -> None:
        if '"task":"square"' in body:
            lost.append(body)
        else:
            real(body, delay)

    monkeypatch.setattr(backend, "_hand_over", loses)
    handle = group(Square.signature(n=1), deadline=60).submit()
    assert len(lost) == 1
    until(lambda: clock.waiting)
    clock.pass_wait(clock.waiting[0] - clock.now())
    assert ended(handle).members == Members(total=1, failed=1)


def test_a_group_that_cannot_be_seen_to_now_is_seen_to_later(
    threads: Services, clock: FakeClock, monkeypatch: Any
) -> None:
    real, failed = threads.store.groups.shards, threading.Event()

    def fails(group: str, total: int) -> Any:
        if failed.is_set():
            return real(group, total)
        failed.set()
        raise AwsError("dynamodb.BatchGetItem", "Throttled", "again", applied=False)

    release = threading.Event()
    monkeypatch.setattr(Works, "meanwhile", lambda: release.wait(10))
    handle = group(Works.signature()).submit()
    until(lambda: handle.refresh().record.status == "running")
    monkeypatch.setattr(threads.workflows._fan_in._store.groups, "shards", fails)
    release.set()
    until(failed.is_set)
    until(lambda: 10.0 in clock.slept or handle.refresh().record.ended)
    assert ended(handle).members.ended == 1


def test_a_process_with_an_open_group_ends_at_once() -> None:
    script = """
from serverless_tasks import configure
from serverless_tasks.engine.config import Config
from serverless_tasks.workflow import group
from tests.unit.workflow.tasks import Square
configure(Config(), backend="threading")
handle = group(Square.signature(n=n) for n in range(5)).submit()
handle.wait(20)
print(handle.status)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "succeeded\n"
