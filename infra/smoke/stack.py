"""The stack of one run, the project that it is deployed from, and the programs that are run there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import cached_property
from typing import TYPE_CHECKING, Final

from infra.smoke.step import StepFailed
from serverless_tasks.client.task_client import TaskClient
from serverless_tasks.engine.aws.stacks import stack_outputs

if TYPE_CHECKING:
    from pathlib import Path

# Whatever has this name's beginning was made by a run, and may be deleted.
PREFIX: Final = "tasks-smoke-"
# Seconds that a program gets to end after it was told to.
GRACE: Final = 20.0
# Lines of what a program that failed said last.
TAIL: Final = 40


class Stack:
    """The stack of one run.

    Args:
        name: its name, which is unique.
        region: where it is.
        folder: a new folder, for its project and what is built.
    """

    def __init__(self, name: str, region: str, folder: Path) -> None:
        self.name = name
        self.region = region
        self.folder = folder
        self.project = folder / "project"
        self.released = folder / "released"

    @cached_property
    def client(self) -> TaskClient:
        """The client that a script would use."""
        return TaskClient.from_stack(self.name)

    @cached_property
    def outputs(self) -> dict[str, str]:
        """The outputs of the stack."""
        return stack_outputs(self.name)

    def command(self, *words: str | Path, seconds: float) -> str:
        """Run `serverless-tasks` in the project; see `run`."""
        return self.run("-m", "serverless_tasks.cli", *words, seconds=seconds)

    def run(self, *words: str | Path, seconds: float, cwd: Path | None = None) -> str:
        """Run Python with the package as it would be released, and return what it said.

        Args:
            words: its arguments.
            seconds: how long it may take.
            cwd: where; in the project unless given.

        Raises:
            StepFailed: it failed, with the last that it said.
        """
        said = self.folder / "said"
        with said.open("wb") as output:
            # In a group of its own: it has children (SAM), and Ctrl-C is for this process to see to.
            process = subprocess.Popen(
                [sys.executable, *words],
                cwd=cwd or self.project,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            code = process.wait(seconds)
        except BaseException as error:
            _end(process)
            if isinstance(error, subprocess.TimeoutExpired):
                raise StepFailed(f"{_called(words)} took longer than {seconds:g} seconds") from None
            raise
        text = said.read_text(encoding="utf-8", errors="replace")
        if code:
            last = "\n".join(text.strip().splitlines()[-TAIL:])
            raise StepFailed(f"{_called(words)} ended with code {code}:\n{last}")
        return text

    def _environment(self) -> dict[str, str]:
        # What is set here for another project would be this one's.
        kept = {
            name: value
            for name, value in os.environ.items()
            if name != "DJANGO_SETTINGS_MODULE" and not name.startswith("SERVERLESS_TASKS_")
        }
        return {**kept, "PYTHONPATH": str(self.released), "SAM_CLI_TELEMETRY": "0"}


def _called(words: tuple[str | Path, ...]) -> str:
    """The command as a person would write it."""
    said = (
        " ".join(map(str, words)).replace("-m serverless_tasks.cli", "serverless-tasks").removeprefix("-m ")
    )
    return f"`{said}`"


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program and its children, as Ctrl-C would, and by force if it goes on."""
    for number in (signal.SIGINT, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(GRACE)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
