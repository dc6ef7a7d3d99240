"""CONTRIBUTING's table of how things are added names files that are there, and what it says of them is so."""

import re
from pathlib import Path

import pytest

from django_integration.django_tasks.task import ENQUEUE_OPTIONS, ServerlessTask, Using
from serverless_tasks.cli.app import app
from serverless_tasks.engine.backends.base import BACKENDS, Backend, backend_class
from serverless_tasks.engine.submit.options import RULES

ROOT = Path(__file__).resolve().parents[2]
SECTION = (ROOT / "CONTRIBUTING.md").read_text().partition("## Adding things")[2].partition("\n## ")[0]
ROWS = re.findall(r"^\| ([^|]+) \| (.+) \|$", SECTION, re.MULTILINE)[1:]
# Django says these in words of its own (`queue_name`, `priority`, `run_after`), the task (`unique`), or the backend.
ELSEWHERE = {"queue", "priority", "delay", "run_at", "unique", "track", "on_commit"}


@pytest.mark.parametrize(("thing", "files"), ROWS, ids=[thing for thing, _ in ROWS])
def test_each_file_is_there(thing: str, files: str) -> None:
    named = [name for name in re.findall(r"`([^`]+)`", files) if "/" in name or "." in name]
    assert named, thing
    assert [name for name in named if not (ROOT / name).exists() and name != "options()"] == []


@pytest.mark.parametrize(("thing", "files"), ROWS[:3], ids=[thing for thing, _ in ROWS[:3]])
def test_an_option_touches_at_most_four_files_of_the_product(thing: str, files: str) -> None:
    product = [name for name in re.findall(r"`([^`]+\.py)`", files) if not name.startswith("docs/")]
    assert len(product) <= 3, thing  # and the place that uses it


def test_django_s_tasks_take_every_option_that_django_does_not_name_itself() -> None:
    assert set(ENQUEUE_OPTIONS) == set(RULES) - ELSEWHERE
    assert set(Using.__annotations__) <= set(ServerlessTask.__dataclass_fields__)


@pytest.mark.parametrize("name", BACKENDS)
def test_every_backend_is_found_by_its_name(name: str) -> None:
    assert issubclass(backend_class(name), Backend)


def test_every_module_of_commands_is_registered() -> None:
    commands = {command.callback.__module__ for command in app.registered_commands if command.callback}
    commands |= {
        command.callback.__module__
        for group in app.registered_groups
        if group.typer_instance
        for command in group.typer_instance.registered_commands
        if command.callback
    }
    folder = ROOT / "serverless_tasks/cli/commands"
    modules = {f"serverless_tasks.cli.commands.{path.stem}" for path in folder.glob("[a-z]*.py")}
    assert modules - commands == set()
