"""The pages of docs/reference say what the sources say."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra.site import javascript, settings_table
from tests.repository.test_public_names import PUBLIC

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs/reference"


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "infra.site.reference", "--check", "--folder", str(folder)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )


def test_the_generated_pages_are_up_to_date_and_one_that_is_not_is_named(tmp_path: Path) -> None:
    pages = shutil.copytree(REFERENCE, tmp_path / "reference")
    stale = pages / "template.md"
    stale.write_text(stale.read_text().replace("`300`", "`301`"))

    checked = check(pages)

    assert (checked.stdout, checked.returncode) == ("template.md is stale: make reference\n", 1), (
        checked.stderr
    )
    assert "`301`" in stale.read_text()


def test_the_page_of_the_javascript_client_is_compared(tmp_path: Path, client: None) -> None:
    pages = shutil.copytree(REFERENCE, tmp_path / "reference")
    stale = pages / "javascript.md"
    stale.write_text(stale.read_text().replace("pollInterval: number", "pollInterval: string"))

    checked = check(pages)

    assert (checked.stdout, checked.stderr) == ("javascript.md is stale: make reference\n", "")


def test_without_its_packages_the_page_of_the_javascript_client_is_left_as_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(javascript, "CLIENT", tmp_path)
    assert "lacking" in javascript.lacking()


@pytest.fixture(scope="module")
def client() -> None:
    if lacking := javascript.lacking():
        pytest.skip(f"{lacking}: `make setup` installs them")


def test_all_that_the_javascript_client_exports_says_what_it_is(client: None) -> None:
    read = javascript.exports()
    entries = [*(each for module in read["modules"] for each in module["exports"]), *read["inner"]]
    names = {each["name"] for each in entries}
    assert {"run", "options", "HTTPError", "TaskRecord", "useTask", "Start"} <= names
    silent = [
        f"{entry['name']}: {each['name']}"
        for entry in entries
        for each in (entry, *entry.get("params", ()), *entry.get("members", ()))
        if not each["doc"] and not entry.get("deprecated")
    ]
    assert silent == []


def test_a_setting_that_no_table_has_is_missed() -> None:
    page = (REFERENCE / "settings.md").read_text()
    assert settings_table.missing(page) == []
    assert settings_table.missing(page.replace("| `TASKS_API_OIDC_JWKS_URL` |", "| |")) == [
        "TASKS_API_OIDC_JWKS_URL"
    ]


@pytest.mark.parametrize("module", [name for name in PUBLIC if name.startswith("serverless_tasks")])
def test_what_is_public_of_the_core_stands_in_the_reference_of_python(module: str) -> None:
    text = (REFERENCE / "python.md").read_text()
    named = re.findall(r"^::: (?:\w+\.)+(\w+)$", text, re.MULTILINE)
    assert sorted(PUBLIC[module] - set(named)) == []


def test_the_reference_of_python_names_what_is_public_alone() -> None:
    named = re.findall(r"^::: ([\w.]+)$", (REFERENCE / "python.md").read_text(), re.MULTILINE)
    assert len(named) == len(set(named))
    assert (
        sorted(set(named) - {f"{module}.{name}" for module, names in PUBLIC.items() for name in names}) == []
    )
