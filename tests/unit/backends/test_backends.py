"""The backends that run jobs in this process."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from serverless_tasks import Task, UnknownTask
from serverless_tasks.engine.backends.threading import ThreadingBackend
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.job.progress import Snapshot
from serverless_tasks.engine.job.record import Failure
from serverless_tasks.engine.services import Services, use
from serverless_tasks.engine.store.memory import MemoryStore
from serverless_tasks.engine.submit.options import Options
from serverless_tasks.engine.submit.submission import submit_unchecked
from serverless_tasks.errors import AwsError
from serverless_tasks.params import IntParameter, Parameter
from tests.support.clock import FakeClock, until
from tests.support.jobs import a_message


class Double(Task):
    name = "double"
    inputs = {"number": IntParameter()}
    outputs = {"result": Parameter()}

    def run(self, number: int) -> int:
        self.inc_progress()
        return 2 * number


class Flaky(Task):
    name = "flaky"
    outputs = {"attempt": IntParameter()}
    retries = 2

    def run(self) -> int:
        if self.execution.attempt <= 2:
            raise ValueError("not yet")
        return self.execution.attempt


class Broken(Task):
    name = "broken"

    def run(self) -> None:
        raise ValueError("it broke")


class Unregistered(Task):
    name = "unregistered"

    def run(self) -> None:
        return None


class Stubborn(Task):
    name = "stubborn"
    retries, backoff = 500, 0

    def run(self) -> None:
        raise ValueError("not yet")


class AsksForLater(Task):
    name = "asks-for-later"
    retries = 2

    def run(self) -> None:
        if self.execution.attempt <= 2:
            self.retry(after=30)


class Frozen(FakeClock):
    """A clock that sleeping does not move, as those of tests that stop the time."""

    def move(self, seconds: float) -> None:
        return None


class Submitting(Task):
    name = "submitting"
    retries = 1

    def run(self) -> None:
        assert Flaky.submit().wait() == {"attempt": 3}
        raise ValueError("once more")


class Where(Task):
    name = "where"
    outputs = {"thread": Parameter()}

    def run(self) -> str:
        return threading.current_thread().name


class NeedsText(Task):
    name = "needs-text"
    inputs = {"keys": Parameter()}
    outputs = {"keys": Parameter()}

    def run(self, keys: Any) -> Any:
        return keys


@pytest.fixture(params=["immediate", "threading"])
def services(request: pytest.FixtureRequest, clock: FakeClock) -> Iterator[Services]:
    with use(Services(Config(), backend=request.param, clock=clock)) as services:
        for task in (Double, Flaky, Broken, Where, NeedsText):
            services.registry.add(task)
        yield services


def ended(handle: Any) -> Any:
    until(lambda: handle.refresh().record.ended)
    return handle


@pytest.mark.usefixtures("services")
class TestEither:
    def test_a_job_is_run_and_recorded(self) -> None:
        handle = ended(Double.submit(number="21"))

        assert (handle.status, handle.outputs, handle.progress) == ("succeeded", {"result": 42}, 1)

    def test_a_bulk_is_run(self) -> None:
        handles = Double.submit_many({"number": number} for number in range(20))

        assert [ended(handle).outputs["result"] for handle in handles] == list(range(0, 40, 2))

    def test_a_failure_is_recorded_and_not_raised(self) -> None:
        handle = ended(Broken.submit())

        assert handle.error == {"type": "ValueError", "message": "it broke"}

    def test_retries_are_run(self) -> None:
        handle = ended(Flaky.submit())

        assert (handle.outputs, handle.record.attempt) == ({"attempt": 3}, 3)

    def test_jobs_are_listed(self, services: Services) -> None:
        handle = ended(Double.options(owner="7").submit(number=1))

        assert [record.uuid for record in services.store.list_owner("7").records] == [handle.uuid]

    def test_a_task_that_is_submitted_here_is_known_here(self) -> None:
        assert ended(Unregistered.submit()).status == "succeeded"

    def test_what_travels_is_json(self) -> None:
        assert ended(NeedsText.submit(keys=(1, 2))).outputs == {"keys": [1, 2]}


class TestImmediate:
    def test_the_job_has_ended_when_submit_returns(self, immediate: Services) -> None:
        handle = Double.submit(number=1)

        assert (handle.status, handle.outputs) == ("succeeded", {"result": 2})

    def test_a_task_that_is_not_registered_is_an_error_and_ends(self, immediate: Services) -> None:
        with pytest.raises(UnknownTask):
            submit_unchecked(immediate, "elsewhere", [{}], Options(owner="7"))

        (record,) = immediate.store.list_owner("7").records
        assert (record.status, record.error and record.error["type"]) == ("failed", "UnknownTask")

    @pytest.mark.parametrize("task", [Flaky, AsksForLater], ids=lambda task: task.name)
    def test_a_retry_does_not_wait(self, immediate: Services, clock: FakeClock, task: type[Task]) -> None:
        handle = task.submit()

        assert (handle.status, handle.record.attempt) == ("succeeded", 3)
        assert (clock.slept, clock.now()) == ([], FakeClock().now())

    @pytest.mark.parametrize("stands_still", [False, True])
    def test_a_setting_lets_it_wait_by_the_clock(self, stands_still: bool) -> None:
        clock = Frozen() if stands_still else FakeClock()
        with use(Services(Config(immediate_waits=True), backend="immediate", clock=clock)):
            handle = AsksForLater.submit()

        assert (handle.status, handle.record.attempt) == ("succeeded", 3)
        assert clock.slept == [30, 30]

    def test_a_retry_that_another_process_left_waiting_is_waited_for_once(self) -> None:
        clock = Frozen()
        store = MemoryStore(clock)
        message = a_message(clock, task="double", inputs={"number": 1})
        store.put_jobs([message])
        claim = store.claim(message, token="a", lease=clock.ms + 60_000, request_id="")
        store.retry(
            message, claim, Snapshot(1), Failure(type="ValueError", message="no"), not_before=clock.ms + 5_000
        )

        with use(Services(Config(), backend="immediate", clock=clock, store=store)):
            handle = Double.options(uuid=message.uuid).submit(number=1)

        assert (handle.status, clock.slept) == ("pending", [6.0])

    def test_there_may_be_any_number_of_retries(self, immediate: Services) -> None:
        handle = Stubborn.submit()

        assert (handle.refresh().status, handle.record.attempt) == ("failed", 501)

    def test_a_task_that_submits_another_is_retried_for_itself(self, immediate: Services) -> None:
        handle = Submitting.submit()

        assert (handle.refresh().status, handle.record.attempt) == ("failed", 2)
        attempts = [record.attempt for record in immediate.store.list_tasks(["flaky"]).records]
        assert attempts == [3, 3]


@pytest.mark.usefixtures("services")
class TestInputs:
    def test_of_any_size_are_kept_in_memory(self) -> None:
        assert ended(NeedsText.submit(keys="x" * 500_000)).outputs == {"keys": "x" * 500_000}


class TestThreading:
    @pytest.fixture
    def threads(self, clock: FakeClock) -> Iterator[Services]:
        with use(Services(Config(), backend="threading", clock=clock)) as services:
            services.registry.add(Where)
            yield services

    def test_a_job_is_run_on_another_thread(self, threads: Services) -> None:
        handle = ended(Where.submit())

        assert handle.outputs["thread"].startswith("task")

    @pytest.mark.parametrize("delay", [0, 7200])
    def test_a_job_that_is_never_begun_reads_as_expired_after_an_hour(
        self, threads: Services, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, delay: int
    ) -> None:
        monkeypatch.setattr(ThreadingBackend, "_hand_over", lambda *_: None)  # as if the process died at once
        handle = Where.options(delay=delay).submit()

        clock.move(delay + 3600)
        assert handle.refresh().status == "pending"
        clock.move(1)
        assert handle.refresh().error == {"type": "Expired", "message": "The job was not delivered in time."}

    def test_a_delay_is_waited_for(self, threads: Services, clock: FakeClock) -> None:
        ended(Where.options(delay=60).submit())

        assert 60 in clock.slept

    def test_jobs_that_wait_are_in_nobodys_way(
        self, threads: Services, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        over = threading.Event()
        monkeypatch.setattr(clock, "sleep", lambda seconds: over.wait(5))
        waiting = [Where.options(delay=900).submit() for _ in range(8)]

        ended(Where.submit())

        assert {handle.refresh().status for handle in waiting} == {"pending"}
        over.set()
        for handle in waiting:
            ended(handle)

    def test_a_job_whose_end_could_not_be_recorded_is_run_again(
        self, threads: Services, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        succeed = threads.store.succeed
        answers = [AwsError("dynamodb.update_item", "Throttled", "slow down", applied=False)]

        def busy_once(*given: Any) -> None:
            if answers:
                raise answers.pop()
            succeed(*given)

        monkeypatch.setattr(threads.store, "succeed", busy_once)

        handle = Where.submit()

        # Between the end of the lease and the next attempt it reads as lost.
        until(lambda: handle.refresh().status == "succeeded")
        assert handle.record.attempt == 2

    @pytest.mark.parametrize("kind", [KeyboardInterrupt, GeneratorExit])
    def test_a_task_that_raises_what_stops_a_process_ends(
        self, threads: Services, kind: type[BaseException]
    ) -> None:
        class Stops(Task):
            name = "stops"

            def run(self) -> None:
                raise kind

        handle = ended(Stops.submit())

        assert handle.error is not None
        assert handle.error["type"] == kind.__name__

    def test_a_task_that_is_not_registered_ends(
        self, threads: Services, caplog: pytest.LogCaptureFixture
    ) -> None:
        (submitted,) = submit_unchecked(threads, "elsewhere", [{}], Options())
        handle = ended(submitted)

        assert handle.error is not None
        assert handle.error["type"] == "UnknownTask"
        assert "a job could not be run" in caplog.text
