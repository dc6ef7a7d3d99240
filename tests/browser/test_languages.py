"""The pages in German, and in a language that is written from right to left."""

import re
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
from tests.browser.operations_site import FAILED as ENDED
from tests.browser.operations_site import KIND, LETTER, LOST
from tests.browser.processes import serve
from tests.browser.scripted_site import ScriptedSite, record
from tests.browser.test_admin import LIST, read, wait_for
from tests.browser.test_docs_page import OPENAPI
from tests.browser.test_status_page import DONE, FAILED, GROUP, HALF, address, status
from tests.browser.test_timeline import drawing

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
    (None, "Queues"): "قوائم الانتظار",
    (None, "Statistics"): "الإحصاءات",
    (None, "Timeline"): "الجدول الزمني",
    (None, "In the queue"): "في قائمة الانتظار",
}

# Those that an operator reads, of the site of `operations_site`.
PAGES = (
    "?days=30",
    "queues/",
    "queues/pause/?kind=task",
    "stuck/",
    f"stuck/end/?uuid={LOST}",
    "dead-letters/",
    f"dead-letters/jobs/{LETTER}/",
    "schedules/",
    "errors/?range=7d",
    f"errors/{KIND.fingerprint}/?range=7d",
    "statistics/?range=7d",
    "costs/?range=7d",
    "costs/?range=7d&by=tenant",
    "statistics/task/?task=billing.invoice&range=7d",
    f"{ENDED}/",
    f"{ENDED}/log/",
)
FITS = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
# Words of English sentences. What a job or an operator said is not translated, and neither are errors of the package.
ENGLISH = re.compile(r"\b(?:the|of|and|is|are|not|no|to|with|since|until|all|this|jobs? of)\b", re.IGNORECASE)
SAID = (
    "The bank answers with errors",
    "The reports' database moves",
    "The deployed worker has no task named",
    "The task billing.invoice is paused by grace",
    "It was delivered many times",
    "The job was delivered 100 times",
    "The message body is not JSON",
    "connection to gateway",
    "SERVERLESS_TASKS_LOG_GROUP is not set",
)


@pytest.fixture
def arabic(tmp_path: Path) -> Path:
    """A folder of translations, as a site has in LOCALE_PATHS."""
    return write_arabic(tmp_path)


def write_arabic(folder: Path) -> Path:
    catalog = Catalog(locale="ar")
    for (context, text), translation in ARABIC.items():
        catalog.add(text, translation, context=context)
    target = folder / "locale" / "ar" / "LC_MESSAGES" / "django.mo"
    target.parent.mkdir(parents=True)
    with target.open("wb") as file:
        write_mo(file, catalog)
    return folder / "locale"


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

    def test_time_runs_to_the_right_in_a_timeline_and_its_table_is_laid_out_from_the_right(
        self, site: ScriptedSite, page: Page, arabic: Path
    ) -> None:
        page.set_viewport_size({"width": 375, "height": 900})
        marks = [
            {"x": "0.000%", "text": "0 ms", "anchor": "start"},
            {"x": "40.000%", "text": "5 s", "anchor": "middle"},
        ]
        nothing = {"shown": [], "left": 0}
        context = {"record": DONE, "outputs": nothing, "messages": nothing, "task_api_base": "/tasks/"}
        page.goto(site.shows("view.html", context | {"timeline": drawing(marks=marks)}, "ar", arabic))
        picture = box(page.locator("svg.tl"))
        waiting, done = (box(page.locator(f"rect.tl-{tone}")) for tone in ("waiting", "succeeded"))
        assert waiting[1] <= done[0] + 1
        earlier, later = (box(page.locator(".tl-axis").nth(index)) for index in range(2))
        assert picture[0] - 1 <= earlier[0] < earlier[1] < later[0]
        page.locator(".tl-table summary").click()
        row = page.locator(".tl-table tbody tr").first
        assert box(row.locator("td").last)[1] <= box(row.locator("th"))[0] + 1
        lasted = row.locator("td").last.locator("bdi")
        assert lasted.evaluate("node => getComputedStyle(node).direction") == "ltr"
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
        yield from serve("admin_site", tmp_path)

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


@pytest.fixture(scope="module")
def operations(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a site that tests leave as it is."""
    folder = tmp_path_factory.mktemp("site")
    write_arabic(folder)
    yield from serve("operations_site", folder)


class TestOperations:
    """The operator's pages: one site, and one pass through them in each language."""

    def opened(self, page: Page, operations: str) -> Iterator[str]:
        """Log in, and open each page with all that it can unfold."""
        page.goto(f"{operations}/admin/login/?next={LIST}")
        for name, value in (("username", "ada"), ("password", "pw")):
            page.locator(f"[name={name}]").fill(value)
        page.locator("[type=submit]").click()
        for name in PAGES:
            page.goto(f"{operations}{LIST}{name}")
            page.evaluate(
                "document.querySelectorAll('#content details').forEach((node) => { node.open = true })"
            )
            yield name

    def test_german_is_complete_and_fits(self, operations: str, reader: Callable[[str], Page]) -> None:
        page = reader("de-DE")
        english = {}
        for name in self.opened(page, operations):
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 900})
                assert page.evaluate(FITS), (name, width)
            lines = page.locator("main").inner_text().splitlines()
            english[name] = [
                line for line in lines if ENGLISH.search(line) and not any(said in line for said in SAID)
            ]
        assert english == {name: [] for name in PAGES}

    def test_they_are_laid_out_from_the_right(self, operations: str, reader: Callable[[str], Page]) -> None:
        page = reader("ar")
        page.emulate_media(color_scheme="dark")
        for name in self.opened(page, operations):
            expect(page.locator("html")).to_have_attribute("dir", "rtl")
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 900})
                assert page.evaluate(FITS), (name, width)
            assert violations(page) == [], name
            torn = page.locator(
                "main td:not(:has(bdi, time, code, a, strong, progress)):visible"
            ).all_inner_texts()
            # A number and its unit, or its sign.
            assert [text for text in torn if re.fullmatch(r"[-+]?\d.*[^\d.,].*|[-+]\d.*", text)] == [], name
