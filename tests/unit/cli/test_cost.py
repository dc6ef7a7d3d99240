"""The command cost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import serverless_tasks
from serverless_tasks.cli.app import app
from serverless_tasks.cli.insight.costs import money
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.services import Services, reset
from serverless_tasks.engine.statistics.items import HOUR_MS, hour_of
from tests.support.clock import FakeClock
from tests.unit.handlers.tasks import Quiet, Sum


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)
    services = serverless_tasks.configure(Config(), backend="immediate", clock=FakeClock())
    for task in (Sum, Quiet):
        services.registry.add(task)
    yield services
    reset()


def call(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["cost", *words], env={"COLUMNS": "80", "NO_COLOR": "1"})
    assert result.exit_code == code, (result.exit_code, result.output, result.exception)
    return result.stdout if code == 0 else result.output


def document(*words: str) -> Any:
    return json.loads(call(*words, "--json"))


def count(services: Services, hours_ago: int = 0, task: str = "sum", **counts: float) -> None:
    clock: Any = services.clock
    services.statistics_store.add(task, hour_of(clock.ms - hours_ago * HOUR_MS), 0, counts)


def run(services: Services, task: type[Any], tenant: str, **inputs: Any) -> None:
    """Run a job, and count it as a worker would."""
    task.options(tenant=tenant).submit(**inputs)
    count(services, task=task.name, submitted=1, succeeded=1, wu=2, sub_wu=2, sqs=0.3, sub_sqs=1)


def test_tasks_with_total_share_and_days(project: Services) -> None:
    count(project, 30, succeeded=1000, wu=2_000_000, sub_wu=1_000_000, gb_seconds=60_000)
    count(project, 1, task="quiet", succeeded=500, wu=1_000_000)
    text = call()
    lines = [line.split() for line in text.splitlines()]
    assert ["sum", "1,000", "$2.88", "$2,875.00", "82.1%"] in [line[:5] for line in lines]
    assert ["quiet", "500", "$0.625", "$1,250.00", "17.9%"] in [line[:5] for line in lines]
    assert ["together", "1,500", "$3.50", "$2,333.33"] in lines
    assert "Lambda $1.00" in text
    assert "List prices of us-east-1 of 2026-" in text
    assert "Not included: reads of status" in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_time_that_ends_before_it_begins_is_refused(project: Services) -> None:
    assert "the time ends before it begins" in call("--since", "1h", "--until", "2h", code=2)


def test_what_one_task_has_cost_this_week(project: Services) -> None:
    count(project, 30, succeeded=1000, wu=2_000_000, sub_wu=1_000_000)
    count(project, 24 * 8, succeeded=1000, wu=2_000_000)
    count(project, 1, task="quiet", wu=1_000_000)
    text = call("--since", "7d", "--task", "sum")
    assert "$1.88 for 1,000 jobs that ended" in text
    assert ["DynamoDB", "$0.625", "$1.25", "$1.88", "100.0%"] in [line.split() for line in text.splitlines()]
    assert ["2025-12-30", "$1.88"] in [line.split() for line in text.splitlines()]
    assert "quiet" not in text
    found = document("--task", "sum")
    assert [task["task"] for task in found["tasks"]] == ["sum"]
    assert found["dollars"] == pytest.approx(1.875)


def test_tenants_are_estimated_and_it_says_so(project: Services) -> None:
    for tenant in ("acme", "acme", "bolt"):
        run(project, Quiet, tenant)
    text = call("--by", "tenant")
    assert ["acme", "2"] in [line.split()[:2] for line in text.splitlines()]
    assert "ESTIMATED from a sample of 3 of about 3 jobs." in text
    assert "They were submitted from" in text
    sample = document("--by", "tenant")["sample"]
    assert (sample["by"], sample["estimated"], sample["looked_at"]) == ("tenant", True, 3)
    assert [(each["tenant"], each["jobs"]) for each in sample["shares"]] == [("acme", 2), ("bolt", 1)]
    assert max(map(len, text.splitlines())) <= 80


def test_owners_of_whom_nobody_is_known(project: Services) -> None:
    run(project, Quiet, "acme")
    assert ["(none)", "1"] in [line.split()[:2] for line in call("--by", "owner").splitlines()]
    assert "sample" not in document()


@pytest.mark.parametrize("words", [(), ("--by", "owner"), ("--task", "sum")])
def test_nothing(project: Services, words: tuple[str, ...]) -> None:
    assert call(*words) == "Nothing was counted in this time.\n"
    assert document(*words)["dollars"] == 0


@pytest.mark.parametrize(
    ("name", "text"), [("prices.json", '{"dynamodb_writes": 2}'), ("prices.toml", "dynamodb_writes = 2.0")]
)
def test_prices_of_a_file_or_a_setting(
    project: Services, name: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    count(project, succeeded=1, wu=1_000_000)
    Path(name).write_text(text)
    assert document("--prices", name)["dollars"] == 2.0
    for setting in (name, '{"dynamodb_writes": 2}'):
        project.config = Config(prices=setting)
        found = document()
        assert (found["dollars"], found["prices"]["dynamodb_writes"]) == (2.0, 2)
        assert found["prices_from"]
    assert "with those of SERVERLESS_TASKS_PRICES" in " ".join(call().split())


def test_a_time(project: Services) -> None:
    count(project, 5, succeeded=1, wu=1_000_000)
    assert document("--since", "4h")["dollars"] == 0
    assert document("--since", "6h", "--until", "5h")["dollars"] == 0
    assert document("--since", "6h", "--until", "4h")["dollars"] == pytest.approx(0.625)


def test_what_cannot_be_read(project: Services) -> None:
    assert "--since 'x'" in call("--since", "x", code=2)
    assert "ends before it begins" in call("--since", "4h", "--until", "6h", code=2)
    assert "no prices of region 'eu-central-1'" in call("--region", "eu-central-1", code=2)
    assert "cannot be read" in call("--prices", "none.json", code=2)
    call("--by", "queue", code=2)


@pytest.mark.parametrize(
    ("dollars", "text"),
    [
        (0, "$0"),
        (0.00004, "<$0.0001"),
        (0.0094, "$0.0094"),
        (0.00999, "$0.010"),
        (0.5, "$0.500"),
        (0.9961, "$1.00"),
        (12345.678, "$12,345.68"),
    ],
)
def test_money(dollars: float, text: str) -> None:
    assert money(dollars) == text
