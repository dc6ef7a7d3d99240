"""The status page of a group that a Django site runs, in a real browser."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser import npm
from tests.browser.processes import serve

pytestmark = pytest.mark.browser

# Notes each state that the page shows, as often as it is set.
NOTE = """() => {
  const pill = document.querySelector('[data-field=status]')
  const bar = document.querySelector('progress')
  window.shown = [[pill.textContent, bar.value]]
  const note = () => window.shown.push([pill.textContent, bar.value])
  new MutationObserver(note).observe(pill, {childList: true, characterData: true, subtree: true})
  new MutationObserver(note).observe(bar, {attributes: true, attributeFilter: ['value']})
}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    packages = npm.install()
    yield from serve("task_site", tmp_path_factory.mktemp("site"), packages)


def test_its_bar_moves_with_each_member_and_it_ends_once(address: str, page: Page) -> None:
    uuid = page.request.get(f"{address}/group/").json()["uuid"]
    page.goto(f"{address}/tasks/{uuid}/view/")
    page.evaluate(NOTE)
    bar = page.get_by_role("progressbar", name="Members that have ended")
    expect(bar).to_have_js_property("value", 1)
    for number in (2, 3):
        page.request.get(f"{address}/go/")
        expect(bar).to_have_js_property("value", number)
        expect(page.locator("[data-field=status]")).to_have_text("Running")
    page.request.get(f"{address}/go/")
    expect(page.locator("[data-field=status]")).to_have_text("Failed")
    expect(page.get_by_text("4 of 4")).to_be_visible()

    counts = page.get_by_role("region", name="Members").get_by_role("definition")
    expect(counts).to_have_text(["3", "1", "0"])
    failures = page.get_by_role("list", name="Failed members").get_by_role("listitem")
    expect(failures).to_have_text(["Member 0 There is no more paper. fails"])

    shown: Any = page.evaluate("window.shown")
    assert [text for text, _ in groupby(text for text, _ in shown)] == ["Running", "Failed"]
    assert [value for value, _ in groupby(value for _, value in shown)] == [1, 2, 3, 4]

    failures.get_by_role("link").click()
    expect(page.get_by_text("Why it ended")).to_be_visible()
    page.get_by_role("link", name=uuid, exact=True).click()
    expect(page.get_by_role("heading", name="album")).to_be_visible()
