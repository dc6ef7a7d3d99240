"""Progress of one run: counted at once, written about once a second."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from serverless_tasks.clock import Clock
from serverless_tasks.errors import LeaseLost, ServerlessTasksError, TaskCancelled

if TYPE_CHECKING:
    from collections.abc import Callable

INTERVAL = 1.0
# Past these DynamoDB refuses a number.
LARGEST = 1e30
SMALLEST = 1e-100
LONGEST_MESSAGE = 10_000


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one write carries: the counters, and the messages that no earlier write has carried.

    Attributes:
        seq: the write's number within the attempt.
        progress: how far the run is.
        target: where it ends, or None.
        messages: the new messages.
        first: how many messages were written before these.
    """

    seq: int = 0
    progress: int | float = 0
    target: int | float | None = None
    messages: tuple[str, ...] = ()
    first: int = 0

    @property
    def message_count(self) -> int:
        """How many messages there are once these are written."""
        return self.first + len(self.messages)


class Writer(Protocol):
    """Writes a snapshot under the attempt's token; says whether the task was asked to stop.

    Raises:
        LeaseLost: the attempt no longer holds the job.
    """

    def __call__(self, snapshot: Snapshot, /) -> bool: ...


class Progress:
    """The counters of a run. On its own it only counts; `ProgressWriter` carries it to the store."""

    def __init__(self) -> None:
        self.progress: int | float = 0
        self.target: int | float | None = None
        self._messages: list[str] = []
        self._taken = 0
        self._good: int | float = 0
        self._lock = threading.Lock()
        self._dirty = False
        self._seq = 0
        self._stop: ServerlessTasksError | None = None
        self.changed = threading.Event()
        self.ask: Callable[[], bool] | None = None

    def set_progress(self, value: float) -> None:
        """Set how far the run is."""
        value = _number(value)
        with self._lock:
            self.progress = value
            dirty, self._dirty = self._dirty, True
        if not dirty:
            self.changed.set()
        if self._stop is not None:
            raise self._stop

    def inc_progress(self, by: float = 1) -> None:
        """Count up; ``by`` is not looked at (a million of these should cost nothing) until it is written."""
        with self._lock:
            self.progress += by
            dirty, self._dirty = self._dirty, True
        if not dirty:
            self.changed.set()
        if self._stop is not None:
            raise self._stop

    def set_target(self, value: float | None) -> None:
        """Set where the progress ends."""
        value = None if value is None else _number(value)
        with self._lock:
            self.target = value
            self._dirty = True
        self._touched()

    def add_message(self, text: str) -> None:
        """Add a message for the person who waits; of a very long one the first 10,000 characters are kept."""
        kept = str(text)[:LONGEST_MESSAGE]
        with self._lock:
            self._messages.append(kept.encode(errors="replace").decode())  # a lone surrogate has no UTF-8
            self._dirty = True
        self._touched()

    def check_cancelled(self) -> None:
        """Ask the store whether the task should stop.

        Raises:
            TaskCancelled: it should.
            LeaseLost: another worker has taken the job over.
        """
        if self._stop is None and self.ask is not None and self.ask():
            self.stop(TaskCancelled("The task was cancelled."))
        if self._stop is not None:
            raise self._stop

    def stop(self, reason: ServerlessTasksError) -> None:
        """Make the next progress call of the task raise this."""
        self._stop = reason

    @property
    def stopped(self) -> ServerlessTasksError | None:
        """Why the task should stop, or None."""
        return self._stop

    def take(self, *, always: bool = False) -> Snapshot | None:
        """What has changed since the last call; None when nothing has (unless ``always``)."""
        with self._lock:
            self.changed.clear()
            if not (self._dirty or always):
                return None
            self._dirty = False
            self._seq += 1
            self.progress = self._good = _number(self.progress, instead=self._good)
            messages, self._messages = tuple(self._messages), []
            first, self._taken = self._taken, self._taken + len(messages)
            return Snapshot(self._seq, self.progress, self.target, messages, first)

    def give_back(self, snapshot: Snapshot) -> None:
        """Keep what could not be written for the next write."""
        with self._lock:
            self._messages[:0] = snapshot.messages
            self._taken = snapshot.first
            self._dirty = True
        self.changed.set()

    def _touched(self) -> None:
        self.changed.set()
        if self._stop is not None:
            raise self._stop


def _number(value: object, instead: float | None = None) -> int | float:
    """The value as a number that can be stored (numpy's become Python's); else ``instead``, or an error."""
    try:
        number = int(value) if isinstance(value, int) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if abs(number) < LARGEST:  # False for NaN as well
        return number if abs(number) > SMALLEST else 0
    if instead is None:
        raise ValueError(f"Progress and target must be numbers below {LARGEST:g}, not {value!r}.")
    return instead


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
