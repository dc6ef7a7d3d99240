"""A release has its heading in CHANGELOG.md, and a change that users notice has a line there."""

import subprocess
from pathlib import Path

import pytest

from infra.release import changelog
from infra.release.version import version

LOG = """# Changelog

## Unreleased

### Added

- One thing.

## 1.1.0 (2026-03-02)

- Another.

## 1.0.0 (2026-01-31)

- The first.
"""


def test_this_repository_is_in_order() -> None:
    """Of a shallow clone, or an archive, it is taken that something has changed since the last release."""
    changed = changelog.has_changed(changelog.last_release())
    assert changelog.problems(changelog.read(), version(), changed=changed) == []


def test_a_log_in_order() -> None:
    assert changelog.problems(LOG, "1.1.0") == []
    assert changelog.problems(LOG, "1.2.0") == []
    assert changelog.problems(LOG.replace("Unreleased", "1.2.0 (2026-04-01)"), "1.2.0", release=True) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LOG.replace("- One thing.", ""), "no line under 'Unreleased'"),
        (LOG.partition("## Unreleased")[0] + "## 1.1.0" + LOG.partition("## 1.1.0")[2], "belong under"),
        (LOG.replace("1.1.0", "0.9.0"), "do not descend"),
        (LOG.replace("1.1.0", "1.0.0"), "do not descend"),
        (LOG.replace(" (2026-03-02)", ""), "'1.1.0' is no heading"),
        (LOG.replace("1.1.0", "1.3.0"), "older than what is released"),
        (LOG.replace("2026-03-02", "2026-02-30"), "no day of the calendar: 2026-02-30"),
    ],
)
def test_what_is_wrong_is_told(text: str, said: str) -> None:
    (problem,) = changelog.problems(text, "1.2.0")
    assert said in problem


def test_a_release_without_its_heading_is_refused() -> None:
    (problem,) = changelog.problems(LOG, "1.2.0", release=True)
    assert "1.2.0 is to be released" in problem
    assert "'1.2.0 (2026-01-31)'" in problem


def test_a_release_without_text_is_refused() -> None:
    log = LOG.replace("Unreleased", "1.2.0 (2026-04-01)").replace("- One thing.", "")
    (problem,) = changelog.problems(log, "1.2.0", changed=False, release=True)
    assert "no line under '1.2.0 (2026-04-01)'" in problem


def test_a_version_that_is_no_three_numbers_is_refused() -> None:
    (problem,) = changelog.problems(LOG, "1.2.0rc1", release=True)
    assert "'1.2.0rc1'; expected three numbers" in problem


def test_the_tag_is_the_version(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(changelog, "version", lambda: "1.1.0")
    monkeypatch.setattr(changelog, "read", lambda: f"## 1.1.0{LOG.partition('## 1.1.0')[2]}")
    assert changelog.main(["--release", "--tag", "v1.1.0"]) == 0
    assert changelog.main(["--release", "--tag", "v1.1.1"]) == 1
    assert "The tag is 'v1.1.1', and pyproject.toml has 1.1.0" in capsys.readouterr().out


def test_nothing_that_users_notice_needs_no_line() -> None:
    assert changelog.problems(LOG.replace("- One thing.", ""), "1.1.0", changed=False) == []


def test_a_branch_that_changes_a_package_has_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], check=True, cwd=tmp_path)

    def commit(name: str) -> None:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
        git("add", ".")
        git("commit", "-qm", name)

    monkeypatch.setattr(changelog, "ROOT", tmp_path)
    git("init", "-q", "-b", "main")
    commit("README.md")
    git("tag", "v1.0.0")
    git("checkout", "-qb", "change")
    assert changelog.last_release() == "v1.0.0"
    commit("tests/test_a.py")
    assert changelog.has_changed("v1.0.0") is False
    assert changelog.unmentioned("main") == []
    commit("serverless_tasks/task.py")
    assert changelog.has_changed("v1.0.0") is True
    assert changelog.unmentioned("main") == ["serverless_tasks/task.py"]
    commit("CHANGELOG.md")
    assert changelog.unmentioned("main") == []
    assert changelog.has_changed("a-tag-that-a-shallow-clone-lacks") is True
