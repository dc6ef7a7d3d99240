"""The pictures of README: ``python -m infra.site.pictures`` takes them of the example's tasks in a local stack.

A job's page, the admin's list of jobs and the command line show the same jobs, which the stack's workers have run.
"""

from __future__ import annotations

import argparse
import logging
import os
import pty
import subprocess
import sys
import threading
from contextlib import contextmanager, redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import django
from django.conf import settings
from django.core.management import call_command
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from examples import workflows
from examples.demo import samples
from examples.tasks import MakeThumbnail, SummariseColumns, SumNumbers
from examples.website import settings as example
from infra.site.screenshots import leave_out_the_admins_own, light_page, log_in, take
from serverless_tasks import TaskClient
from serverless_tasks.errors import TaskFailed
from serverless_tasks.local.in_process import local_stack
from serverless_tasks.poller.poller import Poller

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serverless_tasks.local.aws.stack import LocalStack

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = ROOT / "docs/pictures"
PICTURES: Final = ("status.png", "admin.png", "terminal.png")
USER, PASSWORD = "ada", "ada"
# CSS pixels, each of them two by two: what README and the site show smaller stays sharp.
WIDTH, ADMIN_WIDTH, HEIGHT, SCALE = 960, 1360, 570, 2
# The lines of the file that is read while the picture is taken, the one at which it is, and those with a cell too many.
LINES, AT, UNEVEN = 24_000, 14_900, (4_012, 9_300)
# What else is asked of Django for the admin, beside what the example site has.
ADMIN: Final[dict[str, Any]] = {
    "INSTALLED_APPS": [
        "django.contrib.admin",
        "django.contrib.messages",
        "django.contrib.sessions",
        *example.INSTALLED_APPS,
    ],
    "MIDDLEWARE": [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    "TEMPLATES": [
        {
            **example.TEMPLATES[0],
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    "LOGGING_CONFIG": None,
    # One user, of one minute: no need to take a second over their password.
    "PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"],
}
# On white, in colours that are told apart there.
THEME: Final = TerminalTheme(
    (255, 255, 255),
    (31, 35, 40),
    [
        (31, 35, 40),
        (207, 34, 46),
        (17, 99, 41),
        (154, 103, 0),
        (9, 105, 218),
        (130, 80, 223),
        (27, 124, 131),
        (110, 119, 129),
    ],
)
COLUMNS: Final = 104
TERMINAL: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Terminal</title><style>
{stylesheet}
body {{ margin: 0; background: {background}; color: {foreground}; }}
header {{ display: flex; gap: 8px; padding: 12px 16px; background: #f6f8fa; border-bottom: 1px solid #d0d7de; }}
header i {{ width: 12px; height: 12px; border-radius: 50%; background: #d0d7de; }}
pre {{ margin: 0; padding: 16px; font: 14px/1.4 "DejaVu Sans Mono", monospace; }}
</style><header><i></i><i></i><i></i></header><pre><code>{code}</code></pre></html>"""


def take_pictures(folder: Path) -> list[Path]:
    """Take all pictures, and return the path of each.

    Args:
        folder: where they go.
    """
    folder.mkdir(parents=True, exist_ok=True)
    status, admin, terminal = (folder / name for name in PICTURES)
    with (
        TemporaryDirectory(prefix="pictures-") as files,
        (Path(files) / "log").open("w") as log,
        redirect_stdout(log),
        local_stack(ROOT / "template.yaml", modules=["examples.tasks"]) as stack,
        _site(Path(files)) as address,
        _working(stack),
        light_page(WIDTH, scale=SCALE) as page,
    ):
        running, group = _submit()
        page.goto(f"{address}/tasks/{running}/view/")
        page.get_by_text(f"{100 * AT // LINES}%").wait_for()
        take(page, status, height=HEIGHT, until="section:has(> #messages-title)")
        log_in(page, f"{address}/admin/", USER, PASSWORD)
        page.set_viewport_size({"width": ADMIN_WIDTH, "height": HEIGHT})
        page.goto(f"{address}/admin/serverless_tasks/job/")
        leave_out_the_admins_own(page)
        take(page, admin, height=HEIGHT, below="#content h1")
        page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
        page.set_content(_terminal(f"explain {group}"))
        take(page, terminal, height=HEIGHT, until="pre")
    return [status, admin, terminal]


def _submit() -> tuple[str, str]:
    """Submit the jobs, and return the uuids of the one that goes on, and of a group that has ended."""
    client = TaskClient()
    ends = [
        SumNumbers.submit(numbers=[19.9, 5, 12.5]),
        MakeThumbnail.submit(image=samples.picture(), width=320),
        workflows.report_sales("June", samples.sales(8)),
        MakeThumbnail.submit(image=samples.no_picture()),
        workflows.import_rates(samples.rates()),
        workflows.import_rates(samples.broken_rates()),
    ]
    for each in ends:
        with suppress(TaskFailed):
            client.wait(each.uuid, timeout=60)
    SumNumbers.options(delay=600).submit(numbers=[1, 2])
    return SummariseColumns.submit(text=_weather()).uuid, ends[2].uuid


def _weather() -> str:
    """A CSV file of which two lines have a cell too many."""
    lines = samples.weather(LINES - 1).splitlines()
    for number in UNEVEN:
        lines[number - 1] += ",?"
    return "\n".join(lines)


@contextmanager
def _working(stack: LocalStack) -> Iterator[None]:
    """Let workers run the jobs; the file of the weather is read up to the line `AT` until the block ends."""
    go_on = threading.Event()
    read = SummariseColumns._lines

    def up_to_the_line(self: SummariseColumns, text: str) -> Iterator[str]:
        for number, line in enumerate(read(self, text)):
            if number == AT:
                go_on.wait()
            yield line

    poller = Poller(stack.mappings, wait=1)
    with patch.object(SummariseColumns, "_lines", up_to_the_line):
        poller.start()
        try:
            yield
        finally:
            go_on.set()
            poller.stop()


@contextmanager
def _site(folder: Path) -> Iterator[str]:
    """Run the example site with an admin, whose database is in the folder; yield its address."""
    from django.urls import include, path

    known = {name: getattr(example, name) for name in dir(example) if name.isupper()}
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": folder / "site.db"}
    settings.configure(**known | ADMIN | {"DATABASES": {"default": database}})
    logging.getLogger("django").setLevel(logging.ERROR)
    django.setup()
    call_command("migrate", verbosity=0)

    from django.contrib import admin
    from django.contrib.auth.models import User
    from django.contrib.staticfiles.handlers import StaticFilesHandler
    from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
    from django.core.wsgi import get_wsgi_application

    User.objects.create_superuser(USER, password=PASSWORD)
    settings.ROOT_URLCONF = (path("admin/", admin.site.urls), path("", include(example.ROOT_URLCONF)))
    server = ThreadedWSGIServer(("127.0.0.1", 0), WSGIRequestHandler)
    server.set_app(StaticFilesHandler(get_wsgi_application()))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _terminal(*commands: str) -> str:
    """Return a page with the commands and what they print, in a terminal's colours."""
    console = Console(record=True, width=COLUMNS, file=StringIO())
    for command in commands:
        console.print(Text.assemble(("$ ", "green"), (f"serverless-tasks {command}", "bold")))
        console.print(Text.from_ansi(_printed(command).rstrip()))
    return console.export_html(theme=THEME, code_format=TERMINAL)


def _printed(command: str) -> str:
    """Return what the command line prints into a terminal."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"COLUMNS": str(COLUMNS), "TERM": "xterm-256color"}
    words = [sys.executable, "-m", "serverless_tasks.cli", *command.split()]
    with subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        printed = b""
        with (
            suppress(OSError),
            os.fdopen(ours, "rb", buffering=0) as terminal,
        ):  # EIO, when the process has ended
            while read := terminal.read(65_536):
                printed += read
    if process.returncode:
        raise RuntimeError(f"serverless-tasks {command} ended with {process.returncode}: {printed.decode()}")
    return printed.decode().replace("\r\n", "\n")


def main(words: list[str]) -> int:
    """Take the pictures, and say how large they are."""
    parser = argparse.ArgumentParser(prog="python -m infra.site.pictures", description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where they go")
    for path in take_pictures(parser.parse_args(words).folder):
        print(f"{path}: {path.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
