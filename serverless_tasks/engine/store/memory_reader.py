"""Reading jobs from this process's memory."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.forks import renew_when_forked
from serverless_tasks.engine.store.assembly import assemble, mark, submitted, unbegun
from serverless_tasks.engine.store.base import Page
from serverless_tasks.engine.store.items import JOB, STATE, Item, is_tombstone
from serverless_tasks.errors import InvalidCursor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from serverless_tasks.engine.job.clock import Clock
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.job.record import Record


class MemoryReader:
    """The reading half of the store in memory.

    Args:
        clock: the time.
    """

    any_size = True

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._items: dict[str, dict[str, Item]] = {}
        self._lock = threading.RLock()
        renew_when_forked(self)

    def forked(self) -> None:
        """See `Renewed.forked`."""
        self._lock = threading.RLock()

    def read(self, uuid: str, *, whole: bool = True, message: Message | None = None) -> Record | None:
        """See `Store.read`."""
        with self._lock:
            items = list(self._items.get(uuid, {}).values())
            if not items and message is not None:
                return unbegun(message, self._now())
            return assemble(items, self._now())

    def deleted(self, uuid: str) -> bool:
        """See `Store.deleted`."""
        with self._lock:
            state = self._state(uuid)
            return state is not None and is_tombstone(state)

    def read_many(self, uuids: Sequence[str], *, whole: bool = True) -> dict[str, Record]:
        """See `Store.read_many`."""
        found = {uuid: self.read(uuid) for uuid in uuids}
        return {uuid: record for uuid, record in found.items() if record is not None}

    def changed(self, seen: Mapping[str, str]) -> dict[str, tuple[str, Record | None]]:
        """See `Store.changed`."""
        with self._lock:
            marks = {uuid: mark(self._state(uuid)) for uuid in seen}
            return {
                uuid: (marks[uuid], self.read(uuid)) for uuid, last in seen.items() if marks[uuid] != last
            }

    def job(self, uuid: str) -> Message | None:
        """See `Store.job`."""
        with self._lock:
            job = self._items.get(uuid, {}).get(JOB)
        return submitted(job) if job is not None else None

    def list_owner(
        self,
        owner: str,
        *,
        limit: int = 50,
        cursor: str | None = None,
        since: int = 0,
        whole: bool = True,
    ) -> Page:
        """See `Store.list_owner`."""
        return self._list(lambda job: job.get("owner") == owner and job["created"] >= since, limit, cursor)

    def owner_uuids(
        self, owner: str, *, limit: int = 100, cursor: str | None = None
    ) -> tuple[list[str], str | None]:
        """See `Store.owner_uuids`."""
        return self._places(lambda job: job.get("owner") == owner, limit, cursor)

    def list_task(self, task: str, *, limit: int = 50, cursor: str | None = None) -> Page:
        """See `Store.list_task`."""
        return self.list_tasks([task], limit=limit, cursor=cursor)

    def list_tasks(
        self,
        tasks: Sequence[str],
        *,
        limit: int = 50,
        cursor: str | None = None,
        since: int = 0,
        whole: bool = True,
    ) -> Page:
        """See `Store.list_tasks`."""
        return self._list(lambda job: job["task"] in tasks and job["created"] >= since, limit, cursor)

    def _list(self, wanted: Callable[[Item], bool], limit: int, cursor: str | None) -> Page:
        with self._lock:
            uuids, more = self._places(wanted, limit, cursor)
            records = [self.read(uuid) for uuid in uuids]
        return Page(records=tuple(record for record in records if record is not None), cursor=more)

    def _places(
        self, wanted: Callable[[Item], bool], limit: int, cursor: str | None
    ) -> tuple[list[str], str | None]:
        if cursor is not None and "#" not in cursor:
            raise InvalidCursor(f"The cursor {cursor!r} is not one that a listing has given.")
        with self._lock:
            jobs = [items[JOB] for items in self._items.values() if JOB in items and wanted(items[JOB])]
        places = sorted((str(job["created_uuid"]) for job in jobs), reverse=True)
        after = [place for place in places if cursor is None or place < cursor]
        more = after[limit - 1] if len(after) > limit else None
        return [place.split("#")[1] for place in after[:limit]], more

    def _state(self, uuid: str) -> Item | None:
        return self._items.get(uuid, {}).get(STATE)

    def _now(self) -> int:
        return to_ms(self._clock.now())
