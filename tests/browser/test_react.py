"""The example with React in a real browser, its tasks on the local stack: hooks, StrictMode, a reload, leaving."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect

from examples.demo.local import Local, running
from tests.browser import npm
from tests.browser.axe import violations

pytestmark = pytest.mark.browser
EXAMPLE = Path(__file__).resolve().parents[2] / "examples/react"
PATIENCE = 30_000  # milliseconds for a task to end: the machine may be busy
RECORD = re.compile(r"/tasks/[0-9a-f-]{36}/$")
EVENTS = re.compile(r"/tasks/[0-9a-f-]{36}/events/$")
DONE = re.compile(r"^2000 rows")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page as React's developers see it: StrictMode runs effects twice in such a build alone."""
    npm.build()
    npm.install(EXAMPLE)
    folder = tmp_path_factory.mktemp("react")
    development = ("--mode", "development", "--outDir", folder, "--emptyOutDir")
    npm.run("npm", "run", "build", "--", *development, cwd=EXAMPLE, NODE_ENV="development")
    return folder


@pytest.fixture(scope="module")
def local() -> Iterator[Local]:
    with running() as stack:
        yield stack


@pytest.fixture(scope="module")
def address(built: Path, local: Local) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    vite = EXAMPLE / "node_modules/.bin/vite"
    command = [vite, "preview", "--host", "127.0.0.1", "--port", str(port), "--strictPort", "--outDir", built]
    environment = {**os.environ, "DJANGO_URL": local.site}
    with subprocess.Popen(
        command, cwd=EXAMPLE, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            assert any(str(port) in line for line in process.stdout), "vite preview has ended"
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.terminate()


@pytest.fixture
def calls(page: Page) -> list[str]:
    """The calls of the page, as they are made: the method and the path."""
    seen: list[str] = []

    def note(request: Request) -> None:
        if "/tasks/" in request.url:
            seen.append(f"{request.method} /tasks/{request.url.partition('/tasks/')[2]}")

    page.on("request", note)
    return seen


@pytest.fixture
def example(page: Page, address: str, calls: list[str]) -> Page:
    page.goto(address)
    return page


def summarise(page: Page) -> None:
    page.get_by_role("button", name="Summarise").click()


def test_a_task_is_submitted_once_and_followed_to_its_end(example: Page, calls: list[str]) -> None:
    summarise(example)
    expect(example.get_by_role("status")).to_have_text(DONE, timeout=PATIENCE)
    expect(example.get_by_role("row")).to_have_count(3)
    expect(example.get_by_role("row").nth(2)).to_contain_text("temperature")
    assert calls.count("POST /tasks/") == 1


def test_after_a_reload_the_job_is_followed_again(example: Page, calls: list[str]) -> None:
    summarise(example)
    expect(example.get_by_role("status")).to_have_text(DONE, timeout=PATIENCE)
    example.reload()
    expect(example.get_by_role("status")).to_have_text(DONE, timeout=PATIENCE)
    assert calls.count("POST /tasks/") == 1


def test_a_job_that_is_left_is_no_longer_asked_for(example: Page, calls: list[str]) -> None:
    def stay_running(route: Route) -> None:
        uuid = route.request.url.split("/")[-2]
        route.fulfill(json={"uuid": uuid, "status": "running", "progress": 1, "target": 2, "messages": []})

    # However soon the first job ends, the page does not come to know of it.
    example.route(EVENTS, lambda route: route.abort())
    example.route(RECORD, stay_running)
    summarise(example)
    expect(example.get_by_role("button", name="Cancel")).to_be_enabled(timeout=PATIENCE)
    first = example.evaluate("sessionStorage.getItem('summary')")
    example.unroute(EVENTS)
    example.unroute(RECORD)
    summarise(example)
    expect(example.get_by_role("status")).to_have_text(DONE, timeout=PATIENCE)
    second = example.evaluate("sessionStorage.getItem('summary')")
    assert first != second
    assert calls.count("POST /tasks/") == 2
    began = calls.index(f"GET /tasks/{second}/")
    assert f"GET /tasks/{first}/" not in calls[began:]


def test_a_job_that_fails_says_why(example: Page) -> None:
    example.evaluate("document.querySelector('textarea').required = false")
    example.get_by_role("textbox").fill("")
    summarise(example)
    expect(example.get_by_role("alert")).to_have_text(re.compile("file is empty"), timeout=PATIENCE)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_it_is_accessible_and_fits(chromium: Browser, address: str, width: int, scheme: str) -> None:
    context = chromium.new_context(
        viewport={"width": width, "height": 800}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page = context.new_page()
    page.goto(address)
    summarise(page)
    expect(page.get_by_role("status")).to_have_text(DONE, timeout=PATIENCE)
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    context.close()


def test_its_types_are_those_of_the_tasks_that_the_site_serves() -> None:
    command = [sys.executable, "-m", "serverless_tasks.cli", "types", "--check", EXAMPLE / "src/tasks.gen.ts"]
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "examples.website.settings"}
    done = subprocess.run(
        command, cwd=EXAMPLE.parents[1], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
