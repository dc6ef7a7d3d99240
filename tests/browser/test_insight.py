"""The admin's pages of what fails and of statistics, as a person uses them."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.axe import violations
from tests.browser.operations_site import FAILED, KIND
from tests.browser.processes import serve
from tests.browser.test_admin import LIST, log_in

pytestmark = pytest.mark.browser
PAGES = (
    "errors/?range=7d",
    "errors/?since=2001-01-01&until=x&task=billing.invoice",
    f"errors/{KIND.fingerprint}/?range=7d",
    f"errors/{KIND.fingerprint}/?range=30d",
    "errors/ba9876543210/",
    "statistics/?range=7d",
    "statistics/task/?task=billing.invoice",
    "statistics/task/?task=billing.invoice&range=30d",
    "statistics/task/?task=nothing",
    "costs/",
    "costs/?range=24h&by=owner",
    "costs/?by=tenant",
    "costs/?task=billing.invoice",
    "costs/?task=nothing",
)
FITS = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a site that tests leave as it is."""
    yield from serve("operations_site", tmp_path_factory.mktemp("site"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_accessible_and_fit_wide_and_narrow_screens(
    page: Page, address: str, scheme: Literal["light", "dark"]
) -> None:
    page.emulate_media(color_scheme=scheme)
    log_in(page, address, "ada")
    for place in PAGES:
        page.goto(address + LIST + place)
        for details in page.locator("#content details").all():
            details.evaluate("element => { element.open = true }")
        for width in (1280, 375):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate(FITS), (place, width)
            assert violations(page) == [], (place, width)


def test_a_plots_labels_are_not_stretched_and_do_not_touch(page: Page, address: str) -> None:
    log_in(page, address, "ada")
    for place in ("statistics/task/?task=billing.invoice", "statistics/task/?task=billing.invoice&range=30d"):
        page.goto(address + LIST + place)
        sizes = []
        for width in (1280, 375):
            page.set_viewport_size({"width": width, "height": 800})
            shown = [
                box
                for label in page.locator(".st-plot").first.locator(".st-across-label").all()
                if (box := label.bounding_box()) is not None and label.is_visible()
            ]
            assert len(shown) > 1
            for box, following in pairwise(shown):
                assert box["x"] + box["width"] < following["x"], (place, width)
            assert shown[-1]["x"] + shown[-1]["width"] <= width
            sizes.append(shown[0]["height"])
        assert sizes[0] == sizes[1]


def test_in_a_language_from_right_to_left_time_still_runs_to_the_right(
    chromium: Browser, address: str
) -> None:
    page = chromium.new_context(locale="ar").new_page()
    page.goto(f"{address}/admin/login/?next={LIST}")
    page.locator("[name=username]").fill("ada")
    page.locator("[name=password]").fill("pw")
    page.locator("[type=submit]").click()
    page.goto(f"{address}{LIST}statistics/task/?task=billing.invoice&range=7d")
    assert page.evaluate("document.documentElement.dir") == "rtl"
    assert page.evaluate(FITS)
    places = [
        box["x"]
        for label in page.locator(".st-plot").first.locator(".st-across-label").all()
        if (box := label.bounding_box()) is not None
    ]
    assert places == sorted(places)
    plot, scale = page.locator(".st-plot").first, page.locator(".st-plot").first.locator(".st-up").first
    outer, label = plot.bounding_box(), scale.bounding_box()
    assert outer is not None
    assert label is not None
    assert label["x"] + label["width"] <= outer["x"] + outer["width"] / 2
    assert violations(page) == []
    page.context.close()


def test_without_javascript_one_goes_from_what_fails_to_its_jobs_and_is_asked_before_they_are_retried(
    chromium: Browser, address: str
) -> None:
    page = chromium.new_context(java_script_enabled=False).new_page()
    log_in(page, address, "ada")
    page.goto(address + LIST)
    page.get_by_role("link", name="What fails").click()
    page.get_by_role("link", name="Past 7 days").click()
    page.get_by_role("link", name="GatewayDown").click()
    expect(page.get_by_text("connection to gateway-")).to_be_visible()
    page.get_by_text("As a table").click()
    expect(page.get_by_role("table", name="Failures by the hour").get_by_role("row").nth(1)).to_contain_text(
        "2"
    )
    page.get_by_role("link", name=FAILED[:8]).click()
    expect(page.get_by_role("link", name="Failures of this kind")).to_be_visible()
    page.get_by_role("link", name="Failures of this kind").click()
    page.get_by_role("link", name="All jobs of this kind").first.click()
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    page.get_by_role("link", name="GatewayDown").click()
    page.get_by_role("button", name="Retry all of this kind").click()
    expect(page.get_by_text("Retry jobs").first).to_be_visible()
    expect(page.get_by_text(KIND.fingerprint)).to_be_visible()
    page.context.close()


def test_one_goes_from_statistics_to_a_task_that_is_getting_slower(page: Page, address: str) -> None:
    log_in(page, address, "ada")
    page.goto(address + LIST)
    page.get_by_role("link", name="Statistics").click()
    row = page.get_by_role("row", name="billing.invoice")
    expect(row).to_contain_text("Slower")
    row.get_by_role("link", name="billing.invoice").first.click()
    expect(page.get_by_text("It is getting slower.")).to_be_visible()
    expect(page.get_by_role("img")).to_have_count(3)
    expect(page.get_by_role("img", name="Queue wait")).to_be_visible()
    page.get_by_role("link", name="Jobs of this task").click()
    expect(page).to_have_url(re.compile(r"/job/\?task=billing\.invoice&time=finished&since="))


def test_a_time_is_given_to_the_second(page: Page, address: str) -> None:
    log_in(page, address, "ada")
    page.goto(f"{address}{LIST}errors/")
    page.get_by_text("Another time, or one task").click()
    page.get_by_label("Since").fill("2026-01-31T08:00:07")
    page.get_by_label("Before").fill("2026-01-31T09:30:00")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("This time ends before it begins, or no counts are kept of it.")).to_be_visible()


def test_what_a_task_has_cost_this_week_is_found_without_javascript(chromium: Browser, address: str) -> None:
    page = chromium.new_context(java_script_enabled=False).new_page()
    log_in(page, address, "ada")
    page.get_by_role("link", name="Costs", exact=True).click()
    expect(page.get_by_text("All tasks cost $")).to_be_visible()
    page.get_by_role("link", name="billing.invoice").click()
    expect(page.get_by_text("billing.invoice cost $")).to_be_visible()
    expect(page.get_by_role("link", name="Past 7 days")).to_have_attribute("aria-current", "true")
    expect(page.get_by_role("img", name="Cost by the day")).to_be_visible()
    expect(page.get_by_text("List prices of us-east-1 of Nov. 27, 2026")).to_be_visible()
    page.get_by_role("link", name="By tenant").click()
    expect(page.get_by_text("Estimated from a sample of")).to_be_visible()
    page.get_by_role("link", name="Statistics").click()
    page.get_by_role("link", name="Costs", exact=True).click()
    expect(page.get_by_text("billing.invoice cost $")).to_be_visible()
    page.context.close()
