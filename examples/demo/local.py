"""The local stack and the example site, in processes of their own: what `serverless-tasks dev --django` starts."""

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from examples.demo import http
from serverless_tasks.local.server import free_port

ROOT = Path(__file__).resolve().parents[2]
MANAGE = ROOT / "examples" / "manage.py"
MODULES = "examples.tasks"


class NotUp(Exception):
    """The stack did not come up; the text says what it printed."""


@dataclass(frozen=True, slots=True)
class Local:
    """What runs.

    Attributes:
        site: the site's address, such as ``http://127.0.0.1:8000``.
        environment: what a process needs in its environment to use the stack.
        log: where everything that the stack says is written.
        folder: where the tasks keep their temporary files.
    """

    site: str
    environment: Mapping[str, str]
    log: Path
    folder: Path


@contextmanager
def running(*, within: float = 60) -> Iterator[Local]:
    """Run the stack, its workers and the site on free ports, until the block ends; the site answers by then.

    Args:
        within: seconds that it may take to come up.

    Raises:
        NotUp: it did not.
    """
    address = f"127.0.0.1:{free_port()}"
    words = ["dev", "--json", "--no-reload", "--modules", MODULES]
    words += ["--django", "--manage", str(MANAGE), "--address", address, "--port", str(free_port())]
    with tempfile.TemporaryDirectory(prefix="serverless-tasks-") as folder:
        log = Path(folder) / "log"
        with (
            log.open("w") as written,
            subprocess.Popen(
                [sys.executable, "-m", "serverless_tasks.cli", *words],
                cwd=ROOT,
                env={
                    name: value
                    for name, value in os.environ.items()
                    if not name.startswith("SERVERLESS_TASKS_")
                }
                | {"TMPDIR": folder},
                stdout=subprocess.PIPE,
                stderr=written,
                text=True,
            ) as process,
        ):
            try:
                # A stack that does not come up is ended, which ends the waiting for its first line.
                alarm = threading.Timer(within, process.terminate)
                alarm.start()
                told = _first_line(process.stdout)
                alarm.cancel()
                if told is None:
                    raise NotUp(f"The local stack did not come up:\n{log.read_text()}")
                with log.open("a") as more:
                    threading.Thread(target=_drain, args=(process.stdout, more), daemon=True).start()
                    local = Local(f"http://{address}", told["environment"], log, Path(folder))
                    _wait_for_site(local)
                    yield local
            finally:
                process.terminate()
                process.wait(timeout=30)


def _first_line(stream: IO[str] | None) -> dict[str, Any] | None:
    """The JSON with which `dev` says that it is up; None when it ends before."""
    for line in stream or ():
        if line.startswith("{"):
            told: dict[str, Any] = json.loads(line)
            return told
    return None


def _wait_for_site(local: Local) -> None:
    try:
        http.wait_for(local.site)
    except OSError as error:
        raise NotUp(f"{error}\n{local.log.read_text()}") from error


def _drain(stream: IO[str], log: IO[str]) -> None:
    for line in stream:
        log.write(line)
        log.flush()
