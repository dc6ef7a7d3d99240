"""The report of a run: a page that can be attached to an issue, without what identifies the account."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import botocore

from infra.release.version import version
from infra.smoke.bill import NOT_INCLUDED
from infra.smoke.masking import masked
from infra.smoke.project import ROOT
from infra.smoke.run import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from infra.smoke.run import Outcome, Result

_MASKED: Final = "Account numbers, names of people and roles, keys and tokens are masked."


def facts(region: str, endpoint: str, began: str) -> dict[str, str]:
    """Return what was run, where, and with which versions.

    Args:
        region: the region.
        endpoint: where AWS's clients were led instead of to AWS, or "".
        began: when, as ISO 8601.
    """
    return {
        "serverless-tasks": f"{version()}, commit {_said('git', 'rev-parse', '--short', 'HEAD')}{_changes()}",
        "Python": platform.python_version(),
        "botocore": botocore.__version__,
        "SAM": _said("sam", "--version").rpartition(" ")[2],
        "machine": f"{sys.platform} {platform.machine()}",
        "region": region,
        "AWS": f"a stand-in at {endpoint}" if endpoint else "itself",
        "begun": began,
    }


def rendered(result: Result, about: Mapping[str, str], secrets: Iterable[str]) -> str:
    """Return the report, in Markdown.

    Args:
        result: how the run went.
        about: see `facts`.
        secrets: what must not be in it, word for word.
    """
    lines = [f"# Smoke test on AWS: {result.verdict}", ""]
    lines += ["| | |", "|---|---|", *(f"| {name} | {_cell(value)} |" for name, value in about.items())]
    lines += ["", "| step | outcome | seconds | what was seen |", "|---|---|---|---|"]
    lines += [_row(each) for each in result.outcomes]
    for each in result.outcomes:
        if each.state is State.FAILED:
            lines += ["", f"## {each.name}", "", "```", each.said.replace("```", "'''"), "```"]
    lines += ["", "## What is left", ""]
    deleted = result.deleted
    lines += [f"- deleted beside the stack: {what}" for what in deleted.gone]
    lines += [f"- **left**: {each.what}: `{each.command}`" for each in deleted.left]
    lines += [f"- **problem**: {_cell(problem)}" for problem in deleted.problems]
    if not deleted.left and not deleted.problems:
        lines.append("- nothing is left")
    lines += ["", NOT_INCLUDED, "", _MASKED, ""]
    return masked("\n".join(lines), secrets)


def _row(outcome: Outcome) -> str:
    seconds = "" if outcome.state is State.NOT_RUN else f"{outcome.seconds:.1f}"
    said = f"see below: {outcome.said}" if outcome.state is State.FAILED else outcome.said
    return f"| {outcome.name} | {outcome.state} | {seconds} | {_cell(said)} |"


def _cell(text: str) -> str:
    """The first line of a text, as a cell of a table."""
    return (text.splitlines() or [""])[0].replace("|", "\\|")


def _changes() -> str:
    return " with changes" if _said("git", "status", "--porcelain", "--untracked-files=no") else ""


def _said(*words: str) -> str:
    """What a program says of itself, or "" where it is missing."""
    if shutil.which(words[0]) is None:
        return ""
    return subprocess.run(words, cwd=ROOT, check=False, capture_output=True, text=True).stdout.strip()
