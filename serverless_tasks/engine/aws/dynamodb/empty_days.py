"""The days of an index that hold nothing: what a process has seen of them, so that it need not ask again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.forks import renew_when_forked
from serverless_tasks.engine.store.items import DAY_MS

if TYPE_CHECKING:
    from serverless_tasks.engine.job.clock import Clock

# As many owners, or tasks, are remembered; about 3 KB each.
MOST: Final = 2_000
# For how long an empty day counts as empty. A job is listed under the day of its submission, and its item is written
# within a minute of that; only what a dead-letter handler or a late schedule writes comes later.
BELIEVED_MS: Final = 15 * 60 * 1000


class EmptyDays:
    """The days, before yesterday, that were empty for an owner or a task when this process last looked.

    Args:
        clock: the time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        # Value -> day, in days since the epoch -> when it was seen empty.
        self._seen: OrderedDict[str, dict[int, int]] = OrderedDict()
        renew_when_forked(self)

    def forked(self) -> None:
        """See `Renewed.forked`."""
        self._lock = threading.Lock()

    def of(self, value: str) -> frozenset[int]:
        """Return the days, counted from the epoch, that need not be asked for a value."""
        oldest = to_ms(self._clock.now()) - BELIEVED_MS
        with self._lock:
            days = self._seen.get(value)
            if days is None:
                return frozenset()
            self._seen.move_to_end(value)
            return frozenset(day for day, seen in days.items() if seen >= oldest)

    def add(self, value: str, day: int) -> None:
        """Remember that a day, counted from the epoch, was seen empty; today and yesterday may yet be written to."""
        now = to_ms(self._clock.now())
        if day >= now // DAY_MS - 1:
            return
        with self._lock:
            days = self._seen.setdefault(value, {})
            days[day] = now
            for old in [each for each, seen in days.items() if seen < now - BELIEVED_MS]:
                del days[old]
            self._seen.move_to_end(value)
            if len(self._seen) > MOST:
                self._seen.popitem(last=False)
