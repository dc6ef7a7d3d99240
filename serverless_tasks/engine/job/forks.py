"""Renewal of locks, connections and threads in forked processes.

A child has its parent's memory and none of its threads: a lock that one of them held stays taken, a pool of them runs
nothing, and two processes that read from one connection get each other's answers. Servers fork (gunicorn with
``--preload``, uWSGI), and so does `multiprocessing`: https://docs.python.org/3/library/os.html#os.fork
"""

from __future__ import annotations

import os
from types import MethodType
from typing import TYPE_CHECKING
from weakref import WeakMethod

if TYPE_CHECKING:
    from collections.abc import Callable

_renewals: set[Callable[[], Callable[[], None] | None]] = set()


def renew_after_fork(renew: Callable[[], None]) -> None:
    """Have something made anew in every process that is forked from this one.

    Args:
        renew: called in the child before anything else is. A method is forgotten with its object.
    """
    if isinstance(renew, MethodType):
        _renewals.add(WeakMethod(renew, _renewals.discard))
    else:
        _renewals.add(lambda: renew)


def _renew_all() -> None:
    for known in tuple(_renewals):
        if (renew := known()) is not None:
            renew()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_renew_all)
