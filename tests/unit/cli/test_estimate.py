"""What `estimate` tells people and programs. It needs no project, no stack and no AWS."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from serverless_tasks.cli.app import app


def call(*words: str, code: int = 0) -> str:
    """Run the command; returns what it says."""
    result = CliRunner().invoke(app, ["estimate", *words], env={"COLUMNS": "80"})
    assert result.exit_code == code, result.output
    return result.output


def document(*words: str) -> Any:
    return json.loads(call(*words, "--json"))


def test_a_table_by_service_with_what_it_rests_on() -> None:
    text = call("--jobs", "1e6", "--inputs", "10kB", "--seconds", "2", "--memory", "512")
    lines = [line.split() for line in text.splitlines()]
    assert ["DynamoDB", "$5.62", "$5.62"] in lines
    assert ["SQS", "$1.60", "$1.60"] in lines
    assert ["together", "$24.89", "$24.89"] in lines
    assert "List prices of us-east-1 of 2026-" in text
    assert "without free tiers" in text
    assert max(map(len, text.splitlines())) <= 80


def test_inputs_past_a_kb_are_stored_compressed() -> None:
    said = "stored compressed, to 0.4 of their size"
    assert said in call("--inputs", "10kB")
    assert document("--inputs", "10kB")["usage_per_job"]["writes"] == 9
    assert document("--inputs", "10kB", "--compressed", "0.25")["usage_per_job"]["writes"] == 7
    for others in (["10kB", "--compressed", "1"], ["1kB"], ["300kB"], ["10kB", "--no-track"]):
        assert said not in call("--inputs", *others)
    assert document("--inputs", "10kB", "--compressed", "1")["usage_per_job"]["writes"] == 14


def test_a_document_for_programs() -> None:
    told = document("--jobs", "2e6", "--batch", "10", "--retries", "0.01", "--group", "50")
    assert told["workload"]["jobs"] == 2e6
    assert told["usage_per_job"]["invocations"] == pytest.approx(0.101 + 0.02)
    assert told["dollars_per_month"]["total"] == pytest.approx(2e6 * told["dollars_per_job"]["total"])
    parts = {name: each for name, each in told["dollars_per_month"].items() if name != "total"}
    assert sum(parts.values()) == pytest.approx(told["dollars_per_month"]["total"])
    assert told["prices"]["region"] == "us-east-1"


@pytest.mark.parametrize(
    ("size", "read"),
    [("0", 0), ("800", 800), ("800 b", 800), ("10kB", 10_000), ("1.5 MB", 1_500_000), ("2KiB", 2048)],
)
def test_sizes(size: str, read: int) -> None:
    assert document("--inputs", size)["workload"]["inputs"] == read


@pytest.mark.parametrize("size", ["", "x", "10xB", "10 k B", "-1", "1e999", "nan", "51MB", "kB"])
def test_what_is_no_size(size: str) -> None:
    assert f"--inputs is {size!r}; expected a size" in call("--inputs", size, code=2)


def test_fewer_writes_where_jobs_are_not_tracked() -> None:
    assert document("--no-track")["usage_per_job"]["writes"] == 2
    assert document()["usage_per_job"]["writes"] > 2


def test_prices_of_a_file(tmp_path: Path) -> None:
    prices = tmp_path / "prices.json"
    prices.write_text('{"sqs_requests": 0, "date": "2027-01-01"}')
    told = document("--prices", str(prices))
    assert (told["dollars_per_job"]["SQS"], told["prices"]["date"]) == (0, "2027-01-01")


@pytest.mark.parametrize("text", ["[]", "{", '{"sqs": 1}'])
def test_a_file_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    prices = tmp_path / "prices.json"
    prices.write_text(text)
    assert "rice" in call("--prices", str(prices), code=2)
    assert "cannot be read" in call("--prices", str(tmp_path / "none.json"), code=2)


def test_a_region_without_prices() -> None:
    assert "There are no prices of region 'eu-central-1'" in call("--region", "eu-central-1", code=2)
