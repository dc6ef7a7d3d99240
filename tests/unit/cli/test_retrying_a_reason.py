"""One command retries all jobs that a deployment made fail: of an unknown task, and of inputs that it did not take."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lambda_handlers.dead_letter import UNKNOWN
from serverless_tasks import Task, configure
from serverless_tasks.cli.app import app
from serverless_tasks.client.finished import delete_finished
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.definition.registry import Registry
from serverless_tasks.engine.job.message import Message, expires_at
from serverless_tasks.engine.job.record import Failure, Record
from serverless_tasks.engine.services import Services, reset
from serverless_tasks.params import StringParameter
from tests.support.clock import FakeClock

IDS = [f"6f3f5cf2-0000-4000-8000-{number:012d}" for number in range(6)]


class Send(Task):
    name = "mail.send"
    aliases = ("send",)
    inputs = {"to": StringParameter(), "subject": StringParameter(required=False)}

    def run(self, to: str, subject: str = "") -> None: ...


class SendOfBefore(Task):
    name = "mail.send"
    aliases = ("send",)
    inputs = {"to": StringParameter(), "subject": StringParameter()}

    def run(self, to: str, subject: str) -> None: ...


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> Iterator[Services]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)
    services = configure(Config(build="B"), backend="immediate", clock=clock)
    services.registry.add(SendOfBefore)
    for uuid in IDS:
        made = Message(
            uuid=uuid,
            task="send",
            inputs={"to": "ada"},
            created=clock.ms,
            expires=expires_at(clock.ms, None),
            build="A",
        )
        services.store.put_jobs([made])
        if uuid in IDS[:3]:
            services.settle(made, Failure(type=UNKNOWN, message="No deployed task is named 'send'."))
        else:
            services.runner.execute(made)
    clock.move(1)
    # The next deployment: it has the input that was required as one that may be left out.
    services.registry = Registry()
    services.registry.add(Send)
    services.runner._registry = services.registry
    yield services
    reset()


def run(*words: str) -> str:
    result = CliRunner().invoke(app, list(words), env={"COLUMNS": "160", "NO_COLOR": "1"})
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


def read(services: Services, uuid: str) -> Record:
    record = services.store.read(uuid)
    assert record is not None
    return record


@pytest.mark.parametrize(("kind", "own"), [("UnknownTask", IDS[:3]), ("InvalidInputs", IDS[3:])])
def test_all_of_a_reason_are_retried_and_no_others(services: Services, kind: str, own: list[str]) -> None:
    found = [read(services, uuid) for uuid in IDS]
    assert [record.uuid for record in found if record.failure and record.failure.type == kind] == own
    assert "3 jobs retried." in run("jobs", "--error", kind, "--retry", "--yes")
    for uuid in IDS:
        record = read(services, uuid)
        assert len(record.retried_as) == (uuid in own)
        if record.retried_as:
            new = read(services, record.retried_as[0])
            assert (new.status, new.task, new.build) == ("succeeded", "mail.send", "B")


@pytest.mark.parametrize("name", ["send", "mail.send"])
def test_they_are_listed_and_retried_by_either_name(services: Services, name: str) -> None:
    text = run("jobs", "--task", name)
    assert all(uuid[:8] in text for uuid in IDS)
    assert "6 jobs retried." in run("jobs", "--task", name, "--status", "failed", "--retry", "--yes")


def test_what_has_ended_is_deleted_by_the_present_name(services: Services, clock: FakeClock) -> None:
    clock.move(1)
    deleted = delete_finished(services, before=clock.ms, tasks=["mail.send"])
    assert {each.uuid for each in deleted} == set(IDS)


def test_the_reason_of_bad_inputs_names_the_builds(services: Services) -> None:
    failure = read(services, IDS[3]).failure
    assert failure is not None
    assert failure.message.endswith("subject: Field required (build: worker 'B', job 'A')")
