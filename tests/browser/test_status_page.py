"""The status page of one task: read without JavaScript, kept current with it, usable by everyone."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from django_integration.web.excerpt import (
    MOST_CHARACTERS,
    MOST_FAILED,
    MOST_MESSAGES,
    FailedMember,
    FailedMembers,
    excerpts,
    last_messages,
)
from tests.browser.axe import violations
from tests.browser.scripted_site import UUID, Answer, ScriptedSite, record, succeeded

pytestmark = pytest.mark.browser

POLL = f"/tasks/{UUID}/"
CANCEL = f"/tasks/{UUID}/cancel/"
PENDING = record(status="pending", attempt=0, started=None)
HALF = record(progress=1200, target=2400, messages=["Opened", "Half way"])
RESULT = {"rows": 48211, "columns": ["id", "price"], "note": "<b>skipped</b> two", "empty": None}
DONE = succeeded(progress=2400, target=2400, messages=["Opened", "Half way", "Done"], outputs=RESULT)
FAILED = record(
    status="failed",
    progress=40,
    target=100,
    error={"type": "ValueError", "message": "Line 41: “twelve” is not a number."},
    finished="2026-03-04T10:15:14.750Z",
)
CANCELLED = record(
    status="cancelled",
    finished="2026-03-04T10:15:14.750Z",
    error={"type": "TaskCancelled", "message": "Cancelled on request."},
)
LONG = succeeded(
    messages=[f"Page {number}" for number in range(10_000)],
    outputs={"text": "x" * 1_000_000, "rows": list(range(200_000))} | {f"more{n}": n for n in range(150)},
)
FAILURES = f"/tasks/{UUID}/members/?status=failed&limit={MOST_FAILED}"
FOLLOWING = "5d6f4a7e-1b1f-5a53-9f5c-0d8a3e1c7b21"


def group(succeeded: int, failed: int = 0, cancelled: int = 0, **changes: Any) -> dict[str, Any]:
    """The record of a group of 2,400."""
    ended = succeeded + failed + cancelled
    counts = {"succeeded": succeeded, "failed": failed, "cancelled": cancelled}
    members = {"total": 2400, "ended": ended, **counts}
    return record(task="album", attempt=0, progress=ended, target=2400, members=members) | changes


def failures(*indices: int, left: int = 0) -> FailedMembers:
    reason = "The image is damaged: no end of image marker."
    return FailedMembers([FailedMember(n, f"member-{n}", "resize", reason) for n in indices], left)


def members(*indices: int) -> dict[str, Any]:
    """What the site says of them."""
    return {
        "members": [
            record(uuid=each.uuid, task=each.task, status="failed", group=UUID, index=each.index)
            | {"error": {"type": "TaskError", "message": each.message}}
            for each in failures(*indices).shown
        ],
        "next": None,
    }


GROUP = group(1175, 25)
GROUP_FAILED = group(
    2375,
    25,
    status="failed",
    error={"type": "MembersFailed", "message": "25 of 2400 members did not succeed: 7, 12 and 23 more."},
    finished="2026-03-04T10:15:14.750Z",
)
GROUP_DONE = group(
    2400, status="succeeded", outputs={"continuation": FOLLOWING}, finished="2026-03-04T10:15:14.750Z"
)
MEMBER = succeeded(group=FOLLOWING)
STATES = {
    "group": GROUP,
    "group_failed": GROUP_FAILED,
    "group_done": GROUP_DONE,
    "member": MEMBER,
    "pending": PENDING,
    "running": HALF,
    "working": record(),
    "failed": FAILED,
    "succeeded": DONE,
    "long": LONG,
}


def show(site: ScriptedSite, page: Page, first: dict[str, Any], *polled: Any, due: str | None = None) -> None:
    """Open the page of a record; the clock stands still, and `polled` are the answers to later polls."""
    site.polls(*(polled or (first,)))
    page.clock.install(time=datetime.fromisoformat("2026-03-04T10:16:00Z"))
    page.clock.pause_at(datetime.fromisoformat("2026-03-04T10:16:02.250Z"))
    if first["finished"]:
        page.goto(address(site, first))
        return
    with page.expect_event("requestfinished", lambda request: request.url.endswith(POLL)):
        page.goto(address(site, first, due))


def address(
    site: ScriptedSite, first: dict[str, Any], due: str | None = None, language: str = "en", *locales: Path
) -> str:
    context = {
        "record": first,
        "due": due,
        "outputs": asdict(excerpts(first["outputs"])),
        "messages": asdict(last_messages(first["messages"])),
        "task_api_base": "/tasks/",
    }
    if "members" in first:
        failed = first["members"]["failed"]
        shown = min(failed, MOST_FAILED)
        context["failed"] = asdict(failures(*range(shown), left=failed - shown))
    return site.shows("view.html", context, language, *locales)


def next_poll(page: Page) -> None:
    """Let time pass, a tenth of a second at a time, until a poll is answered."""
    answered = False

    def note(request: Request) -> None:
        nonlocal answered
        answered = answered or request.url.endswith(
            POLL
        )  # not the page's icon, whose time is the browser's choice

    page.on("requestfinished", note)
    let_pass(page, 100, lambda: answered)
    page.remove_listener("requestfinished", note)


def let_pass(page: Page, milliseconds: int, until: Callable[[], bool]) -> None:
    """Let time pass in steps until something holds."""
    for _ in range(300):
        page.clock.run_for(milliseconds)
        if until():
            return
    raise AssertionError(f"not within {300 * milliseconds} ms")


def status(page: Page) -> Any:
    return page.locator("[data-field=status]")


def progress(page: Page) -> Any:
    return page.get_by_role("progressbar")


def test_shows_progress_messages_and_result_as_they_come(site: ScriptedSite, page: Page) -> None:
    show(site, page, PENDING, PENDING, HALF, DONE)
    expect(status(page)).to_have_text("Pending")
    expect(page.get_by_text("Waiting to be picked up")).to_be_visible()
    expect(page.get_by_role("heading", name="Messages")).to_be_hidden()

    next_poll(page)
    expect(status(page)).to_have_text("Running")
    expect(progress(page)).to_have_js_property("position", 0.5)
    expect(page.get_by_text("1,200 of 2,400")).to_be_visible()
    expect(page).to_have_title("sum: 50%")
    expect(page.get_by_role("log").get_by_role("listitem")).to_have_text(["Opened", "Half way"])
    expect(page.get_by_text("Running for")).to_be_visible()

    next_poll(page)
    expect(status(page)).to_have_text("Succeeded")
    expect(progress(page)).to_have_js_property("position", 1)
    expect(page.get_by_role("region", name="Result").get_by_role("definition")).to_have_text(
        ["48211", '["id","price"]', "<b>skipped</b> two", "null"]
    )
    expect(page.get_by_role("log").get_by_role("listitem")).to_have_text(["Opened", "Half way", "Done"])
    expect(page.get_by_role("button", name="Cancel task")).to_be_hidden()
    expect(page.locator("[data-field=took]")).to_have_text("12 s")


def test_a_waiting_task_says_when_it_is_due_until_it_runs(site: ScriptedSite, page: Page) -> None:
    show(site, page, PENDING, PENDING, HALF, due="2026-03-04T10:20:00.000Z")
    expect(page.locator("[data-field=due]")).to_have_text("4 Mar 2026, 10:20:00 UTC")
    expect(page.get_by_text("Scheduled")).to_be_visible()

    next_poll(page)
    expect(status(page)).to_have_text("Running")
    expect(page.locator("[data-field=due]")).to_be_hidden()


def test_a_task_that_is_due_waits_to_be_picked_up(site: ScriptedSite, page: Page) -> None:
    show(site, page, PENDING, due="2026-03-04T10:16:04.000Z")
    expect(page.get_by_text("Scheduled")).to_be_visible()
    page.clock.run_for(3_000)
    expect(page.get_by_text("Waiting to be picked up")).to_be_visible()


def test_adds_messages_without_touching_those_already_read(site: ScriptedSite, page: Page) -> None:
    show(site, page, HALF, HALF, DONE)
    first = page.get_by_role("log").get_by_role("listitem").first.element_handle()
    next_poll(page)
    expect(page.get_by_role("log").get_by_role("listitem")).to_have_count(3)
    assert first is not None
    assert first.evaluate("node => node.isConnected")


def test_a_failure_shows_its_reason(site: ScriptedSite, page: Page) -> None:
    show(site, page, HALF, HALF, FAILED)
    next_poll(page)
    expect(status(page)).to_have_text("Failed")
    expect(page.get_by_role("region", name="Why it ended")).to_contain_text("“twelve” is not a number.")
    expect(page.get_by_role("region", name="Why it ended")).to_contain_text("ValueError")


def test_a_running_task_without_a_target_shows_that_it_works(site: ScriptedSite, page: Page) -> None:
    show(site, page, record(progress=7))
    expect(progress(page)).to_have_js_property("position", -1)
    expect(page.get_by_text("7 so far")).to_be_visible()


def test_cancel_asks_the_server_and_says_so(site: ScriptedSite, page: Page) -> None:
    show(site, page, HALF, HALF, CANCELLED)
    site.on("POST", CANCEL, HALF | {"cancel_requested": True})
    with page.expect_response(f"**{CANCEL}"):
        page.get_by_role("button", name="Cancel task").click()
    expect(page.get_by_role("button", name="Cancel task")).to_be_disabled()
    expect(page.get_by_text("Asked to stop")).to_be_visible()
    (request,) = site.asked("POST", CANCEL)
    assert request.headers["x-csrftoken"] == "s3cret"
    next_poll(page)
    expect(status(page)).to_have_text("Cancelled")
    expect(page.get_by_text("Asked to stop")).to_be_hidden()


def test_a_cancel_that_did_not_work_can_be_tried_again(site: ScriptedSite, page: Page) -> None:
    show(site, page, HALF)
    site.on("POST", CANCEL, Answer({"detail": "away"}, 503))
    page.get_by_role("button", name="Cancel task").click()
    expect(page.get_by_text("Cancelling did not work. Try again.")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel task")).to_be_enabled()


def test_a_server_that_is_away_for_a_while_goes_unnoticed(site: ScriptedSite, page: Page) -> None:
    away = Answer({"detail": "away"}, 503)
    show(site, page, HALF, HALF, away, away, DONE)
    next_poll(page)
    next_poll(page)
    next_poll(page)
    expect(status(page)).to_have_text("Succeeded")
    expect(page.get_by_role("alert")).to_be_hidden()


def test_a_server_that_stays_away_is_said_and_can_be_asked_again(site: ScriptedSite, page: Page) -> None:
    show(site, page, HALF, HALF, Answer({"detail": "away"}, 503))
    next_poll(page)
    let_pass(page, 1000, page.get_by_role("alert").is_visible)
    expect(page.get_by_role("alert")).to_contain_text("the server does not answer")
    assert len(site.asked("GET", POLL)) == 1 + 9
    site.polls(DONE)
    page.get_by_role("button", name="Try again").click()
    expect(status(page)).to_have_text("Succeeded")
    expect(page.get_by_role("alert")).to_be_hidden()


@pytest.mark.parametrize("with_script", [True, False])
@pytest.mark.parametrize("width", [1280, 375])
def test_long_outputs_and_many_messages_are_clipped_with_a_link_to_all(
    site: ScriptedSite, chromium: Browser, width: int, with_script: bool
) -> None:
    context = chromium.new_context(
        locale="en-GB", java_script_enabled=with_script, viewport={"width": width, "height": 900}
    )
    page = context.new_page()
    page.goto(address(site, LONG))
    result = page.get_by_role("region", name="Result")
    expect(result.get_by_role("definition")).to_have_count(50)
    expect(result).to_contain_text("102 more: all of them")
    values = result.get_by_role("definition")
    expect(values.first).to_contain_text("all of it")
    expect(values.first.get_by_role("link")).to_have_attribute("href", f"/tasks/{UUID}/")
    assert MOST_CHARACTERS <= len(values.first.inner_text()) <= MOST_CHARACTERS + 60
    messages = page.get_by_role("log").get_by_role("listitem")
    expect(messages).to_have_count(MOST_MESSAGES)
    expect(messages.first).to_have_text("Page 9800")
    expect(page.get_by_role("region", name="Messages")).to_contain_text("earlier: all of them")
    height = page.evaluate("document.documentElement.scrollHeight") if with_script else 0
    assert height < 15_000
    context.close()


def test_a_group_counts_its_members_as_they_end(site: ScriptedSite, page: Page) -> None:
    site.on("GET", FAILURES, members(7), members(7, 12))
    show(site, page, group(0), group(0), group(1199, 1), group(2398, 2, status="failed"))
    region = page.get_by_role("region", name="Members")
    counts = region.get_by_role("definition")
    expect(counts).to_have_text(["0", "0", "0"])
    expect(region.get_by_role("list")).to_be_hidden()
    expect(page.get_by_text("Workflow", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Cancel workflow")).to_be_visible()
    expect(page.locator("[data-field=attempt]")).to_be_hidden()

    next_poll(page)
    expect(counts).to_have_text(["1,199", "1", "0"])
    expect(progress(page)).to_have_js_property("position", 0.5)
    expect(page.get_by_text("1,200 of 2,400")).to_be_visible()
    rows = page.get_by_role("list", name="Failed members").get_by_role("listitem")
    expect(rows).to_have_text(["Member 7 The image is damaged: no end of image marker. resize"])
    expect(rows.get_by_role("link")).to_have_attribute("href", "/tasks/member-7/view/")

    next_poll(page)
    expect(status(page)).to_have_text("Failed")
    expect(rows).to_have_count(2)
    expect(counts).to_have_text(["2,398", "2", "0"])
    asked = len(site.asked("GET", POLL))
    page.clock.run_for(60_000)
    assert len(site.asked("GET", POLL)) == asked
    assert len(site.asked("GET", FAILURES)) == 2


def test_of_many_failed_members_the_first_are_listed_and_read_again_at_the_end(
    site: ScriptedSite, page: Page
) -> None:
    site.on("GET", FAILURES, members(*range(1, 21)))
    show(site, page, GROUP, group(1300, 30), group(1300, 40), group(2300, 100, status="failed"))
    rows = page.get_by_role("list", name="Failed members").get_by_role("listitem")
    expect(rows).to_have_count(MOST_FAILED)
    expect(page.get_by_text("10 more failed: all of them")).to_be_visible()
    next_poll(page)
    expect(page.get_by_text("20 more failed: all of them")).to_be_visible()
    assert site.asked("GET", FAILURES) == []
    next_poll(page)
    expect(rows.first).to_contain_text("Member 1 ")
    expect(page.get_by_text("80 more failed: all of them")).to_be_visible()
    assert len(site.asked("GET", FAILURES)) == 1


def test_failed_members_that_cannot_be_read_are_read_with_the_next_record(
    site: ScriptedSite, page: Page
) -> None:
    site.on("GET", FAILURES, Answer({"detail": "away"}, 503), members(7))
    with page.expect_response(lambda answer: "/members/" in answer.url and answer.status == 503):
        show(site, page, group(0), group(0, 1), group(5, 1))
    rows = page.get_by_role("list", name="Failed members").get_by_role("listitem")
    expect(page.get_by_text("1 more failed: all of them")).to_be_visible()
    next_poll(page)
    next_poll(page)  # the first may find the page still busy with the answer 503
    expect(rows).to_have_count(1)
    expect(page.get_by_text("more failed")).to_be_hidden()


def test_a_group_that_a_worker_opens_while_it_is_watched_shows_its_members(
    site: ScriptedSite, page: Page
) -> None:
    """One that is a member of another is a job that waits until then."""
    show(site, page, PENDING, PENDING, group(3))
    expect(page.get_by_role("region", name="Members")).to_be_hidden()
    next_poll(page)
    expect(page.get_by_role("region", name="Members").get_by_role("definition").first).to_have_text("3")
    expect(page.get_by_text("Workflow", exact=True)).to_be_visible()


def test_what_follows_a_group_is_linked(site: ScriptedSite, page: Page) -> None:
    show(site, page, group(2399), group(2399), GROUP_DONE)
    expect(page.get_by_text("Followed by")).to_be_hidden()
    next_poll(page)
    expect(page.get_by_role("link", name=FOLLOWING)).to_have_attribute("href", f"/tasks/{FOLLOWING}/view/")
    expect(page.get_by_role("region", name="Result")).to_be_hidden()


def test_cancelling_a_group_says_what_it_does(site: ScriptedSite, page: Page) -> None:
    show(site, page, group(5))
    site.on("POST", CANCEL, group(5) | {"cancel_requested": True})
    page.get_by_role("button", name="Cancel workflow").click()
    expect(page.get_by_text("Asked to stop. Jobs that have not begun never do.")).to_be_visible()


def test_a_group_is_read_without_javascript(site: ScriptedSite, chromium: Browser) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address(site, GROUP_FAILED))
    expect(page.get_by_text("2,400 of 2,400")).to_be_visible()
    counts = page.get_by_role("region", name="Members").get_by_role("definition")
    expect(counts).to_have_text(["2,375", "25", "0"])
    rows = page.get_by_role("list", name="Failed members").get_by_role("listitem")
    expect(rows).to_have_count(MOST_FAILED)
    expect(rows.first.get_by_role("link")).to_have_attribute("href", "/tasks/member-0/view/")
    expect(page.get_by_text("5 more failed: all of them")).to_be_visible()
    page.goto(address(site, GROUP_DONE))
    expect(page.get_by_role("link", name=FOLLOWING)).to_have_attribute("href", f"/tasks/{FOLLOWING}/view/")
    expect(page.get_by_role("list", name="Failed members")).to_be_hidden()
    page.goto(address(site, MEMBER))
    expect(page.get_by_text("Member of")).to_be_visible()
    expect(page.get_by_role("region", name="Members")).to_be_hidden()
    context.close()


def test_messages_that_come_push_the_oldest_out(site: ScriptedSite, page: Page) -> None:
    many = [f"Page {number}" for number in range(205)]
    first, next_ = record(messages=many[:199]), record(messages=many)
    show(site, page, first, first, next_)
    log = page.get_by_role("log").get_by_role("listitem")
    expect(log).to_have_count(199)
    expect(page.get_by_text("earlier: all of them")).to_be_hidden()
    next_poll(page)
    expect(log).to_have_count(MOST_MESSAGES)
    expect(log.first).to_have_text("Page 5")
    expect(log.last).to_have_text("Page 204")
    expect(page.get_by_text("5 earlier: all of them")).to_be_visible()


def test_a_task_that_is_gone_is_said(site: ScriptedSite, page: Page) -> None:
    show(site, page, HALF, Answer({"detail": "unknown"}, 404))
    expect(page.get_by_role("alert")).to_contain_text("can no longer be read")
    expect(page.get_by_role("button", name="Try again")).to_be_hidden()


def test_an_ended_task_is_not_asked_for_again(site: ScriptedSite, page: Page) -> None:
    show(site, page, DONE)
    expect(page.locator("[data-time=created]")).to_have_text("4 Mar 2026, 10:15:00 UTC")
    page.clock.run_for(60_000)
    assert site.asked("GET", POLL) == []


def test_is_read_without_javascript(site: ScriptedSite, chromium: Browser) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address(site, DONE))
    for text in [
        "Succeeded",
        "2,400 of 2,400",
        "48211",
        "<b>skipped</b> two",
        "March 4, 2026, 10:15:00 UTC",
        "Half way",
    ]:
        expect(page.get_by_text(text).first).to_be_visible()
    expect(page.get_by_role("button")).to_have_count(0)
    page.goto(address(site, FAILED))
    expect(page.get_by_text("“twelve” is not a number.")).to_be_visible()
    expect(page.get_by_role("heading", name="Result")).to_have_count(0)
    context.close()


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("width", [1280, 375])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_has_no_accessibility_violation(
    site: ScriptedSite, page: Page, state: str, width: int, scheme: Any
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)
    site.polls(STATES[state])
    page.goto(address(site, STATES[state]))
    expect(page.locator("[data-time=created]")).to_have_text("4 Mar 2026, 10:15:00 UTC")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
