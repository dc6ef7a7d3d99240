"""Runs that are stopped: cancelled, taken over, interrupted, or over their time."""

import asyncio
import os
import signal
import threading
from contextlib import suppress
from typing import Any

import pytest

from serverless_tasks import Task, TaskCancelled
from serverless_tasks.engine.job.progress import Progress
from serverless_tasks.engine.job.record import Failure
from serverless_tasks.engine.worker.outcome import DeliveryResult
from serverless_tasks.engine.worker.time_limit.enforce import within
from serverless_tasks.engine.worker.time_limit.limit import Limit
from serverless_tasks.errors import AwsError, LeaseLost, TaskRetry
from tests.support.worker import World, asks


def test_a_cancelled_run_ends_as_cancelled_and_is_not_retried(world: World) -> None:
    def run(task: Task) -> None:
        world.store.cancel(world.message.uuid)
        task.check_cancelled()
        pytest.fail("it should have stopped")

    world.task(run, retries=5)

    assert world.execute().status == "cancelled"
    assert (world.record.status, world.sent) == ("cancelled", [])


def test_a_task_may_finish_although_it_was_cancelled(world: World) -> None:
    def run(task: Task) -> int:
        world.store.cancel(world.message.uuid)
        try:
            task.check_cancelled()
        except TaskCancelled:
            return 5
        return 0

    world.task(run)

    assert world.execute().status == "succeeded"
    assert world.record.cancel_requested is False


def test_checking_asks_the_store_once_a_second(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(world.store, "cancel_requested", lambda uuid, token: asked.append(uuid))

    def run(task: Task) -> None:
        for _ in range(10):
            task.check_cancelled()
            world.clock.move(0.25)

    world.task(run)
    world.execute()

    assert len(asked) == 3


def test_a_store_that_cannot_be_asked_whether_to_stop_does_not_fail_the_task(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(uuid: str, token: str) -> bool:
        raise AwsError("dynamodb.GetItem", "ThrottlingException", "slow down", applied=False)

    def run(task: Task) -> int:
        task.check_cancelled()
        return 5

    monkeypatch.setattr(world.store, "cancel_requested", down)
    world.task(run)

    assert world.execute().status == "succeeded"


@pytest.mark.parametrize("error", [ValueError("it broke"), TaskRetry(after=600)])
def test_a_job_that_was_cancelled_while_it_failed_does_not_wait_for_its_retry(
    world: World, error: Exception
) -> None:
    def run(task: Task) -> None:
        world.store.cancel(world.message.uuid)
        raise error

    world.task(run, retries=5)

    assert world.execute().status == "cancelled"
    assert (world.record.status, world.record.cancel_requested, world.sent) == ("cancelled", False, [])
    assert world.record.history[0].failure.type == type(error).__name__


def test_a_job_cancelled_between_two_attempts_is_not_run_again(world: World) -> None:
    world.task(asks(600), retries=5)
    world.execute()
    assert world.store.cancel(world.message.uuid).status == "cancelled"
    world.clock.move(600)

    assert world.execute(world.sent[-1]).status == "ended"
    assert (world.record.status, world.record.attempt) == ("cancelled", 1)


def test_a_task_that_does_not_hear_of_its_cancellation_succeeds(world: World) -> None:
    def run(task: Task) -> int:
        world.store.cancel(world.message.uuid)
        return 5

    world.task(run)

    assert world.execute().status == "succeeded"
    assert world.record.outputs == {"result": 5}


def test_a_coroutine_learns_that_it_was_cancelled(world: World) -> None:
    cleaned: list[str] = []

    async def run(task: Task) -> None:
        world.store.cancel(world.message.uuid)
        await asyncio.sleep(0)
        try:
            task.check_cancelled()
        finally:
            cleaned.append("up")

    world.task(run)

    assert world.execute().status == "cancelled"
    assert cleaned == ["up"]


def test_a_cancelled_job_stays_so_whatever_its_task_does(world: World) -> None:
    world.store.cancel(world.message.uuid)
    world.task(lambda task: pytest.fail("it was cancelled"))

    assert world.execute().status == "ended"
    assert world.store.settle(world.message, Failure(type="X", message="x")).answer == "ended"
    assert world.record.status == "cancelled"


def test_a_job_whose_cancelled_run_was_lost_is_not_run_again(world: World) -> None:
    world.task(lambda task: pytest.fail("it was cancelled"))
    world.store.claim(world.message, token="lost", lease=world.clock.ms + 1000, request_id="")
    world.store.cancel(world.message.uuid)
    world.clock.move(2)

    assert world.execute().status == "cancelled"
    assert world.record.status == "cancelled"


def test_a_run_whose_job_was_taken_over_is_void(world: World) -> None:
    def run(task: Task) -> int:
        world.clock.move(400)
        world.store.claim(world.message, token="other", lease=world.clock.ms + 60_000, request_id="")
        return 5

    world.task(run)

    outcome = world.execute()

    assert outcome.status == "lost"
    assert outcome.give_back is not None
    assert isinstance(outcome.exception, LeaseLost)
    assert (world.record.status, world.record.attempt) == ("running", 2)


@pytest.mark.parametrize("error", [KeyboardInterrupt, GeneratorExit])
def test_what_stops_a_process_is_the_task_s_own_in_lambda(
    world: World, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EXECUTION_ENV", "AWS_Lambda_python3.13")

    def run(task: Task) -> None:
        raise error

    world.task(run)

    assert world.execute().status == "failed"
    assert world.record.error is not None
    assert world.record.error["type"] == error.__name__


def test_an_interrupted_attempt_does_not_count(world: World) -> None:
    def run(task: Task) -> None:
        task.add_message("begun")
        raise KeyboardInterrupt

    world.task(run)

    with pytest.raises(KeyboardInterrupt):
        world.execute()

    assert (world.record.status, world.record.attempt) == ("pending", 0)
    world.task(lambda task: 5)
    assert world.execute().attempt == 1


def test_a_run_past_its_timeout_fails(world: World) -> None:
    def run(task: Task) -> None:
        # What the timer does when the time is up, without waiting for it.
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 7
        os.kill(os.getpid(), signal.SIGALRM)
        pytest.fail("it should have stopped")

    world.task(run, timeout=7)

    assert world.execute().status == "failed"
    assert world.record.error == {
        "type": "TaskTimeout",
        "message": "The task exceeded its timeout of 7 seconds.",
    }


def test_a_run_is_stopped_before_its_function_is(world: World) -> None:
    left: list[float] = []
    world.task(lambda task: left.append(signal.getitimer(signal.ITIMER_REAL)[0]), timeout=60)

    world.execute(deadline=world.clock.now() + 10)

    assert 7 < left[0] <= 8


def test_a_run_inside_a_limit_gives_the_outer_timer_back(world: World) -> None:
    world.task(lambda task: 5, timeout=60)

    def outer() -> float:
        world.execute()
        return signal.getitimer(signal.ITIMER_REAL)[0]

    left = within(Limit(30, Progress()), outer)

    assert 29 < left <= 30
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_the_timer_is_taken_back(world: World) -> None:
    before = signal.getsignal(signal.SIGALRM)
    world.task(lambda task: None)
    world.execute()

    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
    assert signal.getsignal(signal.SIGALRM) is before


def on_a_thread(world: World, **given: Any) -> DeliveryResult:
    outcomes: list[DeliveryResult] = []
    thread = threading.Thread(target=lambda: outcomes.append(world.execute(**given)))
    thread.start()
    thread.join(20)
    return outcomes[0]


def test_a_run_on_another_thread_needs_no_signal(world: World) -> None:
    world.task(lambda task: 5)

    assert on_a_thread(world).status == "succeeded"


@pytest.mark.parametrize("deadline", [None, 1_767_225_900.0])
def test_a_run_on_another_thread_is_stopped_too(
    world: World, monkeypatch: pytest.MonkeyPatch, deadline: float | None
) -> None:
    def run(task: Task) -> None:
        while True:
            with suppress(Exception):
                threading.Event().wait(0.001)

    monkeypatch.setattr("serverless_tasks.engine.worker.time_limit.limit.GRACE", 0.02)
    world.task(run, timeout=0.02)

    assert on_a_thread(world, deadline=deadline).status == "failed"
    assert world.record.error == {
        "type": "TaskTimeout",
        "message": "The task exceeded its timeout of 0.02 seconds.",
    }


def test_a_coroutine_past_its_timeout_is_recorded_as_such_and_retried(world: World) -> None:
    cleaned: list[str] = []

    async def run(task: Task) -> None:
        try:
            await asyncio.sleep(30)
        finally:
            cleaned.append("up")

    world.task(run, timeout=0.02, retries=1)

    assert world.execute().status == "pending"
    assert cleaned == ["up"]
    assert world.record.history[0].failure.type == "TaskTimeout"


def test_a_coroutines_task_that_is_told_to_stop_ends_the_job(world: World) -> None:
    async def child(task: Task) -> None:
        await asyncio.sleep(0)
        task.check_cancelled()

    async def run(task: Task) -> None:
        world.store.cancel(world.message.uuid)
        async with asyncio.TaskGroup() as group:
            group.create_task(child(task))
            await asyncio.sleep(30)

    world.task(run)

    assert world.execute().status == "cancelled"


def test_a_coroutines_task_may_ask_for_a_retry(world: World) -> None:
    async def child(task: Task) -> None:
        task.retry(after=7)

    async def run(task: Task) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(child(task))

    world.task(run, retries=1)

    assert world.execute().status == "pending"
    assert world.sent[0].delay(world.clock.now()) == 7


@pytest.mark.parametrize("left", [2, 0.5, 0, -3])
def test_a_task_for_which_no_time_is_left_is_not_begun(world: World, left: float) -> None:
    world.task(lambda task: pytest.fail("there is no time"))

    assert world.execute(deadline=world.clock.now() + left).status == "failed"
    assert world.record.error is not None
    assert world.record.error["type"] == "TaskTimeout"
    assert f"its function ends in {left:.1f} seconds" in world.record.error["message"]
