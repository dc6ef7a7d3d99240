"""Overlap of AWS calls: other work of this thread while the answer to a call is on its way."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class _Slot(threading.local):
    """The pending work of a thread, and whether its calls allow overlap."""

    work: Callable[[], None] | None = None
    allows: bool = False


_slot = _Slot()


@contextmanager
def overlapping(work: Callable[[], None] | None) -> Iterator[None]:
    """Do something while a call of the block is on its way, the first that carries it; not at all where none does.

    Args:
        work: called once at most, on the caller's thread, when the call has been sent and before its answer is read or
            the call is tried again. An error that it raised would be taken for one of the call. None for nothing to do.
    """
    _slot.work = work
    try:
        yield
    finally:
        _slot.work = None


@contextmanager
def allows_overlap() -> Iterator[None]:
    """Let the calls of the block carry what is to overlap: no other call has to wait for their answers.

    What is done meanwhile may take long, and everything that comes after such a call is held up by it.
    """
    _slot.allows = True
    try:
        yield
    finally:
        _slot.allows = False


def sent() -> None:
    """Say that a call has been sent, and its answer not read."""
    work = _slot.work
    if work is not None and _slot.allows:
        _slot.work = None
        work()
