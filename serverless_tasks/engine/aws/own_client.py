"""A client that every process makes for itself, whoever in it holds the object since before a fork."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from serverless_tasks.engine.aws.botocore_overrides.connections import leave_to_parent
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
            leave_to_parent(self._made)
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
