"""Jobs that are due later than SQS can hold a message back: EventBridge Scheduler sends them."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from serverless_tasks import ConfigurationError, PayloadTooLarge, SubmitFailed, SubmitUncertain, Task
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.job.message import RETENTION, SCHEDULER_TRIES, Message
from serverless_tasks.engine.services import Services, use
from serverless_tasks.engine.store.payloads import SCHEDULED_INPUTS
from serverless_tasks.errors import AwsError
from serverless_tasks.params import IntParameter, StringParameter
from tests.support.calls import counted_calls
from tests.support.clock import FakeClock
from tests.support.jobs import a_message

HOUR = 3600


class Measure(Task):
    name = "measure"
    inputs = {"text": StringParameter()}

    def run(self, text: str) -> int:
        return len(text)


TASKS = (Measure,)


def names(config: Config) -> list[str]:
    found = session.client("scheduler").list_schedules(GroupName=config.schedule_group)["Schedules"]
    return [each["Name"] for each in found]


def schedules(config: Config) -> list[dict[str, Any]]:
    client = session.client("scheduler")
    return [client.get_schedule(GroupName=config.schedule_group, Name=name) for name in names(config)]


def stored(config: Config) -> int:
    found: int = session.client("dynamodb").scan(TableName=config.table)["Count"]
    return found


def answer(monkeypatch: pytest.MonkeyPatch, *answers: Exception | None, applied: bool = False) -> list[str]:
    """Let the calls of the scheduler end so, in turn; None lets one through."""
    client = session.client("scheduler", attempts=1)
    create, left, asked = client.create_schedule, list(answers), []

    def create_schedule(**parameters: Any) -> Any:
        asked.append(parameters["Name"])
        error = left.pop(0) if left else None
        if error is None or applied:
            create(**parameters)
        if error is not None:
            raise error

    create_schedule.__self__ = client  # type: ignore[attr-defined]
    monkeypatch.setattr(client, "create_schedule", create_schedule)
    return asked


def refused(code: str, status: int = 400) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}},
        "CreateSchedule",
    )


def test_a_far_submit_is_one_schedule_and_one_write(services: Services) -> None:
    with counted_calls("sqs", "dynamodb", "s3", "scheduler") as calls:
        Measure.options(delay=901).submit(text="x")

    assert calls == {"CreateSchedule": 1, "PutItem": 1}


def test_what_sqs_can_hold_back_goes_through_sqs(services: Services) -> None:
    with counted_calls("sqs", "dynamodb", "s3", "scheduler") as calls:
        Measure.options(delay=900).submit(text="x")

    assert calls == {"SendMessage": 1, "PutItem": 1}


def test_the_schedule_sends_the_message_to_its_queue_once_and_is_gone(
    services: Services, config: Config, clock: FakeClock
) -> None:
    due = datetime.fromtimestamp(clock.now(), UTC) + timedelta(days=40, milliseconds=1)
    handle = Measure.options(run_at=due, queue="low").submit(text="x")

    [schedule] = schedules(config)
    assert schedule["Name"] == f"job-{handle.uuid}-{int(due.timestamp()) + 1}"
    assert schedule["ScheduleExpression"] == "at(2026-02-10T00:00:01)"  # never before its time
    assert schedule["ScheduleExpressionTimezone"] == "UTC"
    assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert schedule["ActionAfterCompletion"] == "DELETE"
    target = schedule["Target"]
    low, dead = (
        session.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
        for url in (config.queue_urls["low"], config.dead_letter_queue_url)
    )
    assert target["Arn"] == low["QueueArn"]
    assert target["DeadLetterConfig"] == {"Arn": dead["QueueArn"]}
    assert target["RoleArn"] == config.scheduler_role
    assert target["RetryPolicy"] == {
        "MaximumEventAgeInSeconds": SCHEDULER_TRIES,
        "MaximumRetryAttempts": 185,
    }
    message = Message.decode(target["Input"])
    assert (message.uuid, message.inputs) == (handle.uuid, {"text": "x"})
    late = int(due.timestamp() * 1000) + (SCHEDULER_TRIES + RETENTION) * 1000
    assert message.expires == late


def test_a_time_with_another_offset_is_the_same_moment(services: Services, config: Config) -> None:
    Measure.options(run_at=datetime.fromisoformat("2026-07-01T08:30:00+02:00")).submit(text="x")

    assert schedules(config)[0]["ScheduleExpression"] == "at(2026-07-01T06:30:00)"


@pytest.mark.parametrize("seconds", [0, -1, -1e6])
def test_what_is_past_is_run_at_once(services: Services, clock: FakeClock, seconds: float) -> None:
    due = datetime.fromtimestamp(clock.now() + seconds, UTC)
    with counted_calls("sqs", "dynamodb", "scheduler") as calls:
        Measure.options(run_at=due).submit(text="x")

    assert calls == {"SendMessage": 1, "PutItem": 1}


def test_a_job_that_waits_is_pending_until_after_its_time(
    services: Services, config: Config, clock: FakeClock
) -> None:
    handle = Measure.options(delay=100 * 24 * HOUR).submit(text="x")
    [schedule] = schedules(config)

    item = session.client("dynamodb").get_item(
        TableName=config.table, Key={"pk": {"S": handle.uuid}, "sk": {"S": "job"}}
    )["Item"]
    assert int(item["run_at"]["N"]) == clock.ms + 100 * 24 * HOUR * 1000
    assert int(item["ttl"]["N"]) > clock.now() + (100 + 25) * 24 * HOUR
    clock.move(100 * 24 * HOUR)
    assert handle.refresh().status == "pending"
    services.runner.execute(Message.decode(schedule["Target"]["Input"]))
    assert handle.refresh().status == "succeeded"


def test_a_job_that_was_cancelled_while_it_waited_never_starts(
    services: Services, config: Config, clock: FakeClock
) -> None:
    handle = Measure.options(delay=100 * 24 * HOUR).submit(text="x")
    [schedule] = schedules(config)

    handle.cancel()
    clock.move(100 * 24 * HOUR)

    state = session.client("dynamodb").get_item(
        TableName=config.table, Key={"pk": {"S": handle.uuid}, "sk": {"S": "s#state"}}
    )["Item"]
    assert int(state["ttl"]["N"]) > clock.now()
    outcome = services.runner.execute(Message.decode(schedule["Target"]["Input"]))
    assert outcome.status == "ended"
    assert handle.refresh().status == "cancelled"


def test_a_schedule_that_surely_failed_leaves_nothing(
    services: Services, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answer(
        monkeypatch,
        refused("ThrottlingException", 429),
        EndpointConnectionError(endpoint_url="https://scheduler"),
        refused("ResourceNotFoundException", 404),
    )

    with pytest.raises(SubmitFailed, match="ResourceNotFoundException"):
        Measure.options(delay=HOUR).submit(text="x")

    assert (len(asked), stored(config), names(config)) == (3, 0, [])


@pytest.mark.parametrize(
    "lost", [ReadTimeoutError(endpoint_url="https://scheduler"), refused("InternalServerException", 500)]
)
def test_a_schedule_that_may_have_been_made_is_uncertain_and_its_job_is_kept(
    services: Services, config: Config, monkeypatch: pytest.MonkeyPatch, lost: Exception
) -> None:
    answer(monkeypatch, lost, *[refused("ThrottlingException", 429)] * 2)

    with pytest.raises(SubmitUncertain) as raised:
        Measure.options(delay=HOUR).submit(text="x")

    record = services.store.read(raised.value.uuid)
    assert record is not None
    assert record.status == "pending"


def test_a_schedule_whose_answer_was_lost_is_found_to_be_there(
    services: Services, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answer(monkeypatch, ReadTimeoutError(endpoint_url="https://scheduler"), applied=True)

    handle = Measure.options(delay=HOUR).submit(text="x")

    assert handle.published
    assert (len(set(asked)), len(asked), len(names(config))) == (1, 2, 1)


def test_a_job_submitted_again_with_its_uuid_and_time_is_one_schedule(
    services: Services, config: Config, clock: FakeClock
) -> None:
    due = datetime.fromtimestamp(clock.now() + HOUR, UTC)
    first = Measure.options(run_at=due).submit(text="x")
    clock.move(60)

    again = Measure.options(run_at=due, uuid=first.uuid).submit(text="x")

    assert again.published
    assert len(names(config)) == 1


def test_a_bulk_goes_its_two_ways_and_each_handle_knows_its_own_fate(
    services: Services, config: Config, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = [a_message(clock, run_at=clock.ms + (HOUR if n % 2 else 60) * 1000) for n in range(25)]
    with counted_calls("sqs", "scheduler") as calls:
        assert services.sender.send(messages) == [None] * 25
    assert calls == {"SendMessageBatch": 2, "CreateSchedule": 12}

    client = session.client("scheduler", attempts=1)
    create, unlucky = client.create_schedule, messages[3].uuid

    def all_but_one(**parameters: Any) -> Any:
        if unlucky in parameters["Name"]:
            raise refused("ValidationException")
        return create(**parameters)

    all_but_one.__self__ = client  # type: ignore[attr-defined]
    monkeypatch.setattr(client, "create_schedule", all_but_one)
    again = services.sender.send(messages)
    assert [index for index, unsent in enumerate(again) if unsent is not None] == [3]


@pytest.mark.parametrize("setting", ["schedule_group", "scheduler_role", "dead_letter_queue_url"])
def test_a_setting_that_is_missing_is_named_before_anything_is_written(
    services: Services, config: Config, clock: FakeClock, setting: str
) -> None:
    committed: list[Any] = []
    lacking = Services(
        replace(config, **{setting: ""}),
        clock=clock,
        registry=services.registry,
        defer=lambda _, publications: bool(committed.append(publications)) or True,
    )
    with use(lacking), counted_calls("sqs", "dynamodb", "s3", "scheduler") as calls:
        with pytest.raises(ConfigurationError, match=f"SERVERLESS_TASKS_{setting.upper()} is not set"):
            Measure.options(delay=901).submit(text="x" * SCHEDULED_INPUTS)
        Measure.options(delay=900).submit(text="x")

    assert (calls, len(committed)) == ({}, 1)


@pytest.mark.parametrize("character", ["x", "ä", '"', "\\", "\ufffe", "\x01", "<aws.scheduler.execution-id>"])
@pytest.mark.parametrize("tenant", [None, "acme"])
def test_the_largest_inputs_that_travel_with_a_schedule_fit_into_it(
    services: Services, config: Config, character: str, tenant: str | None
) -> None:
    size = len(json.dumps(character, ensure_ascii=False).encode()) - 2
    text = character * ((SCHEDULED_INPUTS - len('{"text":""}')) // size)
    handle = Measure.options(delay=HOUR, tenant=tenant).submit(text=text)
    larger = Measure.options(delay=HOUR, tenant=tenant).submit(text=text + "x" * 20)

    by_uuid = {schedule["Name"].split("-", 1)[1][:36]: schedule["Target"] for schedule in schedules(config)}
    body = by_uuid[handle.uuid]["Input"]
    assert len(body.encode()) < 256_000
    assert "<aws.scheduler." not in body
    if tenant is not None:
        body = json.loads(body)["MessageBody"]
    assert Message.decode(body).inputs == {"text": text}
    assert f'"inputs_key":"inputs/{larger.uuid}"' in by_uuid[larger.uuid]["Input"].replace("\\", "")


def test_large_inputs_without_a_bucket_are_refused_with_the_limit(
    services: Services, config: Config, clock: FakeClock
) -> None:
    lacking = Services(replace(config, bucket=""), clock=clock, registry=services.registry)
    with use(lacking), pytest.raises(PayloadTooLarge) as raised:
        Measure.options(delay=HOUR).submit(text="x" * SCHEDULED_INPUTS)

    assert raised.value.limit == SCHEDULED_INPUTS


def test_a_tenants_job_keeps_its_message_group(services: Services, config: Config) -> None:
    Measure.options(delay=HOUR, tenant="acme").submit(text="x")

    [schedule] = schedules(config)
    assert schedule["Target"]["Arn"] == "arn:aws:scheduler:::aws-sdk:sqs:sendMessage"
    sent = json.loads(schedule["Target"]["Input"])
    assert (sent["QueueUrl"], sent["MessageGroupId"]) == (config.queue_urls["default"], "acme")
    assert Message.decode(sent["MessageBody"]).options.tenant == "acme"


def test_a_retry_that_is_far_away_is_a_schedule_of_the_same_job(
    services: Services, config: Config, clock: FakeClock
) -> None:
    first = a_message(clock, run_at=clock.ms + HOUR * 1000)
    large = a_message(
        clock, uuid=first.uuid, run_at=clock.ms + 2 * HOUR * 1000, inputs={"text": "x" * 150_000}
    )
    services._resend(first)
    services._resend(large)

    assert len(names(config)) == 2
    assert all(first.uuid in name for name in names(config))
    sent = [Message.decode(schedule["Target"]["Input"]) for schedule in schedules(config)]
    assert {message.inputs_key for message in sent} == {None, f"inputs/{first.uuid}"}


def test_without_a_scheduler_a_retry_that_is_far_away_comes_early_through_the_queue(
    config: Config, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(
        session.client("sqs", attempts=1), "send_message", lambda **given: sent.append(given) or {}
    )
    lacking = Services(replace(config, schedule_group=""), clock=clock)

    lacking._resend(a_message(clock, run_at=clock.ms + 7200 * 1000))

    assert [each["DelaySeconds"] for each in sent] == [900]


class Later(Task):
    """Asks to be run again in so many seconds."""

    name = "later"
    inputs = {"text": StringParameter(), "after": IntParameter()}
    retries = 2

    def run(self, text: str, after: int) -> None:
        self.retry(after=after)


class TestDeleted:
    def cancelled(self, services: Services, delay: int) -> str:
        handle = Measure.options(delay=delay).submit(text="of Ada Lovelace")
        services.store.cancel(handle.uuid)
        return handle.uuid

    def test_the_schedule_of_a_deleted_job_goes_with_it(self, services: Services, config: Config) -> None:
        uuid, other = self.cancelled(services, HOUR), self.cancelled(services, HOUR)

        services.store.delete(uuid)

        assert [name.startswith(f"job-{other}") for name in names(config)] == [True]

    @pytest.mark.parametrize(("delay", "passed"), [(0, 0), (900, 0), (HOUR, HOUR)])
    def test_the_scheduler_is_not_asked_about_jobs_that_it_does_not_hold(
        self, services: Services, clock: FakeClock, delay: int, passed: int
    ) -> None:
        uuid = self.cancelled(services, delay)
        clock.move(passed)

        with counted_calls() as calls:
            services.store.delete(uuid)

        assert calls["DeleteSchedule"] == 0

    def retrying(self, services: Services, after: int) -> Message:
        """A job that waits for its retry."""
        services.registry.add(Later)
        handle = Later.submit(text="of Ada Lovelace", after=after)
        message = services.store.job(handle.uuid)
        assert message is not None
        assert services.runner.execute(message).status == "pending"
        return message

    @pytest.mark.parametrize("apart", range(0, 1000, 250))
    def test_the_schedule_of_its_retry_goes_with_it(
        self, services: Services, config: Config, clock: FakeClock, apart: int
    ) -> None:
        clock.move(apart / 1000)  # a schedule knows whole seconds alone
        other, message = self.retrying(services, HOUR), self.retrying(services, HOUR)
        assert len(names(config)) == 2
        services.store.cancel(message.uuid)

        services.store.delete(message.uuid)

        assert [name.startswith(f"job-{other.uuid}") for name in names(config)] == [True]

    def test_a_message_that_came_early_is_given_the_schedule_that_goes_with_its_job(
        self, services: Services, config: Config, clock: FakeClock
    ) -> None:
        clock.move(0.25)  # what is early by half a second may be another whole second
        lacking = Services(replace(config, schedule_group=""), clock=clock, registry=services.registry)
        with use(lacking):
            message = self.retrying(lacking, 24 * HOUR)
        assert services.runner.execute(message).status == "waiting"
        assert len(names(config)) == 1
        services.store.cancel(message.uuid)

        services.store.delete(message.uuid)

        assert names(config) == []

    def test_the_scheduler_is_not_asked_about_retries_that_it_does_not_hold(self, services: Services) -> None:
        near, due = self.retrying(services, 60), self.retrying(services, HOUR)
        services.store.cancel(near.uuid)

        with counted_calls() as calls:
            services.store.delete(near.uuid)

        assert calls["DeleteSchedule"] == 0
        assert services.store.read(due.uuid) is not None

    def refuse(self, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
        def delete_schedule(**_: Any) -> None:
            raise refused(code)

        monkeypatch.setattr(session.client("scheduler", attempts=1), "delete_schedule", delete_schedule)

    def test_a_schedule_that_has_fired_meanwhile_keeps_no_job(
        self, services: Services, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        uuid = self.cancelled(services, HOUR)
        self.refuse(monkeypatch, "ResourceNotFoundException")

        services.store.delete(uuid)

        assert services.store.job(uuid) is None

    def test_a_job_whose_schedule_cannot_be_deleted_is_kept_for_the_next_try(
        self, services: Services, monkeypatch: pytest.MonkeyPatch, config: Config
    ) -> None:
        """Its inputs would be kept there, and nobody would know."""
        uuid = self.cancelled(services, HOUR)
        with monkeypatch.context() as patch:
            self.refuse(patch, "AccessDeniedException")
            with pytest.raises(AwsError, match="AccessDenied"):
                services.store.delete(uuid)
        assert services.store.job(uuid) is not None

        services.store.delete(uuid)

        assert services.store.job(uuid) is None
        assert names(config) == []

    def test_where_no_scheduler_is_known_a_job_is_deleted_and_the_log_says_so(
        self, services: Services, config: Config, clock: FakeClock, caplog: pytest.LogCaptureFixture
    ) -> None:
        uuid = self.cancelled(services, HOUR)

        Services(replace(config, schedule_group=""), clock=clock).store.delete(uuid)

        assert services.store.job(uuid) is None
        assert uuid in caplog.text
        assert "SERVERLESS_TASKS_SCHEDULE_GROUP" in caplog.text
