"""A signal that wakes nobody is seen all the same."""

import threading

import pytest

from serverless_tasks.poller import stopping
from serverless_tasks.poller.stopping import wait_until_set


class Unwoken(threading.Event):
    """An event that is set during each wait, and wakes none: as a handler that runs too late."""

    def __init__(self, waits: int) -> None:
        super().__init__()
        self.waits, self.waited = waits, list[float | None]()

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None, "nobody would end it"
        self.waited.append(timeout)
        return len(self.waited) > self.waits


def test_it_looks_again_after_a_second() -> None:
    event = Unwoken(waits=3)
    assert wait_until_set(event)
    assert event.waited == [1.0] * 4


def test_it_ends_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    event = Unwoken(waits=100)
    monkeypatch.setattr(stopping.time, "monotonic", lambda: 100 + sum(filter(None, event.waited)))
    assert not wait_until_set(event, 2.5)
    assert event.waited == [1.0, 1.0, 0.5]


def test_what_is_over_already_is_looked_at_once() -> None:
    event = Unwoken(waits=100)
    assert not wait_until_set(event, -5)
    assert event.waited == [0]
