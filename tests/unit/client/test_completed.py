"""Many jobs in the order in which they end, from functions and from coroutines."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from serverless_tasks import Handle, NotPublished, Task, TaskClient, TaskNotFound, WaitTimeout, as_completed
from serverless_tasks.client import completed
from serverless_tasks.engine.services import use
from serverless_tasks.params import IntParameter
from serverless_tasks.testing import RecordedTasks, recorded


class Double(Task):
    name = "double"
    inputs = {"n": IntParameter()}
    outputs = {"n": IntParameter()}

    def run(self, n: int) -> int:
        if n < 0:
            raise ValueError("negative")
        return 2 * n


@pytest.fixture
def jobs() -> Iterator[RecordedTasks]:
    with recorded(Double) as jobs:
        yield jobs


class Work:
    """Runs jobs while somebody pauses: one at each pause."""

    def __init__(self, jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch, *, at_once: int = 1) -> None:
        self.pauses: list[float] = []
        self._jobs, self._at_once = jobs, at_once
        monkeypatch.setattr(jobs.clock, "sleep", self.sleep)

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self._jobs.clock.move(seconds)
        due, self._jobs._queue = self._jobs._queue[: self._at_once], self._jobs._queue[self._at_once :]
        for delivery in due:
            self._jobs._run(delivery.message)


async def gathered(handles: AsyncIterator[Handle]) -> list[Handle]:
    return [handle async for handle in handles]


def taken(handles: list[Handle], *, in_a_coroutine: bool, timeout: float | None = None) -> list[Handle]:
    found = as_completed(handles, timeout)
    return asyncio.run(gathered(found.__aiter__())) if in_a_coroutine else list(found)


both = pytest.mark.parametrize("in_a_coroutine", [False, True], ids=["for", "async for"])


@both
class TestAsCompleted:
    def test_handles_come_as_their_jobs_end_with_their_outputs(
        self, jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch, in_a_coroutine: bool
    ) -> None:
        handles = Double.submit_many([{"n": 1}, {"n": 2}, {"n": -3}])
        jobs._queue.reverse()
        Work(jobs, monkeypatch)

        found = taken(handles, in_a_coroutine=in_a_coroutine)

        assert found == handles[::-1]
        assert [handle.status for handle in found] == ["failed", "succeeded", "succeeded"]
        assert [handle.outputs for handle in handles] == [{"n": 2}, {"n": 4}, {}]

    def test_two_handles_of_one_job_both_come(self, jobs: RecordedTasks, in_a_coroutine: bool) -> None:
        handle = Double.options(idempotency_key="k").submit(n=1)
        again = Double.options(idempotency_key="k").submit(n=1)
        jobs.drain()

        assert taken([handle, again], in_a_coroutine=in_a_coroutine) == [handle, again]

    def test_of_no_handles_there_are_none(self, jobs: RecordedTasks, in_a_coroutine: bool) -> None:
        assert taken([], in_a_coroutine=in_a_coroutine) == []

    def test_the_time_is_for_all_of_them(
        self, jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch, in_a_coroutine: bool
    ) -> None:
        work = Work(jobs, monkeypatch, at_once=0)

        with pytest.raises(WaitTimeout, match="2 of 2 jobs have not ended after 7 seconds"):
            taken(
                Double.submit_many([{"n": 1}, {"n": 2}]),
                in_a_coroutine=in_a_coroutine,
                timeout=7,
            )
        assert sum(work.pauses) == pytest.approx(7)
        assert work.pauses[0] == completed.FIRST_PAUSE
        assert max(work.pauses) <= completed.LONGEST_PAUSE

    def test_a_job_that_was_not_sent_is_said_at_once(
        self, jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch, in_a_coroutine: bool
    ) -> None:
        sent, waiting = Double.submit_many([{"n": 1}, {"n": 2}])
        waiting._publication.published = False
        work = Work(jobs, monkeypatch)

        with pytest.raises(NotPublished):
            taken([sent, waiting], in_a_coroutine=in_a_coroutine)
        assert work.pauses == []

    def test_a_job_that_was_deleted_is_not_waited_for_for_ever(
        self, jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch, in_a_coroutine: bool
    ) -> None:
        handle = Double.submit(n=1)
        jobs.drain()
        TaskClient().delete(handle.uuid)
        Work(jobs, monkeypatch)

        with pytest.raises(TaskNotFound):
            taken([handle], in_a_coroutine=in_a_coroutine)

    def test_a_job_that_is_not_tracked_is_waited_for(
        self, jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch, in_a_coroutine: bool
    ) -> None:
        handle = Double.options(track=False).submit(n=1)
        Work(jobs, monkeypatch)

        assert taken([handle], in_a_coroutine=in_a_coroutine) == [handle]
        assert handle.outputs == {"n": 2}

    def test_what_time_alone_ends_is_noticed(
        self, jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch, in_a_coroutine: bool
    ) -> None:
        handle = Double.submit(n=1)
        work = Work(jobs, monkeypatch, at_once=0)
        before = handle.record
        jobs.move(5 * 86_400)

        assert taken([handle], in_a_coroutine=in_a_coroutine) == [handle]
        assert (before.status, handle.error) == (
            "pending",
            {"type": "Expired", "message": "The job was not delivered in time."},
        )
        assert sum(work.pauses) < 2 * completed.READ_ANEW

    def test_jobs_past_the_first_window_are_seen_while_those_in_it_go_on(
        self, jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch, in_a_coroutine: bool
    ) -> None:
        monkeypatch.setattr(completed, "WINDOW", 2)
        handles = Double.submit_many([{"n": n} for n in range(5)])
        jobs._queue.reverse()
        Work(jobs, monkeypatch)

        assert taken(handles, in_a_coroutine=in_a_coroutine) == handles[::-1]


class TestInACoroutine:
    def test_the_event_loop_goes_on_meanwhile_and_a_look_at_the_store_is_not_made_on_it(
        self, jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        handle = Double.submit(n=1)
        threads: list[str] = []
        changed = jobs.services.store.changed
        import threading

        def noted(seen: Any) -> Any:
            threads.append(threading.current_thread().name)
            return changed(seen)

        monkeypatch.setattr(jobs.services.store, "changed", noted)

        async def both() -> list[Handle]:
            following = asyncio.create_task(gathered(as_completed([handle]).__aiter__()))
            while len(threads) < 2:  # noqa: ASYNC110 - it looks, pauses, and looks again, while this goes on
                await asyncio.sleep(0)
            jobs.drain()
            return await following

        assert asyncio.run(both()) == [handle]
        assert {name.rpartition("_")[0] for name in threads} == {"serverless-tasks"}

    def test_one_that_is_cancelled_leaves_nothing_behind(self, jobs: RecordedTasks) -> None:
        handle = Double.submit(n=1)

        async def given_up() -> set[asyncio.Task[Any]]:
            following = asyncio.create_task(gathered(as_completed([handle]).__aiter__()))
            for _ in range(5):
                await asyncio.sleep(0)
            following.cancel()
            with pytest.raises(asyncio.CancelledError):
                await following
            return asyncio.all_tasks() - {asyncio.current_task()}  # type: ignore[arg-type]

        assert asyncio.run(given_up()) == set()
        with use(jobs.services):
            assert handle.refresh().status == "pending"
