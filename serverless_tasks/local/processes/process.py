"""A child process that is told to stop, and killed when it does not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


class ChildProcess:
    """A Python module running as a child, with a pipe as its standard input that ends it when this process dies.

    It gets a process group of its own: Ctrl-C in a terminal reaches the parent alone, which then stops its children in
    order; and what the child itself started can be ended with it.

    Args:
        module: what to run, as ``python -m`` takes it.
        arguments: for the module.
        environment: all of its environment.
        directory: its working directory.
        first_line: written to its standard input.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[str] = (),
        *,
        environment: Mapping[str, str],
        directory: Path,
        first_line: str = "",
    ) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            env=dict(environment),
            cwd=directory,
            start_new_session=True,
            text=True,
        )
        if first_line and self._process.stdin:
            try:
                self._process.stdin.write(first_line)
                self._process.stdin.flush()
            except BrokenPipeError:
                self._process.wait()

    @property
    def exit_code(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._process.poll()

    def stop(self, grace: float) -> None:
        """Ask it to end, and kill it and what it started when it has not after ``grace`` seconds."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(grace)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        finally:
            if self._process.stdin:
                self._process.stdin.close()
