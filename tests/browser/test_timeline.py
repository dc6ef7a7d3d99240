"""A job's timeline on its pages: drawn without JavaScript, under a strict policy, in both themes, wide and narrow."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.axe import violations
from tests.browser.scripted_site import ScriptedSite, succeeded
from tests.browser.test_admin import LIST, address, log_in, read, submit, wait_for

__all__ = ["address", "submit"]  # the fixtures of the admin's site
pytestmark = pytest.mark.browser
LABEL = "Timeline from 4 March, 12.500 s long. The table below it says the same in words."


def drawing(**changes: Any) -> dict[str, Any]:
    """A timeline of two rows, as a `Drawing`."""
    bars = [
        {"x": "0.000%", "width": "25.000%", "tone": "waiting", "lasts": False},
        {"x": "25.000%", "width": "75.000%", "tone": "succeeded", "lasts": False},
    ]
    rows = [
        {
            "top": 14 + 42 * number,
            "bar_top": 20 + 42 * number,
            "name": name,
            "start": "10:15:00.000",
            "end": "10:15:12.500",
            "lasted": "12.500 s",
            "reason": "",
            "url": "",
            "bars": [bars[number]],
        }
        for number, name in enumerate(["In the queue", "Attempt 1: succeeded"])
    ]
    marks = [{"x": "0.000%", "text": "0 ms", "anchor": "start"}]
    return {
        "label": LABEL,
        "caption": "4 March 2026, UTC",
        "height": 1130,
        "axis": 1088,
        "axis_text": 1106,
        "rows": rows,
        "marks": marks,
        "left_out": 0,
    } | changes


def test_it_needs_nothing_inline_and_digits_stay_digits(site: ScriptedSite, page: Page) -> None:
    record = succeeded()
    nothing = {"shown": [], "left": 0}
    context = {"record": record, "outputs": nothing, "messages": nothing, "task_api_base": "/tasks/"}
    page.goto(site.shows("view.html", context | {"timeline": drawing()}))
    picture = page.get_by_role("img", name=LABEL)
    expect(picture).to_be_visible()
    box = picture.bounding_box()
    assert box is not None
    assert box["height"] == 1130
    waiting, succeeded_bar = (page.locator(f"rect.tl-{tone}") for tone in ("waiting", "succeeded"))
    colours = [bar.evaluate("bar => getComputedStyle(bar).fill") for bar in (waiting, succeeded_bar)]
    assert colours[1] == "rgb(19, 112, 63)"
    assert colours[0] != colours[1]
    assert succeeded_bar.evaluate("bar => bar.getBBox().width") == pytest.approx(0.75 * box["width"], abs=1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_is_read_without_javascript(
    chromium: Browser, address: str, submit: Callable[..., str], scheme: Any, width: int
) -> None:
    failed = submit("fails")
    wait_for(address, failed, status="failed")
    viewport: Any = {"width": width, "height": 800}
    quiet = chromium.new_context(java_script_enabled=False, color_scheme=scheme, viewport=viewport)
    page = quiet.new_page()
    log_in(page, address, "ada")
    for path in (f"{LIST}{failed}/", f"/tasks/{failed}/view/"):
        page.goto(address + path)
        expect(page.get_by_role("img", name="Timeline from")).to_be_visible()
        row = page.get_by_role("row", name="Attempt 1: failed")
        expect(row).to_be_hidden()
        page.get_by_text("Timeline as a table").click()
        expect(row).to_contain_text("There is no more paper")
    page.get_by_role("link", name="In the admin").click()
    page.get_by_role("link", name="Log", exact=True).click()
    expect(page.get_by_text("SERVERLESS_TASKS_LOG_GROUP is not set")).to_be_visible()
    quiet.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_everyone_can_use_it(
    chromium: Browser, address: str, submit: Callable[..., str], scheme: Any, width: int
) -> None:
    group = submit("group", "one", fails="1")
    wait_for(address, group, progress=1)
    context = chromium.new_context(color_scheme=scheme, viewport={"width": width, "height": 800})
    page = context.new_page()
    log_in(page, address, "ada")
    for path in (f"{LIST}{group}/", f"/tasks/{group}/view/"):
        page.goto(address + path)
        page.get_by_text("Timeline as a table").click()
        expect(page.get_by_role("link", name="Member 0: failed")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert violations(page) == []
    page.get_by_role("link", name="Member 0: failed").click()
    page.get_by_role("link", name="In the admin").click()
    page.get_by_role("link", name="Log", exact=True).click()
    assert violations(page) == []
    read(f"{address}/go/")
    context.close()


def test_it_is_drawn_anew_when_the_task_has_ended(
    page: Page, address: str, submit: Callable[..., str]
) -> None:
    running = submit("steps", "one")
    wait_for(address, running, status="running", progress=1)
    log_in(page, address, "ada")
    page.goto(f"{address}/tasks/{running}/view/")
    expect(page.locator(".tl-name", has_text="Attempt 1: running")).to_be_visible()
    read(f"{address}/go/")
    expect(page.locator(".tl-name", has_text="Attempt 1: succeeded")).to_be_visible(timeout=15_000)
