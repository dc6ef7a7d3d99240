"""The React hooks in a real browser, in StrictMode, against a scripted site with a strict content security policy."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser import npm
from tests.browser.scripted_site import UUID, Answer, ScriptedSite, record, succeeded

pytestmark = pytest.mark.browser
SOURCE = Path(__file__).parent / "hooks.jsx"
EXAMPLE = npm.CLIENT.parents[1] / "examples/react"
LIST = "/tasks/?limit=2"
POLL = f"/tasks/{UUID}/"


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page's script, with React as its developers have it: effects run twice."""
    npm.build()
    packages = npm.install(EXAMPLE)
    made = tmp_path_factory.mktemp("hooks") / "hooks.js"
    npm.run(
        npm.MODULES / ".bin/esbuild",
        *(SOURCE, "--bundle", "--jsx=automatic", '--define:process.env.NODE_ENV="development"'),
        f"--alias:react={packages / 'react'}",
        f"--outfile={made}",
        NODE_PATH=str(packages),
    )
    return made.read_text()


@pytest.fixture
def hooks(script: str, site: ScriptedSite, page: Page) -> Page:
    site.pages["/hooks.js"] = script
    site.pages["/hooks/"] = (
        '<!doctype html><html lang="en"><body><script src="/hooks.js"></script></body></html>'
    )
    page.goto(f"{site.url}/hooks/")
    return page


def settled(page: Page, site: ScriptedSite) -> int:
    """Let the page make three times as many requests as it could; return how many there are."""
    page.wait_for_timeout(200)
    return len(site.requests)


class TestUseTaskList:
    def test_it_lists_and_looks_again(self, hooks: Page, site: ScriptedSite) -> None:
        site.on("GET", LIST, {"tasks": [record(), succeeded(uuid=UUID[:-1] + "0")], "next": "c"})
        hooks.evaluate("show('list')")
        expect(hooks.get_by_role("listitem")).to_have_text(["running", "succeeded"])
        expect(hooks.get_by_role("status")).to_have_text("next c")
        site.on("GET", LIST, {"tasks": [succeeded()], "next": None})
        expect(hooks.get_by_role("listitem")).to_have_text(["succeeded"])

    def test_refresh_looks_at_once(self, hooks: Page, site: ScriptedSite) -> None:
        site.on("GET", LIST, {"tasks": [record()], "next": None})
        hooks.evaluate("location.hash = '600000'; show('list')")
        expect(hooks.get_by_role("listitem")).to_have_text(["running"])
        site.on("GET", LIST, {"tasks": [succeeded()], "next": None})
        hooks.get_by_role("button", name="Refresh").click()
        expect(hooks.get_by_role("listitem")).to_have_text(["succeeded"])

    def test_what_was_seen_stays_beside_an_error(self, hooks: Page, site: ScriptedSite) -> None:
        site.on(
            "GET",
            LIST,
            {"tasks": [record()], "next": None},
            {"tasks": [record()], "next": None},
            Answer({}, 403),
        )
        hooks.evaluate("show('list')")
        expect(hooks.get_by_role("status")).to_have_text("error 403")
        expect(hooks.get_by_role("listitem")).to_have_text(["running"])

    def test_nothing_is_asked_once_it_has_gone(self, hooks: Page, site: ScriptedSite) -> None:
        site.on("GET", LIST, {"tasks": [record()], "next": None})
        hooks.evaluate("show('list')")
        expect(hooks.get_by_role("listitem")).to_have_text(["running"])
        hooks.evaluate("leave()")
        before = settled(hooks, site)
        assert settled(hooks, site) == before


class TestUseTask:
    @pytest.fixture(autouse=True)
    def submitted(self, site: ScriptedSite) -> None:
        site.on("POST", "/tasks/", Answer(record(status="pending"), 201))

    def test_one_job_is_submitted_and_followed(self, hooks: Page, site: ScriptedSite) -> None:
        site.polls(record(progress=1), record(progress=2), succeeded(progress=3))
        hooks.evaluate("show('job')")
        expect(hooks.get_by_label("Job")).to_have_text("succeeded 3 false")
        assert len(site.asked("POST", "/tasks/")) == 1

    def test_again_submits_another(self, hooks: Page, site: ScriptedSite) -> None:
        site.polls(succeeded())
        hooks.evaluate("show('job')")
        expect(hooks.get_by_label("Job")).to_have_text("succeeded 0 false")
        hooks.get_by_role("button", name="Again").click()
        expect(hooks.get_by_label("Job")).to_have_text("succeeded 0 false")
        assert len(site.asked("POST", "/tasks/")) == 2

    def test_a_job_that_fails_is_a_record_and_a_refusal_an_error(
        self, hooks: Page, site: ScriptedSite
    ) -> None:
        site.polls(record(status="failed", error={"type": "E", "message": "no"}))
        hooks.evaluate("show('job')")
        expect(hooks.get_by_label("Job")).to_have_text("failed 0 false")
        site.on("POST", "/tasks/", Answer({"error": {"type": "InvalidInputs", "message": "no"}}, 400))
        hooks.get_by_role("button", name="Again").click()
        expect(hooks.get_by_label("Job")).to_have_text("error 400")

    def test_it_is_cancelled_by_its_uuid(self, hooks: Page, site: ScriptedSite) -> None:
        site.polls(record())
        site.on("POST", f"{POLL}cancel/", record(cancel_requested=True))
        hooks.evaluate("show('job')")
        expect(hooks.get_by_label("Job")).to_have_text("running 0 true")
        hooks.get_by_role("button", name="Cancel").click()
        with hooks.expect_request(f"{site.url}{POLL}"):
            pass
        assert len(site.asked("POST", f"{POLL}cancel/")) == 1

    def test_nothing_is_asked_once_it_has_gone(self, hooks: Page, site: ScriptedSite) -> None:
        site.polls(record())
        hooks.evaluate("show('job')")
        expect(hooks.get_by_label("Job")).to_have_text("running 0 true")
        hooks.evaluate("leave()")
        before = settled(hooks, site)
        assert settled(hooks, site) == before
