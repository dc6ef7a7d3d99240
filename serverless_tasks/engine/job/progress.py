"""Progress of one run: counted at once; `progress_writer` carries it to the store."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.forks import renew_when_forked
from serverless_tasks.engine.job.masking import NO_MASK, Mask
from serverless_tasks.errors import TaskCancelled

if TYPE_CHECKING:
    from collections.abc import Callable

# Past these DynamoDB refuses a number.
LARGEST = 1e30
SMALLEST = 1e-100
LONGEST_MESSAGE = 10_000


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The content of one write: the counters, and the messages that no earlier write has carried.

    Attributes:
        seq: the write's number within the attempt.
        progress: how far the run is.
        target: where it ends, or None.
        messages: the new messages.
        first: how many messages were written before these.
        times: when each of them was added, in milliseconds since the epoch.
    """

    seq: int = 0
    progress: int | float = 0
    target: int | float | None = None
    messages: tuple[str, ...] = ()
    first: int = 0
    times: tuple[int, ...] = ()

    @property
    def message_count(self) -> int:
        """The number of messages once these are written."""
        return self.first + len(self.messages)


class Progress:
    """The counters of a run. On its own it only counts; `ProgressWriter` carries it to the store.

    Args:
        now: the time, in seconds since the epoch.

    Attributes:
        mask: what keeps the run's secrets out of its messages.
        signalling: whether the task's thread is where an exception raised from outside could leave a lock behind.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self.mask: Mask = NO_MASK
        self.progress: int | float = 0
        self.target: int | float | None = None
        self._messages: list[tuple[str, int]] = []
        self._taken = 0
        self._good: int | float = 0
        self._lock = threading.Lock()
        self._dirty = False
        self._seq = 0
        self._stop: BaseException | None = None
        self.signalling = False
        self.changed = threading.Event()
        self.ask: Callable[[], bool] | None = None
        renew_when_forked(self)

    def forked(self) -> None:
        """See `Renewed.forked`: a process that a task has forked only counts; what is written is the task's own."""
        self._lock = threading.Lock()
        self.changed = threading.Event()

    def set_progress(self, value: float) -> None:
        """Set how far the run is."""
        value = _number(value)
        with self._lock:
            self.progress = value
            dirty, self._dirty = self._dirty, True
        if not dirty:
            self._signal()
        if self._stop is not None:
            raise self._stop

    def inc_progress(self, increment: float = 1) -> None:
        """Count up; ``increment`` is not looked at (a million of these should cost nothing) until it is written."""
        with self._lock:
            self.progress += increment
            dirty, self._dirty = self._dirty, True
        if not dirty:
            self._signal()
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
        kept = self.mask(str(text))[:LONGEST_MESSAGE]
        text = kept.encode(errors="replace").decode()  # a lone surrogate has no UTF-8
        with self._lock:
            self._messages.append((text, to_ms(self._now())))
            self._dirty = True
        self._touched()

    def check_cancelled(self) -> None:
        """Ask the store whether the task should stop.

        Raises:
            TaskCancelled: it should.
            LeaseLost: another worker has taken the job over.
        """
        if self._stop is None and self._asked():
            self.stop(TaskCancelled("The task was cancelled."))
        if self._stop is not None:
            raise self._stop

    def stop(self, reason: BaseException) -> None:
        """Make the next progress call of the task raise this."""
        self._stop = reason

    @property
    def stopped(self) -> BaseException | None:
        """The reason why the task should stop, or None."""
        return self._stop

    def take(self, *, always: bool = False) -> Snapshot | None:
        """Return what has changed since the last call; None when nothing has (unless ``always``)."""
        with self._lock:
            self.changed.clear()
            if not (self._dirty or always):
                return None
            self._dirty = False
            self._seq += 1
            self.progress = self._good = _number(self.progress, instead=self._good)
            taken, self._messages = self._messages, []
            first, self._taken = self._taken, self._taken + len(taken)
            messages, times = zip(*taken, strict=True) if taken else ((), ())
            return Snapshot(self._seq, self.progress, self.target, messages, first, times)

    def give_back(self, snapshot: Snapshot) -> None:
        """Keep what could not be written for the next write."""
        with self._lock:
            self._messages[:0] = zip(snapshot.messages, snapshot.times, strict=True)
            self._taken = snapshot.first
            self._dirty = True
        self.changed.set()

    def _asked(self) -> bool:
        self.signalling = True
        try:
            return self.ask is not None and self.ask()
        finally:
            self.signalling = False

    def _signal(self) -> None:
        self.signalling = True
        try:
            self.changed.set()
        finally:
            self.signalling = False

    def _touched(self) -> None:
        self._signal()
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
