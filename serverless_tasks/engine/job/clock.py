"""Time as the rest of the core sees it, so that tests can move it."""

from __future__ import annotations

import threading
import time


class Clock:
    """The real time. Tests put a clock of their own in its place."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Pause the calling thread for so many seconds."""
        time.sleep(seconds)

    async def pause(self, seconds: float) -> None:
        """Pause the calling coroutine for so many seconds."""
        import asyncio

        await asyncio.sleep(seconds)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait until the event is set, for so many seconds at most; says whether it was set."""
        return event.wait(seconds)


def to_ms(seconds: float) -> int:
    """Seconds since the epoch as the whole milliseconds that messages and items hold."""
    return round(seconds * 1000)
