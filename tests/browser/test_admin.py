"""The jobs in Django's admin, as a person uses them: list, detail, cancel, retry, delete, a narrow screen."""

import json
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.axe import violations
from tests.browser.processes import serve
from tests.support.clock import until

pytestmark = pytest.mark.browser
LIST = "/admin/serverless_tasks/job/"


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    yield from serve("admin_site", tmp_path)


@pytest.fixture
def submit(address: str) -> Callable[..., str]:
    """Submit a job; returns its uuid."""

    def submitting(task: str, *names: str, owner: str = "1", fails: str = "0") -> str:
        query = urlencode([("owner", owner), ("fails", fails), *(("name", name) for name in names)])
        return read(f"{address}/submit/{task}/?{query}")

    return submitting


def read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


def wait_for(address: str, uuid: str, **expected: object) -> None:
    """Wait until a job's record says this."""
    until(lambda: expected.items() <= json.loads(read(f"{address}/record/{uuid}/")).items(), seconds=10)


@pytest.fixture
def admin(page: Page, address: str) -> Page:
    log_in(page, address, "ada")
    return page


def log_in(page: Page, address: str, name: str) -> None:
    page.goto(f"{address}{LIST}")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill("pw")
    page.get_by_role("button", name="Log in").click()


def test_the_list_shows_every_job_and_its_progress_moves(
    admin: Page, address: str, submit: Callable[..., str]
) -> None:
    failed = submit("fails", owner="")
    wait_for(address, failed, status="failed")
    running = submit("steps", "one", "two")
    wait_for(address, running, status="running", progress=1)
    admin.goto(f"{address}{LIST}")
    expect(admin.locator("#result_list tbody tr")).to_have_count(2)
    newest, oldest = (
        admin.locator("#result_list tbody tr").nth(0),
        admin.locator("#result_list tbody tr").nth(1),
    )
    expect(oldest).to_contain_text("reports.fails")
    expect(oldest).to_contain_text("Failed")
    expect(newest).to_contain_text("ada (1)")
    expect(newest.get_by_role("progressbar")).to_have_js_property("value", 50)
    read(f"{address}/go/")
    expect(newest.locator("[data-field=count]")).to_have_text("100%")
    read(f"{address}/go/")
    expect(newest).to_contain_text("Succeeded")
    expect(admin.locator("[data-job]")).to_have_count(0)
    assert violations(admin) == []


def test_filters_and_search_narrow_the_list(admin: Page, address: str, submit: Callable[..., str]) -> None:
    failed, waiting = submit("fails", owner="7"), submit("steps", "one")
    wait_for(address, failed, status="failed")
    wait_for(address, waiting, status="running")
    admin.goto(f"{address}{LIST}")
    filters = admin.get_by_role("search", name="Filter")
    filters.get_by_role("link", name="Failed").click()
    expect(admin.locator("#result_list tbody tr")).to_have_count(1)
    filters.get_by_role("link", name="reports.steps").click()
    expect(admin.get_by_text("No jobs match the filters.")).to_be_visible()
    filters.get_by_role("link", name="Clear all filters").click()
    expect(admin.locator("#result_list tbody tr")).to_have_count(2)
    box = admin.get_by_label("Job id or owner:")
    box.fill("ada")
    admin.get_by_role("button", name="Search").click()
    expect(admin.locator("#result_list tbody tr")).to_have_count(1)
    expect(admin.locator("#result_list tbody tr")).to_contain_text("reports.steps")
    for text in (failed, failed[:8]):
        admin.goto(f"{address}{LIST}")
        box.fill(text)
        admin.get_by_role("button", name="Search").click()
        expect(admin.get_by_role("heading", name="reports.fails")).to_be_visible()


def test_fields_narrow_the_list_further(admin: Page, address: str, submit: Callable[..., str]) -> None:
    failed, waiting = submit("fails", owner="7"), submit("steps", "one")
    wait_for(address, failed, status="failed")
    wait_for(address, waiting, status="running")
    admin.goto(f"{address}{LIST}")
    filters = admin.get_by_role("search", name="Filter")
    filters.get_by_text("More filters").click()
    filters.get_by_label("Error").fill("TaskError")
    filters.get_by_label("Since").fill("2026-01-31T08:00:05")
    filters.get_by_role("button", name="Apply").click()
    expect(admin.locator("#result_list tbody tr")).to_have_count(1)
    expect(admin.locator("#result_list tbody tr")).to_contain_text("TaskError: There is no more paper")
    expect(filters.get_by_label("Since")).to_have_value("2026-01-31T08:00:05")
    assert violations(admin) == []
    filters.locator("select[name=time]").select_option("finished")
    filters.get_by_label("Before").fill("2026-01-31T08:00:06")
    filters.get_by_role("button", name="Apply").click()
    expect(admin.get_by_text("No jobs match the filters.")).to_be_visible()


def test_an_empty_site_says_so(admin: Page, address: str) -> None:
    expect(admin.get_by_text("No jobs yet.")).to_be_visible()
    admin.get_by_role("link", name="Show the past 30 days").click()
    expect(admin.get_by_text("Jobs are kept for about 30 days.")).to_be_visible()
    assert violations(admin) == []


def test_a_failed_job_is_explained_and_retried(admin: Page, address: str, submit: Callable[..., str]) -> None:
    failed = submit("fails")
    wait_for(address, failed, status="failed")
    admin.goto(f"{address}{LIST}{failed}/")
    expect(admin.get_by_role("alert")).to_have_text(
        "TaskError: There is no more paper: <b>refill</b> tray 2."
    )
    expect(admin.get_by_text("Opened the printer")).to_be_visible()
    expect(admin.get_by_text('"offices": [')).to_be_visible()
    admin.get_by_text("Traceback", exact=True).click()
    expect(admin.get_by_text("Traceback (most recent call last)")).to_be_visible()
    assert violations(admin) == []
    admin.get_by_role("button", name="Retry").click()
    expect(admin.get_by_text("The job was submitted again as")).to_be_visible()
    expect(admin.get_by_role("link", name=failed)).to_be_visible()
    assert failed not in admin.url
    admin.get_by_role("link", name=failed).click()
    assert failed in admin.url


def test_a_running_job_is_cancelled(admin: Page, address: str, submit: Callable[..., str]) -> None:
    running = submit("steps", "one", "two")
    wait_for(address, running, status="running", progress=1)
    admin.goto(f"{address}{LIST}{running}/")
    admin.get_by_role("button", name="Cancel job").click()
    expect(admin.get_by_text("The job was asked to stop.")).to_be_visible()
    expect(admin.locator("[data-field=status]")).to_have_text("Cancelled", timeout=15_000)
    expect(admin.get_by_role("button", name="Retry")).to_be_visible()


def test_messages_come_as_they_are_written(admin: Page, address: str, submit: Callable[..., str]) -> None:
    running = submit("steps", "first step", "second step")
    wait_for(address, running, status="running", progress=1)
    admin.goto(f"{address}{LIST}{running}/")
    expect(admin.get_by_text("first step", exact=True)).to_be_visible()
    read(f"{address}/go/")
    expect(admin.get_by_text("second step", exact=True)).to_be_visible()


def test_a_groups_bar_and_counts_move_until_it_ends(
    admin: Page, address: str, submit: Callable[..., str]
) -> None:
    group = submit("group", "one", "two", fails="1")
    wait_for(address, group, progress=1)
    admin.goto(f"{address}{LIST}{group}/")
    bar = admin.get_by_role("progressbar")
    expect(bar).to_have_js_property("value", 33)
    expect(admin.get_by_role("link", name="Failed 1")).to_be_visible()
    assert violations(admin) == []
    read(f"{address}/go/")
    expect(admin.get_by_role("link", name="Succeeded 1")).to_be_visible()
    expect(admin.get_by_text("2 of 3 ended")).to_be_visible()
    expect(bar).to_have_js_property("value", 66)
    read(f"{address}/go/")
    expect(admin.get_by_role("alert")).to_have_text("MembersFailed: 1 of 3 members did not succeed: 0.")
    expect(admin.get_by_role("link", name="Succeeded 2")).to_be_visible()
    expect(admin.locator("[data-job]")).to_have_count(0)
    assert violations(admin) == []


def test_what_failed_of_a_group_is_found_and_retried(
    admin: Page, address: str, submit: Callable[..., str]
) -> None:
    group = submit("group", "one", fails="2")
    wait_for(address, group, progress=2)
    read(f"{address}/go/")
    wait_for(address, group, status="failed")
    admin.goto(f"{address}{LIST}{group}/")
    admin.get_by_role("link", name="Failed 2").click()
    expect(admin.locator("#result_list tbody tr")).to_have_count(2)
    expect(admin.locator("#result_list tbody tr").first).to_contain_text("There is no more paper")
    admin.get_by_role("link", name="All 3").click()
    expect(admin.locator("#result_list tbody tr")).to_have_count(3)
    assert violations(admin) == []
    admin.get_by_role("link", name="reports.fails").first.click()
    admin.get_by_role("link", name=group).click()
    admin.get_by_role("button", name="Retry failed members").click()
    expect(admin.get_by_text("(2 failed, 0 cancelled)")).to_be_visible()
    assert violations(admin) == []
    admin.get_by_role("button", name="No, take me back").click()
    admin.get_by_role("button", name="Retry failed members").click()
    admin.get_by_role("button", name="Yes").click()
    expect(admin.get_by_text("were submitted again in group")).to_be_visible()
    expect(admin.get_by_role("link", name=group)).to_be_visible()


def test_a_running_group_is_cancelled(admin: Page, address: str, submit: Callable[..., str]) -> None:
    group = submit("group", "one", "two")
    wait_for(address, group, status="running")
    admin.goto(f"{address}{LIST}{group}/")
    admin.get_by_role("button", name="Cancel group").click()
    expect(admin.get_by_text("members that have not begun will not begin")).to_be_visible()
    expect(admin.locator("[data-field=status]")).to_have_text("Cancelled", timeout=15_000)


def test_chosen_jobs_are_deleted_together(admin: Page, address: str, submit: Callable[..., str]) -> None:
    for _ in range(2):
        wait_for(address, submit("fails"), status="failed")
    admin.goto(f"{address}{LIST}")
    for box in admin.locator(".action-select").all():
        box.check()
    admin.get_by_label("Action:").select_option("Delete selected jobs")
    admin.get_by_role("button", name="Run").click()
    expect(admin.get_by_text("Delete 2 jobs?")).to_be_visible()
    assert violations(admin) == []
    admin.get_by_role("button", name="No, take me back").click()
    expect(admin.locator("#result_list tbody tr")).to_have_count(2)
    admin.get_by_label("Choose all jobs of this page").check()
    expect(admin.get_by_text("2 of 2 selected")).to_be_visible()
    admin.get_by_label("Action:").select_option("Delete selected jobs")
    admin.get_by_role("button", name="Run").click()
    admin.get_by_role("button", name="Yes").click()
    expect(admin.get_by_text("The job was deleted.")).to_be_visible()
    expect(admin.get_by_text("No jobs yet.")).to_be_visible()


def test_all_that_match_are_retried_by_a_job_that_sums_it_up(
    admin: Page, address: str, submit: Callable[..., str]
) -> None:
    failed = [submit("fails") for _ in range(3)]
    for uuid in failed:
        wait_for(address, uuid, status="failed")
    admin.goto(f"{address}{LIST}?status=failed")
    admin.get_by_label("Select all that match").check()
    expect(admin.get_by_role("checkbox", checked=True)).to_have_count(5)
    admin.get_by_label("Action:").select_option("Retry selected jobs")
    admin.get_by_role("button", name="Run").click()
    expect(admin.get_by_text("Submit all jobs that match these filters once more?")).to_be_visible()
    assert violations(admin) == []
    admin.get_by_role("button", name="Yes").click()
    expect(admin.get_by_text("The action was submitted as a job")).to_be_visible()
    expect(admin.get_by_role("heading", name="Retry all that match")).to_be_visible()
    expect(admin.get_by_text("3 jobs retried.")).to_be_visible(timeout=15_000)
    expect(admin.locator("[data-field=status]")).to_have_text("Succeeded")
    expect(admin.locator("dl.st-described")).to_contain_text("Asked for by")
    assert violations(admin) == []
    admin.goto(f"{address}{LIST}?status=failed")
    expect(admin.locator("#result_list tbody tr")).to_have_count(6)
    admin.goto(f"{address}{LIST}{failed[0]}/")
    admin.get_by_role("button", name="Retry").click()
    expect(admin.get_by_text("This job was retried before")).to_be_visible()
    assert violations(admin) == []


def test_an_owners_jobs_are_deleted_in_one_action(
    admin: Page, address: str, submit: Callable[..., str]
) -> None:
    mine, theirs = submit("fails"), submit("fails", owner="7")
    wait_for(address, mine, status="failed")
    wait_for(address, theirs, status="failed")
    admin.goto(f"{address}{LIST}?owner=7")
    admin.get_by_role("link", name="Delete all jobs of this owner").click()
    expect(admin.get_by_text("1 job:")).to_be_visible()
    assert violations(admin) == []
    admin.get_by_role("button", name="Yes").click()
    expect(admin.get_by_text("No jobs match the filters.")).to_be_visible()
    expect(admin.get_by_role("link", name="Delete all jobs of this owner")).to_have_count(0)
    admin.goto(f"{address}{LIST}")
    expect(admin.locator("#result_list tbody tr")).to_have_count(1)


def test_a_person_who_may_only_read_has_no_buttons(
    page: Page, address: str, submit: Callable[..., str]
) -> None:
    failed = submit("fails")
    wait_for(address, failed, status="failed")
    log_in(page, address, "bob")
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    expect(page.get_by_role("checkbox")).to_have_count(0)
    page.goto(f"{address}{LIST}{failed}/")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_role("button", name="Retry")).to_have_count(0)
    expect(page.get_by_role("button", name="Delete")).to_have_count(0)


def test_is_read_without_javascript(chromium: Browser, address: str, submit: Callable[..., str]) -> None:
    failed = submit("fails")
    wait_for(address, failed, status="failed")
    page = chromium.new_context(java_script_enabled=False).new_page()
    log_in(page, address, "ada")
    page.locator("#result_list").get_by_role("link", name="reports.fails").click()
    expect(page.get_by_role("alert")).to_contain_text("There is no more paper")
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_text("The job was submitted again as")).to_be_visible()
    page.goto(f"{address}{LIST}?status=failed")
    page.get_by_label("Select all that match").check()
    page.get_by_label("Action:").select_option("Delete selected jobs")
    page.get_by_role("button", name="Run").click()
    page.get_by_role("button", name="Yes").click()
    expect(page.get_by_role("heading", name="Delete all that match")).to_be_visible()


@pytest.mark.parametrize("place", ["", "?status=failed&tenant=&error_type=TaskError", "queues/", "{failed}/"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_fits_a_narrow_screen(
    admin: Page, address: str, submit: Callable[..., str], place: str, scheme: Literal["light", "dark"]
) -> None:
    failed = submit("fails")
    wait_for(address, failed, status="failed")
    admin.emulate_media(color_scheme=scheme)
    admin.set_viewport_size({"width": 375, "height": 800})
    admin.goto(f"{address}{LIST}{place.format(failed=failed)}")
    assert admin.evaluate("document.documentElement.scrollWidth") <= 375
    assert violations(admin) == []


@pytest.mark.parametrize("place", ["", "members/", "retry-failed/"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_group_fits_a_narrow_screen(
    admin: Page, address: str, submit: Callable[..., str], place: str, scheme: Literal["light", "dark"]
) -> None:
    group = submit("group", fails="2")
    wait_for(address, group, status="failed")
    admin.emulate_media(color_scheme=scheme)
    admin.set_viewport_size({"width": 375, "height": 800})
    admin.goto(f"{address}{LIST}{group}/{place}")
    assert admin.evaluate("document.documentElement.scrollWidth") <= 375
    assert violations(admin) == []
