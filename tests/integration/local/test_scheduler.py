"""The local stand-in fires schedules: one-time ones, and those that tasks declare."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from serverless_tasks import Task, cron, rate
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.aws.stacks import stack_outputs
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.definition.registry import Registry
from serverless_tasks.engine.definition.schedule_sync import apply, plan
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.services import Services, use
from serverless_tasks.local.aws.emulator import MotoApp, aws_stand_in
from serverless_tasks.local.aws.scheduler import GROUP, ROLE, LocalScheduler
from serverless_tasks.local.environment import local_environment
from serverless_tasks.local.in_process import local_stack
from serverless_tasks.local.processes.child import apply_schedules
from serverless_tasks.poller import Poller
from tests.support.clock import FakeClock, until
from tests.support.jobs import a_message

HOUR = 3600


class Note(Task):
    name = "note"

    def run(self) -> None: ...


class Nightly(Task):
    name = "nightly"
    schedule = cron("0 6 * * ? *", zone="Europe/Vienna")

    def run(self) -> None: ...


class Often(Task):
    name = "often"
    schedule = rate(minutes=5)

    def run(self) -> None: ...


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with (
        local_environment({}),
        aws_stand_in(MotoApp(), 0) as server,
        local_environment({"AWS_ENDPOINT_URL": server.endpoint}),
    ):
        yield server.endpoint


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def services(endpoint: str, clock: FakeClock) -> Iterator[Services]:
    sqs, scheduler, dynamodb = (session.client(name) for name in ("sqs", "scheduler", "dynamodb"))
    scheduler.create_schedule_group(Name=GROUP)
    urls = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("default", "dead")}
    config = Config(
        table="jobs",
        queue_urls={"default": urls["default"]},
        dead_letter_queue_url=urls["dead"],
        schedule_group=GROUP,
        scheduler_role=ROLE,
    )
    keys = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
    dynamodb.create_table(
        TableName="jobs",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=keys,
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
    )
    registry = Registry()
    for task in (Note, Nightly, Often):
        registry.add(task)
    with use(Services(config, clock=clock, registry=registry)) as services:
        yield services
    for url in urls.values():
        sqs.delete_queue(QueueUrl=url)
    scheduler.delete_schedule_group(Name=GROUP)
    dynamodb.delete_table(TableName="jobs")


@pytest.fixture
def scheduler(endpoint: str, services: Services, clock: FakeClock) -> LocalScheduler:
    return LocalScheduler(endpoint, clock=clock)


def arrived(services: Services) -> list[Message]:
    found: list[Message] = []
    url, sqs = services.config.queue_urls["default"], session.client("sqs")
    while batch := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [Message.decode(each["Body"]) for each in batch]
        for each in batch:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
    return found


def left() -> list[str]:
    found = session.client("scheduler").list_schedules(GroupName=GROUP)["Schedules"]
    return [each["Name"] for each in found]


def sync(services: Services) -> None:
    apply(plan(services.registry, services.schedule_group), services.schedule_group)


@pytest.mark.parametrize("tenant", [None, "acme"])
def test_a_job_that_is_due_later_comes_at_its_time_and_its_schedule_goes(
    services: Services, scheduler: LocalScheduler, clock: FakeClock, tenant: str | None
) -> None:
    handle = Note.options(delay=HOUR, tenant=tenant).submit()

    clock.move(HOUR - 1)
    assert (scheduler.fire_due(), arrived(services)) == (0, [])
    clock.move(1)
    assert scheduler.fire_due() == 1

    assert [(message.uuid, message.options.tenant) for message in arrived(services)] == [
        (handle.uuid, tenant)
    ]
    assert left() == []
    clock.move(HOUR)
    assert (scheduler.fire_due(), arrived(services)) == (0, [])


def test_a_scheduler_that_starts_late_sends_what_is_past(
    services: Services, endpoint: str, clock: FakeClock
) -> None:
    handle = Note.options(delay=HOUR).submit()
    clock.move(5 * HOUR)

    assert LocalScheduler(endpoint, clock=clock).fire_due() == 1
    assert [message.uuid for message in arrived(services)] == [handle.uuid]


def test_declared_schedules_fire_at_their_times_with_the_time_in_the_message(
    services: Services, scheduler: LocalScheduler, clock: FakeClock
) -> None:
    sync(services)
    begin = datetime.fromtimestamp(clock.now(), UTC)
    scheduler.fire_due()
    fired: dict[str, list[datetime]] = {"nightly": [], "often": []}
    for _ in range(6 * 12):
        clock.move(300)
        scheduler.fire_due()
        for message in arrived(services):
            fired[message.task].append(datetime.fromtimestamp(message.created / 1000, UTC))

    assert fired["often"] == [begin + timedelta(minutes=5 * n) for n in range(1, 73)]
    assert fired["nightly"] == [begin + timedelta(hours=5)]  # six o'clock in Vienna


def test_what_was_missed_fires_once(services: Services, scheduler: LocalScheduler, clock: FakeClock) -> None:
    sync(services)
    scheduler.fire_due()

    clock.move(24 * HOUR)
    assert scheduler.fire_due() == 2
    assert len(arrived(services)) == 2
    assert scheduler.fire_due() == 0


def test_a_schedule_that_was_changed_counts_anew_and_a_disabled_one_is_still(
    services: Services, scheduler: LocalScheduler, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync(services)
    scheduler.fire_due()
    monkeypatch.setattr(Often, "schedule", rate(minutes=1))
    sync(services)
    scheduler.fire_due()
    clock.move(60)
    assert scheduler.fire_due() == 1

    often = next(
        change for change in plan(services.registry, services.schedule_group) if change.task == "often"
    )
    assert often.wanted is not None
    services.schedule_group.update(often.name, often.wanted, "DISABLED")
    clock.move(600)
    assert scheduler.fire_due() == 0


def test_what_it_cannot_read_is_left_alone(
    services: Services, scheduler: LocalScheduler, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    sync(services)
    often = next(
        change for change in plan(services.registry, services.schedule_group) if change.task == "often"
    )
    assert often.wanted is not None
    for expression in ("cron(0 6 * *)", "rate(soon)", "whenever"):
        services.schedule_group.create(
            f"odd-{len(expression)}", often.wanted | {"ScheduleExpression": expression}
        )
    scheduler.fire_due()
    clock.move(300)

    assert scheduler.fire_due() == 1
    assert caplog.text.count("cannot read the schedule") == 3


def test_the_code_of_dev_brings_its_schedules_along(
    services: Services, scheduler: LocalScheduler, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    apply_schedules()

    assert [each for each in caplog.messages if " runs by cron(" in each and each.endswith(") Europe/Vienna")]
    assert {name.split("-")[1] for name in left()} == {"nightly", "often"}


def test_a_schedule_that_contradicts_its_task_is_said_and_dev_goes_on(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    services.registry.add(type("Odd", (Often,), {"name": "odd", "schedule_inputs": {"no": "such"}}))

    apply_schedules()

    assert "Odd.schedule_inputs are invalid" in caplog.text


def test_where_a_template_has_no_group_there_is_nothing_to_apply(clock: FakeClock) -> None:
    with use(Services(Config(), clock=clock)):
        apply_schedules()


def test_in_a_local_stack_a_job_that_is_due_later_is_run() -> None:
    root = Path(__file__).parents[3]
    with local_stack(root / "template.yaml", modules=[__name__]) as stack:
        assert stack.outputs["ScheduleGroupName"] == GROUP
        told = Config.from_outputs("local", stack_outputs("local"))
        assert (told.schedule_group, told.scheduler_role) == (GROUP, ROLE)
        config = Config.from_environ(stack.environment)
        with use(Services(config)) as services:
            services.registry.add(Note)
            schedules = services.schedules
            soon = FakeClock(services.clock.now() + 1)
            message = a_message(soon, task="note", inputs={}, run_at=soon.ms)
            assert schedules.create(schedules.prepare([message])) == [None]
            with Poller(stack.mappings, wait=1):
                until(lambda: _ended(services, message.uuid), 15)


def _ended(services: Services, uuid: str) -> bool:
    record = services.store.read(uuid)
    return record is not None and record.ended
