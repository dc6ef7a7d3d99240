"""Sites in processes of their own."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def serve(site: str, *arguments: Path) -> Iterator[str]:
    """Run a module of this folder, which prints its address when it answers, until its test is over.

    Yields:
        The address.
    """
    command = [sys.executable, "-m", f"tests.browser.{site}", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()
