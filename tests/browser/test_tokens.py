"""A page of another site, with tokens, in a real browser: what CORS and cookies do to it is the browser's to say."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser import npm
from tests.browser.processes import serve

pytestmark = pytest.mark.browser

# The statuses that plain requests are answered with; null for one that the browser has refused.
ASK = """async ([base, job, token]) => {
  const ask = async (path, method, init = {}) => {
    try {
      const headers = init.headers ?? { Authorization: `Bearer ${token}` }
      const response = await fetch(base + path, { method, credentials: 'omit', ...init, headers })
      return [response.status, await response.json()]
    } catch {
      return null
    }
  }
  return {
    without: await ask(`${job}/`, 'GET', { headers: {} }),
    get: await ask(`${job}/`, 'GET'),
    list: await ask('', 'GET'),
    cancel: await ask(`${job}/cancel/`, 'POST'),
    elsewhere: await ask('../hand-over/', 'GET'),
  }
}"""
FOLLOW = """async ([base, job, token]) => {
  Object.assign(TaskAPI.options, { baseURL: base, pollInterval: 50, token })
  const seen = []
  const done = TaskAPI.watch(job, record => {
    seen.push(record.status)
    if (seen.length === 1) setTimeout(() => TaskAPI.cancel(job), 200)
  })
  return { seen, end: await done.catch(reason => reason) }
}"""
SUBMIT = """async ([base, token]) => {
  const send = async names => {
    const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` }
    const body = JSON.stringify({ task: 'steps', inputs: { names } })
    const response = await fetch(base, { method: 'POST', credentials: 'omit', headers, body })
    return [response.status, (await response.json()).uuid]
  }
  return [await send(['d']), await send(['c']), await send(['c'])]
}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from serve("task_site", tmp_path_factory.mktemp("site"), npm.install())


@pytest.fixture
def given(address: str, page: Page) -> dict[str, Any]:
    """A page on localhost, the tasks on 127.0.0.1, and a job's tokens."""
    page.goto(f"{address.replace('127.0.0.1', 'localhost')}/page/ours/")
    given: dict[str, Any] = page.evaluate("fetch('/hand-over/').then(response => response.json())")
    return given | {"base": f"{address}/tasks/"}


def test_a_token_is_all_that_a_page_of_another_site_needs(page: Page, given: dict[str, Any]) -> None:
    answers = page.evaluate(ASK, [given["base"], given["job"], given["cancels"]])
    assert answers["without"][0] == 404
    assert (answers["get"][0], answers["get"][1]["uuid"]) == (200, given["job"])
    assert answers["list"][0] == 403
    assert answers["cancel"][0] == 200
    assert answers["elsewhere"] is None
    assert page.context.cookies(given["base"]) == []


def test_one_that_reads_does_not_cancel(page: Page, given: dict[str, Any]) -> None:
    answers = page.evaluate(ASK, [given["base"], given["job"], given["reads"]])
    assert (answers["get"][0], answers["cancel"][0]) == (200, 403)
    assert answers["cancel"][1]["error"]["type"] == "InsufficientToken"


def test_the_client_follows_and_cancels_with_it(page: Page, given: dict[str, Any]) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    found = page.evaluate(FOLLOW, [given["base"], given["job"], given["cancels"]])
    assert (found["seen"][0], found["end"]["status"]) == ("pending", "cancelled")
    assert len(asked) > 2
    assert not [url for url in asked if "stt1." in url]


def test_a_submit_token_makes_one_job(page: Page, given: dict[str, Any]) -> None:
    other, first, second = page.evaluate(SUBMIT, [given["base"], given["submits"]])
    assert (other[0], first[0], second[0]) == (403, 201, 200)
    assert first[1] == second[1]
