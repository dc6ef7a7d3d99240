"""Pictures of the pages: each is there, says in words what it shows, is small, and is shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.outage import pictures as outage
from infra.site import pictures
from infra.site.screenshots import MOST

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
KEPT = {path.name: path for path in (ROOT / "docs/pictures").iterdir()}
# Of a text that says what a picture shows, in characters.
LEAST = 30


def shown(page: Path) -> list[tuple[str, Path]]:
    """Return the pictures of a page: the text in place of each, and its file."""
    found = re.findall(r"!\[([^\]]*)\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    return [(text, (page.parent / name).resolve()) for text, name in found]


SHOWN = {page: found for page in PAGES if (found := shown(page))}


@pytest.mark.parametrize("page", SHOWN, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_picture_is_there_and_its_text_says_what_it_shows(page: Path) -> None:
    assert [path.name for _, path in SHOWN[page] if not path.is_file()] == []
    assert [path.name for text, path in SHOWN[page] if len(text) < LEAST] == []


def test_no_picture_is_kept_that_no_page_shows() -> None:
    named = {path for shown in SHOWN.values() for _, path in shown}
    assert named == {path.resolve() for path in KEPT.values()}


def test_each_picture_is_taken_by_a_script() -> None:
    assert {f"{picture.name}.png" for picture in outage.PICTURES} | {*pictures.PICTURES} == set(KEPT)


def test_pictures_are_small() -> None:
    sizes = {name: path.stat().st_size for name, path in KEPT.items()}
    assert {name: size for name, size in sizes.items() if size > MOST} == {}


def test_readme_shows_a_page_the_admin_and_the_command_line() -> None:
    assert [path.name for _, path in SHOWN[ROOT / "README.md"]] == list(pictures.PICTURES)


def test_a_picture_without_a_text_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("![](a.png)\n\n![What it shows](../b.png)\n")
    assert shown(page) == [("", tmp_path / "a.png"), ("What it shows", tmp_path.parent / "b.png")]
