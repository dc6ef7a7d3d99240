"""`python -m benchmarks.outage.pictures URL FOLDER`: the pictures of docs/operating.md, of the site at URL.

The site is the one of `python -m benchmarks.outage`, of which URL is what it prints for the admin.
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PIL import Image
from playwright.sync_api import sync_playwright

from benchmarks.outage.site import PASSWORD, USER

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

LIST: Final = "serverless_tasks/job/"
WIDTH: Final = 1000
# As many as tell the pages' colours apart, and a third of the bytes.
COLOURS: Final = 128
# Milliseconds for a page, which takes a while on a busy machine.
TIMEOUT: Final = 120_000
# Bytes of a picture, at most.
MOST: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture of a page.

    Attributes:
        name: the file's, without its ending.
        height: of the picture, in pixels.
        open: leads a browser that is logged in to the page, from the address of the admin's list of jobs.
        below: what the picture begins above; else it begins with the page's heading.
    """

    name: str
    height: int
    open: Callable[[Page, str], object]
    below: str = "#content h1, #content-main"


# Leave out what is the admin's own, beside and above the page.
_BARE: Final = """
document.querySelectorAll('#header, #nav-sidebar, #toggle-nav-sidebar').forEach(part => part.remove());
document.querySelector('#main').classList.remove('shifted');
"""


def _outage(page: Page, jobs: str) -> None:
    page.goto(f"{jobs}errors/?range=7d")


def _error(page: Page, jobs: str) -> None:
    _outage(page, jobs)
    page.get_by_role("link", name="GatewayDown").first.click()


def _job(page: Page, jobs: str) -> None:
    page.goto(f"{jobs}?status=failed&error_type=GatewayDown")
    page.locator("#result_list tbody a[href$='/']").first.click()


def _log(page: Page, jobs: str) -> None:
    _job(page, jobs)
    page.get_by_role("link", name="Log", exact=True).first.click()


PICTURES: Final = (
    Picture(name="errors", height=640, open=_outage),
    Picture(name="error", height=700, open=_error),
    Picture(
        name="slower",
        height=700,
        open=lambda page, jobs: page.goto(f"{jobs}statistics/task/?task=reports.monthly"),
    ),
    Picture(name="costs", height=700, open=lambda page, jobs: page.goto(f"{jobs}costs/?range=7d")),
    Picture(name="stuck", height=700, open=lambda page, jobs: page.goto(f"{jobs}stuck/?all")),
    Picture(
        name="tenants",
        height=420,
        open=lambda page, jobs: page.goto(f"{jobs}queues/"),
        below="text=Jobs waiting, by tenant",
    ),
    Picture(name="job", height=700, open=_job, below="text=Timeline"),
    Picture(name="log", height=560, open=_log),
)


def main() -> int:
    """Take the pictures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.outage.pictures", description=__doc__)
    parser.add_argument("url", help="of the admin, as `python -m benchmarks.outage` prints it")
    parser.add_argument("folder", type=Path)
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        context = browser.new_context(locale="en-GB", timezone_id="UTC", color_scheme="light")
        page = context.new_page()
        page.goto(chosen.url)
        page.fill("#id_username", USER)
        page.fill("#id_password", PASSWORD)
        page.click("[type=submit]")
        page.set_default_timeout(TIMEOUT)
        for picture in PICTURES:
            page.set_viewport_size({"width": WIDTH, "height": picture.height})
            picture.open(page, chosen.url + LIST)
            page.evaluate(_BARE)
            target = chosen.folder / f"{picture.name}.png"
            box = page.locator(picture.below).first.bounding_box()
            page.evaluate("top => scrollTo(0, top - 12)", 0 if box is None else box["y"])
            target.write_bytes(_small(page.screenshot()))
            sys.stdout.write(f"{target}: {target.stat().st_size:,} bytes\n")
        browser.close()
    return 0


def _small(png: bytes) -> bytes:
    """Return a picture in fewer colours."""
    with Image.open(io.BytesIO(png)) as picture:
        smaller = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        written = io.BytesIO()
        smaller.save(written, "PNG", optimize=True)
    return written.getvalue()


if __name__ == "__main__":
    sys.exit(main())
