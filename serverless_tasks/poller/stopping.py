"""Waiting for what a signal's handler sets."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import threading

# In seconds.
_LONGEST: Final = 1.0


def wait_until_set(event: threading.Event, seconds: float | None = None) -> bool:
    """Wait in the main thread until a signal's handler sets an event; return whether it did.

    Python runs a handler between two instructions of the main thread. A signal that comes after the last of them and
    before the thread sleeps wakes nobody: one wait without an end would miss it for ever, so there are many short ones.

    Args:
        event: what the handler sets.
        seconds: how long to wait at most; None for as long as it takes.
    """
    end = None if seconds is None else time.monotonic() + seconds
    while True:
        left = _LONGEST if end is None else min(_LONGEST, end - time.monotonic())
        if event.wait(max(left, 0)):
            return True
        if end is not None and time.monotonic() >= end:
            return False
