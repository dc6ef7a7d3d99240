"""The schedules of a stack become those that its tasks declare."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from serverless_tasks import ConfigurationError, Task, cron, rate
from serverless_tasks.cli.app import app
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.definition.recurring import task_schedule_name
from serverless_tasks.engine.definition.registry import Registry
from serverless_tasks.engine.definition.schedule_sync import apply, plan
from serverless_tasks.engine.job.message import SCHEDULER_TRIES, Message
from serverless_tasks.engine.services import Services, use
from serverless_tasks.params import StringParameter
from tests.support.calls import counted_calls
from tests.support.clock import FakeClock


class Report(Task):
    name = "report"
    inputs = {"kind": StringParameter()}
    schedule = cron("0 6 * * ? *", zone="Europe/Vienna")
    schedule_inputs = {"kind": "daily"}
    queue = "low"

    def run(self, kind: str) -> None: ...


class Sweep(Task):
    name = "sweep"
    schedule = rate(minutes=5)

    def run(self) -> None: ...


class Plain(Task):
    name = "plain"

    def run(self) -> None: ...


def registry(*tasks: type[Task]) -> Registry:
    made = Registry()
    for task in tasks:
        made.add(task)
    return made


@pytest.fixture
def services(
    config: Config, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Services]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)
    with use(Services(config, clock=clock, registry=registry(Report, Sweep, Plain))) as services:
        yield services


def deployed(config: Config) -> dict[str, dict[str, Any]]:
    client = session.client("scheduler")
    found = client.list_schedules(GroupName=config.schedule_group)["Schedules"]
    return {
        each["Name"]: client.get_schedule(GroupName=config.schedule_group, Name=each["Name"])
        for each in found
    }


def call(*words: str, code: int = 0) -> Any:
    result = CliRunner().invoke(app, ["schedules", *words], env={"COLUMNS": "200", "NO_COLOR": "1"})
    assert result.exit_code == code, (result.exit_code, result.output, result.exception)
    return result


def sync(services: Services, *tasks: type[Task]) -> list[str]:
    changes = plan(registry(*tasks), services.schedule_group)
    apply(changes, services.schedule_group)
    return [f"{change.action} {change.task}" for change in changes]


def test_what_tasks_declare_is_made_with_a_dead_letter_target_and_retries(
    services: Services, config: Config
) -> None:
    assert sync(services, Report, Sweep, Plain) == ["create report", "create sweep"]

    found = deployed(config)
    assert set(found) == {task_schedule_name("report"), task_schedule_name("sweep")}
    report = found[task_schedule_name("report")]
    assert report["ScheduleExpression"] == "cron(0 6 * * ? *)"
    assert report["ScheduleExpressionTimezone"] == "Europe/Vienna"
    assert report["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert report["State"] == "ENABLED"
    target = report["Target"]
    assert target["Arn"].split(":")[-1] == config.queue_urls["low"].split("/")[-1]
    assert target["RoleArn"] == config.scheduler_role
    assert target["DeadLetterConfig"]["Arn"].split(":")[-1] == config.dead_letter_queue_url.split("/")[-1]
    assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] == SCHEDULER_TRIES
    body = target["Input"].replace("<aws.scheduler.scheduled-time>", "2026-01-05T05:00:00Z")
    message = Message.decode(body)
    assert (message.task, message.inputs, message.queue) == ("report", {"kind": "daily"}, "low")


def test_what_is_as_declared_is_left_alone(services: Services) -> None:
    sync(services, Report, Sweep)

    with counted_calls("scheduler") as calls:
        assert sync(services, Report, Sweep) == ["keep report", "keep sweep"]
    assert calls == {"ListSchedules": 1, "GetSchedule": 2}


@pytest.mark.parametrize(
    "changed",
    [
        {"schedule": cron("0 7 * * ? *", zone="Europe/Vienna")},
        {"schedule": cron("0 6 * * ? *", zone="Europe/London")},
        {"schedule_inputs": {"kind": "weekly"}},
        {"queue": "high"},
    ],
)
def test_what_is_declared_otherwise_is_changed(services: Services, config: Config, changed: Any) -> None:
    sync(services, Report)

    again = type("Report", (Report,), {"name": "report", **changed})
    assert sync(services, again) == ["update report"]
    assert sync(services, again) == ["keep report"]


def test_one_that_was_disabled_by_hand_stays_so(services: Services, config: Config) -> None:
    sync(services, Report)
    name = task_schedule_name("report")
    there = deployed(config)[name]
    names = (
        "Name",
        "GroupName",
        "ScheduleExpression",
        "ScheduleExpressionTimezone",
        "FlexibleTimeWindow",
        "Target",
    )
    session.client("scheduler").update_schedule(
        **{key: there[key] for key in names}, Description="report", State="DISABLED"
    )

    assert sync(services, Report) == ["keep report"]
    assert sync(services, type("Report", (Report,), {"name": "report", "queue": "high"})) == ["update report"]
    assert deployed(config)[name]["State"] == "DISABLED"


def test_what_nobody_declares_any_more_is_deleted_and_no_others_are(
    services: Services, config: Config, clock: FakeClock
) -> None:
    sync(services, Report, Sweep)
    waiting = Plain.options(delay=3600).submit()
    client = session.client("scheduler")
    other = deployed(config)[task_schedule_name("sweep")]
    client.create_schedule(
        Name="somebody-elses",
        GroupName=config.schedule_group,
        **{key: other[key] for key in ("ScheduleExpression", "FlexibleTimeWindow", "Target")},
    )

    assert sync(services, Report) == ["keep report", "delete sweep"]

    left = set(deployed(config))
    assert {task_schedule_name("report"), "somebody-elses"} < left
    assert len(left) == 3
    assert any(waiting.uuid in name for name in left)


def test_all_pages_of_a_large_group_are_read(services: Services, config: Config) -> None:
    many = [type(f"T{n}", (Sweep,), {"name": f"t{n:03}"}) for n in range(120)]

    sync(services, *many)

    assert set(sync(services, *many[:119])) == {f"keep t{n:03}" for n in range(119)} | {"delete t119"}


def test_a_setting_that_is_missing_is_named_and_nothing_is_done(clock: FakeClock) -> None:
    lacking = Services(Config(), clock=clock)

    with pytest.raises(ConfigurationError, match="SERVERLESS_TASKS_SCHEDULE_GROUP is not set"):
        sync(lacking, Plain)


def test_sync_says_what_it_did(services: Services, config: Config) -> None:
    assert [row["action"] for row in json.loads(call("sync", "--dry-run", "--json").stdout)] == ["create"] * 2
    assert deployed(config) == {}

    dry = call("sync", "--dry-run")
    assert "2 to create, 0 to update, 0 to delete, 0 unchanged." in dry.stderr
    done = call("sync")
    assert "2 created, 0 updated, 0 deleted, 0 unchanged." in done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0] == ["action", "task", "schedule"]
    assert lines[1] == [
        "create",
        "report",
        "cron(0",
        "6",
        "*",
        "*",
        "?",
        "*)",
        "Europe/Vienna",
    ]
    assert len(deployed(config)) == 2

    assert json.loads(call("sync", "--json").stdout) == [
        {
            "action": "keep",
            "task": name,
            "schedule": expression,
            "zone": zone,
            "name": task_schedule_name(name),
        }
        for name, expression, zone in (
            ("report", "cron(0 6 * * ? *)", "Europe/Vienna"),
            ("sweep", "rate(5 minutes)", "UTC"),
        )
    ]


def test_list_shows_what_is_declared_and_what_is_there(services: Services, clock: FakeClock) -> None:
    missing = call("list", "--json")
    assert [(row["state"], row["in_step"], row["next"]) for row in json.loads(missing.stdout)] == [
        ("missing", False, None)
    ] * 2
    people = call("list")
    assert "run `serverless-tasks schedules sync`." in people.stderr
    assert "missing" in people.stdout
    call("sync")
    for line in call("list").stdout.splitlines():
        assert len(line) < 80
        assert "not in step" not in line

    report, sweep = json.loads(call("list", "--json").stdout)
    assert (report["state"], report["in_step"]) == ("enabled", True)
    assert report["next"] == "2026-01-01T05:00:00Z"
    now = datetime.fromtimestamp(clock.now(), UTC)
    assert 0 < (datetime.fromisoformat(sweep["next"]) - now).total_seconds() <= 300
    shown = call("list")
    assert shown.stderr == ""
    assert "2026-01-01T05:00:00Z" in shown.stdout


def test_list_says_when_there_are_none(
    config: Config, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)
    with use(Services(config, clock=clock, registry=registry(Plain))):
        assert call("list").stdout.strip() == "No task declares a schedule, and none is deployed."
        assert json.loads(call("sync", "--json").stdout) == []
