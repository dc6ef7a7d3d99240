"""The ready-made pieces of pages: with our script, with htmx, and with neither; below a strict policy, for everyone."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Request, expect

from tests.browser import npm
from tests.browser.axe import violations
from tests.browser.processes import serve

pytestmark = pytest.mark.browser
WIDTHS = [1280, 320]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from serve("task_site", tmp_path_factory.mktemp("site"), npm.install())


@pytest.fixture
def go(address: str, page: Page) -> Callable[[], None]:
    """Let a job of steps go on."""

    def on() -> None:
        page.request.get(f"{address}/go/")

    return on


@pytest.fixture
def submit(address: str, page: Page) -> Callable[..., str]:
    """Submit a job by another call; gives its id."""

    def submit(task: str, **inputs: Any) -> str:
        answer = page.request.post(f"{address}/tasks/", data={"task": task, "inputs": inputs})
        uuid: str = answer.json()["uuid"]
        return uuid

    return submit


@pytest.fixture
def plain(chromium: Browser) -> Iterator[Page]:
    """A browser without scripts."""
    context = chromium.new_context(java_script_enabled=False)
    yield context.new_page()
    context.close()


def piece(page: Page, number: int = 0) -> Locator:
    return page.locator(".task-progress").nth(number)


class TestWithScripts:
    def test_the_bar_follows_by_itself(
        self, page: Page, address: str, submit: Callable[..., str], go: Callable[[], None]
    ) -> None:
        uuid = submit("steps", names=["Read", "Written"])
        page.add_init_script(
            "addEventListener('task:ended', ({detail}) => { document.title = detail.outputs.count })"
        )
        page.goto(f"{address}/pieces/?job={uuid}")
        bar = piece(page)

        expect(bar).to_have_attribute("data-status", "running")
        expect(bar.get_by_text("Reload")).to_be_hidden()
        expect(bar.get_by_text("1 of 2")).to_be_visible()
        expect(bar.get_by_text("Read", exact=True)).to_be_visible()
        go()
        expect(bar.get_by_text("2 of 2")).to_be_visible()
        go()
        expect(bar.get_by_role("status")).to_have_text("Succeeded")
        expect(bar.get_by_role("progressbar")).to_have_js_property("value", 2)
        expect(page).to_have_title("2")

    def test_a_failure_is_told(self, page: Page, address: str, submit: Callable[..., str]) -> None:
        page.goto(f"{address}/pieces/?job={submit('fails')}")

        expect(piece(page).get_by_role("status")).to_have_text("Failed")
        expect(piece(page).get_by_text("There is no more paper.")).to_be_visible()

    def test_a_button_shows_its_job_in_place(self, page: Page, address: str, go: Callable[[], None]) -> None:
        page.goto(f"{address}/pieces/")
        page.get_by_role("button", name="Run the steps").click()
        expect(piece(page).get_by_text("1 of 2")).to_be_visible()
        go()
        go()
        expect(piece(page).get_by_role("status")).to_have_text("Succeeded")
        assert page.url == f"{address}/pieces/"

    def test_a_double_click_makes_one_job_and_the_focus_stays(self, page: Page, address: str) -> None:
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
        page.goto(f"{address}/pieces/")
        page.get_by_label("Numbers").fill("4")
        page.get_by_role("button", name="Add").dblclick()
        expect(piece(page).get_by_role("status")).to_have_text("Succeeded")

        assert len(sent) == 1
        expect(page.get_by_role("button", name="Add")).to_be_focused()

    def test_the_next_job_takes_its_place(self, page: Page, address: str) -> None:
        page.goto(f"{address}/pieces/")
        for numbers in ("1", "2"):
            page.get_by_label("Numbers").fill(numbers)
            page.get_by_role("button", name="Add").click()
            expect(piece(page).get_by_role("status")).to_have_text("Succeeded")
        expect(page.locator(".task-progress")).to_have_count(1)

    def test_errors_are_named_in_place_and_go_once_it_is_mended(self, page: Page, address: str) -> None:
        page.goto(f"{address}/pieces/")
        alert = page.locator("#add").get_by_role("alert")
        page.get_by_label("Numbers").fill("many")
        page.get_by_label("Numbers").press("Enter")

        expect(alert).to_contain_text("numbers: String is not a number: 'many'")
        page.get_by_label("Numbers").fill("3")
        page.get_by_label("Numbers").press("Enter")
        expect(alert).to_be_hidden()
        expect(piece(page).get_by_role("status")).to_have_text("Succeeded")

    def test_a_server_that_cannot_be_reached_is_told(self, page: Page, address: str) -> None:
        page.goto(f"{address}/pieces/")
        page.route("**/widgets/submit", lambda route: route.abort())
        page.get_by_role("button", name="Run the steps").click()

        expect(page.get_by_text("may not have been submitted. Try again.")).to_be_visible()
        expect(page.get_by_role("button", name="Run the steps")).to_be_enabled()

    def test_a_page_of_another_login_says_to_load_it_again(self, page: Page, address: str) -> None:
        page.goto(f"{address}/pieces/")
        page.context.clear_cookies()
        page.get_by_role("button", name="Run the steps").click()

        expect(page.get_by_text("This form can no longer be sent. Load its page again.")).to_be_visible()

    def test_a_site_colours_and_sizes_it_by_custom_properties(
        self, page: Page, address: str, submit: Callable[..., str]
    ) -> None:
        page.goto(f"{address}/pieces/?job={submit('adds', numbers=[1])}")
        for name, value in {"--task-accent": "rgb(1, 2, 3)", "--task-bar-size": "33px"}.items():
            page.evaluate(
                "([name, value]) => document.documentElement.style.setProperty(name, value)", [name, value]
            )

        expect(page.get_by_role("button", name="Add")).to_have_css("background-color", "rgb(1, 2, 3)")
        expect(piece(page).get_by_role("progressbar")).to_have_css("height", "33px")


class TestWithoutScripts:
    def test_it_is_read_and_loaded_again(
        self, plain: Page, address: str, submit: Callable[..., str], go: Callable[[], None]
    ) -> None:
        reload = piece(plain).get_by_role("link", name="Reload to see how far it is")
        plain.goto(f"{address}/pieces/?job={submit('steps', names=['Read'])}")
        self.load_until(plain, "1 of 1", reload)
        go()
        self.load_until(plain, "Succeeded", reload)
        expect(reload).to_have_count(0)

    def load_until(self, plain: Page, text: str, reload: Locator) -> None:
        for _ in range(100):
            if text in piece(plain).inner_text():
                return
            reload.click()
        raise AssertionError(f"{text} did not come")

    def test_a_button_leads_to_the_status_page(
        self, plain: Page, address: str, go: Callable[[], None]
    ) -> None:
        plain.goto(f"{address}/pieces/")
        plain.get_by_role("button", name="Run the steps").click()

        expect(plain.get_by_role("heading", name="steps")).to_be_visible()
        go()
        go()

    def test_or_back_to_the_page(self, plain: Page, address: str) -> None:
        plain.goto(f"{address}/pieces/")
        plain.get_by_label("Numbers").fill("4")
        plain.get_by_role("button", name="Add").click()

        expect(piece(plain)).to_be_visible()
        expect(plain).to_have_url(re.compile(r"/pieces/\?job="))

    def test_what_is_refused_is_named_on_a_page_of_its_own(self, plain: Page, address: str) -> None:
        plain.goto(f"{address}/pieces/")
        plain.get_by_label("Numbers").fill("many")
        plain.get_by_role("button", name="Add").click()

        expect(plain.get_by_role("heading", name="The job was not submitted")).to_be_visible()
        expect(plain.get_by_role("alert")).to_contain_text("numbers: String is not a number: 'many'")
        plain.get_by_role("button", name="Add").click()
        expect(plain.get_by_role("alert")).to_contain_text("many")


class TestWithHtmx:
    def test_it_polls_until_the_end_and_no_further(
        self, page: Page, address: str, submit: Callable[..., str], go: Callable[[], None]
    ) -> None:
        page.clock.install()
        asked: list[Request] = []
        page.on("request", lambda request: asked.append(request) if "/progress/" in request.url else None)
        page.goto(f"{address}/pieces/?htmx&job={submit('steps', names=['Read'])}")
        page.wait_for_function("window.htmx !== undefined")
        go()
        for _ in range(50):
            page.clock.run_for(1000)
            if piece(page).get_attribute("data-status") == "succeeded":
                break
            page.wait_for_load_state("networkidle")
        expect(piece(page).get_by_role("status")).to_have_text("Succeeded")
        seen = len(asked)
        last = asked[-1].response()
        page.clock.run_for(10_000)

        assert last is not None
        assert last.status == 286
        assert len(asked) == seen

    def test_a_button_is_replaced_by_its_job_or_by_its_errors(self, page: Page, address: str) -> None:
        page.goto(f"{address}/pieces/?htmx")
        page.wait_for_function("window.htmx !== undefined")
        page.get_by_label("Numbers").fill("many")
        page.get_by_role("button", name="Add").click()
        expect(page.get_by_role("alert")).to_contain_text("numbers: String is not a number: 'many'")

        page.reload()
        page.wait_for_function("window.htmx !== undefined")
        page.get_by_label("Numbers").fill("4")
        page.get_by_role("button", name="Add").click()
        expect(piece(page).get_by_role("status")).to_have_text("Succeeded")


class TestForEveryone:
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize("lang", ["en", "ar"])
    def test_it_is_readable_in_each_state_and_width(
        self,
        page: Page,
        address: str,
        submit: Callable[..., str],
        go: Callable[[], None],
        scheme: Any,
        lang: str,
    ) -> None:
        jobs = [submit("fails"), submit("adds", numbers=[1]), submit("steps", names=["Half way", "Done"])]
        cancelled = submit("steps", names=["Never"])
        page.request.post(f"{address}/tasks/{cancelled}/cancel/")
        page.emulate_media(color_scheme=scheme)
        page.goto(f"{address}/pieces/?lang={lang}&" + "&".join(f"job={job}" for job in [*jobs, cancelled]))
        page.get_by_label("Numbers").fill("many")
        page.get_by_role("button", name="Add").click()
        expect(page.locator("#add").get_by_role("alert")).to_be_visible()
        for number, status in enumerate(["failed", "succeeded", "running"]):
            expect(piece(page, number)).to_have_attribute("data-status", status)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            assert violations(page) == []
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        for _ in range(3):
            go()

    def test_the_refusal_is_readable_too(self, page: Page, address: str) -> None:
        page.goto(f"{address}/pieces/")
        page.evaluate("document.getElementById('add').removeAttribute('data-task-button')")
        page.get_by_label("Numbers").fill("many")
        page.get_by_role("button", name="Add").click()
        expect(page.get_by_role("heading", name="The job was not submitted")).to_be_visible()
        assert violations(page) == []

    def test_in_german(
        self, page: Page, address: str, submit: Callable[..., str], go: Callable[[], None]
    ) -> None:
        page.goto(f"{address}/pieces/?lang=de&job={submit('steps', names=['Halb', 'Ganz'])}")
        expect(piece(page).get_by_role("status")).to_have_text("Läuft")
        expect(piece(page).get_by_text("1 von 2")).to_be_visible()
        go()
        go()
        expect(piece(page).get_by_role("status")).to_have_text("Erfolgreich")
