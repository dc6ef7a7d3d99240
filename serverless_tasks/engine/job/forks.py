"""What a forked process makes anew: connections, locks and threads, which are its parent's.

A fork copies a process's memory, and of its threads the one that forked. Two processes that go on with one connection
read each other's answers, a lock that another thread held stays taken, and a pool of threads has none left.
https://docs.python.org/3/library/os.html#os.register_at_fork
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Protocol
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Callable


class Renewed(Protocol):
    """Holds what a forked process cannot share with its parent."""

    def forked(self) -> None:
        """Make it anew; called in the child, where nothing of it may be waited for, closed or sent on."""


_holders: WeakSet[Renewed] = WeakSet()
_modules: list[Callable[[], None]] = []
_renewing = threading.Lock()
_pid = os.getpid()


def renew_when_forked(holder: Renewed) -> None:
    """Have an object renewed in each process that is forked from this one, as long as the object lives."""
    _holders.add(holder)


def call_when_forked[F: Callable[[], None]](renew: F) -> F:
    """Have a function called in each process that is forked from this one: it renews what its module holds."""
    _modules.append(renew)
    return renew


def notice_fork() -> None:
    """Renew what is the parent's where Python was not told of the fork: uWSGI's forks do not tell it by themselves.

    https://uwsgi-docs.readthedocs.io/en/latest/Options.html (``py-call-uwsgi-fork-hooks``)
    """
    if os.getpid() != _pid:
        with _renewing:
            if os.getpid() != _pid:
                _renew()


def _told() -> None:
    global _renewing  # noqa: PLW0603 - another thread of the parent's may have had it
    _renewing = threading.Lock()
    _renew()


def _renew() -> None:
    global _pid  # noqa: PLW0603 - which process this is
    for renew in _modules:
        renew()
    for holder in list(_holders):
        holder.forked()
    _pid = os.getpid()


if hasattr(os, "register_at_fork"):  # not where there is no fork
    os.register_at_fork(after_in_child=_told)
