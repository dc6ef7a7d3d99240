"""The way through: what a delivery of a message leads to, and what is recorded of it."""

import asyncio
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest
from pydantic import BaseModel

from serverless_tasks import Task, TaskCancelled, TaskError, UnknownTask
from serverless_tasks.client.timeline import timeline
from serverless_tasks.engine.definition.registry import Registry
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.message import RETENTION, Message, inputs_key
from serverless_tasks.engine.job.progress import Progress
from serverless_tasks.engine.job.record import NEUTRAL_MESSAGE, WORKER_LOST, Failure, Record
from serverless_tasks.engine.store.base import Blobs
from serverless_tasks.engine.store.memory import MemoryStore
from serverless_tasks.engine.worker.outcome import DeliveryResult, failure_of
from serverless_tasks.engine.worker.runner import Runner
from serverless_tasks.engine.worker.time_limit.enforce import within
from serverless_tasks.engine.worker.time_limit.limit import GRACE, Limit
from serverless_tasks.errors import AwsError, LeaseLost, PayloadTooLarge, SubmitFailed, TaskRetry
from serverless_tasks.params import IntParameter, NumberParameter, Parameter
from tests.support.clock import FakeClock
from tests.support.jobs import a_message

WHOSE: ContextVar[str] = ContextVar("whose")


class TooFewNumbers(TaskError):
    pass


class World:
    """A runner with a task whose `run` each test gives."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.store = MemoryStore(clock)
        self.registry = Registry()
        self.sent: list[Message] = []
        self.blobs: Blobs | None = None
        self.has_queue = True
        self.message = a_message(clock, task="work", inputs={})
        self.store.put_jobs([self.message])

    def task(self, run: Callable[[Task], Any], **attributes: Any) -> None:
        declared = {"name": "work", "run": run, "outputs": {"result": Parameter()}, **attributes}
        self.registry.add(type("Work", (Task,), {"__module__": "shop", **declared}))

    def republish(self, message: Message) -> None:
        self.sent.append(message)

    def execute(self, message: Message | None = None, **given: Any) -> DeliveryResult:
        parts = (self.registry, self.store, self.blobs, self.republish, self.clock)
        runner = Runner(*parts, has_queue=self.has_queue)
        given.setdefault("deadline", self.clock.now() + 300)
        return runner.execute(message or self.message, **given)

    def lose_a_worker(self) -> None:
        """Claim as a worker does that is then lost."""
        self.store.claim(self.message, token=f"lost-{self.clock.ms}", lease=self.clock.ms, request_id="")
        self.clock.move(1)

    @property
    def record(self) -> Record:
        record = self.store.read(self.message.uuid)
        assert record is not None
        return record


@pytest.fixture
def world(clock: FakeClock) -> World:
    return World(clock)


def broken(task: Task) -> None:
    raise ValueError("the password is x")


# -- ends --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [3, 0, "", [], None, False])
def test_a_result_is_recorded_and_the_message_is_done_with(world: World, value: Any) -> None:
    world.task(lambda task: value)

    outcome = world.execute()

    assert (outcome.status, outcome.give_back, outcome.attempt) == ("succeeded", None, 1)
    assert (world.record.status, world.record.outputs) == ("succeeded", {"result": value})


def test_inputs_are_converted_for_run(world: World) -> None:
    def run(task: Task, number: int, times: int = 2) -> int:
        return number * times

    world.task(run, inputs={"number": IntParameter(), "times": IntParameter(required=False)})

    world.execute(a_message(world.clock, uuid=world.message.uuid, task="work", inputs={"number": "21"}))

    assert world.record.outputs == {"result": 42}


def test_a_coroutine_is_run(world: World) -> None:
    async def run(task: Task) -> int:
        await asyncio.sleep(0)
        return 5

    world.task(run)
    world.execute()

    assert world.record.outputs == {"result": 5}


def test_a_coroutine_is_run_where_an_event_loop_is_running(world: World) -> None:
    seen: list[Any] = []

    async def run(task: Task) -> int:
        await asyncio.sleep(0)
        seen.append(WHOSE.get())
        return 5

    async def view() -> DeliveryResult:
        WHOSE.set("the caller's")
        return world.execute()

    world.task(run)

    assert asyncio.run(view()).status == "succeeded"
    assert world.record.outputs == {"result": 5}
    assert seen == ["the caller's"]


def test_what_a_coroutine_raises_where_an_event_loop_is_running_is_its_own(world: World) -> None:
    async def run(task: Task) -> None:
        raise TooFewNumbers("Give two.")

    async def view() -> DeliveryResult:
        return world.execute()

    world.task(run)
    asyncio.run(view())

    assert (world.record.status, world.record.failure and world.record.failure.type) == (
        "failed",
        "TooFewNumbers",
    )


class Box(BaseModel):
    width: int


class Wrapped(Task[Box]):
    name = "work"

    def __init__(self, params: Box) -> None:
        super().__init__(params)
        self.twice = 2 * params.width

    def run(self) -> int:
        self.inc_progress(increment=3)
        return self.twice


class Counting(Task[Box]):
    name = "work"

    def __init__(self) -> None:
        super().__init__()
        self.count = 1

    def run(self) -> int:
        return self.count + self.params.width


@pytest.mark.parametrize(("kind", "result"), [(Wrapped, 10), (Counting, 6)], ids=["of params", "of nothing"])
def test_a_task_may_have_an_init_of_its_own(world: World, kind: type[Task], result: int) -> None:
    world.registry.add(kind)
    message = a_message(world.clock, task="work", inputs={"width": 5})
    world.store.put_jobs([message])

    world.execute(message)

    record = world.store.read(message.uuid)
    assert record is not None
    assert record.outputs == {"result": result}


def test_a_generator_is_run_and_its_list_is_the_result(world: World) -> None:
    def run(task: Task) -> Any:
        yield 1
        yield 2

    world.task(run)
    world.execute()

    assert world.record.outputs == {"result": [1, 2]}


def test_what_a_generator_raises_is_tried_again_as_that_of_any_task(world: World) -> None:
    def run(task: Task) -> Any:
        yield 1
        raise ValueError("not at once")

    world.task(run, retries=1)

    assert world.execute().status == "pending"


class Listed(Parameter):
    def to_json(self, value: Any) -> Any:
        return list(value)


@pytest.mark.parametrize("lazily", [iter, lambda made: map(int, made)], ids=["generator", "any iterator"])
def test_what_is_made_while_it_is_read_is_under_the_time_limit(
    world: World, lazily: Callable[[Any], Any]
) -> None:
    def endless() -> Iterator[int]:
        while True:
            time.sleep(0.01)
            yield 1

    world.task(lambda task: lazily(endless()), timeout=0.1, outputs={"result": Listed()})
    world.execute()

    assert world.record.failure is not None
    assert (world.record.status, world.record.failure.type) == ("failed", "TaskTimeout")


def test_a_coroutine_that_cancels_itself_fails(world: World) -> None:
    async def run(task: Task) -> None:
        raise asyncio.CancelledError

    world.task(run)

    assert world.execute().status == "failed"


def test_a_task_knows_its_run(world: World) -> None:
    seen: list[Any] = []
    world.task(lambda task: seen.append((task.execution.uuid, task.execution.attempt)))
    world.execute(request_id="r")

    assert seen == [(world.message.uuid, 1)]
    assert world.record.request_id == "r"


def test_an_exception_is_recorded_and_hidden_from_browsers(world: World) -> None:
    world.task(broken)

    outcome = world.execute()

    assert (outcome.status, outcome.give_back) == ("failed", None)
    assert isinstance(outcome.exception, ValueError)
    assert world.record.error == {"type": "ValueError", "message": NEUTRAL_MESSAGE}
    assert world.record.to_json(reveal=True)["error"]["message"] == "the password is x"
    assert "in broken" in world.record.history[0].failure.traceback


def test_a_traceback_begins_with_the_task(world: World) -> None:
    world.task(broken)

    world.execute()

    trace = world.record.history[0].failure.traceback
    assert trace.startswith("Traceback (most recent call last):\n")
    assert "attempt.py" not in trace
    assert "enforcement.py" not in trace


def test_a_traceback_of_ours_alone_is_kept_whole() -> None:
    with pytest.raises(UnknownTask) as raised:
        Registry().get("nothing")

    assert "registry.py" in failure_of(raised.value.with_traceback(raised.tb.tb_next)).traceback


def test_a_task_error_is_shown_to_its_user(world: World) -> None:
    def run(task: Task) -> None:
        raise TooFewNumbers("Give two numbers.")

    world.task(run)
    world.execute()

    assert world.record.error == {"type": "TooFewNumbers", "message": "Give two numbers."}


def test_leaving_the_process_is_a_failure_like_others(world: World) -> None:
    def run(task: Task) -> None:
        raise SystemExit(1)

    world.task(run)

    assert world.execute().status == "failed"


def test_a_cancelled_error_outside_a_coroutine_is_a_failure_like_others(world: World) -> None:
    def run(task: Task) -> None:
        raise asyncio.CancelledError

    world.task(run)

    assert world.execute().status == "failed"
    assert world.record.failure is not None
    assert world.record.failure.type == "CancelledError"


def test_progress_is_recorded_with_the_end(world: World) -> None:
    def run(task: Task) -> None:
        task.set_target(10)
        task.inc_progress(4)
        task.add_message("one")
        task.add_message("two")
        raise ValueError("it broke")

    world.task(run)
    world.execute()

    record = world.record
    assert (record.progress, record.target, record.messages) == (4, 10, ("one", "two"))


def test_outputs_that_do_not_fit_are_a_failure_that_is_not_tried_again(world: World) -> None:
    world.task(lambda task: "a lot", outputs={"sum": NumberParameter()}, retries=5)

    assert world.execute().status == "failed"
    assert world.record.failure is not None
    assert world.record.failure.type == "InvalidOutputs"


def test_outputs_that_do_not_fit_are_not_shown_to_browsers(world: World) -> None:
    world.task(lambda task: {"password": "swordfish"}, outputs={"sum": NumberParameter()})

    world.execute()

    assert world.record.error == {"type": "InvalidOutputs", "message": NEUTRAL_MESSAGE}


def test_outputs_that_have_no_utf8_are_a_failure(world: World) -> None:
    world.task(lambda task: "half a pair: \ud800")

    assert world.execute().status == "failed"
    assert world.record.failure is not None
    assert world.record.failure.type == "InvalidOutputs"


def test_an_exception_that_has_no_text_is_recorded(world: World) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise KeyError("reason")

    def run(task: Task) -> None:
        raise Mute

    world.task(run)

    assert world.execute().status == "failed"
    assert world.record.failure is not None
    assert world.record.failure.message == "The exception has no message: its __str__ raised KeyError."


def test_inputs_that_do_not_fit_are_a_failure_that_is_not_tried_again(world: World) -> None:
    world.task(lambda task, number: number, inputs={"number": IntParameter()}, retries=5)

    assert world.execute().status == "failed"
    assert world.record.failure is not None
    assert (world.record.failure.type, world.record.failure.public) == ("InvalidInputs", True)


def test_outputs_too_large_to_keep_are_a_failure(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def succeed(*_: Any) -> None:
        raise PayloadTooLarge("outputs", 500_000, 300_000)

    monkeypatch.setattr(world.store, "succeed", succeed)
    world.task(lambda task: "x", retries=5)

    assert world.execute().status == "failed"
    assert world.record.error is not None
    assert "500,000 bytes; the limit is 300,000" in world.record.error["message"]


def test_a_class_that_contradicts_itself_is_a_failure(world: World) -> None:
    world.task(lambda task: None, inputs={"number": IntParameter()})

    assert world.execute().status == "failed"
    assert world.record.failure is not None
    assert world.record.failure.type == "TaskDefinitionError"


def test_large_inputs_are_fetched(world: World) -> None:
    class Kept:
        def put(self, key: str, data: bytes) -> None:
            raise AssertionError

        def get(self, key: str) -> bytes:
            assert key == inputs_key(world.message.uuid)
            return b'{"number": 5}'

    world.blobs = Kept()
    world.task(lambda task, number: number, inputs={"number": IntParameter()})

    world.execute(
        a_message(
            world.clock,
            uuid=world.message.uuid,
            task="work",
            inputs={},
            inputs_key=inputs_key(world.message.uuid),
        )
    )

    assert world.record.outputs == {"result": 5}


# -- what does not begin ----------------------------------------------------------------------------------------


class Bucket:
    """A bucket that refuses."""

    def __init__(self, code: str) -> None:
        self.error = AwsError("s3.get_object", code, "refused", applied=False)

    def put(self, key: str, data: bytes) -> None:
        raise self.error

    def get(self, key: str) -> bytes:
        raise self.error


def test_a_bucket_that_is_busy_gives_the_message_back_and_the_attempt_does_not_count(world: World) -> None:
    world.task(lambda task: 5)
    world.blobs = Bucket("SlowDown")

    with pytest.raises(AwsError, match="SlowDown"):
        world.execute(replace(world.message, inputs_key=inputs_key(world.message.uuid)))

    assert (world.record.status, world.record.attempt) == ("pending", 0)


@pytest.mark.parametrize("code", ["NoSuchKey", "AccessDenied"])
def test_inputs_that_are_gone_are_a_failure(world: World, code: str) -> None:
    world.task(lambda task: 5)
    world.blobs = Bucket(code)

    outcome = world.execute(replace(world.message, inputs_key=inputs_key(world.message.uuid)))

    assert outcome.status == "failed"
    assert world.record.failure is not None
    assert (world.record.failure.type, world.record.failure.public) == ("AwsError", False)


def test_a_task_that_this_deployment_lacks_leaves_the_job_alone(world: World) -> None:
    with pytest.raises(UnknownTask):
        world.execute()

    assert world.record.status == "pending"


def test_a_message_of_an_ended_job_is_done_with_and_not_run(world: World) -> None:
    runs: list[int] = []
    world.task(lambda task: runs.append(1))
    world.execute()

    outcome = world.execute()

    assert (outcome.status, outcome.give_back, len(runs)) == ("ended", None, 1)


def test_a_duplicate_under_a_live_lease_goes_back_until_the_lease_ends(world: World) -> None:
    world.task(lambda task: pytest.fail("it is held by another"))
    lease = world.clock.ms + 120_000
    world.store.claim(world.message, token="other", lease=lease, request_id="")

    outcome = world.execute()

    assert outcome.status == "busy"
    assert outcome.give_back is not None
    assert 120 <= outcome.give_back <= 122
    world.clock.move(outcome.give_back)
    assert to_ms(world.clock.now()) > lease


def test_a_retry_that_comes_too_early_goes_back(world: World) -> None:
    world.task(broken, retries=1)
    world.execute()
    (again,) = world.sent

    outcome = world.execute(again)

    assert outcome.status == "waiting"
    assert outcome.give_back is not None
    assert outcome.give_back >= 1


def test_a_message_past_its_time_is_settled_and_not_run(world: World) -> None:
    world.task(lambda task: pytest.fail("it is too late"))
    world.clock.move(RETENTION + 1)

    outcome = world.execute()

    assert outcome.give_back is None
    assert world.record.error is not None
    assert world.record.error["type"] == "Expired"


def test_a_message_past_its_time_never_ends_a_job_that_runs(world: World) -> None:
    world.task(lambda task: None)
    world.clock.move(RETENTION - 10)
    world.store.claim(world.message, token="other", lease=world.clock.ms + 60_000, request_id="")
    world.clock.move(20)

    outcome = world.execute()

    assert outcome.status == "busy"
    assert outcome.give_back is not None
    assert world.record.status == "running"


def test_a_job_cancelled_before_it_began_is_not_run(world: World) -> None:
    world.task(lambda task: pytest.fail("it was cancelled"))
    world.store.cancel(world.message.uuid)

    assert world.execute().status == "ended"
    assert world.record.status == "cancelled"


def test_a_store_that_cannot_be_asked_gives_the_message_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def claim(*_: Any, **__: Any) -> Any:
        raise AwsError("dynamodb.UpdateItem", "ThrottlingException", "slow down", applied=False)

    monkeypatch.setattr(world.store, "claim", claim)
    world.task(lambda task: None)

    with pytest.raises(AwsError):
        world.execute()


# -- retries ---------------------------------------------------------------------------------------------------


def test_without_retries_the_first_exception_is_the_last(world: World) -> None:
    world.task(broken)

    world.execute()

    assert (world.record.status, world.sent) == ("failed", [])


def test_a_retry_waits_sends_the_same_job_with_a_delay_and_is_done_with(world: World) -> None:
    world.task(broken, retries=1)

    outcome = world.execute()

    assert (outcome.status, outcome.give_back) == ("pending", None)
    assert isinstance(outcome.exception, ValueError)
    (again,) = world.sent
    delay = again.delay(world.clock.now())
    assert (again.uuid, again.task, delay >= 1) == (world.message.uuid, "work", True)
    assert again.expires == world.clock.ms + (delay + RETENTION) * 1000
    assert (world.record.status, world.record.error) == ("pending", None)


def test_a_retry_is_due_when_its_message_comes(world: World) -> None:
    world.task(broken, retries=1)
    world.execute()
    (again,) = world.sent
    world.clock.move(again.delay(world.clock.now()))

    assert world.execute(again).status == "failed"


def test_retries_count_exceptions(world: World) -> None:
    world.task(broken, retries=2)
    statuses = [world.execute().status]
    while statuses[-1] == "pending":
        world.clock.move(901)
        statuses.append(world.execute(world.sent[-1]).status)

    assert statuses == ["pending", "pending", "failed"]
    assert [attempt.number for attempt in world.record.history] == [1, 2, 3]
    assert world.record.attempt == 3


def test_a_lost_worker_burns_no_retry(world: World) -> None:
    world.task(broken, retries=1)
    for _ in range(2):
        world.lose_a_worker()

    assert world.execute().status == "pending"


def test_a_redelivery_burns_no_retry(world: World) -> None:
    world.task(broken, retries=1)
    world.execute()
    for _ in range(5):
        assert world.execute(world.sent[-1]).status == "waiting"
    world.clock.move(901)

    assert world.execute(world.sent[-1]).status == "failed"
    assert world.record.attempt == 2


def test_a_retry_that_cannot_be_sent_gives_its_own_message_back(world: World) -> None:
    def refuse(message: Message) -> None:
        raise SubmitFailed("down")

    world.task(broken, retries=1)
    world.republish = refuse  # type: ignore[method-assign]

    outcome = world.execute()

    assert outcome.status == "pending"
    assert outcome.give_back is not None
    world.clock.move(outcome.give_back)
    assert world.execute().status == "failed"


def test_a_task_says_after_which_error_it_is_run_again(world: World) -> None:
    errors: list[Exception] = [OSError("busy"), OSError("busy"), ValueError("never")]

    def raises(task: Task) -> None:
        raise errors.pop(0)

    def retries_after(task: Task, error: BaseException) -> int:
        return 5 if isinstance(error, OSError) else 0

    world.task(raises, retries_after=retries_after)

    outcomes = [world.execute()]
    while world.sent:
        world.clock.move(1000)
        outcomes.append(world.execute(world.sent.pop()))

    assert [outcome.status for outcome in outcomes] == ["pending", "pending", "failed"]
    assert isinstance(outcomes[-1].exception, ValueError)


@pytest.mark.parametrize("answer", [lambda: None, lambda: 1 // 0], ids=["nothing", "an error"])
def test_a_task_that_cannot_say_whether_it_is_run_again_ends(
    world: World, answer: Callable[[], int | None]
) -> None:
    world.task(broken, retries=5, retries_after=lambda task, error: answer())

    outcome = world.execute()

    assert (outcome.status, world.sent) == ("failed", [])
    assert outcome.failure is not None
    assert outcome.failure.type == "ValueError"
    assert "retries_after() raised" in outcome.failure.traceback


def test_a_direct_run_does_not_retry(world: World) -> None:
    world.task(broken, retries=5)

    assert world.execute(retry=False).status == "failed"


def test_lost_workers_have_a_limit_of_three(world: World) -> None:
    runs: list[int] = []
    world.task(lambda task: runs.append(1))
    for _ in range(4):
        world.lose_a_worker()

    outcome = world.execute()

    assert (outcome.status, runs) == ("failed", [])
    assert world.record.error is not None
    assert world.record.error["type"] == "WorkerLost"
    told = [event.outcome for event in timeline(world.record) if event.event == "attempt"]
    assert told == ["lost", "lost", "lost", "lost", "not run"]


def test_after_three_lost_workers_a_job_is_still_run(world: World) -> None:
    world.task(lambda task: 5)
    for _ in range(3):
        world.lose_a_worker()

    assert world.execute().status == "succeeded"


# -- a task that asks to be run again ----------------------------------------------------------------------------


def asks(after: float | None = None, reason: str = "") -> Callable[[Task], None]:
    def run(task: Task) -> None:
        task.retry(after=after, reason=reason)

    return run


@pytest.mark.parametrize("after", [0, 0.5, 30, 900])
def test_a_task_may_ask_for_its_own_retry(world: World, after: float) -> None:
    world.task(asks(after, "the file is not there yet"), retries=1)

    outcome = world.execute()

    (again,) = world.sent
    assert (outcome.status, outcome.give_back) == ("pending", None)
    assert (again.uuid, again.delay(world.clock.now())) == (world.message.uuid, math.ceil(after))
    assert (world.record.status, world.record.error) == ("pending", None)
    (attempt,) = world.record.history
    assert (attempt.failure.type, attempt.failure.message) == ("TaskRetry", "the file is not there yet")
    world.clock.move(after)
    world.task(lambda task: task.attempt)
    assert world.execute(again).status == "succeeded"
    assert world.record.outputs == {"result": 2}


def test_a_retry_without_a_time_waits_as_after_an_exception(world: World) -> None:
    world.task(asks(), retries=1, backoff=0.5)

    world.execute()

    assert world.sent[0].delay(world.clock.now()) == 1


def test_a_retry_further_away_than_sqs_can_delay_is_given_back_until_it_is_due(world: World) -> None:
    world.task(asks(7200), retries=1)
    world.execute()
    (again,) = world.sent
    due = world.clock.now() + 7200
    assert again.delay(world.clock.now()) == 7200
    assert again.expires >= to_ms(due + RETENTION)

    world.clock.move(900)
    early = world.execute(again)

    assert (early.status, world.record.attempt) == ("waiting", 1)
    assert early.give_back == pytest.approx(6300, abs=2)
    world.task(lambda task: 5)
    world.clock.move(early.give_back or 0)
    assert world.execute(again).status == "succeeded"


@pytest.mark.parametrize(("left", "sent_again"), [(43_198, False), (43_202, True)])
def test_a_retry_further_away_than_sqs_can_hide_is_sent_again(
    world: World, left: int, sent_again: bool
) -> None:
    """A queue keeps a message for four days; one that is sent again is as good as new."""
    world.task(asks(5 * 86_400), retries=1)
    world.execute()
    due = world.clock.ms + 5 * 86_400_000
    early = world.sent.pop()
    world.clock.move(5 * 86_400 - left)

    outcome = world.execute(early)

    assert outcome.status == "waiting"
    assert (outcome.give_back is None) == sent_again
    assert [message.run_at for message in world.sent] == [pytest.approx(due, abs=1000)] * sent_again
    assert all(message.expires >= due + RETENTION * 1000 - 1000 for message in world.sent)


def test_a_retry_that_cannot_be_sent_again_is_given_back(world: World) -> None:
    world.task(asks(5 * 86_400), retries=1)
    world.execute()
    (again,) = world.sent

    def refuse(message: Message) -> None:
        raise SubmitFailed("down")

    world.republish = refuse  # type: ignore[method-assign]

    assert (world.execute(again).give_back or 0) > 43_200


def test_what_a_task_asks_for_counts_as_a_retry(world: World) -> None:
    world.task(asks(0, "busy"), retries=2)

    statuses = [world.execute().status, world.execute().status, world.execute().status]

    assert statuses == ["pending", "pending", "failed"]
    failure = world.record.failure
    assert failure is not None
    assert (failure.type, failure.public) == ("RetriesExhausted", False)
    assert (
        failure.message == "The task requested a retry, but its retries (2) are used up. Reason given: busy"
    )
    assert [attempt.failure.type for attempt in world.record.history] == [
        "TaskRetry",
        "TaskRetry",
        "RetriesExhausted",
    ]


def test_what_led_a_task_to_ask_is_kept(world: World) -> None:
    def run(task: Task) -> None:
        try:
            raise OSError("connection refused")
        except OSError:
            task.retry(after=0)

    world.task(run, retries=1)
    world.execute()
    world.execute()

    assert all("connection refused" in attempt.failure.traceback for attempt in world.record.history)


@pytest.mark.parametrize(
    ("attributes", "given", "why"),
    [
        ({}, {}, "set retries on its class"),
        ({"retries": 5}, {"retry": False}, "a direct invoke is not retried"),
    ],
)
def test_a_task_that_asks_without_having_any_retries_is_told_so(
    world: World, attributes: dict[str, Any], given: dict[str, Any], why: str
) -> None:
    world.task(asks(0), **attributes)

    assert world.execute(**given).status == "failed"
    assert world.record.failure is not None
    assert why in world.record.failure.message
    assert world.sent == []


@pytest.mark.parametrize("after", [-1, 1_209_601, float("nan")])
def test_a_retry_at_no_time_is_refused(after: float) -> None:
    class Asks(Task):
        def run(self) -> None:
            self.retry(after=after)

    with pytest.raises(ValueError, match=r"retry\(after=.*expected seconds, from 0 to 1209600"):
        Asks().run()


def test_a_task_run_here_and_now_raises_what_it_asks_for() -> None:
    class Asks(Task):
        def run(self) -> None:
            self.retry(after=5, reason="busy")

    with pytest.raises(TaskRetry, match="busy") as raised:
        Asks().run()
    assert raised.value.after == 5


def test_exceptions_that_a_task_does_not_retry_on_end_the_job(world: World) -> None:
    world.task(broken, retries=5, retry_on=(OSError,))

    assert world.execute().status == "failed"
    assert world.sent == []


def test_a_task_waits_by_its_own_backoff(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", lambda low, high: high)
    world.task(broken, retries=9, backoff=30, backoff_cap=100)
    waits = []
    for _ in range(3):
        world.execute(world.sent[-1] if world.sent else None)
        waits.append(world.sent[-1].delay(world.clock.now()))
        world.clock.move(1000)

    assert waits == [30, 60, 100]


# -- lost workers ------------------------------------------------------------------------------------------------


def test_a_task_that_must_not_run_twice_fails_once_its_worker_was_lost(world: World) -> None:
    world.task(lambda task: pytest.fail("it may have run"), on_lost="fail", retries=5)
    world.lose_a_worker()

    outcome = world.execute()

    assert (outcome.status, outcome.give_back, world.sent) == ("failed", None, [])
    assert world.record.error is not None
    assert world.record.error["type"] == "WorkerLost"
    assert world.record.attempt == 2


def test_a_direct_invoke_does_not_run_twice_either(world: World) -> None:
    world.task(lambda task: pytest.fail("it may have run"), on_lost="fail")
    world.lose_a_worker()

    assert world.execute(retry=False).status == "failed"


@pytest.mark.parametrize(("on_lost", "ran"), [("fail", 1), ("retry", 4)])
def test_a_run_whose_end_cannot_be_recorded_counts_as_a_lost_worker(
    world: World, monkeypatch: pytest.MonkeyPatch, on_lost: str, ran: int
) -> None:
    """Its work is done: an outage that lasts must not have it done again and again."""
    runs: list[int] = []
    world.task(lambda task: runs.append(1), on_lost=on_lost)
    refused = AwsError("s3.put_object", "SlowDown", "no", applied=False)
    monkeypatch.setattr(world.store, "succeed", mock.Mock(side_effect=refused))
    for _ in range(ran):
        with pytest.raises(AwsError):
            world.execute(deadline=world.clock.now() + 60)
        assert world.execute().status == "busy"
        world.clock.move(61)

    assert world.execute().status == "failed"
    assert len(runs) == ran
    assert world.record.error is not None
    assert world.record.error["type"] == "WorkerLost"


def test_a_task_that_must_not_run_twice_is_still_retried_after_its_own_failures(world: World) -> None:
    world.task(broken, on_lost="fail", retries=1)
    world.execute()
    world.clock.move(5)

    assert world.execute(world.sent[-1]).status == "failed"
    assert world.record.failure is not None
    assert world.record.failure.type == "ValueError"


@pytest.mark.parametrize("applied", [True, False])
def test_a_claim_whose_answer_was_lost_counts_as_no_lost_worker(
    world: World, monkeypatch: pytest.MonkeyPatch, applied: bool
) -> None:
    claim = world.store.claim

    def unanswered(*args: Any, **given: Any) -> Any:
        if applied:
            claim(*args, **given)
        raise AwsError("dynamodb.UpdateItem", "ReadTimeoutError", "no answer", applied=True)

    world.task(lambda task: 5, on_lost="fail")
    monkeypatch.setattr(world.store, "claim", unanswered)
    with pytest.raises(AwsError, match="no answer"):
        world.execute()
    monkeypatch.undo()

    assert world.execute().status == "succeeded"
    assert world.record.attempt == 1


def test_a_claim_that_was_throttled_costs_no_further_call(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def throttled(*_: Any, **__: Any) -> Any:
        raise AwsError("dynamodb.UpdateItem", "ThrottlingException", "slow down", applied=False)

    monkeypatch.setattr(world.store, "claim", throttled)
    monkeypatch.setattr(world.store, "release", lambda *_: pytest.fail("nothing to release"))
    world.task(lambda task: 5)

    with pytest.raises(AwsError):
        world.execute()


def test_a_release_that_fails_does_not_hide_why_it_was_tried(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def down(*_: Any, **__: Any) -> Any:
        raise AwsError("dynamodb.UpdateItem", "ReadTimeoutError", "no answer", applied=True)

    monkeypatch.setattr(world.store, "claim", down)
    monkeypatch.setattr(world.store, "release", lambda *_: down())
    world.task(lambda task: 5)

    with pytest.raises(AwsError):
        world.execute()

    assert "could not be released" in caplog.text


# -- stopping ----------------------------------------------------------------------------------------------------


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


# -- leases ------------------------------------------------------------------------------------------------------


def test_a_lease_lasts_to_the_functions_deadline(world: World) -> None:
    busy: list[int] = []

    def run(task: Task) -> None:
        claim = world.store.claim(world.message, token="other", lease=0, request_id="")
        busy.append(claim.until)

    world.task(run)
    world.execute(deadline=world.clock.now() + 123)

    assert busy == [world.clock.ms + 123_000]


def test_a_worker_without_deadline_renews_its_lease(world: World) -> None:
    leases: list[float] = []

    def run(task: Task) -> None:
        for _ in range(5):
            world.clock.pass_wait(20)
            world.clock.pass_wait(1)
            claim = world.store.claim(world.message, token="other", lease=0, request_id="")
            assert claim.answer == "busy"
            leases.append(claim.until / 1000 - world.clock.now())

    world.task(run, timeout=600)

    assert world.execute(deadline=None).status == "succeeded"
    assert leases == pytest.approx([59] * 5)


def test_a_worker_whose_task_cannot_be_stopped_gives_its_lease_up(world: World) -> None:
    leases: list[int] = []

    def run(task: Task) -> None:
        for _ in range(8):
            world.clock.pass_wait(20)
            world.clock.pass_wait(1)
            claim = world.store.claim(world.message, token="other", lease=0, request_id="")
            leases.append(claim.until)

    world.task(run, timeout=30)
    began = world.clock.ms

    world.execute(deadline=None)

    assert max(leases) == began + (30 + GRACE + 60) * 1000


@pytest.mark.parametrize(("has_queue", "status"), [(True, "running"), (False, "failed")])
def test_a_job_that_no_queue_holds_reads_as_lost_once_its_lease_is_over(
    world: World, has_queue: bool, status: str
) -> None:
    read: list[Record] = []

    def run(task: Task) -> None:
        world.clock.move(301)
        read.append(world.record)

    world.has_queue = has_queue
    world.task(run)
    world.execute(deadline=world.clock.now() + 300)

    assert read[0].status == status
    assert has_queue or read[0].error == {"type": "WorkerLost", "message": WORKER_LOST.message}


def test_a_retry_that_no_queue_holds_reads_as_expired_an_hour_after_its_time(world: World) -> None:
    world.has_queue = False
    world.task(asks(7200), retries=1)

    world.execute()

    world.clock.move(7200 + 3600)
    assert world.record.status == "pending"
    world.clock.move(1)
    assert world.record.error is not None
    assert world.record.error["type"] == "Expired"


def test_a_settled_job_keeps_its_end(world: World) -> None:
    def run(task: Task) -> int:
        world.clock.move(400)
        world.store.settle(world.message, Failure(type="Undeliverable", message="given up"))
        return 5

    world.task(run)

    assert world.execute().status == "lost"
    assert world.record.error == {"type": "Undeliverable", "message": "given up"}


def test_a_job_that_was_claimed_in_time_is_run_even_when_it_expires_before_its_turn(world):
    world.task(lambda self: 42)
    claim = world.store.claim(
        world.message, token="mine", lease=world.message.expires + 300_000, request_id=""
    )
    world.clock.move(world.message.expires / 1000 - world.clock.now() + 1)
    assert world.execute(claim=claim).status == "succeeded"
    assert world.record.outputs == {"result": 42}


def test_a_claim_that_is_interrupted_is_given_back(world, monkeypatch):
    def interrupted(*args, **options):
        claim(*args, **options)
        raise KeyboardInterrupt

    world.task(lambda self: 42)
    claim = world.store.claim
    monkeypatch.setattr(world.store, "claim", interrupted)
    with pytest.raises(KeyboardInterrupt):
        world.execute()
    assert (world.record.status, world.record.attempt) == ("pending", 0)
