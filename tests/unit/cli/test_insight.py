"""The commands errors and stats."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import serverless_tasks
from serverless_tasks.cli.app import app
from serverless_tasks.cli.insight.forms import seconds, sparkline
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.services import Services, reset
from serverless_tasks.engine.statistics.errors import Occurrences
from serverless_tasks.engine.statistics.fingerprint import kind_of
from serverless_tasks.engine.statistics.items import HOUR_MS, hour_of
from tests.support.clock import FakeClock
from tests.unit.handlers.tasks import Quiet, Sum

ID = "0b0e64f7-7d0b-4d6c-8a3a-1f5f3d8f1c11"
LONG = "shop.background.orders.with_a_long_name.SynchroniseOrdersOfAllCustomers"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)
    services = serverless_tasks.configure(Config(), backend="immediate", clock=FakeClock())
    for task in (Sum, Quiet):
        services.registry.add(task)
    yield services
    reset()


def call(*words: str, code: int = 0, columns: int = 80, stream: str = "stdout") -> str:
    result = CliRunner().invoke(app, list(words), env={"COLUMNS": str(columns), "NO_COLOR": "1"})
    assert result.exit_code == code, (result.exit_code, result.output, result.exception)
    return str(getattr(result, stream))


def document(*words: str) -> Any:
    return json.loads(call(*words, "--json"))


def count(services: Services, hours_ago: int = 0, task: str = "sum", **counts: float) -> None:
    clock: Any = services.clock
    services.statistics_store.add(task, hour_of(clock.ms - hours_ago * HOUR_MS), 0, counts)


def fail(
    services: Services, times: int = 1, hours_ago: int = 0, task: str = "sum", text: str = "no 7"
) -> str:
    clock: Any = services.clock
    at = clock.ms - hours_ago * HOUR_MS
    kind = kind_of(task, "ValueError", text)
    services.statistics_store.add_errors(
        Occurrences(kind=kind, count=times, first=at, last=at, text=text, text_of=ID)
    )
    return kind.fingerprint


def widest(text: str) -> int:
    return max(len(line) for line in text.splitlines())


class TestStats:
    def test_all_tasks_the_busiest_first(self, project: Services) -> None:
        count(project, succeeded=3, failed=1, d24=4)
        count(project, task="quiet", succeeded=20, d8=20)
        told = call("stats")
        assert [line.split()[0] for line in told.splitlines()[1:]] == ["quiet", "sum"]
        assert "25.0%" in told
        assert [each["task"] for each in document("stats")["tasks"]] == ["quiet", "sum"]

    def test_one_task_compared_with_the_time_before(self, project: Services) -> None:
        count(project, succeeded=200, d24=200)
        count(project, hours_ago=30, succeeded=200, d16=200)
        told = call("stats", "sum")
        assert "slower: p50 " in told
        assert "█" in told
        body = document("stats", "sum", "--since", "1h")
        assert (body["pace"], body["total"]["succeeded"]) == ("unknown", 200)

    def test_a_task_that_is_slower_says_so_in_the_list(self, project: Services) -> None:
        count(project, succeeded=200, d24=200)
        count(project, hours_ago=30, succeeded=200, d16=200)
        assert "sum slower" in call("stats")

    def test_the_time_may_end_before_now(self, project: Services) -> None:
        count(project, succeeded=7)
        count(project, hours_ago=10, succeeded=5)
        assert document("stats", "--until", "6h")["tasks"][0]["total"]["succeeded"] == 5
        assert document("stats", "sum", "--until", "6h")["total"]["succeeded"] == 5

    def test_a_time_without_counts(self, project: Services) -> None:
        assert call("stats").strip() == "Nothing was counted in this time."
        assert document("stats") == {"tasks": []}

    @pytest.mark.parametrize("words", [["stats"], ["stats", LONG], ["errors"]])
    def test_it_fits_80_columns(self, project: Services, words: list[str]) -> None:
        project.registry.add(type("Long", (Sum,), {"name": LONG}))
        for hours in range(24):
            count(project, hours, LONG, succeeded=123_456, failed=54_321, d50=100_000, q60=100_000)
        fail(project, 123_456, task=LONG, text="the order could not be synchronised " * 10)
        assert widest(call(*words)) <= 80


class TestErrors:
    def test_kinds_with_their_counts_and_messages(self, project: Services) -> None:
        fingerprint = fail(project, 3)
        fail(project, 5, task="quiet")
        told = call("errors")
        assert told.index("quiet: ValueError") < told.index("sum: ValueError")
        assert fingerprint in told
        assert "2 kinds of failures, 8 in all." in told
        body = document("errors", "--task", "sum")
        assert [(each["fingerprint"], each["count"]) for each in body["errors"]] == [(fingerprint, 3)]

    def test_one_with_examples_and_its_trend(self, project: Services) -> None:
        fingerprint = fail(project, 3, hours_ago=2)
        told = call("errors", fingerprint)
        assert ID in told
        assert "█" in told
        assert document("errors", fingerprint)["examples"] == [ID]

    def test_an_unknown_one_is_not_found(self, project: Services) -> None:
        told = call("errors", "nothing", code=3, stream="stderr")
        assert "No failure with the fingerprint nothing since 20" in told
        error = json.loads(call("errors", "nothing", "--json", code=3))["error"]
        assert (error["type"], error["message"]) == ("KindNotFound", told.strip())

    def test_the_time_is_chosen(self, project: Services) -> None:
        fail(project, hours_ago=30)
        assert call("errors").strip() == "No task failed in this time."
        assert "ValueError" in call("errors", "--since", "2d")

    def test_the_time_may_end_before_now(self, project: Services) -> None:
        fail(project, hours_ago=30)
        fail(project, 2, hours_ago=3, text="the later one")
        told = call("errors", "--since", "2d", "--until", "6h")
        assert "no 7" in told
        assert "the later one" not in told
        assert "6h" in call("errors", "--since", "1h", "--until", "6h", code=2, stream="stderr")

    def test_one_leads_to_its_jobs(self, project: Services) -> None:
        fingerprint = fail(project)
        assert f"serverless-tasks jobs --fingerprint {fingerprint}" in call("errors", fingerprint)

    def test_what_a_task_raised_does_not_steer_the_terminal(self, project: Services) -> None:
        fail(project, text="\x1b[2Jgone [bold]x[/bold]")
        told = call("errors")
        assert "\x1b" not in told
        assert "[bold]x[/bold]" in told

    def test_a_time_that_is_none_is_refused(self, project: Services) -> None:
        call("errors", "--since", "soon", code=2)


def test_a_sparkline() -> None:
    assert sparkline([0, 1, 4, 8, None]) == "·▁▄█·"
    assert sparkline([]) == ""
    assert sparkline([None, 0]) == "··"
    assert len(sparkline(list(range(168)))) == 24
    assert sparkline([0, 0, 0, 5], 2) == "·█"


def test_durations_in_words() -> None:
    told = [seconds(value) for value in (None, 0.0012, 0.25, 1.5, 300, 7300)]
    assert told == ["-", "1.2 ms", "250 ms", "1.5s", "5m00s", "2h01m"]
