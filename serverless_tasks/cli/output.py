"""Output of commands, for people or, with `--json`, for programs."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from serverless_tasks.cli.exit_codes import Exit, exit_code
from serverless_tasks.errors import InvalidInputs, ServerlessTasksError, SubmitUncertain, TaskFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, RenderableType

# Escape control characters, which could move the cursor or hide text; keep line feed and tab.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if code not in (9, 10)}


class Output:
    """The output of one command. Documents go to standard output, everything that is said on the way to standard error.

    Args:
        as_json: answer with JSON.
        lines: the answer is a line for each value, and an error one more.
    """

    def __init__(self, as_json: bool, *, lines: bool = False) -> None:
        self.as_json = as_json
        self._indent = None if lines else 2

    @property
    def console(self) -> Console:
        """Return the console for people."""
        from rich.console import Console

        return Console(file=sys.stdout, highlight=False, markup=False)

    @property
    def interactive(self) -> bool:
        """True if a person can be asked something: neither side of the terminal is a file or a pipe."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    def document(self, value: Any, picture: RenderableType) -> None:
        """Give the answer: a JSON value to a program, the picture to a person."""
        if self.as_json:
            self.line(value, indent=2)
        else:
            self.console.print(picture, crop=False)

    def line(self, value: Any, *, indent: int | None = None) -> None:
        """Write one JSON value to standard output."""
        sys.stdout.write(json.dumps(value, indent=indent) + "\n")
        sys.stdout.flush()

    def say(self, sentence: str) -> None:
        """Tell a person something, on standard error."""
        say(sentence)

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn this library's errors into one sentence and an exit code."""
        try:
            yield
        except ServerlessTasksError as error:
            if self.as_json:
                self.line(_error(error), indent=self._indent)
            self.say(str(error))
            raise typer.Exit(exit_code(error)) from None
        except KeyboardInterrupt:
            raise typer.Exit(Exit.INTERRUPTED) from None


def say(sentence: str) -> None:
    """Tell a person something, on standard error."""
    sys.stderr.write(visible(sentence) + "\n")


def visible(text: str) -> str:
    """The text with its control characters written out: what tasks report must not steer a terminal."""
    return text.translate(_CONTROLS)


def _error(error: ServerlessTasksError) -> dict[str, Any]:
    body: dict[str, Any] = {"type": type(error).__name__, "message": str(error)}
    if isinstance(error, TaskFailed):
        return {"uuid": error.uuid, "status": error.status, "error": error.error or body}
    if isinstance(error, InvalidInputs):
        body["fields"] = [{"field": each.field, "message": each.message} for each in error.fields]
    if isinstance(error, SubmitUncertain):
        body["uuid"] = error.uuid
    return {"error": body}
