"""Time that stands still until a test moves it."""

import threading

from serverless_tasks.testing import MovableClock


class FakeClock(MovableClock):
    """A movable clock whose waits end when the time was moved past them, whichever thread waits."""

    def __init__(self, start: float = 1_767_225_600.0) -> None:
        super().__init__(start)
        self.slept: list[float] = []
        self.waiting: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.move(seconds)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        end = self.now() + seconds
        self.waiting.append(end)
        try:
            while not event.wait(0.001):
                if self.now() >= end:
                    return event.is_set()
            return True
        finally:
            self.waiting.remove(end)

    def pass_wait(self, seconds: float) -> None:
        """Let a thread that waits for so many seconds wait them out."""
        end = self.now() + seconds
        until(lambda: end in self.waiting)
        self.move(seconds)
        until(lambda: end not in self.waiting)

    @property
    def ms(self) -> int:
        """The present in milliseconds."""
        return round(self.now() * 1000)


def until(condition: object, seconds: float = 30.0) -> None:
    """Wait for another thread to make something true."""
    assert callable(condition)
    pause = threading.Event()
    for _ in range(int(seconds / 0.002)):
        if condition():
            return
        pause.wait(0.002)
    raise AssertionError("it did not come true in time")
