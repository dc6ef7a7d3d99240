"""`python -m benchmarks.outage.pictures URL FOLDER`: the pictures of docs/operating.md, of the site at URL.

The site is the one of `python -m benchmarks.outage`, of which URL is what it prints for the admin.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.outage.site import PASSWORD, USER
from infra.site.screenshots import leave_out_the_admins_own, light_page, log_in, take

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

LIST: Final = "serverless_tasks/job/"
WIDTH: Final = 1000


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
    with light_page(WIDTH) as page:
        log_in(page, chosen.url, USER, PASSWORD)
        for picture in PICTURES:
            picture.open(page, chosen.url + LIST)
            leave_out_the_admins_own(page)
            target = chosen.folder / f"{picture.name}.png"
            take(page, target, height=picture.height, below=picture.below)
            sys.stdout.write(f"{target}: {target.stat().st_size:,} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
