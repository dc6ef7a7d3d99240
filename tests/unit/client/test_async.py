"""The client, tasks and handles from coroutines."""

import asyncio
import contextvars
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from serverless_tasks import InvalidInputs, NotPublished, Task, TaskClient, TaskFailed, WaitTimeout
from serverless_tasks.engine.backends import off_loop
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.services import Services, use
from serverless_tasks.errors import UnknownOption
from serverless_tasks.params import BooleanParameter, IntParameter
from serverless_tasks.testing import RecordedTasks, recorded
from tests.support.clock import FakeClock

seconds = contextvars.ContextVar("seconds", default=0)


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


@pytest.fixture
def reads(jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The thread of each read of one job."""
    threads: list[str] = []
    read = jobs.services.store.read

    def noted(*args: Any, **given: Any) -> Any:
        threads.append(threading.current_thread().name)
        return read(*args, **given)

    monkeypatch.setattr(jobs.services.store, "read", noted)
    return threads


async def turns(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


class TestSubmitting:
    def test_a_task_and_a_client_submit_from_a_coroutine(self, jobs: RecordedTasks) -> None:
        async def submitted() -> list[str]:
            client = TaskClient()
            one = await Double.asubmit(n=1)
            many = await Double.asubmit_many(iter([{"n": 2}, {"n": 3}]))
            late = await Double.options(delay=60, owner="7").asubmit(n=4)
            named = await client.asubmit("double", n=5)
            by_name = await client.asubmit_many("elsewhere", [{"x": 6}], queue="low")
            return [each.uuid for each in (one, *many, late, named, *by_name)]

        uuids = asyncio.run(submitted())

        assert [message.uuid for message in jobs.submitted] == uuids
        assert [message.inputs for message in jobs.submitted] == [*({"n": n} for n in range(1, 6)), {"x": 6}]
        assert (jobs.submitted[3].owner, jobs.submitted[5].queue) == ("7", "low")

    def test_what_does_not_fit_is_refused_where_it_is_awaited(self, jobs: RecordedTasks) -> None:
        with pytest.raises(InvalidInputs):
            asyncio.run(Double.asubmit(n="x"))
        with pytest.raises(UnknownOption):
            asyncio.run(TaskClient().asubmit_many("double", [{"n": 1}], colour="red"))
        jobs.assert_nothing_submitted()

    def test_it_is_not_done_on_the_event_loop_and_in_the_context_of_the_caller(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        there: list[Any] = []

        class Noted(RecordedTasks):
            def publish(self, messages: Any) -> Any:
                there.append((threading.current_thread() is threading.main_thread(), seconds.get()))
                return super().publish(messages)

        with recorded(Double) as jobs:
            noted = Noted(jobs.services.registry)

            async def submitted() -> None:
                seconds.set(3)
                await Double.asubmit(n=1)

            with use(noted.services):
                asyncio.run(submitted())

        assert there == [(False, 3)]


class TestWaiting:
    def test_an_awaited_handle_gives_its_outputs(self, jobs: RecordedTasks) -> None:
        async def waited() -> list[Any]:
            handle = await Double.asubmit(n=2)
            jobs.drain()
            client = TaskClient()
            return [
                await handle,
                await handle.awaiting(timeout=5),
                await client.awaiting(handle.uuid, timeout=5),
                (await client.aget(handle.uuid)).outputs,
                (await handle.arefresh()).status,
            ]

        assert asyncio.run(waited()) == [{"n": 4}, {"n": 4}, {"n": 4}, {"n": 4}, "succeeded"]

    def test_a_failure_is_raised(self, jobs: RecordedTasks) -> None:
        async def waited() -> Any:
            handle = await Double.asubmit(n=-1)
            jobs.drain()
            return await asyncio.gather(handle, TaskClient().awaiting(handle.uuid), return_exceptions=True)

        for error in asyncio.run(waited()):
            assert isinstance(error, TaskFailed)
            assert "negative" in str(error)

    @pytest.mark.parametrize("in_a_coroutine", [False, True])
    def test_it_reads_as_often_as_a_function_does_and_not_on_the_event_loop(
        self, jobs: RecordedTasks, reads: list[str], in_a_coroutine: bool
    ) -> None:
        handle = Double.submit(n=1)

        def wait() -> Any:
            return asyncio.run(handle.awaiting(timeout=10)) if in_a_coroutine else handle.wait(timeout=10)

        with pytest.raises(WaitTimeout, match="still pending after 10 seconds"):
            wait()

        assert len(reads) == 12
        assert {name.startswith("serverless-tasks") for name in reads} == {in_a_coroutine}

    def test_the_event_loop_goes_on_meanwhile(self, jobs: RecordedTasks, reads: list[str]) -> None:
        async def both() -> Any:
            handle = await Double.asubmit(n=1)
            waiting = asyncio.ensure_future(handle)
            while len(reads) < 3:  # noqa: ASYNC110 - it asks on a thread
                await asyncio.sleep(0)
            jobs.drain()
            return await waiting

        assert asyncio.run(both()) == {"n": 2}

    def test_one_that_is_cancelled_asks_no_more(self, jobs: RecordedTasks, reads: list[str]) -> None:
        async def given_up() -> tuple[int, set[Any]]:
            handle = await Double.asubmit(n=1)
            waiting = asyncio.ensure_future(handle)
            while not reads:  # noqa: ASYNC110 - it asks on a thread
                await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            begun = len(reads)
            await turns(1000)
            return len(reads) - begun, asyncio.all_tasks() - {asyncio.current_task()}  # type: ignore[arg-type]

        after, left = asyncio.run(given_up())

        assert after <= 1  # that of which the thread had not yet told
        assert left == set()
        assert jobs.record(jobs.submitted[0].uuid).status == "pending"

    def test_a_job_that_waits_for_its_transaction_is_refused_as_by_wait(self, jobs: RecordedTasks) -> None:
        handle = Double.submit(n=1)
        handle._publication.published = False

        with pytest.raises(NotPublished):
            asyncio.run(handle.awaiting())

    def test_a_job_is_cancelled_from_a_coroutine(self, jobs: RecordedTasks) -> None:
        async def cancelled() -> list[str]:
            one, other = await Double.asubmit_many([{"n": 1}, {"n": 2}])
            return [(await one.acancel()).status, (await TaskClient().acancel(other.uuid)).status]

        assert asyncio.run(cancelled()) == ["cancelled", "cancelled"]

    def test_a_job_that_has_succeeded_is_not_read_again(self, jobs: RecordedTasks, reads: list[str]) -> None:
        handle = Double.submit(n=1)
        jobs.drain()
        handle.wait()
        begun = len(reads)

        assert handle.wait() == {"n": 2}
        assert len(reads) == begun


class Passes(Task):
    """Its job goes on by itself."""

    name = "passes"
    inputs = {"many": BooleanParameter()}

    def run(self, many: bool) -> Any:
        handle = Double.submit(n=1)
        return [handle] if many else handle


@pytest.mark.parametrize("many", [False, True])
def test_a_task_that_returns_a_handle_does_not_wait_for_its_job(many: bool) -> None:
    with recorded(Double, Passes) as jobs:
        handle = Passes.submit(many=many)

        jobs.drain()

        assert handle.refresh().status == "succeeded"
        assert [jobs.record(message.uuid).status for message in jobs.submitted] == ["succeeded", "succeeded"]


class TestDirectInvokes:
    @pytest.fixture
    def client(self, monkeypatch: pytest.MonkeyPatch) -> TaskClient:
        client = TaskClient(services=Services(Config(), backend="immediate", clock=FakeClock()))
        monkeypatch.setattr(client, "run", lambda task, **inputs: self.invoked(task, inputs))
        return client

    answers = threading.Event()

    def invoked(self, task: str, inputs: dict[str, Any]) -> dict[str, Any]:
        self.daemon = threading.current_thread().daemon
        if inputs.get("waits"):
            self.answers.wait(30)
        if inputs.get("fails"):
            raise TaskFailed("u", "failed", {"type": "E", "message": "m"})
        return {task: inputs.get("n", seconds.get())}

    def test_many_run_beside_each_other(self, client: TaskClient) -> None:
        async def run() -> list[Any]:
            seconds.set(5)
            many = [client.arun("a", n=n) for n in range(off_loop.LONG_CALLS + 5)]
            return await asyncio.gather(
                *many, client.arun("b"), client.arun("c", fails=1), return_exceptions=True
            )

        *many, context, failed = asyncio.run(run())

        assert many == [{"a": n} for n in range(off_loop.LONG_CALLS + 5)]
        assert context == {"b": 5}
        assert isinstance(failed, TaskFailed)

    def test_one_that_is_cancelled_gives_its_place_up_once_it_is_answered_and_keeps_no_process_alive(
        self, client: TaskClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(off_loop, "LONG_CALLS", 1)
        self.answers.clear()

        async def run() -> Any:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await client.arun("a", waits=1)
            assert self.daemon
            after = asyncio.ensure_future(client.arun("b", n=1))
            await turns(100)
            assert not after.done()
            self.answers.set()
            return await after

        assert asyncio.run(run()) == {"b": 1}


def test_no_more_than_a_few_threads_are_made() -> None:
    there: set[str] = set()
    begun = threading.Barrier(off_loop.THREADS)

    def call() -> None:
        there.add(threading.current_thread().name)
        begun.wait(30)

    async def many() -> None:
        await asyncio.gather(*(off_loop.in_thread(call) for _ in range(3 * off_loop.THREADS)))

    asyncio.run(many())

    assert len(there) == off_loop.THREADS


def test_who_uses_none_of_it_imports_none_of_it() -> None:
    script = (
        "import sys, serverless_tasks as st\n"
        "st.configure(backend='immediate')\n"
        "class T(st.Task):\n"
        "    name = 't'\n"
        "    def run(self): return 1\n"
        "T.submit().wait(); st.TaskClient()\n"
        "ours = ('off_loop', 'completed', 'listing')\n"
        "print([m for m in sys.modules if m.startswith('serverless_tasks') and m.rpartition('.')[2] in ours])\n"
        "st.as_completed\n"
        "print('serverless_tasks.client.completed' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.split("\n")[:2] == ["['serverless_tasks.engine.store.listing']", "True"]
