"""Jobs that are not tracked: one call to submit, nothing kept before a worker begins them, then like any other."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from serverless_tasks import (
    AlreadyFinished,
    Handle,
    InputsUnavailable,
    SubmitFailed,
    SubmitUncertain,
    Task,
    TaskClient,
    TaskFailed,
    TaskNotFound,
)
from serverless_tasks.client.resubmit import resubmit, submit_again
from serverless_tasks.client.timeline import timeline
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.aws.sqs import sending as queue
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.job.message import RETENTION, Message
from serverless_tasks.engine.job.options import NO_OPTIONS, JobOptions
from serverless_tasks.engine.job.record import Failure
from serverless_tasks.engine.services import Services, use
from serverless_tasks.engine.store.items import KEEP_AFTER_EXPIRY_MS
from serverless_tasks.engine.store.payloads import INLINE_INPUTS, SCHEDULED_INPUTS, UNTRACKED_INPUTS
from serverless_tasks.engine.submit.by_name import submit_by_name
from serverless_tasks.engine.submit.options import Options
from serverless_tasks.engine.submit.submission import submit_json
from serverless_tasks.errors import UnknownOption
from serverless_tasks.params import NumberParameter, StringParameter
from serverless_tasks.testing import recorded
from tests.support.aws import received
from tests.support.calls import counted_calls
from tests.support.clock import FakeClock, until
from tests.support.tasks import Double

LATE = Failure(type="Undeliverable", message="The job was delivered many times and never ended.")


class Measure(Task):
    name = "measure"
    inputs = {"text": StringParameter()}
    outputs = {"length": NumberParameter()}

    def run(self, text: str) -> int:
        return len(text)


class Fails(Task):
    name = "fails"
    retries, backoff = 1, 0

    def run(self) -> None:
        raise ValueError("it broke")


class Only(Task):
    name = "only"
    unique = True

    def run(self) -> None:
        return None


TASKS = (Double, Measure, Fails, Only)


@dataclass
class World:
    """Services, and the worker's side of their queue.

    Attributes:
        services: what submits and runs.
        sent: the messages that have come since this was last asked.
    """

    services: Services
    sent: Callable[[], list[Message]]

    def run(self) -> list[str]:
        """Run every message that is there; returns how each went."""
        went = []
        while messages := self.sent():
            went += [self.services.runner.execute(message).status for message in messages]
        return went

    def move(self, seconds: float) -> None:
        self.services.clock.sleep(seconds)


@pytest.fixture(params=["memory", "table"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Each store in turn, with a queue that the test delivers."""
    if request.param == "table":
        services = request.getfixturevalue("services")
        config = request.getfixturevalue("config")
        yield World(services, lambda: received(config))
        return
    with recorded(*TASKS) as jobs:

        def sent() -> list[Message]:
            taken, jobs.submitted[:] = [Message.decode(each.encode()) for each in jobs.submitted], []
            return taken

        yield World(jobs.services, sent)


def double(**options: Any) -> Handle:
    return Double.options(track=False, **options).submit(number=4)


def items(config: Config) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = session.client("dynamodb").scan(TableName=config.table)["Items"]
    return found


class TestWaiting:
    def test_its_handle_says_pending_and_nobody_else_knows_it(self, world: World) -> None:
        handle = double(owner="7")

        assert handle.published
        assert handle.refresh().status == "pending"
        assert (handle.record.task, handle.record.owner) == ("double", "7")
        with pytest.raises(TaskNotFound):
            TaskClient().get(handle.uuid)
        with pytest.raises(TaskNotFound):
            TaskClient().wait(handle.uuid)
        assert world.services.store.job(handle.uuid) is None

    def test_its_handle_says_when_it_is_due(self, world: World) -> None:
        handle = double(delay=60)

        assert handle.refresh().record.run_at == handle.record.created + 60_000

    def test_past_every_delivery_it_has_expired(self, world: World) -> None:
        handle = double()
        world.move(RETENTION + 1)

        with pytest.raises(TaskFailed):
            handle.wait()
        assert handle.error is not None
        assert handle.error["type"] == "Expired"

    def test_when_its_state_would_be_gone_nothing_is_known(self, world: World) -> None:
        handle = double()
        world.move(RETENTION + KEEP_AFTER_EXPIRY_MS / 1000 + 1)

        with pytest.raises(TaskNotFound):
            handle.refresh()

    def test_its_handle_waits_for_the_end(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        handle = double()
        monkeypatch.setattr(world.services.clock, "sleep", lambda _: world.run())

        assert handle.wait(timeout=10) == {"doubled": 8}


class TestRunning:
    def test_it_ends_like_any_other(self, world: World) -> None:
        handle = double(owner="7")

        assert world.run() == ["succeeded"]

        assert handle.wait() == {"doubled": 8}
        record = TaskClient().get(handle.uuid)
        assert (record.task, record.owner, record.outputs) == ("double", "7", {"doubled": 8})

    def test_it_is_never_listed(self, world: World) -> None:
        double(owner="7")
        world.run()

        assert world.services.store.list_owner("7").records == ()
        assert world.services.store.list_tasks(["double"]).records == ()

    def test_a_retry_leaves_it_untracked(self, world: World) -> None:
        handle = Fails.options(track=False, owner="7").submit()

        (first,) = world.sent()
        world.services.runner.execute(first)
        (again,) = world.sent()
        assert again.options.track is False
        assert world.services.runner.execute(again).status == "failed"

        assert handle.refresh().record.attempt == 2
        assert world.services.store.job(handle.uuid) is None
        assert world.services.store.list_tasks(["fails"]).records == ()

    def test_its_timeline_is_told(self, world: World) -> None:
        handle = Fails.options(track=False).submit()
        world.run()

        told = [(event.event, event.type) for event in timeline(TaskClient().get(handle.uuid))]

        assert told == [
            ("created", None),
            ("attempt", "ValueError"),
            ("attempt", "ValueError"),
            ("failed", "ValueError"),
        ]

    def test_a_dead_letter_ends_with_its_task_and_owner(self, world: World) -> None:
        handle = double(owner="7")
        (message,) = world.sent()

        assert world.services.store.settle(message, LATE).answer == "settled"

        record = TaskClient().get(handle.uuid)
        assert (record.status, record.task, record.owner) == ("failed", "double", "7")
        assert handle.refresh().error == LATE.to_json()


class TestCancelling:
    def test_its_handle_cancels_it_before_it_begins(self, world: World) -> None:
        handle = double(owner="7")

        assert handle.cancel().status == "cancelled"

        record = TaskClient().get(handle.uuid)
        assert (record.status, record.task, record.owner) == ("cancelled", "double", "7")
        assert record.created == handle.record.created
        assert world.run() == ["ended"]

    def test_by_its_id_alone_it_is_not_found(self, world: World) -> None:
        handle = double()

        with pytest.raises(TaskNotFound):
            TaskClient().cancel(handle.uuid)

        assert world.run() == ["succeeded"]

    def test_a_running_one_is_asked_to_stop_by_anybody(self, world: World) -> None:
        handle = double()
        (message,) = world.sent()
        lease = round(world.services.clock.now() * 1000) + 60_000
        world.services.store.claim(message, token="a", lease=lease, request_id="")

        assert TaskClient().cancel(handle.uuid).cancel_requested
        assert handle.cancel().record.cancel_requested

    def test_what_has_ended_or_expired_is_not_cancelled(self, world: World) -> None:
        ended = double()
        world.run()
        expired = double()
        world.move(RETENTION + 1)

        for handle in (ended, expired):
            with pytest.raises(AlreadyFinished):
                handle.cancel()


class TestAfterwards:
    def test_it_cannot_be_submitted_again_by_its_id(self, world: World) -> None:
        handle = double()
        world.run()

        with pytest.raises(InputsUnavailable, match="track=False"):
            resubmit(world.services, handle.uuid)

    def test_sent_again_by_its_letter_it_is_not_tracked_either(self, world: World) -> None:
        double(owner="7")
        (message,) = world.sent()

        again = submit_again(world.services, message, new_uuid=None, on_commit=False)

        assert [each.options.track for each in world.sent()] == [False]
        assert world.services.store.job(again.uuid) is None

    def test_a_unique_task_s_job_that_is_sent_again_is_tracked(self, world: World) -> None:
        Only.options(track=False, unique=False).submit()
        (message,) = world.sent()

        again = submit_again(world.services, message, new_uuid=None, on_commit=False)

        assert TaskClient().get(again.uuid).status == "pending"

    def test_once_deleted_nothing_is_known_and_it_is_not_run_again(self, world: World) -> None:
        handle = double()
        (message,) = world.sent()
        world.services.runner.execute(message)

        TaskClient().delete(handle.uuid)

        with pytest.raises(TaskNotFound):
            handle.refresh()
        with pytest.raises(TaskNotFound):
            handle.cancel()
        assert world.services.runner.execute(message).status == "ended"


class TestOtherOptions:
    def test_a_key_makes_two_submits_one_job(self, world: World) -> None:
        first, second = (double(idempotency_key="k", owner="7") for _ in range(2))

        assert first.uuid == second.uuid
        assert sorted(world.run()) == ["ended", "succeeded"]
        third = double(idempotency_key="k", owner="7")
        assert (third.uuid, third.repeated, third.outputs) == (first.uuid, True, {"doubled": 8})
        assert world.run() == []

    def test_a_job_that_is_given_back_is_read_as_it_was_submitted(self, world: World) -> None:
        Double.options(idempotency_key="k", delay=600).submit(number=4)

        again = double(idempotency_key="k")

        assert again.repeated
        assert again.refresh().record.run_at == again.record.created + 600_000

    @pytest.mark.parametrize("options", [{}, {"unique": True}])
    def test_unique_and_untracked_is_refused(self, world: World, options: dict[str, Any]) -> None:
        with pytest.raises(
            UnknownOption, match=r"track is False, and jobs of task 'only' are unique.*unique=False"
        ):
            Only.options(track=False, **options).submit()
        with pytest.raises(UnknownOption, match="'double' are unique"):
            double(unique=True)
        with pytest.raises(UnknownOption, match="'only' are unique"):
            submit_json(world.services, "only", {}, Options(track=False))
        assert world.sent() == []

    def test_a_unique_task_may_say_that_this_job_is_not(self, world: World) -> None:
        Only.options(track=False, unique=False).submit()

        assert world.run() == ["succeeded"]

    def test_many_jobs_by_their_task_s_name_alone(self, world: World) -> None:
        inputs = [{"number": number} for number in range(3)]

        handles = submit_by_name(world.services, "double", inputs, Options(track=False))

        assert [handle.refresh().status for handle in handles] == ["pending"] * 3
        world.run()
        assert [handle.wait() for handle in handles] == [{"doubled": 2 * number} for number in range(3)]


class TestCalls:
    def test_a_submit_is_one_call(self, services: Services) -> None:
        with counted_calls("sqs", "dynamodb", "s3") as calls:
            double(owner="7", tenant="acme", queue="low", delay=60)

        assert calls == {"SendMessage": 1}

    def test_a_hundred_jobs_are_ten_calls(self, services: Services) -> None:
        with counted_calls("sqs", "dynamodb", "s3") as calls:
            handles = Double.options(track=False).submit_many({"number": number} for number in range(100))

        assert calls == {"SendMessageBatch": 10}
        assert all(handle.published for handle in handles)

    def test_a_run_is_two_writes(self, services: Services, config: Config) -> None:
        double()
        (message,) = received(config)
        with counted_calls("sqs", "dynamodb", "s3") as calls:
            services.runner.execute(message, deadline=services.clock.now() + 100)

        assert calls == {"UpdateItem": 2}
        assert [item["sk"]["S"] for item in items(config)] == ["s#state"]

    def test_a_look_at_one_that_waits_is_one_read(self, services: Services) -> None:
        handle = double()
        with counted_calls("dynamodb") as calls:
            handle.refresh()

        assert calls == {"Query": 1}

    def test_one_that_is_due_late_is_one_schedule(self, services: Services) -> None:
        with counted_calls("sqs", "dynamodb", "s3", "scheduler") as calls:
            handle = double(delay=timedelta(days=60))

        assert calls == {"CreateSchedule": 1}
        assert handle.refresh().status == "pending"

    def test_the_end_of_one_that_is_cancelled_outlives_its_message(
        self, services: Services, config: Config
    ) -> None:
        handle = double(delay=timedelta(days=60))
        handle.cancel()

        (state,) = items(config)
        due = handle.record.created // 1000 + 60 * 86_400
        assert int(state["ttl"]["N"]) > due + RETENTION + 15 * 86_400
        assert int(state["expires"]["N"]) > (due + RETENTION) * 1000

    def test_its_schedule_is_deleted_with_it(self, services: Services, config: Config) -> None:
        scheduler = session.client("scheduler")
        late, soon = double(delay=timedelta(days=60)), double(delay=60)
        for handle in (late, soon):
            handle.cancel()

        with counted_calls("scheduler") as calls:
            for handle in (late, soon):
                TaskClient().delete(handle.uuid)

        assert calls == {"DeleteSchedule": 1}
        assert scheduler.list_schedules(GroupName=config.schedule_group)["Schedules"] == []


class TestSizes:
    def test_what_a_tracked_job_puts_into_the_bucket_may_travel(
        self, services: Services, config: Config
    ) -> None:
        with counted_calls("sqs", "dynamodb", "s3") as calls:
            handle = Measure.options(track=False).submit(text="x" * (INLINE_INPUTS + 1))

        assert calls == {"SendMessage": 1}
        services.runner.execute(received(config)[0])
        assert handle.refresh().outputs == {"length": INLINE_INPUTS + 1}

    def test_past_its_limit_it_goes_to_the_bucket(self, services: Services, config: Config) -> None:
        with counted_calls("sqs", "dynamodb", "s3") as calls:
            handle = Measure.options(track=False).submit(text="x" * UNTRACKED_INPUTS)

        assert calls == {"PutObject": 1, "SendMessage": 1}
        services.runner.execute(received(config)[0])
        assert handle.refresh().outputs == {"length": UNTRACKED_INPUTS}

    def test_a_schedule_takes_no_more_of_it_than_of_others(self, services: Services) -> None:
        with counted_calls("sqs", "dynamodb", "s3", "scheduler") as calls:
            Measure.options(track=False, delay=1000).submit(text="x" * SCHEDULED_INPUTS)

        assert calls == {"PutObject": 1, "CreateSchedule": 1}

    def test_the_longest_fits_its_queue_with_every_option_at_its_longest(
        self, services: Services, config: Config
    ) -> None:
        text = "\uffff" * ((UNTRACKED_INPUTS - len('{"text":""}')) // 3)  # three bytes that become six
        options = {"owner": "\U0001f600" * 200, "tenant": "t" * 128, "track": False}

        Measure.options(**options).submit(text=text)

        (message,) = received(config)
        assert message.inputs_key is None
        assert len(message.encode().encode()) < queue.BODY_LIMIT

    def test_a_bulk_keeps_to_the_limit_of_a_batch(self, services: Services, config: Config) -> None:
        text = "x" * (UNTRACKED_INPUTS - 100)
        with counted_calls("sqs", "dynamodb", "s3") as calls:
            Measure.options(track=False).submit_many([{"text": text}] * 4)

        assert calls == {"SendMessageBatch": 2}
        assert len(received(config)) == 4


class TestFailedSends:
    def test_a_send_that_surely_failed_leaves_nothing(
        self, services: Services, config: Config, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fail_to_send(monkeypatch, EndpointConnectionError(endpoint_url="https://sqs"))

        with pytest.raises(SubmitFailed):
            double()

        assert items(config) == []

    def test_an_uncertain_one_submitted_again_is_one_job(
        self, services: Services, config: Config, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patched:
            fail_to_send(patched, ReadTimeoutError(endpoint_url="https://sqs"), applied=True)
            with pytest.raises(SubmitUncertain) as raised:
                double()
        assert items(config) == []

        handle = double(uuid=raised.value.uuid)

        statuses = [services.runner.execute(message).status for message in received(config)]
        assert len(statuses) > 1
        assert statuses == ["succeeded", *["ended"] * (len(statuses) - 1)]
        assert handle.refresh().outputs == {"doubled": 8}


def fail_to_send(monkeypatch: pytest.MonkeyPatch, error: Exception, *, applied: bool = False) -> None:
    client = session.client("sqs", attempts=1)
    send_message = client.send_message

    def send(**parameters: Any) -> Any:
        if applied:
            send_message(**parameters)
        raise error

    send.__self__ = client  # type: ignore[attr-defined]
    monkeypatch.setattr(client, "send_message", send)


@pytest.mark.parametrize("backend", ["immediate", "threading"])
def test_the_backends_of_this_process_keep_nothing_of_it_either(backend: str, clock: FakeClock) -> None:
    with use(Services(Config(), backend=backend, clock=clock)) as services:
        services.registry.add(Fails)
        handle = Fails.options(track=False, owner="7").submit()
        until(lambda: handle.refresh().record.ended)

        assert (handle.status, handle.record.attempt, handle.record.owner) == ("failed", 2, "7")
        assert services.store.job(handle.uuid) is None
        assert services.store.list_owner("7").records == ()


def test_a_message_says_that_it_is_not_tracked_and_is_tracked_otherwise(clock: FakeClock) -> None:
    message = Message(
        uuid="0b0e64f7-7d0b-4d6c-8a3a-1f5f3d8f1c11", task="double", options=JobOptions(track=False)
    )

    assert Message.decode(message.encode()) == message
    assert "track" not in replace(message, options=NO_OPTIONS).encode()
    assert Message.decode(replace(message, options=NO_OPTIONS).encode()).options.track
