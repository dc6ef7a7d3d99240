"""Locks in this process's memory, beside the jobs of the in-memory store."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.forks import renew_when_forked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from serverless_tasks.engine.job.clock import Clock
    from serverless_tasks.engine.store.locks import Lock


class MemoryLocks:
    """See `LockRows`; everything is lost with the process.

    Args:
        clock: the time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rows: dict[str, Lock] = {}
        self._lock = threading.Lock()
        renew_when_forked(self)

    def forked(self) -> None:
        """See `Renewed.forked`."""
        self._lock = threading.Lock()

    def put(self, locks: Sequence[Lock], over: Mapping[str, str]) -> list[Lock]:
        """See `LockRows.put`."""
        with self._lock:
            return [self._put(lock, over.get(lock.id)) for lock in locks]

    def read(self, ids: Sequence[str]) -> dict[str, Lock]:
        """See `LockRows.read`."""
        now = to_ms(self._clock.now())
        with self._lock:
            rows = [self._rows[each] for each in ids if each in self._rows]
        return {row.id: row for row in rows if row.expires >= now}

    def free(self, lock: Lock) -> None:
        """See `LockRows.free`."""
        with self._lock:
            row = self._rows.get(lock.id)
            if row is not None and (row.uuid, row.created) == (lock.uuid, lock.created):
                self._rows[lock.id] = replace(row, expires=0)

    def _put(self, lock: Lock, over: str | None) -> Lock:
        row = self._rows.get(lock.id)
        if row is None or row.expires < to_ms(self._clock.now()) or row.uuid == over:
            self._rows[lock.id] = lock
        return self._rows[lock.id]
