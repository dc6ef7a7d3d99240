"""Commands and options that docs/operating.md names exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from serverless_tasks.cli.app import app

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "operating.md").read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"(?:^    (?:\$ )?|`)serverless-tasks ([a-z][^`\n]*)", PAGE, re.MULTILINE)))


def unknown(line: str) -> list[str]:
    """Return what of a command's line the command line does not know."""
    command: Any = get_command(app)
    words = shlex.split(line, comments=True)
    while hasattr(command, "commands"):
        name = words.pop(0)
        if name not in command.commands:
            return [name]
        command = command.commands[name]
    known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
    return [word for word in words if word.startswith("--") and word.partition("=")[0] not in known]


def test_the_page_names_the_commands_of_the_six_questions() -> None:
    named = {line.split()[0] for line in COMMANDS}
    assert {"errors", "jobs", "stats", "cost", "stuck", "queues", "logs", "explain"} <= named


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_of_the_page_has_its_options(line: str) -> None:
    assert unknown(line) == []


def test_what_is_no_command_and_no_option_is_seen() -> None:
    assert unknown("erors --since 2h") == ["erors"]
    assert unknown("errors --from 2h --json") == ["--from"]
    assert unknown("dead-letters list --json") == []
