"""What is done while another machine works on a call of this process: no second thread, and nobody waits twice."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class _Slot(threading.local):
    """What a thread has to do when its next call is on its way."""

    work: Callable[[], None] | None = None


_slot = _Slot()


@contextmanager
def overlapping(work: Callable[[], None] | None) -> Iterator[None]:
    """Do something while the first call of the block is on its way; not at all where the block sends none.

    Args:
        work: called once at most, on the caller's thread, when the call has been sent and before its answer is read. An
            error that it raised would be taken for one of the call. None for nothing to do.
    """
    _slot.work = work
    try:
        yield
    finally:
        _slot.work = None


def sent() -> None:
    """Say that a call has been sent, and its answer not read."""
    work, _slot.work = _slot.work, None
    if work is not None:
        work()
