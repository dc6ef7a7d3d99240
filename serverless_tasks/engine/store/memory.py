"""A store in this process's memory: for the threading and immediate backends, and for users' tests, without AWS."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Any, TypeGuard

from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.encoding import encode
from serverless_tasks.engine.job.forks import renew_when_forked
from serverless_tasks.engine.job.record import FAILED, RUNNING, SUCCEEDED
from serverless_tasks.engine.store import transitions
from serverless_tasks.engine.store.assembly import (
    message_from_item,
    pending_record,
    record_from_items,
    version_token,
)
from serverless_tasks.engine.store.base import Claim, ClaimAnswer, Page
from serverless_tasks.engine.store.items import (
    JOB,
    STATE,
    Item,
    ended_item,
    failure_fields,
    is_tombstone,
    job_item,
    keep_until,
    lost_item,
    message_items,
    tombstone,
)
from serverless_tasks.errors import AlreadyFinished, InvalidCursor, LeaseLost, NotFinished, TaskNotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from serverless_tasks.engine.job.clock import Clock
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.job.progress import Snapshot
    from serverless_tasks.engine.job.record import Failure, Record
    from serverless_tasks.engine.store.transitions import Change


class MemoryStore:
    """See `Store`; everything is lost with the process.

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

    def put_jobs(self, messages: Sequence[Message]) -> None:
        """See `Store.put_jobs`."""
        with self._lock:
            for message in messages:
                self._items.setdefault(message.uuid, {}).setdefault(JOB, job_item(message))

    def claim(self, message: Message, *, token: str, lease: int, request_id: str) -> Claim:
        """See `Store.claim`."""
        with self._lock:
            now = self._now()
            refusal = transitions.claim_refusal(self._state(message.uuid), now)
            if refusal is not None:
                return refusal
            change = transitions.claimed(message, token=token, lease=lease, request_id=request_id, now=now)
            state = self._change(message.uuid, change)
            lost = lost_item(state, now)
            if lost is not None:
                self._items[message.uuid][lost["sk"]] = lost
            return transitions.claim_from_state(state)

    def write_progress(self, uuid: str, token: str, snapshot: Snapshot, *, lease: int | None) -> bool:
        """See `Store.write_progress`."""
        with self._lock:
            state = self._held(uuid, token)
            if snapshot.seq > state["seq"]:
                state = self._write(uuid, token, transitions.progressed(snapshot, lease=lease), snapshot)
            return bool(state.get("cancel", False))

    def cancel_requested(self, uuid: str, token: str) -> bool:
        """See `Store.cancel_requested`."""
        with self._lock:
            return bool(self._held(uuid, token).get("cancel", False))

    def succeed(self, uuid: str, claim: Claim, snapshot: Snapshot, outputs: dict[str, Any]) -> None:
        """See `Store.succeed`."""
        change = transitions.ended(SUCCEEDED, {"outputs": encode(outputs)}, snapshot, self._now())
        with self._lock:
            self._write(uuid, claim.token, change, snapshot)

    def fail(
        self, uuid: str, claim: Claim, snapshot: Snapshot, failure: Failure, *, status: str = FAILED
    ) -> None:
        """See `Store.fail`."""
        now = self._now()
        change = transitions.ended(status, failure_fields(failure), snapshot, now)
        with self._lock:
            self._write(uuid, claim.token, change, snapshot, ended_item(uuid, claim, failure, now))

    def retry(
        self, message: Message, claim: Claim, snapshot: Snapshot, failure: Failure, *, not_before: int
    ) -> bool:
        """See `Store.retry`."""
        uuid, now = message.uuid, self._now()
        change = transitions.retried(message, claim, snapshot, not_before=not_before, now=now)
        with self._lock:
            state = self._write(uuid, claim.token, change, snapshot, ended_item(uuid, claim, failure, now))
            return bool(state.get("cancel", False))

    def release(self, uuid: str, token: str) -> None:
        """See `Store.release`."""
        with self._lock:
            if _holds(self._state(uuid), token):
                self._change(uuid, transitions.released())

    def settle(self, message: Message, failure: Failure) -> Claim:
        """See `Store.settle`."""
        with self._lock:
            now = self._now()
            refusal = transitions.settle_refusal(self._state(message.uuid), now)
            if refusal is not None:
                return refusal
            self._change(message.uuid, transitions.settled(message, failure, now))
            return Claim(answer=ClaimAnswer.SETTLED, status=FAILED)

    def delete(self, uuid: str) -> None:
        """See `Store.delete`."""
        with self._lock:
            state = self._state(uuid)
            if state is not None and is_tombstone(state) and len(self._items[uuid]) > 1:
                self._items[uuid] = {STATE: state}  # it was published once more
                return
            record = self.read(uuid)
            if record is None:
                raise TaskNotFound(uuid)
            if not record.ended:
                raise NotFinished(uuid, record.status)
            self._items[uuid] = {STATE: tombstone(record, keep_until(self._now()))}

    def cancel(self, uuid: str, *, message: Message | None = None) -> Record:
        """See `Store.cancel`."""
        with self._lock:
            record = self.read(uuid, message=message)
            if record is None:
                raise TaskNotFound(uuid)
            if record.ended:
                raise AlreadyFinished(uuid, record.status)
            if record.status == RUNNING:
                self._change(uuid, transitions.stop_requested())
            else:
                job = self._items.get(uuid, {}).get(JOB)
                self._change(uuid, transitions.cancelled(record, job, message, self._now()))
            return self.read(uuid) or record

    def read(self, uuid: str, *, whole: bool = True, message: Message | None = None) -> Record | None:
        """See `Store.read`."""
        with self._lock:
            items = list(self._items.get(uuid, {}).values())
            if not items and message is not None:
                return pending_record(message, self._now())
            return record_from_items(items, self._now())

    def deleted(self, uuid: str) -> bool:
        """See `Store.deleted`."""
        with self._lock:
            state = self._state(uuid)
            return state is not None and is_tombstone(state)

    def read_many(self, uuids: Sequence[str], *, whole: bool = True) -> dict[str, Record]:
        """See `Store.read_many`."""
        records = {uuid: self.read(uuid) for uuid in uuids}
        return {uuid: record for uuid, record in records.items() if record is not None}

    def changed(self, seen: Mapping[str, str]) -> dict[str, tuple[str, Record | None]]:
        """See `Store.changed`."""
        with self._lock:
            versions = {uuid: version_token(self._state(uuid)) for uuid in seen}
            return {
                uuid: (versions[uuid], self.read(uuid))
                for uuid, last in seen.items()
                if versions[uuid] != last
            }

    def job(self, uuid: str) -> Message | None:
        """See `Store.job`."""
        with self._lock:
            job = self._items.get(uuid, {}).get(JOB)
        return message_from_item(job) if job is not None else None

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
        return self._uuids(lambda job: job.get("owner") == owner, limit, cursor)

    def list_tasks(
        self,
        tasks: Sequence[str],
        *,
        limit: int = 50,
        cursor: str | None = None,
        since: int = 0,
        until: int | None = None,
        whole: bool = True,
    ) -> Page:
        """See `Store.list_tasks`."""
        last = math.inf if until is None else until
        return self._list(lambda job: job["task"] in tasks and since <= job["created"] < last, limit, cursor)

    def _list(self, wanted: Callable[[Item], bool], limit: int, cursor: str | None) -> Page:
        with self._lock:
            uuids, more = self._uuids(wanted, limit, cursor)
            records = [self.read(uuid) for uuid in uuids]
        return Page(records=tuple(record for record in records if record is not None), cursor=more)

    def _uuids(
        self, wanted: Callable[[Item], bool], limit: int, cursor: str | None
    ) -> tuple[list[str], str | None]:
        if cursor is not None and "#" not in cursor:
            raise InvalidCursor(f"The cursor {cursor!r} was not returned by a listing.")
        with self._lock:
            jobs = [items[JOB] for items in self._items.values() if JOB in items and wanted(items[JOB])]
        positions = sorted((str(job["created_uuid"]) for job in jobs), reverse=True)
        after = [position for position in positions if cursor is None or position < cursor]
        more = after[limit - 1] if len(after) > limit else None
        return [position.split("#")[1] for position in after[:limit]], more

    def _state(self, uuid: str) -> Item | None:
        return self._items.get(uuid, {}).get(STATE)

    def _held(self, uuid: str, token: str) -> Item:
        state = self._state(uuid)
        if not _holds(state, token):
            raise LeaseLost(f"Attempt {token} no longer holds job {uuid}.")
        return state

    def _write(self, uuid: str, token: str, change: Change, snapshot: Snapshot, *others: Item) -> Item:
        self._held(uuid, token)
        for item in (*others, *message_items(uuid, token, snapshot)):
            self._items[uuid][item["sk"]] = item
        return self._change(uuid, change)

    def _change(self, uuid: str, change: Change) -> Item:
        items = self._items.setdefault(uuid, {})
        items[STATE] = change.apply(items.get(STATE, {"pk": uuid, "sk": STATE}))
        return items[STATE]

    def _now(self) -> int:
        return to_ms(self._clock.now())


def _holds(state: Item | None, token: str) -> TypeGuard[Item]:
    return state is not None and state.get("token") == token and state["status"] == RUNNING
