"""The admin's pages about queues, stuck jobs, dead letters and schedules, as a person uses them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.axe import violations
from tests.browser.operations_site import GONE, HELD, LETTER, LOST
from tests.browser.processes import serve
from tests.browser.test_admin import LIST, log_in

pytestmark = pytest.mark.browser
PAGES = (
    "",
    "queues/",
    "queues/pause/?kind=queue&name=high",
    "queues/pause/?kind=task",
    "queues/resume/?kind=task&name=billing.invoice",
    "stuck/",
    f"stuck/end/?uuid={LOST}",
    "dead-letters/",
    f"dead-letters/jobs/{LETTER}/",
    "schedules/",
    f"{HELD}/",
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a site that tests leave as it is."""
    yield from serve("operations_site", tmp_path_factory.mktemp("site"))


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """The address of a site of one test's own."""
    yield from serve("operations_site", tmp_path)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_accessible_and_fit_wide_and_narrow_screens(
    page: Page, shared: str, scheme: Literal["light", "dark"]
) -> None:
    page.emulate_media(color_scheme=scheme)
    log_in(page, shared, "ada")
    for place in PAGES:
        page.goto(shared + LIST + place)
        for width in (1280, 375):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate(
                "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
            ), (place, width)
            assert violations(page) == [], (place, width)


def test_a_reader_sees_the_pages_and_no_button(page: Page, shared: str) -> None:
    log_in(page, shared, "bob")
    page.goto(f"{shared}{LIST}queues/")
    expect(page.get_by_role("row", name="low Paused")).to_be_visible()
    expect(page.get_by_role("link", name="Resume")).to_have_count(0)
    page.goto(f"{shared}{LIST}dead-letters/jobs/{LETTER}/")
    expect(page.get_by_text('"token": "**********"')).to_be_visible()
    expect(page.get_by_role("button", name="Retry")).to_have_count(0)


def test_without_javascript_a_queue_is_paused_and_resumed_after_a_question(
    chromium: Browser, address: str
) -> None:
    page = chromium.new_context(java_script_enabled=False).new_page()
    log_in(page, address, "ada")
    page.get_by_role("link", name="Queues").first.click()
    page.get_by_role("link", name="Pause queue high").click()
    expect(page.get_by_text("No message is received from it until it is resumed")).to_be_visible()
    page.get_by_label("Reason:").fill("The bank is down")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("The queue high is paused.")).to_be_visible()
    expect(page.get_by_text("The queue high is paused by ada since")).to_contain_text("The bank is down")
    page.goto(f"{address}{LIST}")
    expect(page.get_by_text("The queue high is paused by ada since")).to_be_visible()
    page.get_by_role("link", name="Queues").first.click()
    page.get_by_role("link", name="Resume queue high").click()
    page.get_by_role("button", name="Yes, I").click()
    expect(page.get_by_text("The queue high is resumed.")).to_be_visible()
    expect(page.get_by_role("row", name="high Active")).to_be_visible()
    page.context.close()


def test_stuck_jobs_lead_to_what_mends_them(page: Page, address: str) -> None:
    log_in(page, address, "ada")
    page.get_by_role("link", name="Stuck jobs").click()
    expect(page.locator("#result_list tbody tr")).to_have_count(4)
    page.get_by_role("link", name=f"billing.invoice {GONE[:8]}").click()
    expect(page.get_by_role("button", name="Cancel job")).to_be_visible()
    page.goto(f"{address}{LIST}stuck/")
    page.get_by_role("link", name="End it as lost").click()
    page.get_by_role("button", name="Yes, I").click()
    expect(page.get_by_text("The job has ended as lost; it can be retried.")).to_be_visible()
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_role("link", name=LOST)).to_be_visible()


def test_a_dead_letter_is_read_retried_and_another_purged_after_a_question(page: Page, address: str) -> None:
    log_in(page, address, "ada")
    page.get_by_role("link", name="Dead letters").click()
    page.get_by_role("link", name="billing.invoice").click()
    expect(page.get_by_text("its worker is killed for want of memory")).to_be_visible()
    expect(page.locator("pre")).not_to_contain_text("swordfish")
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_text(f"jobs/{LETTER} was sent again as job")).to_be_visible()
    page.get_by_label("Choose undecodable/").check()
    page.get_by_label("Action:").select_option("purge")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_text("Purge this dead letter?")).to_be_visible()
    page.get_by_role("button", name="Yes, I").click()
    expect(page.get_by_text("1 dead letter was purged.")).to_be_visible()
    expect(page.get_by_text("No dead letters.")).to_be_visible()


def test_schedules_say_when_they_fire(page: Page, shared: str) -> None:
    log_in(page, shared, "ada")
    page.get_by_role("link", name="Schedules").click()
    row = page.get_by_role("row", name="reports.nightly")
    expect(row).to_contain_text("Enabled")
    expect(row).to_contain_text("06:00:00 CE")
