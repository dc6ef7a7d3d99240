"""The example's page in a real browser, on the real local stack: HTTP, SQS, worker handler, DynamoDB, HTTP."""

import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect
from rich.console import Console

from examples.demo.local import ROOT, Local, running
from examples.demo.show import Show
from tests.browser.axe import violations

pytestmark = pytest.mark.browser
PATIENCE = 30_000  # milliseconds for a task to end: the machine may be busy
NO_PICTURE: Any = {"name": "holiday.png", "mimeType": "image/png", "buffer": b"not a picture"}


@pytest.fixture(scope="module")
def local() -> Iterator[Local]:
    with running() as stack:
        yield stack


@pytest.fixture
def example(local: Local, page: Page) -> Page:
    page.goto(local.site)
    return page


def bench(page: Page, task: str) -> Locator:
    return page.locator(f'[data-task="{task}"]')


def status(part: Locator) -> Locator:
    return part.get_by_role("status")


def submit_sample(part: Locator, button: str) -> None:
    part.get_by_role("button", name="Make a sample").click()
    expect(part.locator("input[type=file]")).to_have_js_property("files.length", 1)
    part.get_by_role("button", name=button).click()


def shows_progress(part: Locator) -> None:
    """It is on its way: neither nothing nor all."""
    expect(part.locator('[data-field="percent"]')).to_have_text(re.compile(r"^[1-9]\d?%$"), timeout=PATIENCE)


def test_a_task_runs_to_its_end_and_shows_its_progress(example: Page) -> None:
    columns = bench(example, "summarise-columns")
    submit_sample(columns, "Summarise")
    shows_progress(columns)
    expect(columns.get_by_role("progressbar")).to_have_js_property("max", 1)
    expect(columns.get_by_role("list", name="Messages")).to_contain_text("Found 5 columns.")
    expect(status(columns)).to_have_text("Done", timeout=PATIENCE)
    expect(columns.get_by_role("row")).to_have_count(6)
    expect(columns.get_by_role("row", name=re.compile("^temperature number"))).to_be_visible()
    expect(columns.get_by_role("button", name="Cancel")).to_be_hidden()


def test_a_thumbnail_comes_back(example: Page) -> None:
    thumbnail = bench(example, "make-thumbnail")
    thumbnail.get_by_label("Width").fill("200")
    thumbnail.get_by_label("Format").select_option("png")
    submit_sample(thumbnail, "Make it")
    picture = thumbnail.get_by_role("img", name="The thumbnail")
    expect(picture).to_have_js_property("naturalWidth", 200, timeout=PATIENCE)
    expect(picture).to_have_js_property("naturalHeight", 125)


def test_a_failing_task_shows_why(example: Page) -> None:
    thumbnail = bench(example, "make-thumbnail")
    thumbnail.get_by_label("Picture").set_input_files(NO_PICTURE)
    thumbnail.get_by_role("button", name="Make it").click()
    expect(status(thumbnail)).to_have_text("Failed", timeout=PATIENCE)
    expect(thumbnail.get_by_role("alert")).to_have_text(
        "The file is not a picture that can be read, or it is damaged."
    )


def test_refused_inputs_are_marked_and_nothing_is_submitted(example: Page) -> None:
    thumbnail = bench(example, "make-thumbnail")
    thumbnail.get_by_role("button", name="Make it").click()
    expect(thumbnail.get_by_role("alert")).to_have_text("Choose a file first, or make a sample.")
    expect(thumbnail.get_by_label("Picture")).to_be_focused()
    thumbnail.get_by_label("Width").fill("5000")
    submit_sample(thumbnail, "Make it")
    expect(thumbnail.get_by_role("alert")).to_contain_text(
        "width: Input should be less than or equal to 1024"
    )
    expect(thumbnail.get_by_label("Width")).to_have_attribute("aria-invalid", "true")
    expect(status(thumbnail)).to_have_text("Not submitted")


def test_a_running_task_is_cancelled(example: Page) -> None:
    columns = bench(example, "summarise-columns")
    submit_sample(columns, "Summarise")
    shows_progress(columns)
    columns.get_by_role("button", name="Cancel").click()
    expect(status(columns)).to_have_text("Cancelled", timeout=PATIENCE)
    expect(columns.get_by_role("button", name="Summarise")).to_be_enabled()


def test_a_running_task_is_picked_up_after_a_reload(example: Page) -> None:
    columns = bench(example, "summarise-columns")
    submit_sample(columns, "Summarise")
    shows_progress(columns)
    example.reload()
    expect(status(columns)).to_have_text("Done", timeout=PATIENCE)
    expect(columns.get_by_role("table")).to_be_visible()


def test_the_status_page_of_a_task_is_one_click_away(example: Page) -> None:
    thumbnail = bench(example, "make-thumbnail")
    submit_sample(thumbnail, "Make it")
    expect(status(thumbnail)).to_have_text("Done", timeout=PATIENCE)
    thumbnail.get_by_role("link", name="Page of this task").click()
    expect(example.get_by_role("heading", name="make-thumbnail")).to_be_visible()


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_is_accessible_and_fits(example: Page, tmp_path: Path, width: int, scheme: Any) -> None:
    example.set_viewport_size({"width": width, "height": 900})
    example.emulate_media(color_scheme=scheme)
    assert violations(example) == []
    columns, thumbnail = bench(example, "summarise-columns"), bench(example, "make-thumbnail")
    columns.get_by_label("CSV file").set_input_files(
        {"name": "a.csv", "mimeType": "text/csv", "buffer": b"town,people\nOslo,709000\nRome,2748000\n"}
    )
    columns.get_by_role("button", name="Summarise").click()
    thumbnail.get_by_label("Picture").set_input_files(NO_PICTURE)
    thumbnail.get_by_role("button", name="Make it").click()
    expect(columns.get_by_role("table")).to_be_visible(timeout=PATIENCE)
    expect(thumbnail.get_by_role("alert")).to_be_visible(timeout=PATIENCE)
    example.screenshot(path=tmp_path / f"example-{width}-{scheme}.png", full_page=True)
    assert violations(example) == []
    assert example.evaluate("document.documentElement.scrollWidth") <= width


def test_the_demo_shows_a_group_its_price_and_a_retry(local: Local) -> None:
    written = StringIO()
    show = Show(Console(file=written, width=200, highlight=False), local)

    show.workflows()

    assert show.end() == 0, written.getvalue()
    text = written.getvalue()
    assert re.search(r"On AWS its 200 jobs cost \$0\.00\d+ by list price", text)
    assert re.search("retry [0-9a-f-]{36}\n", text)
    assert "The first two did not run again." in text
    for page in re.findall(r"[\w/]+\.(?:md|py)", text.partition("Where to look next")[2]):
        assert (ROOT / page).is_file(), page
