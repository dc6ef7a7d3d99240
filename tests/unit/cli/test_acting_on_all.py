"""`serverless-tasks jobs --retry | --cancel | --delete`: the question, the action, and its summary."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from serverless_tasks import Task, TaskError, configure
from serverless_tasks.cli.app import app
from serverless_tasks.cli.commands import search
from serverless_tasks.client.operations.bulk.submission import BULK
from serverless_tasks.client.search import JobFilter, search_jobs
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.services import Services, reset
from tests.support.clock import FakeClock


class Fails(Task):
    name = "fails"

    def run(self) -> None:
        raise TaskError("There is no more paper.")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(autouse=True)
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> Iterator[Services]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)
    services = configure(Config(), backend="immediate", clock=clock)
    services.registry.add(Fails)
    yield services
    reset()


@pytest.fixture
def failed(services: Services, clock: FakeClock) -> list[str]:
    uuids = [handle.uuid for handle in Fails.submit_many([{}, {}, {}])]
    clock.move(1)
    return uuids


def call(*words: str, code: int = 0, typed: str | None = None) -> Any:
    result = CliRunner().invoke(app, ["jobs", *words], input=typed, env={"COLUMNS": "80", "NO_COLOR": "1"})
    assert result.exit_code == code, (result.exit_code, result.output, result.exception)
    return result


def left(services: Services, uuids: list[str]) -> int:
    return sum(services.store.read(uuid) is not None for uuid in uuids)


def actions(services: Services) -> int:
    filters = JobFilter(tasks=(BULK,))
    return len(search_jobs(services.store, filters, limit=10, names=()).records)


def test_it_asks_with_the_count_and_does_nothing_without_a_yes(services: Services, failed: list[str]) -> None:
    result = call("--status", "failed", "--delete", typed="n\n", code=1)
    assert "Delete those of 3 jobs that have ended" in result.stderr
    assert (left(services, failed), actions(services)) == (3, 0)


def test_with_a_yes_it_acts_and_sums_it_up(services: Services, failed: list[str]) -> None:
    result = call("--status", "failed", "--delete", typed="y\n")
    assert "3 jobs deleted." in result.output
    assert left(services, failed) == 0


def test_yes_asks_nothing(services: Services, failed: list[str]) -> None:
    result = call("--status", "failed", "--retry", "--yes")
    assert "3 jobs retried." in result.output
    record = services.store.read(failed[0])
    assert record is not None
    assert len(record.retried_as) == 1


@pytest.mark.parametrize(("more", "count"), [([], 1), (["--again"], 2)])
def test_what_was_retried_before_is_left_alone_unless_said(
    services: Services, failed: list[str], clock: FakeClock, more: list[str], count: int
) -> None:
    only = ["--status", "failed", "--id", failed[0]]
    call(*only, "--retry", "--yes")
    clock.move(1)
    call(*only, "--retry", "--yes", *more)
    record = services.store.read(failed[0])
    assert record is not None
    assert len(record.retried_as) == count


def test_a_program_reads_lines_of_json(failed: list[str]) -> None:
    result = call("--status", "failed", "--cancel", "--yes", "--json")
    last = json.loads(result.stdout.splitlines()[-1])
    assert (last["task"], last["status"], last["outputs"]["done"]) == (BULK, "succeeded", 0)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--retry", "--delete"], "Give one of --retry, --cancel and --delete"),
        (["--yes"], "Give one of --retry, --cancel and --delete"),
        (["--delete", "--again"], "--again goes with --retry"),
        (["--delete", "--json"], "Give --yes with --json"),
    ],
)
def test_what_is_not_clear_is_refused(
    services: Services, failed: list[str], words: list[str], error: str
) -> None:
    assert error in call("--status", "failed", *words, code=2).output
    assert (left(services, failed), actions(services)) == (3, 0)


def test_of_very_many_it_says_how_many_at_least(failed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "COUNTED", 2)
    result = call("--status", "failed", "--retry", typed="n\n", code=1)
    assert "Submit 2 or more jobs (10000 at most in one run) once more?" in result.stderr
