"""Prefetch buffer of a worker that handles one message at a time."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from serverless_tasks.engine.aws.sqs.receiving import BATCH

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from serverless_tasks.engine.aws.sqs.receiving import ReceivedMessage

LONGEST = 1.0
"""Seconds of work that are taken ahead of their turn, as long as the last calls were short."""

PATIENCE = 2.0
"""Seconds that a message which was taken ahead waits for its turn: it goes back when the one before takes longer."""

_REMEMBERED = 10


class Prefetch:
    """Messages that were received together and are handled one by one.

    How many may be received together follows from how long the last calls took: one, unless all of the last ten were
    so short that there is work for a second at most. Long tasks therefore never keep a message from another worker that
    is free. Safe to use from several threads.

    Args:
        now: seconds since the epoch.
        most: messages of one receive at most; 1 where order counts.
    """

    def __init__(self, now: Callable[[], float], most: int = BATCH) -> None:
        self._now = now
        self._most = most
        self._lock = threading.Lock()
        self._waiting: deque[tuple[float, ReceivedMessage]] = deque()
        self._seconds: deque[float] = deque(maxlen=_REMEMBERED)

    @property
    def limit(self) -> int:
        """Return the number of messages to receive now."""
        with self._lock:
            if not self._seconds:
                return 1
            longest = max(self._seconds)
        if longest * self._most <= LONGEST:
            return self._most
        return max(1, int(LONGEST / longest))

    @property
    def empty(self) -> bool:
        """True if nothing waits."""
        return not self._waiting

    def record_duration(self, seconds: float) -> None:
        """Tell how long a call has taken."""
        with self._lock:
            self._seconds.append(max(0.0, seconds))

    def put(self, messages: Sequence[ReceivedMessage]) -> None:
        """Keep messages until their turn."""
        now = self._now()
        with self._lock:
            self._waiting.extend((now, message) for message in messages)

    def take(self) -> list[ReceivedMessage]:
        """The message whose turn it is, or none."""
        with self._lock:
            return [self._waiting.popleft()[1]] if self._waiting else []

    def take_expired(self) -> list[ReceivedMessage]:
        """Those that have waited for too long; they wait here no more."""
        since = self._now() - PATIENCE
        with self._lock:
            expired = [message for at, message in self._waiting if at <= since]
            if expired:
                self._waiting = deque(each for each in self._waiting if each[0] > since)
        return expired

    def clear(self) -> list[ReceivedMessage]:
        """All that wait; they wait here no more."""
        with self._lock:
            left = [message for _, message in self._waiting]
            self._waiting.clear()
        return left
