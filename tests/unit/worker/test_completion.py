"""What an end leads to: a recorded end, or a retry."""

import math
import sys
from collections.abc import Callable
from typing import Any

import pytest

from serverless_tasks import Task
from serverless_tasks.client.timeline import timeline
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.message import RETENTION, Message
from serverless_tasks.engine.job.record import WORKER_LOST, Failure
from serverless_tasks.errors import SubmitFailed, TaskRetry
from tests.support.worker import World, asks, broken


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


class Mute(Exception):
    def __repr__(self) -> str:
        raise ValueError

    __str__ = __repr__


def mute() -> int:
    raise Mute


@pytest.mark.parametrize(
    "answer",
    [lambda: None, lambda: 1 // 0, lambda: sys.exit(3), mute],
    ids=["nothing", "an error", "an exit", "an error without a text"],
)
def test_a_task_that_cannot_say_whether_it_is_run_again_ends(
    world: World, answer: Callable[[], int | None]
) -> None:
    world.task(broken, retries=5, retries_after=lambda task, error: answer())

    outcome = world.execute()

    assert (outcome.status, world.sent) == ("failed", [])
    assert outcome.failure is not None
    assert outcome.failure.type == "ValueError"
    assert "retries_after() raised" in outcome.failure.traceback


def test_an_exception_that_takes_no_note_ends_the_job(world: World) -> None:
    def run(task: Task) -> None:
        error = ValueError("noted")
        error.__notes__ = 5  # type: ignore[assignment]
        raise error

    world.task(run, retries=5, retries_after=lambda task, error: 1 // 0)

    assert (world.execute().status, world.sent) == ("failed", [])


@pytest.mark.parametrize("after", [float("inf"), float("nan"), "soon", -5, 10**30])
def test_a_retry_at_no_time_that_is_raised_all_the_same_waits_as_after_an_exception(
    world: World, after: Any
) -> None:
    def run(task: Task) -> None:
        raise TaskRetry("busy", after)

    world.task(run, retries=5)

    assert world.execute().status == "pending"
    assert 0 < world.sent[0].delay(world.clock.now()) <= 20


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


def test_a_lost_attempt_that_is_settled_as_a_dead_letter_is_told_as_lost(world: World) -> None:
    world.lose_a_worker()
    world.clock.move(70)
    undeliverable = Failure(type="Undeliverable", message="The job was delivered many times and never ended.")

    assert world.store.settle(world.message, undeliverable).answer == "settled"

    _, attempt, state = timeline(world.record)
    assert (attempt.outcome, attempt.ended, attempt.type) == ("lost", None, None)
    assert (state.event, state.type) == ("failed", "Undeliverable")


def test_a_lost_attempt_with_no_message_behind_it_is_told_as_lost(world: World) -> None:
    world.lose_a_worker()
    world.clock.move(RETENTION + 1)

    assert world.record.failure == WORKER_LOST
    _, attempt, state = timeline(world.record)
    assert (attempt.outcome, attempt.ended, state.type) == ("lost", None, "WorkerLost")


def test_after_three_lost_workers_a_job_is_still_run(world: World) -> None:
    world.task(lambda task: 5)
    for _ in range(3):
        world.lose_a_worker()

    assert world.execute().status == "succeeded"


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
