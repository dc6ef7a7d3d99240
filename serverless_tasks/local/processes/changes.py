"""Notification of saved source files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from serverless_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Sequence

_LOOK_MS = 500


def saved_files(directories: Sequence[Path], stopping: threading.Event) -> Iterator[list[str]]:
    """Yield the Python files that were saved, an empty list about twice a second, and end when ``stopping`` is set.

    Args:
        directories: what to watch, with all below it but virtual environments, caches and the like.
        stopping: ends the iteration.

    Raises:
        ConfigurationError: the package `watchfiles` is not installed.
    """
    try:
        from watchfiles import PythonFilter, watch
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "Reloading needs the package watchfiles: install serverless-tasks[local], or turn reloading off."
        ) from error
    for changes in watch(
        *directories,
        watch_filter=PythonFilter(),
        stop_event=stopping,
        rust_timeout=_LOOK_MS,
        yield_on_timeout=True,
        raise_interrupt=False,
    ):
        yield sorted({_short(path) for _, path in changes})


def no_files(_directories: Sequence[Path], stopping: threading.Event) -> Iterator[list[str]]:
    """The same without looking: an empty list about twice a second until ``stopping`` is set."""
    while not stopping.wait(_LOOK_MS / 1000):
        yield []


def _short(path: str) -> str:
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return path
