"""The rules of CHANGELOG.md: ``python -m infra.release.changelog``.

A change that users notice has a line under the heading of the version to come; a release has a heading of its own.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from datetime import date
from typing import TYPE_CHECKING, Final

from infra.release.version import ROOT, version

if TYPE_CHECKING:
    from collections.abc import Sequence

UNRELEASED: Final = "Unreleased"
# What users install, deploy or import.
NOTICED: Final = (
    "serverless_tasks",
    "lambda_handlers",
    "django_integration",
    "template.yaml",
    "infra/lambda",
)
_HEADING = re.compile(r"^## (.+?)\s*$", re.MULTILINE)
_VERSION = re.compile(r"\d+\.\d+\.\d+")
_RELEASED = re.compile(rf"({_VERSION.pattern}) \((\d{{4}}-\d{{2}}-\d{{2}})\)")


def read() -> str:
    """The log."""
    return (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def sections(text: str) -> list[tuple[str, str]]:
    """The headings of versions in their order, each with what stands below it."""
    parts = _HEADING.split(text)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


def problems(text: str, present: str, *, changed: bool = True, release: bool = False) -> list[str]:
    """Return what is wrong with the log.

    Args:
        text: the log.
        present: the version of ``pyproject.toml``.
        changed: whether what users notice has changed since the last release.
        release: whether the present version is about to be published.
    """
    if not _VERSION.fullmatch(present):
        return [f"pyproject.toml has the version {present!r}; expected three numbers, such as '1.2.3'."]
    headings = sections(text)
    newest, said = headings[0] if headings else ("", "")
    found, numbers = _numbers(
        [heading for heading, _ in headings if (heading, newest) != (UNRELEASED, UNRELEASED)]
    )
    here = tuple(int(part) for part in present.split("."))
    if release:
        if numbers[:1] != [here] or newest == UNRELEASED:
            found.append(
                f"{present} is to be released, and the first heading of CHANGELOG.md is {newest!r}: it has to name"
                f" this version and its day, such as '{present} (2026-01-31)'."
            )
    elif newest == UNRELEASED:
        if numbers and here < numbers[0]:
            found.append(f"pyproject.toml has {present}, which is older than what is released.")
    elif changed:
        found.append(f"The first heading is {newest!r}; changes since then belong under '## {UNRELEASED}'.")
    if (changed or release) and not re.search(r"^- ", said, re.MULTILINE):
        found.append(f"There is no line under {newest!r}: say there what users notice.")
    return found


def _numbers(headings: Sequence[str]) -> tuple[list[str], list[tuple[int, ...]]]:
    """Return what is wrong with the headings of released versions, and these as numbers."""
    found, numbers = [], []
    for heading in headings:
        released = _RELEASED.fullmatch(heading)
        if released is None:
            found.append(f"{heading!r} is no heading of a version: expected '1.2.3 (2026-01-31)'.")
        elif not _is_day(released[2]):
            found.append(f"{heading!r} has no day of the calendar: {released[2]}.")
        else:
            numbers.append(tuple(int(part) for part in released[1].split(".")))
    if numbers != sorted(set(numbers), reverse=True):
        found.append("The versions do not descend, each once.")
    return found, numbers


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def last_release() -> str | None:
    """The tag of the last release, or None where this clone knows of none (a shallow one, or an archive)."""
    said = _git("describe", "--tags", "--match", "v*", "--abbrev=0", "HEAD")
    return None if said is None else said.strip()


def has_changed(since: str | None) -> bool:
    """Return whether what users notice has changed since a commit; True where that cannot be told.

    Args:
        since: a tag, a branch or a commit, or None.
    """
    said = None if since is None else _git("diff", "--name-only", f"{since}...HEAD", "--", *NOTICED)
    return said is None or bool(said.strip())


def unmentioned(since: str) -> list[str]:
    """Return what a branch changed of what users notice without a line in the log.

    Args:
        since: the branch that it is merged into.
    """
    said = _git("diff", "--name-only", f"{since}...HEAD", "--", *NOTICED, "CHANGELOG.md")
    changed = (said or "").split()
    return [] if "CHANGELOG.md" in changed else changed


def _git(*words: str) -> str | None:
    try:
        done = subprocess.run(["git", *words], check=False, capture_output=True, text=True, cwd=ROOT)
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None


def main(words: Sequence[str]) -> int:
    """Look at the log and print what is wrong.

    Args:
        words: the command line: ``--release`` before publishing, with ``--tag v1.2.3`` for the tag that is published;
            ``--since main`` of a branch.

    Returns:
        The exit code: 1 when something is wrong.
    """
    parser = argparse.ArgumentParser(prog="python -m infra.release.changelog", description=__doc__)
    parser.add_argument("--release", action="store_true")
    parser.add_argument("--tag")
    parser.add_argument("--since")
    given = parser.parse_args(words)
    found = problems(read(), version(), changed=has_changed(last_release()), release=given.release)
    if given.tag is not None and given.tag != f"v{version()}":
        found.append(
            f"The tag is {given.tag!r}, and pyproject.toml has {version()}: expected 'v{version()}'."
        )
    if given.since and (files := unmentioned(given.since)):
        found.append(f"CHANGELOG.md has no line on the change of {', '.join(files[:5])}.")
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
