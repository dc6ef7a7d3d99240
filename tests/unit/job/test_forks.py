"""What a forked process makes anew; `tests/contract/test_forks.py` has its connections."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import boto3
import pytest
from botocore.credentials import RefreshableCredentials

from serverless_tasks import Task
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.job.execution import Execution
from serverless_tasks.engine.job.progress import Progress
from serverless_tasks.engine.services import Services, current_services, reset, use
from serverless_tasks.engine.store.memory import MemoryStore
from serverless_tasks.engine.store.memory_locks import MemoryLocks
from serverless_tasks.engine.submit.handle import Handle
from serverless_tasks.engine.worker.progress_writer import ProgressWriter
from serverless_tasks.engine.worker.time_limit.enforce import within
from serverless_tasks.engine.worker.time_limit.limit import Limit
from serverless_tasks.engine.worker.time_limit.watchdog import Watch, Watchdog
from serverless_tasks.errors import TaskTimeout
from serverless_tasks.params import IntParameter, Parameter
from tests.support.clock import FakeClock, until
from tests.support.forks import SECONDS, Child, held, result_in_child, underway

TOLD = pytest.mark.parametrize("told", [True, False], ids=["told", "as of uWSGI"])


class Double(Task):
    name = "double"
    inputs = {"number": IntParameter()}
    outputs = {"result": Parameter()}

    def run(self, number: int) -> int:
        return 2 * number


@pytest.fixture(autouse=True)
def anew(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    session.reset()
    reset()
    yield
    session.reset()
    reset()


# -- clients -------------------------------------------------------------------------------------------------------


@TOLD
def test_a_client_is_another_one_in_the_child_and_stays_the_parents(told: bool) -> None:
    client = session.client("sqs")
    events = client.meta.events

    # Its memory is a copy, so that an object of the parent's is at the same place.
    assert result_in_child(lambda: client.meta.events is not events, told=told)
    assert client.meta.events is events


def test_a_child_of_a_child_has_a_client_of_its_own() -> None:
    client = session.client("sqs")

    def grandchild() -> bool:
        events = client.meta.events
        return bool(Child(lambda: client.meta.events is not events).result())

    assert Child(grandchild).result()


def test_a_child_makes_one_client_for_all_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []

    def slow(*_: object, **__: object) -> object:
        made.append(None)
        threading.Event().wait(0.02)
        return MagicMock()

    monkeypatch.setattr(session, "_maker", lambda: slow)
    client = session.client("s3")

    def use_it() -> int:
        threads = [threading.Thread(target=getattr, args=(client, "meta")) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return len(made)

    assert Child(use_it).result() == 2


def test_a_client_that_another_thread_was_making_is_made_in_the_child(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make = session._maker()

    def work(there: Callable[[], None]) -> None:
        monkeypatch.setattr(session, "_maker", lambda: lambda *_, **__: (there(), MagicMock())[1])
        session.client("s3")

    with underway(work):
        monkeypatch.setattr(session, "_maker", lambda: make)
        assert Child(lambda: session.client("s3").meta.service_model.service_name).result() == "s3"


def test_credentials_that_another_thread_was_asking_for_are_asked_for_in_the_child() -> None:
    fresh = {"access_key": "a", "secret_key": "b", "token": "c", "expiry_time": "2099-01-01T00:00:00Z"}
    old = fresh | {"expiry_time": "2000-01-01T00:00:00Z"}
    credentials = RefreshableCredentials.create_from_metadata(old, refresh_using=lambda: fresh, method="role")
    boto3.setup_default_session()
    boto3.DEFAULT_SESSION._session._credentials = credentials

    with held(credentials._refresh_lock):
        assert Child(lambda: boto3.DEFAULT_SESSION.get_credentials().access_key).result() == "a"


# -- what another thread held ----------------------------------------------------------------------------------------


def test_a_part_that_another_thread_was_making_is_made_in_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    services = Services(Config(), backend="threading")

    def work(there: Callable[[], None]) -> None:
        monkeypatch.setattr(MemoryStore, "__init__", lambda *_: there())
        assert services.store

    given = MemoryStore.__init__
    with underway(work):
        monkeypatch.setattr(MemoryStore, "__init__", given)
        assert Child(lambda: services.store.read("1") is None).result()


def test_the_processs_services_are_made_in_the_child_though_another_thread_was_making_them() -> None:
    with held(vars(sys.modules["serverless_tasks.engine.services"])["_lock"]):
        assert Child(lambda: current_services().backend_kind.has_queue).result() is True


def test_jobs_and_locks_in_memory_are_read_in_the_child_though_another_thread_was_writing() -> None:
    clock = FakeClock()
    store, locks = MemoryStore(clock), MemoryLocks(clock)

    with held(store._lock, locks._lock):
        assert Child(lambda: (store.read("1"), locks.put([], {}))).result() == (None, [])


# -- threads -----------------------------------------------------------------------------------------------------------


def jobs_before_and_in_the_child(*, told: bool) -> None:
    """Run jobs on threads here, then in a child, then here again."""
    services = Services(Config(), backend="threading")
    services.registry.add(Double)

    with use(services):
        # As many as there are threads, and once more.
        before = [Double.submit(number=number) for number in range(5)]
        assert [handle.wait(SECONDS) for handle in before] == [{"result": 2 * n} for n in range(5)]

        def work() -> list[dict[str, Any]]:
            return [Double.submit(number=n).wait(SECONDS / 2) for n in range(3)]

        assert result_in_child(work, told=told) == [{"result": 2 * n} for n in range(3)]
        assert Double.submit(number=4).wait(SECONDS) == {"result": 8}


def test_jobs_run_in_the_child_on_its_own_threads() -> None:
    jobs_before_and_in_the_child(told=True)


def test_jobs_run_in_the_child_of_a_server_that_tells_nobody_of_its_fork() -> None:
    """In a process of its own, as a server's is: Python may crash in the child of one that has had many threads."""
    done = subprocess.run(
        [sys.executable, "-c", f"import {__name__} as forks; forks.jobs_before_and_in_the_child(told=False)"],
        cwd=Path(__file__).resolve().parents[3],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_job_that_is_held_back_runs_in_the_child() -> None:
    services = Services(Config(), backend="threading", clock=FakeClock())
    services.registry.add(Double)

    def outputs(handle: Handle) -> dict[str, Any]:
        until(lambda: handle.refresh().status == "succeeded")
        return handle.outputs

    with use(services):
        assert outputs(Double.submit(number=1)) == {"result": 2}
        child = Child(lambda: outputs(Double.options(delay=60).submit(number=2)))

        assert child.result() == {"result": 4}


def test_a_job_runs_in_the_child_though_another_thread_was_handing_one_over() -> None:
    services = Services(Config(), backend="threading")
    services.registry.add(Double)

    with use(services), held(services.backend._pool._lock):  # type: ignore[attr-defined]
        assert Child(lambda: Double.submit(number=2).wait(SECONDS / 2)).result() == {"result": 4}


def test_a_job_that_the_parent_has_begun_is_the_parents() -> None:
    runs: list[int] = []

    class Begun(Task):
        name = "begun"

        def run(self) -> None:
            runs.append(1)
            there()

    services = Services(Config(), backend="threading")
    services.registry.add(Begun)
    services.registry.add(Double)
    arrived, go_on = threading.Event(), threading.Event()

    def there() -> None:
        arrived.set()
        go_on.wait(SECONDS)

    with use(services):
        handle = Begun.submit()
        assert arrived.wait(SECONDS)

        def in_child() -> tuple[Any, int]:
            return Double.submit(number=2).wait(SECONDS / 2), len(runs)

        assert Child(in_child).result() == ({"result": 4}, 1)
        go_on.set()
        handle.wait(SECONDS)
    assert len(runs) == 1


def test_a_task_is_stopped_in_the_child_after_the_parents_watchdog_has_watched() -> None:
    def stopped() -> bool:
        limit = Limit(0.05, Progress())
        with pytest.raises(TaskTimeout):
            within(limit, lambda: [time.sleep(0.01) for _ in range(3000)])
        return True

    def on_a_thread() -> list[bool]:
        found: list[bool] = []
        thread = threading.Thread(target=lambda: found.append(stopped()))
        thread.start()
        thread.join(SECONDS)
        return found

    assert on_a_thread() == [True]
    assert Child(on_a_thread).result() == [True]


def test_the_childs_watchdog_watches_none_of_the_parents_threads() -> None:
    now = 100.0
    watchdog = Watchdog(lambda: now)
    # The identifier of a thread that ended with the fork is given to the child's next one.
    limit = Limit(1, Progress())
    watch = Watch(limit, threading.get_ident())
    watch.due = 101.0
    watchdog.check(watch)

    def later() -> int:
        nonlocal now
        now = 200.0
        watchdog.check()
        return limit.told

    with held(watch._lock):
        assert Child(lambda: (later(), watch.settle())).result() == (0, None)


def test_a_task_counts_in_a_process_that_it_has_forked_and_only_its_own_is_written() -> None:
    clock = FakeClock()
    written: list[int] = []
    progress = Progress()

    def write(snapshot: Any) -> bool:
        written.append(snapshot.progress)
        return False

    writer = ProgressWriter(progress, write, clock)
    execution = Execution(progress=progress)

    def count() -> tuple[float, list[int], set[str]]:
        execution.progress.inc_progress()
        return progress.progress, written, {thread.name for thread in threading.enumerate()}

    with held(progress._lock):
        child = Child(count)
        reached, in_child, threads = child.result()
    assert (reached, in_child) == (1, [])
    assert "progress" not in threads
    assert writer.close().progress == 0
