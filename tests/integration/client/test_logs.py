"""A job's own log lines, read from the log group of the workers."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import pytest

from serverless_tasks import ConfigurationError
from serverless_tasks.client.operations.story import logs
from serverless_tasks.client.operations.story.logs import LogLine, follow_log, job_log
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.job.progress import Snapshot
from serverless_tasks.engine.job.record import Failure
from serverless_tasks.engine.services import Services
from serverless_tasks.engine.store.base import Claim, Store
from serverless_tasks.engine.store.memory import MemoryStore
from tests.support.aws import account
from tests.support.clock import FakeClock
from tests.support.jobs import a_message

GROUP = "/serverless-tasks/shop/worker"
REQUEST = "8f5b9c1e-0000-4000-8000-000000000001"
OTHER = "8f5b9c1e-0000-4000-8000-000000000002"
BROKEN = Failure(type="ValueError", message="it broke", public=False)


@pytest.fixture
def clock() -> FakeClock:
    """An hour ago: CloudWatch takes lines of the last days alone."""
    return FakeClock(float(int(time.time()) - 3600))


@pytest.fixture
def services(clock: FakeClock) -> Iterator[Services]:
    with account():
        session.client("logs").create_log_group(logGroupName=GROUP)
        yield Services(Config(log_group=GROUP), clock=clock, store=MemoryStore(clock))


@pytest.fixture
def write(services: Services, clock: FakeClock) -> "Writer":
    return Writer(clock)


class Writer:
    """Writes lines as Lambda does, now, into the stream of an execution environment."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._streams: set[str] = set()

    def __call__(self, text: str, stream: str = "one") -> None:
        client = session.client("logs")
        if stream not in self._streams:
            client.create_log_stream(logGroupName=GROUP, logStreamName=stream)
            self._streams.add(stream)
        client.put_log_events(
            logGroupName=GROUP,
            logStreamName=stream,
            logEvents=[{"timestamp": self._clock.ms, "message": text}],
        )

    def structured(
        self, message: str, uuid: str, stream: str = "one", level: str = "INFO", **more: object
    ) -> None:
        """As Powertools' logger does within a job."""
        self(json.dumps({"level": level, "message": message, "uuid": uuid, "task": "sum", **more}), stream)


def begin(
    store: Store, clock: FakeClock, message: Message, token: str = "a", request: str = REQUEST
) -> Claim:
    return store.claim(message, token=token, lease=clock.ms + 60_000, request_id=request)


def log_of(services: Services, message: Message, **given: int) -> list[LogLine]:
    record = services.store.read(message.uuid)
    assert record is not None
    return job_log(services, record, **given)


def test_lines_of_the_other_jobs_of_a_batch_are_left_out(
    services: Services, clock: FakeClock, write: Writer
) -> None:
    store, mine, before, after = services.store, *(a_message(clock) for _ in range(3))
    write(f"START RequestId: {REQUEST} Version: $LATEST\n")
    for message, text in ((before, "before"), (mine, "mine"), (after, "after")):
        clock.move(10)
        held = begin(store, clock, message)
        clock.move(1)
        write(f"printed {text}\n")
        write(f"[WARNING]\t2026-01-01T00:00:00.000Z\t{REQUEST}\tlogged {text}\n")
        write.structured(f"said {text}", message.uuid)
        store.succeed(message.uuid, held, Snapshot(1), {"sum": 1})
        write.structured("task succeeded", message.uuid, attempt=1, seconds=1.0)
    clock.move(1)
    write(f"END RequestId: {REQUEST}\n")
    write(f"REPORT RequestId: {REQUEST}\tDuration: 3000 ms\n")
    write(json.dumps({"_aws": {}, "TaskSucceeded": 3}))

    assert [(line.level, line.message) for line in log_of(services, mine)] == [
        ("", f"START RequestId: {REQUEST} Version: $LATEST"),
        ("", "printed mine"),
        ("WARNING", "logged mine"),
        ("INFO", "said mine"),
        ("INFO", "task succeeded"),
        ("", f"END RequestId: {REQUEST}"),
        ("", f"REPORT RequestId: {REQUEST}\tDuration: 3000 ms"),
    ]


def test_lines_of_other_environments_and_requests_are_left_out(
    services: Services, clock: FakeClock, write: Writer
) -> None:
    store, mine = services.store, a_message(clock)
    write(f"START RequestId: {OTHER} Version: $LATEST", "two")
    held = begin(store, clock, mine)
    write(f"START RequestId: {REQUEST} Version: $LATEST")
    write("mine")
    write("another's", "two")
    write.structured("another's", a_message(clock).uuid, "two")
    store.succeed(mine.uuid, held, Snapshot(1), {"sum": 1})
    write(f"END RequestId: {REQUEST}")
    clock.move(1)  # the next request in the same environment, at once
    write(f"START RequestId: {OTHER} Version: $LATEST")
    write("the next one's")

    assert [line.message for line in log_of(services, mine)] == [
        f"START RequestId: {REQUEST} Version: $LATEST",
        "mine",
        f"END RequestId: {REQUEST}",
    ]


def test_the_next_job_of_the_batch_begins_at_once(
    services: Services, clock: FakeClock, write: Writer
) -> None:
    store, mine, after = services.store, a_message(clock), a_message(clock)
    write(f"START RequestId: {REQUEST} Version: $LATEST")
    store.succeed(mine.uuid, begin(store, clock, mine), Snapshot(1), {"sum": 1})
    clock.move(0.05)
    write.structured("task succeeded", mine.uuid)
    begin(store, clock, after)
    write("printed by the next one")
    write.structured("said by the next one", after.uuid)
    write(f"[INFO]\t2026-01-01T00:00:00.000Z\t{REQUEST}\tlogged by the next one")

    assert [line.message for line in log_of(services, mine)] == [
        f"START RequestId: {REQUEST} Version: $LATEST",
        "task succeeded",
    ]


def test_a_killed_attempt_says_what_lambda_says_of_it(
    services: Services, clock: FakeClock, write: Writer
) -> None:
    store, mine = services.store, a_message(clock)
    write(f"START RequestId: {REQUEST} Version: $LATEST")
    begin(store, clock, mine)
    clock.move(5)
    write("half way")
    timeout = f"2026-01-01T00:00:05.000Z {REQUEST} Task timed out after 5.00 seconds"
    write(timeout)
    write(f"RequestId: {REQUEST} Error: Runtime exited with error: signal: killed")
    write(f"REPORT RequestId: {REQUEST}\tStatus: timeout")
    clock.move(100)
    held = begin(store, clock, mine, "b", OTHER)
    write(f"START RequestId: {OTHER} Version: $LATEST")
    write("once more")
    store.succeed(mine.uuid, held, Snapshot(1), {"sum": 1})

    assert [(line.attempt, line.message) for line in log_of(services, mine)] == [
        (1, f"START RequestId: {REQUEST} Version: $LATEST"),
        (1, "half way"),
        (1, timeout),
        (1, f"RequestId: {REQUEST} Error: Runtime exited with error: signal: killed"),
        (1, f"REPORT RequestId: {REQUEST}\tStatus: timeout"),
        (2, f"START RequestId: {OTHER} Version: $LATEST"),
        (2, "once more"),
    ]


def test_a_structured_line_keeps_its_traceback_and_what_else_it_says(
    services: Services, clock: FakeClock, write: Writer
) -> None:
    store, mine = services.store, a_message(clock)
    held = begin(store, clock, mine)
    write(f"START RequestId: {REQUEST} Version: $LATEST")
    store.fail(mine.uuid, held, Snapshot(1), BROKEN)
    write.structured(
        "task failed",
        mine.uuid,
        level="ERROR",
        exception="Traceback...",
        exception_name="ValueError",
        attempt=1,
        timestamp="now",
    )

    line = log_of(services, mine)[-1]

    assert line == LogLine(
        at=clock.ms,
        level="ERROR",
        message="task failed",
        exception="Traceback...",
        attempt=1,
        request_id=REQUEST,
        fields={"exception_name": "ValueError"},
    )
    assert line.to_json()["exception"] == "Traceback..."


def test_a_job_that_no_worker_has_begun_has_no_log(services: Services, clock: FakeClock) -> None:
    message = a_message(clock)
    services.store.put_jobs([message])
    assert log_of(services, message) == []


def test_a_log_is_bounded(
    services: Services, clock: FakeClock, write: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "MOST_LINES", 5)
    mine = a_message(clock)
    begin(services.store, clock, mine)
    write(f"START RequestId: {REQUEST} Version: $LATEST")
    for number in range(20):
        write(f"line {number}")
    assert len(log_of(services, mine)) == 5


def test_lines_from_a_time_on_are_asked_for(services: Services, clock: FakeClock, write: Writer) -> None:
    mine = a_message(clock)
    begin(services.store, clock, mine)
    write(f"START RequestId: {REQUEST} Version: $LATEST")
    clock.move(5)
    write("late")
    assert [line.message for line in log_of(services, mine, since=clock.ms)] == ["late"]


def test_a_log_is_followed_until_the_job_has_ended(
    services: Services, clock: FakeClock, write: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, mine, number = services.store, a_message(clock), count(1)
    held = begin(store, clock, mine)
    write(f"START RequestId: {REQUEST} Version: $LATEST")
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        clock.move(seconds)
        match next(number):
            case 1:
                write("one")
            case 3:
                store.succeed(mine.uuid, held, Snapshot(1), {"sum": 1})
                write.structured("task succeeded", mine.uuid)

    monkeypatch.setattr(clock, "sleep", sleep)

    told = [line.message for line in follow_log(services, mine.uuid)]

    assert told == [f"START RequestId: {REQUEST} Version: $LATEST", "one", "task succeeded"]
    assert waited == [2.0, 2.0, 2.0, 10.0]


def test_without_a_log_group_it_is_said_what_to_set(services: Services, clock: FakeClock) -> None:
    message = a_message(clock)
    begin(services.store, clock, message)
    elsewhere = Services(replace(services.config, log_group=""), clock=clock, store=services.store)
    with pytest.raises(ConfigurationError, match="SERVERLESS_TASKS_LOG_GROUP is not set"):
        log_of(elsewhere, message)
