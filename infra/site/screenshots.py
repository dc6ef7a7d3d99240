"""Screenshots of pages by Chromium, in few colours and so in few bytes."""

from __future__ import annotations

import io
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from PIL import Image
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

# As many as tell the pages' colours apart, and a third of the bytes.
COLOURS: Final = 128
# Milliseconds for a page, which takes a while on a busy machine.
TIMEOUT: Final = 120_000
# Bytes of a picture, at most.
MOST: Final = 150_000
# CSS pixels around what a picture shows.
MARGIN: Final = 12
NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
FLAGS: Final = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
# Leave out what is the admin's own, beside and above its page.
_BARE: Final = """
document.querySelectorAll('#header, #nav-sidebar, #toggle-nav-sidebar').forEach(part => part.remove());
document.querySelector('#main').classList.remove('shifted');
"""


@contextmanager
def light_page(width: int, *, scale: float = 1) -> Iterator[Page]:
    """A page of Chromium in light colours, English and UTC.

    Args:
        width: of the page, in CSS pixels.
        scale: pixels of a picture for each CSS pixel.

    Raises:
        RuntimeError: there is no Chromium on PATH.
    """
    executable = next(filter(None, map(shutil.which, NAMES)), None)
    if executable is None:
        raise RuntimeError(f"No Chromium was found on PATH: install one of {', '.join(NAMES)}.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        context = browser.new_context(
            locale="en-GB",
            timezone_id="UTC",
            color_scheme="light",
            viewport={"width": width, "height": 700},
            device_scale_factor=scale,
        )
        page = context.new_page()
        page.set_default_timeout(TIMEOUT)
        yield page
        browser.close()


def log_in(page: Page, admin: str, user: str, password: str) -> None:
    """Log in to the admin at the URL ``admin``."""
    page.goto(admin)
    page.fill("#id_username", user)
    page.fill("#id_password", password)
    page.click("[type=submit]")


def leave_out_the_admins_own(page: Page) -> None:
    """Remove the header and the sidebar of the admin's page that is open."""
    page.evaluate(_BARE)


def take(page: Page, target: Path, *, height: int, below: str = "", until: str = "") -> None:
    """Write a picture of the page's width.

    Args:
        page: what is shown.
        target: the file.
        height: in CSS pixels, at most.
        below: a selector of what the picture begins above; else it begins at the page's top.
        until: a selector of what the picture ends below; else it is as high as it may be.
    """
    width = (page.viewport_size or {"width": 0})["width"]
    page.set_viewport_size({"width": width, "height": height})
    first, last = (page.locator(each).first.bounding_box() if each else None for each in (below, until))
    top = 0 if first is None else max(0, first["y"] - MARGIN)
    page.evaluate("top => scrollTo(0, top)", top)
    if last is not None:
        bottom = last["y"] + last["height"] + 2 * MARGIN - top
        page.set_viewport_size({"width": width, "height": min(height, round(bottom))})
    target.write_bytes(_small(page.screenshot()))


def _small(png: bytes) -> bytes:
    """Return a picture in fewer colours."""
    with Image.open(io.BytesIO(png)) as picture:
        smaller = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        written = io.BytesIO()
        smaller.save(written, "PNG", optimize=True)
    return written.getvalue()
