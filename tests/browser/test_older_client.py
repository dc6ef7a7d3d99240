"""The published client of Django Task API, unmodified, and ours, against the endpoint, in a real browser."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import npm
from tests.browser.processes import serve

pytestmark = pytest.mark.browser

# Lets the task go on each time that a poll has shown one more message.
FOLLOW = """async ([task, inputs, options]) => {
  Object.assign(TaskAPI.options, {pollInterval: 50}, options)
  const seen = []
  let shown = 0
  const progress = record => {
    seen.push([record.status, record.progress, record.target, record.messages.join()])
    if (record.messages.length > shown && record.status === 'running') { shown++; fetch('/go/') }
  }
  try {
    return {seen, resolved: await TaskAPI.run(task, inputs, progress)}
  } catch (reason) {
    return {seen, rejected: reason instanceof Error ? reason.message : reason}
  }
}"""
CALLBACKS = """async ([task, inputs]) => {
  TaskAPI.options.pollInterval = 50
  const calls = []
  await new Promise(resolve => {
    const done = name => record => { calls.push([name, record.status]); setTimeout(resolve) }
    TaskAPI.run(task, inputs, null, done('success'), done('error')).catch(() => {})
  })
  return calls
}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    packages = npm.install()
    yield from serve("task_site", tmp_path_factory.mktemp("site"), packages)


@pytest.fixture(params=["theirs", "ours"])
def client(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(params=["anonymous", "session"])
def opened(request: pytest.FixtureRequest, address: str, client: str, page: Page) -> Page:
    """A page with a client, of a visitor or of a user who logged in."""
    if request.param == "session":
        log_in(page, address, client)
    else:
        page.goto(f"{address}/page/{client}/")
    return page


def log_in(page: Page, address: str, client: str) -> None:
    page.goto(f"{address}/login/?next=/page/{client}/")
    page.fill("[name=username]", "ada")
    page.fill("[name=password]", "pw")
    page.click("button")
    page.wait_for_url(f"**/page/{client}/")


def follow(page: Page, task: str, inputs: dict[str, Any], **options: Any) -> dict[str, Any]:
    result: dict[str, Any] = page.evaluate(FOLLOW, [task, inputs, options])
    return result


def test_theirs_is_the_published_package() -> None:
    package = json.loads((npm.install() / "django-task-api" / "package.json").read_text())
    assert (package["name"], package["version"]) == ("django-task-api", "1.3.0")


def test_a_task_runs_shows_its_progress_and_resolves(opened: Page) -> None:
    ended = follow(opened, "steps", {"names": ["one", "two"]})
    assert ended["resolved"]["outputs"] == {"count": 2}
    assert ended["resolved"]["status"] == "succeeded"
    assert ["running", 1, 2, "one"] in ended["seen"]
    assert ["running", 2, 2, "one,two"] in ended["seen"]
    assert ended["seen"][-1] == ["succeeded", 2, 2, "one,two"]


def test_a_failed_task_rejects_with_its_record(opened: Page) -> None:
    rejected = follow(opened, "fails", {})["rejected"]
    assert rejected["status"] == "failed"
    assert rejected["error"] == {"type": "TaskError", "message": "There is no more paper."}


def test_a_refused_task_rejects(opened: Page) -> None:
    assert "400" in follow(opened, "steps", {})["rejected"]


def test_the_callbacks_are_called(opened: Page) -> None:
    assert opened.evaluate(CALLBACKS, ["steps", {"names": []}]) == [["success", "succeeded"]]
    assert opened.evaluate(CALLBACKS, ["fails", {}]) == [["error", "failed"]]


def test_tasks_of_another_origin_are_run_with_cors(address: str, client: str, page: Page) -> None:
    page.goto(f"{address.replace('127.0.0.1', 'localhost')}/page/{client}/")
    ended = follow(page, "steps", {"names": ["one"]}, baseURL=f"{address}/tasks/", corsMode="cors")
    assert ended["resolved"]["outputs"] == {"count": 1}


def test_another_origin_is_not_asked_without_cors(address: str, client: str, page: Page) -> None:
    page.goto(f"{address.replace('127.0.0.1', 'localhost')}/page/{client}/")
    assert "fetch" in follow(page, "steps", {"names": []}, baseURL=f"{address}/tasks/")["rejected"]


class TestSession:
    @pytest.fixture
    def user(self, address: str, client: str, page: Page) -> Page:
        log_in(page, address, client)
        return page

    def test_the_job_is_the_users(self, user: Page, address: str, chromium: Browser) -> None:
        uuid = follow(user, "steps", {"names": []})["resolved"]["uuid"]
        assert user.request.get(f"{address}/tasks/{uuid}/").status == 200
        anonymous = chromium.new_context()
        assert anonymous.request.get(f"{address}/tasks/{uuid}/").status == 404
        anonymous.close()

    def test_csrf_protection_is_on(self, user: Page) -> None:
        user.context.clear_cookies(name="csrftoken")
        assert "403" in follow(user, "steps", {"names": []})["rejected"]

    def test_the_options_are_taken(self, user: Page, address: str) -> None:
        (cookie,) = (each for each in user.context.cookies() if each["name"] == "csrftoken")
        user.evaluate("value => { document.cookie = `of_another_name=${value}` }", cookie["value"])
        names = {"csrfCookieName": "of_another_name", "csrfHeaderName": "X-CSRFToken"}
        with user.expect_request("**/elsewhere/tasks/") as sent:
            ended = follow(user, "steps", {"names": []}, baseURL="/elsewhere/tasks/", **names)
        assert ended["resolved"]["status"] == "succeeded"
        assert sent.value.headers["x-csrftoken"] == cookie["value"]
