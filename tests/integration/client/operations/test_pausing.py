"""Pausing and resuming queues and tasks, from Python and from the command line."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from serverless_tasks.cli.app import app
from serverless_tasks.client.operations.pausing import pause_queue, pause_task, resume_queue, resume_task
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.aws.mappings import mappings_of
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.services import Services, use
from serverless_tasks.errors import AwsError, ConfigurationError
from tests.support.aws import map_queues
from tests.support.clock import FakeClock


@pytest.fixture
def services(
    config: Config, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Services]:
    monkeypatch.chdir(tmp_path)
    with use(Services(config, clock=clock)) as services:
        yield services


@pytest.fixture
def looking(services: Services, clock: FakeClock) -> Iterator[Services]:
    with use(Services(replace(services.config, pauses=True), clock=clock)) as services:
        yield services


@pytest.fixture
def mapped(services: Services) -> None:
    """The worker's mappings of the queues."""
    map_queues(services.config.queue_urls.values())


def enabled(services: Services) -> dict[str, bool]:
    return {
        name: all(mapping.enabled for mapping in mappings_of(url))
        for name, url in services.config.queue_urls.items()
    }


def run(*words: str) -> tuple[int, Any]:
    result = CliRunner().invoke(app, [*words, "--json"])
    return result.exit_code, json.loads(result.stdout)


def stored(services: Services) -> dict[str, Any]:
    key = {"pk": {"S": "control"}, "sk": {"S": "pauses"}}
    found = session.client("dynamodb").get_item(TableName=services.config.table, Key=key)
    return dict(found.get("Item", {}))


@pytest.mark.usefixtures("mapped")
class TestQueue:
    def test_its_mapping_is_disabled_and_the_others_are_not(
        self, services: Services, clock: FakeClock
    ) -> None:
        done = pause_queue(services, "low", by="ada", why=" The bank is down ")
        assert (done.mappings, done.pause and done.pause.why) == (1, "The bank is down")
        assert enabled(services) == {"high": True, "default": True, "low": False}
        other = Services(services.config, clock=clock)
        assert other.pauses is not None
        [pause] = other.pauses.all()
        assert (pause.kind, pause.name, pause.by, pause.since) == ("queue", "low", "ada", clock.ms)

    def test_it_is_resumed(self, services: Services) -> None:
        pause_queue(services, "low")
        resume_queue(services, "low")
        assert enabled(services) == {"high": True, "default": True, "low": True}
        assert set(stored(services)) == {"pk", "sk", "changed", "ttl"}

    def test_doing_it_twice_changes_nothing(self, services: Services) -> None:
        for _ in range(2):
            assert pause_queue(services, "low").mappings == 1
        assert enabled(services)["low"] is False
        for _ in range(2):
            resume_queue(services, "low")
        assert enabled(services)["low"] is True

    def test_a_pause_that_lambda_refuses_is_not_kept(
        self, services: Services, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(**_: Any) -> None:
            raise AwsError("lambda.update_event_source_mapping", "AccessDenied", "no", applied=False)

        monkeypatch.setattr("serverless_tasks.client.operations.pausing.switch", lambda *_, **__: refuse())
        with pytest.raises(AwsError):
            pause_queue(services, "low")
        assert stored(services) == {}

    def test_the_command_line_pauses_and_resumes(
        self, services: Services, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("getpass.getuser", lambda: "ada")
        code, document = run("pause", "low", "--why", "The bank is down")
        assert (code, document["by"], document["why"], document["mappings"]) == (
            0,
            "ada",
            "The bank is down",
            1,
        )
        assert enabled(services)["low"] is False
        code, document = run("resume", "low")
        assert (code, document) == (0, {"kind": "queue", "name": "low", "paused": False, "mappings": 1})
        assert enabled(services)["low"] is True


class TestQueueWithoutMapping:
    def test_nothing_is_paused_where_nobody_would_notice(self, services: Services) -> None:
        with pytest.raises(ConfigurationError, match="no event source mapping receives from the queue 'low'"):
            pause_queue(services, "low")
        assert stored(services) == {}

    def test_container_workers_that_look_are_enough(self, looking: Services) -> None:
        assert pause_queue(looking, "low").mappings == 0
        assert looking.pauses is not None
        assert [pause.name for pause in looking.pauses.all()] == ["low"]

    def test_an_unknown_queue_is_named(self, services: Services) -> None:
        code, document = run("pause", "nowhere")
        assert code == 2
        assert "no queue 'nowhere'" in document["error"]["message"]


class TestTask:
    def test_it_is_refused_where_workers_do_not_look(self, services: Services) -> None:
        code, document = run("pause", "--task", "sum")
        assert code == 2
        message = document["error"]["message"]
        assert "TaskPauses=true" in message
        assert "SERVERLESS_TASKS_PAUSES=true" in message
        assert "A queue can be paused now" in message
        assert stored(services) == {}

    def test_it_is_paused_until_a_time_and_resumed(self, looking: Services, clock: FakeClock) -> None:
        until = datetime.fromtimestamp(clock.now() + 60, UTC)
        pause_task(looking, "reports.nightly: ä", by="ada", until=until)
        other = Services(looking.config, clock=clock)
        assert other.pauses is not None
        [pause] = other.pauses.all()
        assert (pause.name, pause.until) == ("reports.nightly: ä", clock.ms + 60_000)
        resume_task(other, "reports.nightly: ä")
        assert other.pauses.all(fresh=True) == []

    def test_a_time_that_is_over_is_refused(self, looking: Services, clock: FakeClock) -> None:
        with pytest.raises(ConfigurationError, match="is over"):
            pause_task(looking, "sum", until=datetime.fromtimestamp(clock.now(), UTC))
        assert stored(looking) == {}

    @pytest.mark.parametrize("until", ["tomorrow", "2030-01-31T08:00:00"])
    def test_a_time_without_a_zone_is_refused(self, looking: Services, until: str) -> None:
        code, document = run("pause", "--task", "sum", "--until", until)
        assert code == 2
        assert "expected a time in ISO 8601 with an offset" in document["error"]["message"]

    def test_the_command_line_pauses_and_resumes(self, looking: Services) -> None:
        code, document = run(
            "pause", "--task", "sum", "--why", "wrong", "--until", "2030-01-31T08:00:00+01:00"
        )
        assert (code, document["kind"], document["until"]) == (0, "task", "2030-01-31T07:00:00.000Z")
        assert run("resume", "--task", "sum")[0] == 0
        assert looking.pauses is not None
        assert looking.pauses.all(fresh=True) == []


@pytest.mark.parametrize("words", [[], ["low", "--task", "sum"]])
def test_one_of_a_queue_and_a_task_has_to_be_named(services: Services, words: list[str]) -> None:
    for command in ("pause", "resume"):
        assert run(command, *words)[0] == 2


def test_a_queue_has_no_end_of_its_own(services: Services) -> None:
    code, document = run("pause", "low", "--until", "2030-01-31T08:00:00Z")
    assert code == 2
    assert "--until is for tasks" in document["error"]["message"]


def test_where_jobs_run_in_the_process_nothing_can_be_paused(clock: FakeClock) -> None:
    services = Services(Config(), backend="threading", clock=clock)
    with pytest.raises(ConfigurationError, match="There is nothing to pause"):
        pause_task(services, "sum")


class TestItsItem:
    """The one item of all pauses."""

    def test_it_is_kept_for_over_a_year_after_a_change_and_as_long_as_somebody_sees_a_pause_hold(
        self, looking: Services, clock: FakeClock
    ) -> None:
        pause_task(looking, "sum")
        assert ttl(looking) == int(clock.now()) + 400 * DAY
        made = ttl(looking)
        clock.move(150 * DAY)
        assert len(seen_anew(looking, clock)) == 1
        assert ttl(looking) == made
        clock.move(60 * DAY)
        assert len(seen_anew(looking, clock)) == 1
        assert ttl(looking) == int(clock.now()) + 400 * DAY

    def test_one_of_the_version_before_gets_its_end_when_it_is_seen(
        self, looking: Services, clock: FakeClock
    ) -> None:
        pause_task(looking, "sum")
        session.client("dynamodb").update_item(**where(looking), UpdateExpression="REMOVE #t", **NAMED)
        assert len(seen_anew(looking, clock)) == 1
        assert ttl(looking) == int(clock.now()) + 400 * DAY

    def test_what_is_resumed_is_not_kept_for_longer(self, looking: Services, clock: FakeClock) -> None:
        pause_task(looking, "sum")
        resume_task(looking, "sum")
        made = ttl(looking)
        clock.move(300 * DAY)
        assert seen_anew(looking, clock) == []
        assert ttl(looking) == made


DAY = 86_400
NAMED: Any = {"ExpressionAttributeNames": {"#t": "ttl"}}


def where(services: Services) -> dict[str, Any]:
    return {"TableName": services.config.table, "Key": {"pk": {"S": "control"}, "sk": {"S": "pauses"}}}


def ttl(services: Services) -> int:
    return int(session.client("dynamodb").get_item(**where(services))["Item"]["ttl"]["N"])


def seen_anew(services: Services, clock: FakeClock) -> list[Any]:
    """What another process sees to be paused."""
    pauses = Services(services.config, clock=clock).pauses
    assert pauses is not None
    return pauses.all()
