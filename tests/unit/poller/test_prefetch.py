"""A worker that is called with one message at a time asks SQS for several at once, as long as that holds up nobody."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from serverless_tasks.engine.aws.sqs.receiving import QueueAttributes, ReceivedMessage
from serverless_tasks.engine.job.clock import Clock
from serverless_tasks.errors import AwsError
from serverless_tasks.poller import Mapping, Poller
from serverless_tasks.poller.poller import FLUSH_INTERVAL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class MovedClock(Clock):
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.time = 1_700_000_000.0

    def now(self) -> float:
        return self.time


class Queue:
    """A queue that notes what it is asked."""

    def __init__(self, messages: int, name: str = "jobs") -> None:
        self.name = name
        self.waiting = [str(number) for number in range(messages)]
        self.limits: list[int] = []
        self.deleted: list[list[str]] = []
        self.changed: list[tuple[list[str], int]] = []
        self.fails = False

    def attributes(self) -> QueueAttributes:
        return QueueAttributes(f"arn:aws:sqs:us-east-1:123456789012:{self.name}", 1800)

    def receive(self, limit: int, *, wait: int, visibility: int | None) -> list[ReceivedMessage]:
        self.limits.append(limit)
        taken, self.waiting = self.waiting[:limit], self.waiting[limit:]
        return [ReceivedMessage(each, f"receipt-{each}", "{}", "") for each in taken]

    def delete(self, messages: Sequence[ReceivedMessage]) -> list[ReceivedMessage]:
        if self.fails:
            raise AwsError("sqs.DeleteMessageBatch", "EndpointConnectionError", "no route", applied=True)
        if messages:
            self.deleted.append([message.message_id for message in messages])
        return []

    def change_visibility(self, messages: Sequence[ReceivedMessage], seconds: int) -> list[ReceivedMessage]:
        self.changed.append(([message.message_id for message in messages], seconds))
        return []


class Worker:
    """A container's worker on a queue, whose tasks a test times."""

    def __init__(self, queue: Queue, clock: Clock, handler: Callable[[str], Any]) -> None:
        self.handled: list[str] = []
        self._handler = handler
        self.poller = Poller(
            [Mapping("http://queue/jobs", "handler", batch_size=1, timeout=None)],
            heartbeat=True,
            wait=0,
            clock=clock,
            queue=lambda url: queue,  # type: ignore[arg-type, return-value]
            handler=lambda name: self._handle,
        )

    def turns(self, most: int = 100) -> None:
        """Poll until the queue is empty, or so often."""
        for _ in range(most):
            if not self.poller.poll_once():
                return

    def _handle(self, event: dict[str, Any], context: Any) -> Any:
        [record] = event["Records"]
        self.handled.append(record["messageId"])
        return self._handler(record["messageId"])


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


def taking(clock: MovedClock, seconds: float) -> Callable[[str], None]:
    """Tasks that take so long."""

    def handler(message: str) -> None:
        clock.time += seconds

    return handler


def test_short_tasks_are_received_and_deleted_ten_at_a_time(clock: MovedClock) -> None:
    queue = Queue(21)
    worker = Worker(queue, clock, taking(clock, 0.01))
    worker.turns()

    assert worker.handled == [str(number) for number in range(21)]
    # The first one shows how long they take.
    assert queue.limits == [1, 10, 10, 10]
    assert queue.deleted == [worker.handled[:1], worker.handled[1:11], worker.handled[11:]]


def test_long_tasks_are_received_one_at_a_time_and_deleted_at_once(clock: MovedClock) -> None:
    queue = Queue(3)
    Worker(queue, clock, taking(clock, 1.5)).turns()

    assert queue.limits == [1, 1, 1, 1]
    assert queue.deleted == [["0"], ["1"], ["2"]]


@pytest.mark.parametrize(
    ("seconds", "limit"), [(0.0, 10), (0.1, 10), (0.3, 3), (0.5, 2), (1.0, 1), (60.0, 1)]
)
def test_no_more_is_received_than_a_second_is_enough_for(
    clock: MovedClock, seconds: float, limit: int
) -> None:
    queue = Queue(2)
    Worker(queue, clock, taking(clock, seconds)).turns(2)

    assert queue.limits == [1, limit]


def test_the_longest_of_the_last_ten_tasks_counts(clock: MovedClock) -> None:
    queue = Queue(30)

    def handler(message: str) -> None:
        clock.time += 5 if message == "0" else 0.01

    Worker(queue, clock, handler).turns()

    assert queue.limits[:12] == [1] * 11 + [10]


def test_what_waits_behind_a_task_that_turns_out_long_goes_back(clock: MovedClock) -> None:
    queue = Queue(11)
    seen: list[Any] = []

    def handler(message: str) -> None:
        if message == "2":
            clock.time += 1.9
            worker.poller.flush()
            seen.append((list(queue.changed), list(queue.deleted)))
            clock.time += 0.2
            worker.poller.flush()

    worker = Worker(queue, clock, handler)
    worker.turns()

    # What is done is deleted in the meantime, so that it is not delivered again behind the long one.
    assert seen == [([], [["0"], ["1"]])]
    assert queue.changed == [([str(number) for number in range(3, 11)], 0)]
    assert worker.handled == ["0", "1", "2"]
    assert queue.deleted == [["0"], ["1"], ["2"]]


def test_a_task_that_failed_stays_and_those_around_it_are_deleted(clock: MovedClock) -> None:
    queue = Queue(4)

    def handler(message: str) -> Any:
        return {"batchItemFailures": [{"itemIdentifier": "2"}]} if message == "2" else None

    Worker(queue, clock, handler).turns()

    assert queue.deleted == [["0"], ["1", "3"]]


def test_stopping_gives_back_what_was_not_begun(clock: MovedClock) -> None:
    queue = Queue(11)
    worker = Worker(queue, clock, taking(clock, 0.01))
    worker.turns(3)

    assert worker.poller.stop(grace=0) == 8
    assert queue.changed == [([str(number) for number in range(3, 11)], 0)]
    assert queue.deleted == [["0"], ["1", "2"]]
    assert worker.poller.poll_once() == 0
    assert worker.handled == ["0", "1", "2"]


def test_stopping_gives_back_what_was_not_begun_before_it_waits_for_what_runs(clock: MovedClock) -> None:
    queue = Queue(11)

    def handler(message: str) -> None:
        if message == "1":
            worker.poller.stop(grace=0)

    worker = Worker(queue, clock, handler)
    worker.turns(2)

    assert queue.changed == [([str(number) for number in range(2, 11)], 0), (["1"], 0)]


def test_the_order_of_a_fifo_queue_is_kept(clock: MovedClock) -> None:
    queue = Queue(3, "jobs.fifo")
    Worker(queue, clock, taking(clock, 0.0)).turns()

    assert queue.limits == [1, 1, 1, 1]
    assert queue.deleted == [["0"], ["1"], ["2"]]


def test_a_running_worker_tends_its_queues_every_second() -> None:
    queue = Queue(11)
    runs, tended = threading.Event(), threading.Event()
    waits: list[float] = []

    class Ticking(MovedClock):
        def wait(self, event: threading.Event, seconds: float) -> bool:
            if seconds > FLUSH_INTERVAL or tended.is_set() or not runs.wait(5):
                return event.wait(10)
            waits.append(seconds)
            self.time += seconds
            if len(waits) == 4:
                tended.set()
            return False

    def handler(message: str) -> None:
        if message == "1":
            runs.set()
            assert tended.wait(5)

    with Worker(queue, Ticking(), handler).poller:
        assert tended.wait(5)

    assert waits == [1, 1, 1, 1]
    assert queue.changed[0] == ([str(number) for number in range(2, 11)], 0)
    assert queue.deleted[0] == ["0"]


def test_an_error_while_tending_is_logged_and_ends_nothing(
    clock: MovedClock, caplog: pytest.LogCaptureFixture
) -> None:
    queue = Queue(3)

    def handler(message: str) -> None:
        if message == "2":
            queue.fails = True
            worker.poller.flush()
            queue.fails = False

    worker = Worker(queue, clock, handler)
    worker.turns()

    assert worker.handled == ["0", "1", "2"]
    assert "could not be returned or deleted" in caplog.text
