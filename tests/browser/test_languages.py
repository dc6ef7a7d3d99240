"""The pages in German, and in a language that is written from right to left."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.axe import violations
from tests.browser.scripted_site import ScriptedSite, record
from tests.browser.test_admin import LIST, ROOT, read, wait_for
from tests.browser.test_docs_page import OPENAPI
from tests.browser.test_status_page import DONE, FAILED, GROUP, HALF, address, status

pytestmark = pytest.mark.browser
WIDTHS = [1280, 375]

# Enough to read a page by: (context, text) -> translation. What is not here stays English, as on a site in Arabic.
ARABIC: dict[tuple[str | None, str], str] = {
    (None, "Background task"): "مهمة في الخلفية",
    (None, "Workflow"): "سير عمل",
    (None, "Pending"): "قيد الانتظار",
    (None, "Running"): "قيد التنفيذ",
    (None, "Succeeded"): "نجحت",
    (None, "Failed"): "فشلت",
    (None, "Cancelled"): "ألغيت",
    (None, "%(progress)s of %(target)s"): "%(progress)s من %(target)s",
    (None, "Result"): "النتيجة",
    ("jobs", "Messages"): "الرسائل",
    ("jobs", "Members"): "الأعضاء",
    ("jobs", "Failed members"): "الأعضاء الفاشلة",
    ("jobs", "Member %(index)s"): "العضو %(index)s",
    (None, "Details"): "التفاصيل",
    (None, "Submitted"): "أرسلت",
    (None, "Started"): "بدأت",
    (None, "Finished"): "انتهت",
    (None, "Attempt"): "المحاولة",
    (None, "Job id"): "معرف المهمة",
    (None, "Cancel task"): "إلغاء المهمة",
    (None, "Cancel workflow"): "إلغاء سير العمل",
    (None, "Record as JSON"): "السجل بصيغة JSON",
    (None, "Why it ended"): "سبب الانتهاء",
    (None, "Progress"): "التقدم",
    (None, "Task"): "المهمة",
    (None, "Error"): "الخطأ",
    ("jobs", "Member"): "العضو",
    (None, "Status"): "الحالة",
}


@pytest.fixture
def arabic(tmp_path: Path) -> Path:
    """A folder of translations, as a site has in LOCALE_PATHS."""
    catalog = Catalog(locale="ar")
    for (context, text), translation in ARABIC.items():
        catalog.add(text, translation, context=context)
    target = tmp_path / "locale" / "ar" / "LC_MESSAGES" / "django.mo"
    target.parent.mkdir(parents=True)
    with target.open("wb") as file:
        write_mo(file, catalog)
    return tmp_path / "locale"


@pytest.fixture
def reader(chromium: Browser) -> Iterator[Callable[[str], Page]]:
    """A browser whose reader prefers a language."""
    contexts = []

    def opened(locale: str) -> Page:
        context = chromium.new_context(
            locale=locale, timezone_id="UTC", viewport={"width": 1280, "height": 900}
        )
        contexts.append(context)
        return context.new_page()

    yield opened
    for context in contexts:
        context.close()


def box(locator: Locator) -> tuple[float, float]:
    """The left and the right edge of an element."""
    found = locator.bounding_box()
    assert found is not None
    return found["x"], found["x"] + found["width"]


def ends(bar: Locator) -> tuple[Any, Any]:
    """The colours of a bar a little within its left and its right end."""
    picture = Image.open(BytesIO(bar.screenshot())).convert("RGB")
    middle = picture.height // 2
    return picture.getpixel((6, middle)), picture.getpixel((picture.width - 7, middle))


class TestGerman:
    def test_the_status_page_stays_german_as_it_moves(
        self, site: ScriptedSite, reader: Callable[[str], Page]
    ) -> None:
        page = reader("de-DE")
        site.polls(HALF)
        page.goto(address(site, record(status="pending", attempt=0, started=None), None, "de"))
        expect(status(page)).to_have_text("Läuft")
        expect(page.get_by_text("1.200 von 2.400")).to_be_visible()
        expect(page).to_have_title("sum: 50\u00a0%")
        expect(page.locator("[data-time=created]")).to_have_text("04.03.2026, 10:15:00 UTC")
        expect(page.get_by_text("Läuft seit")).to_be_visible()
        expect(page.get_by_role("button", name="Aufgabe abbrechen")).to_be_visible()
        assert page.locator("#task").get_attribute("data-status") == "running"
        assert violations(page) == []

    def test_dates_and_numbers_are_the_pages_whatever_the_browser_speaks(
        self, site: ScriptedSite, reader: Callable[[str], Page]
    ) -> None:
        page = reader("en-GB")
        site.polls(HALF)
        page.goto(address(site, HALF, None, "de"))
        expect(page.get_by_text("1.200 von 2.400")).to_be_visible()
        expect(page.locator("[data-time=created]")).to_have_text("04.03.2026, 10:15:00 UTC")

    def test_its_variety_is_the_readers(self, site: ScriptedSite, reader: Callable[[str], Page]) -> None:
        page = reader("de-CH")
        site.polls(HALF)
        page.goto(address(site, HALF, None, "de"))
        expect(page.get_by_text(re.compile("1['\u2019]200 von 2['\u2019]400"))).to_be_visible()

    def test_durations(self, site: ScriptedSite, page: Page) -> None:
        ended = DONE | {"started": "2026-03-04T10:15:00.000Z", "finished": "2026-03-04T10:15:04.250Z"}
        page.goto(address(site, ended, None, "de"))
        expect(page.locator("[data-field=took]")).to_have_text("4,3 s")

    def test_the_page_of_all_tasks(self, site: ScriptedSite, page: Page) -> None:
        site.on("GET", "/tasks/openapi.json", OPENAPI)
        context = {"openapi_url": "/tasks/openapi.json", "task_api_base": "/tasks/"}
        page.goto(site.shows("docs.html", context, "de"))
        article = page.get_by_role("article").first
        expect(article).to_contain_text("Eingaben")
        expect(article).to_contain_text("boolean, optional (Vorgabe: false)")
        expect(article.locator(".call li")).to_have_text(['POST /tasks/ mit {"task": "sum", "inputs": {…}}'])
        article.get_by_text("Ausprobieren").click()
        expect(article.get_by_role("button", name="Ausführen")).to_be_visible()
        assert violations(page) == []


class TestRightToLeft:
    @pytest.mark.parametrize("width", WIDTHS)
    @pytest.mark.parametrize("state", [HALF, DONE, FAILED, GROUP], ids=["running", "done", "failed", "group"])
    def test_the_status_page_is_laid_out_from_the_right(
        self, site: ScriptedSite, page: Page, arabic: Path, width: int, state: dict[str, Any]
    ) -> None:
        page.set_viewport_size({"width": width, "height": 900})
        site.polls(state)
        page.goto(address(site, state, None, "ar", arabic))
        expect(page.locator("html")).to_have_attribute("dir", "rtl")
        expect(page.locator("[data-time=created]")).to_contain_text("2026")
        title, main = box(page.locator("h1 bdi")), box(page.get_by_role("main"))
        assert main[1] - title[1] < title[0] - main[0]
        if width > 1000:
            assert box(status(page))[1] < title[0]
        count, percent = page.locator("[data-field=count]"), page.locator("[data-field=percent]")
        if state is HALF:
            expect(count).to_have_text("1,200 من 2,400")
            assert box(percent)[1] < box(count)[0]
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert violations(page) == []

    def test_the_bar_fills_from_the_right(self, site: ScriptedSite, page: Page, arabic: Path) -> None:
        page.emulate_media(reduced_motion="reduce")
        site.polls(HALF)
        page.goto(address(site, HALF, None, "en"))
        left, right = ends(page.get_by_role("progressbar"))
        assert left != right
        page.goto(address(site, HALF, None, "ar", arabic))
        assert ends(page.get_by_role("progressbar")) == (right, left)

    def test_ids_and_code_stay_as_they_are_and_texts_have_their_own_direction(
        self, site: ScriptedSite, page: Page, arabic: Path
    ) -> None:
        done = DONE | {"messages": ["Half way (50%)", "تم"], "outputs": {"rows": 3, "note": "1) first"}}
        page.goto(address(site, done, None, "ar", arabic))
        assert (
            page.locator(".details code").last.evaluate("node => getComputedStyle(node).direction") == "ltr"
        )
        messages = page.get_by_role("log").locator("bdi")
        directions = messages.evaluate_all("nodes => nodes.map((node) => getComputedStyle(node).direction)")
        assert directions == ["ltr", "rtl"]
        (first, second) = (box(messages.nth(index)) for index in range(2))
        assert abs(first[1] - second[1]) < 1  # both begin at the right edge

    @pytest.mark.parametrize("width", WIDTHS)
    def test_the_page_of_all_tasks(self, site: ScriptedSite, page: Page, arabic: Path, width: int) -> None:
        page.set_viewport_size({"width": width, "height": 900})
        site.on("GET", "/tasks/openapi.json", OPENAPI)
        context = {"openapi_url": "/tasks/openapi.json", "task_api_base": "/tasks/"}
        page.goto(site.shows("docs.html", context, "ar", arabic))
        call = page.get_by_role("article").first.locator(".call code").first
        assert call.evaluate("node => getComputedStyle(node).direction") == "ltr"
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert violations(page) == []

    def test_messages_that_come_are_like_those_that_were_there(
        self, site: ScriptedSite, page: Page, arabic: Path
    ) -> None:
        site.polls(HALF)
        page.goto(address(site, record(), None, "ar", arabic))
        expect(page.get_by_role("log").locator("li > bdi")).to_have_text(["Opened", "Half way"])


class TestAdmin:
    @pytest.fixture
    def place(self, tmp_path: Path, arabic: Path) -> Iterator[str]:
        command = [sys.executable, "-m", "tests.browser.admin_site", tmp_path]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
            process.terminate()

    @pytest.mark.parametrize("width", WIDTHS)
    def test_the_pages_of_a_group_from_right_to_left(
        self, place: str, reader: Callable[[str], Page], width: int
    ) -> None:
        page = reader("ar")
        page.goto(f"{place}{LIST}")
        for name, value in (("username", "ada"), ("password", "pw")):
            page.locator(f"[name={name}]").fill(value)
        page.locator("[type=submit]").click()
        page.set_viewport_size({"width": width, "height": 900})
        group = read(f"{place}/submit/group/?owner=1&fails=2&name=one")
        wait_for(place, group, progress=2)
        page.goto(f"{place}{LIST}{group}/")
        expect(page.locator("html")).to_have_attribute("dir", "rtl")
        expect(page.locator("[data-field=status]").first).to_have_text("قيد التنفيذ")
        counts = page.locator(".st-counts a")
        assert box(counts.nth(1))[1] <= box(counts.nth(0))[0]
        left, right = ends(page.get_by_role("progressbar"))
        assert left != right
        read(f"{place}/go/")
        wait_for(place, group, status="failed")
        for where in ("", "members/", "retry-failed/"):
            page.goto(f"{place}{LIST}{group}/{where}")
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert violations(page) == []

    def test_a_group_in_german_moves_in_german(self, place: str, reader: Callable[[str], Page]) -> None:
        page = reader("de-DE")
        page.goto(f"{place}{LIST}")
        for name, value in (("username", "ada"), ("password", "pw")):
            page.locator(f"[name={name}]").fill(value)
        page.locator("[type=submit]").click()
        group = read(f"{place}/submit/group/?owner=1&name=one&name=two")
        wait_for(place, group, status="running")
        page.goto(f"{place}{LIST}{group}/members/")
        expect(page.get_by_role("columnheader", name="Teiljob")).to_be_visible()
        expect(page.locator("[data-field=status]")).to_have_text(["Läuft", "Läuft"])
        for _ in range(2):
            read(f"{place}/go/")
        expect(page.locator("[data-field=status]")).to_have_text(["Erfolgreich", "Erfolgreich"])
        expect(page.locator("[data-field=count]")).to_have_text(["100\u00a0%", "100\u00a0%"])
