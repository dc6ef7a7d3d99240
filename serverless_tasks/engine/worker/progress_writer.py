"""Carrying a run's progress to the store, about once a second."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

from serverless_tasks.errors import LeaseLost, TaskCancelled

if TYPE_CHECKING:
    from collections.abc import Callable

    from serverless_tasks.engine.job.clock import Clock
    from serverless_tasks.engine.job.progress import Progress, Snapshot

INTERVAL = 1.0


class Writer(Protocol):
    """Writes a snapshot under the attempt's token; says whether the task was asked to stop.

    Raises:
        LeaseLost: the attempt no longer holds the job.
    """

    def __call__(self, snapshot: Snapshot, /) -> bool: ...


class ProgressWriter:
    """Carries a run's progress to the store from a thread of its own.

    The thread starts with the first change, so a task that reports nothing costs nothing. A change is written at
    once when a second has passed since the last write, and otherwise as soon as it has. `close` ends the thread and
    hands over what is not written yet, so that the write that ends the run can carry it.

    Args:
        progress: the counters.
        write: writes one snapshot.
        clock: the time.
        renew: seconds between writes that are made even without a change, to renew a lease; None for no renewals.
    """

    def __init__(self, progress: Progress, write: Writer, clock: Clock, renew: float | None = None) -> None:
        self._progress = progress
        self._write = write
        self._clock = clock
        self._renew = renew
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._starting = _StartOnSet(self._start)
        progress.changed = self._starting
        if renew is not None:
            self._start()

    def close(self) -> Snapshot:
        """Stop writing; returns the last values and the messages that were not written."""
        self._closed.set()
        self._starting.set_quietly()
        if self._thread is not None:
            self._thread.join()
        last = self._progress.take(always=True)
        assert last is not None
        return last

    def _start(self) -> None:
        if self._thread is None and not self._closed.is_set():
            self._thread = threading.Thread(target=self._loop, name="progress", daemon=True)
            self._thread.start()

    def _loop(self) -> None:
        while not self._closed.is_set():
            changed = self._clock.wait(self._starting, self._renew if self._renew is not None else 3600.0)
            if self._closed.is_set():
                return
            self._flush(always=not changed and self._renew is not None)
            self._clock.wait(self._closed, INTERVAL)

    def _flush(self, *, always: bool) -> None:
        snapshot = self._progress.take(always=always)
        if snapshot is None:
            return
        try:
            if self._write(snapshot):
                self._progress.stop(TaskCancelled("The task was cancelled."))
        except LeaseLost as lost:
            self._progress.stop(lost)
        except Exception:  # noqa: BLE001 - progress is advisory: the next write, or the last one, carries it
            self._progress.give_back(snapshot)


class _StartOnSet(threading.Event):
    """An event whose first ``set`` starts the writer's thread."""

    def __init__(self, start: Callable[[], None]) -> None:
        super().__init__()
        self._begin: Callable[[], None] | None = start

    def set(self) -> None:
        super().set()
        begin, self._begin = self._begin, None
        if begin is not None:
            begin()

    def set_quietly(self) -> None:
        """Set without starting anything."""
        super().set()
