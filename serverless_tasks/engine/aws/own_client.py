"""A client that every process makes for itself, whoever in it holds the object since before a fork."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from serverless_tasks.engine.job.forks import notice_fork, renew_when_forked

if TYPE_CHECKING:
    from collections.abc import Callable


class OwnClient:
    """Passes everything on to this process's client.

    Args:
        make: makes a client; called at once, and again in a forked process when that first uses it.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._made = make()
        self._making = threading.Lock()
        renew_when_forked(self)

    def forked(self) -> None:
        """See `Renewed.forked`."""
        self._making = threading.Lock()
        if self._made is not None:
            _leave_to_parent(self._made)
            self._made = None

    def __getattr__(self, name: str) -> Any:
        notice_fork()
        made = self._made
        if made is None:
            with self._making:
                if self._made is None:
                    self._made = self._make()
                made = self._made
        return getattr(made, name)


def _leave_to_parent(client: Any) -> None:
    """See that a forked process does not wait for its parent's threads when it drops a client of the parent's.

    urllib3 takes the connections out of their pools then, at the end of the process at the latest, under a lock that
    another thread may have held. They are closed here only: nothing is sent, and the parent's stay open.

    Args:
        client: one of botocore's.
    """
    session = getattr(getattr(client, "_endpoint", None), "http_session", None)
    managers = [getattr(session, "_manager", None), *getattr(session, "_proxy_managers", {}).values()]
    for pools in (manager.pools for manager in managers if manager is not None):
        pools.lock._at_fork_reinit()
        for pool in (pools[key] for key in pools.keys()):  # noqa: SIM118 - it cannot be iterated over
            if pool.pool is not None:
                pool.pool.mutex._at_fork_reinit()
