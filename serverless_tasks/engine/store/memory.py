"""A store in this process's memory: for the threading and immediate backends, and for users' tests, without AWS."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Any, TypeGuard

from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.encoding import encode
from serverless_tasks.engine.job.forks import renew_when_forked
from serverless_tasks.engine.job.place import member_id, shards_of
from serverless_tasks.engine.job.record import FAILED, PENDING, RUNNING, SUCCEEDED
from serverless_tasks.engine.store import transitions
from serverless_tasks.engine.store.assembly import (
    message_from_item,
    pending_record,
    record_from_items,
    version_token,
)
from serverless_tasks.engine.store.base import Claim, ClaimAnswer, Listed
from serverless_tasks.engine.store.group import Group, Shard
from serverless_tasks.engine.store.groups import (
    SHARD,
    group_ended,
    group_of,
    is_counted,
    members_counted,
    shard_filled,
    shard_key,
    shard_of,
    shards_read,
)
from serverless_tasks.engine.store.items import (
    INDEXED_SHARDS,
    JOB,
    STATE,
    TOTAL,
    Item,
    ended_item,
    failure_fields,
    index_key,
    is_indexed,
    is_tombstone,
    job_item,
    keep_until,
    lost_item,
    message_items,
    tombstone,
)
from serverless_tasks.engine.store.listing import IndexFilter, moment_of, page_of, uuid_of
from serverless_tasks.errors import AlreadyFinished, LeaseLost, NotFinished, TaskNotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from serverless_tasks.engine.job.clock import Clock
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.job.progress import Snapshot
    from serverless_tasks.engine.job.record import Failure, Members, Record
    from serverless_tasks.engine.store.base import Forget
    from serverless_tasks.engine.store.group import Groups
    from serverless_tasks.engine.store.transitions import Change


class MemoryStore:
    """See `Store`; everything is lost with the process.

    Args:
        clock: the time.
        forget: deletes what statistics keep of a job that failed, or None.
        build: the id of the code whose attempts it keeps, or "".
    """

    any_size = True

    def __init__(self, clock: Clock, forget: Forget | None = None, build: str = "") -> None:
        self.clock = clock
        self._build = build
        self._forget = forget
        self._items: dict[str, dict[str, Item]] = {}
        self._lock = threading.RLock()
        self.groups: Groups = _MemoryGroups(self)
        renew_when_forked(self)

    def forked(self) -> None:
        """See `Renewed.forked`."""
        self._lock = threading.RLock()

    def put_jobs(self, messages: Sequence[Message]) -> None:
        """See `Store.put_jobs`."""
        with self._lock:
            for message in messages:
                self._items.setdefault(message.uuid, {}).setdefault(JOB, job_item(message))

    def item_of(self, message: Message) -> Item:
        """See `Store.item_of`."""
        return job_item(message)

    def claim(self, message: Message, *, token: str, lease: int, request_id: str) -> Claim:
        """See `Store.claim`."""
        with self._lock:
            now = self._now()
            refusal = transitions.claim_refusal(self._state(message.uuid), now)
            if refusal is not None:
                return refusal
            change = transitions.claimed(
                message, token=token, lease=lease, request_id=request_id, now=now, build=self._build
            )
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
        change = transitions.ended(uuid, SUCCEEDED, {"outputs": encode(outputs)}, snapshot, self._now())
        with self._lock:
            self._write(uuid, claim.token, change, snapshot)

    def fail(
        self, uuid: str, claim: Claim, snapshot: Snapshot, failure: Failure, *, status: str = FAILED
    ) -> None:
        """See `Store.fail`."""
        now = self._now()
        change = transitions.ended(uuid, status, failure_fields(failure), snapshot, now)
        with self._lock:
            self._write(uuid, claim.token, change, snapshot, ended_item(uuid, claim, failure, now))

    def retry(
        self, message: Message, claim: Claim, snapshot: Snapshot, failure: Failure, *, not_before: int
    ) -> bool:
        """See `Store.retry`."""
        uuid, now = message.uuid, self._now()
        change = transitions.retried(message, claim, snapshot, not_before=not_before, now=now)
        end = ended_item(uuid, claim, failure, now, due=message.run_at)
        with self._lock:
            state = self._write(uuid, claim.token, change, snapshot, end)
            return bool(state.get("cancel", False))

    def release(self, uuid: str, token: str) -> None:
        """See `Store.release`."""
        with self._lock:
            if _holds(self._state(uuid), token):
                self._change(uuid, transitions.released())

    def returned(self, message: Message, failure: Failure) -> None:
        """See `Store.returned`."""
        with self._lock:
            state = self._state(message.uuid)
            if state is None or state["status"] == PENDING:
                self._change(message.uuid, transitions.returned(message, failure, self._now()))

    def settle(self, message: Message, failure: Failure, *, status: str = FAILED) -> Claim:
        """See `Store.settle`."""
        with self._lock:
            now = self._now()
            refusal = transitions.settle_refusal(self._state(message.uuid), now)
            if refusal is not None:
                return refusal
            state = self._change(message.uuid, transitions.settled(message, failure, now, status))
            return Claim(answer=ClaimAnswer.SETTLED, status=status, attempt=state.get("attempt", 0))

    def delete(self, uuid: str, *, ending: Callable[[Record], None] | None = None) -> None:
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
            if record.group is not None and ending is not None:
                ending(record)
            if record.members is not None:
                self._delete_members(uuid, record.members.total)
            if record.fingerprint and self._forget is not None:
                self._forget(record.fingerprint, uuid, record.finished or 0)
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

    def note_retry(self, uuid: str, retry: str) -> bool:
        """See `Store.note_retry`."""
        with self._lock:
            retries = transitions.retries_of(self._state(uuid))
            if retries is not None and retry not in retries.split():
                self._change(uuid, transitions.retry_noted(retries, retry))
            return retries is not None

    def read(self, uuid: str, *, whole: bool = True, message: Message | None = None) -> Record | None:
        """See `Store.read`."""
        with self._lock:
            items = list(self._items.get(uuid, {}).values())
            if not items and message is not None:
                return pending_record(message, self._now())
            return record_from_items(items, self._now(), self._shards(uuid))

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
            versions = {uuid: version_token(self._state(uuid), self._shards(uuid)) for uuid in seen}
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
        until: int | None = None,
        whole: bool = True,
    ) -> Listed:
        """See `Store.list_owner`."""
        where = IndexFilter(since=since, until=until)
        return self._list(JOB, lambda job: _is_listed(job, owner) and where.fits(job), limit, cursor)

    def owner_uuids(
        self, owner: str, *, limit: int = 100, cursor: str | None = None
    ) -> tuple[list[str], str | None]:
        """See `Store.owner_uuids`."""
        positions, more = self._positions(JOB, lambda job: _is_listed(job, owner), limit, cursor)
        return [uuid_of(position) for position in positions], more

    def list_tasks(
        self,
        tasks: Sequence[str],
        *,
        limit: int = 50,
        cursor: str | None = None,
        since: int = 0,
        until: int | None = None,
        whole: bool = True,
    ) -> Listed:
        """See `Store.list_tasks`."""
        where = IndexFilter(since=since, until=until)
        return self._list(JOB, lambda job: job["task"] in tasks and where.fits(job), limit, cursor)

    def list_states(
        self,
        status: str,
        *,
        limit: int = 50,
        cursor: str | None = None,
        since: int = 0,
        until: int | None = None,
        where: IndexFilter | None = None,
    ) -> Listed:
        """See `Store.list_states`."""
        keys = {index_key(status, number) for number in range(INDEXED_SHARDS)}
        last = math.inf if until is None else until

        def matches(state: Item) -> bool:
            if state.get("task_day") not in keys or (where is not None and not where.fits(state)):
                return False
            return since <= moment_of(state["created_uuid"]) < last

        return self._list(STATE, matches, limit, cursor)

    def find_jobs(
        self,
        where: IndexFilter,
        names: Sequence[str],
        *,
        limit: int = 50,
        cursor: str | None = None,
        indexed: bool = True,
    ) -> Listed:
        """See `Store.find_jobs`."""

        def matches(job: Item) -> bool:
            searched = job["task"] in (where.tasks or names) if where.owner is None else "owner_day" in job
            return searched and where.fits(job)

        return self._list(JOB, matches, limit, cursor, indexed=indexed)

    def indexed_since(self) -> int | None:
        """See `Store.indexed_since`."""
        return 0

    def _list(
        self,
        sk: str,
        matches: Callable[[Item], bool],
        limit: int,
        cursor: str | None,
        *,
        indexed: bool = True,
    ) -> Listed:
        with self._lock:
            positions, more = self._positions(sk, matches, limit, cursor)
            records = {position: self.read(uuid_of(position)) for position in positions}
            if not indexed:
                records = {each: record for each, record in records.items() if not self._is_indexed(record)}
        listed = {each: record for each, record in records.items() if record is not None}
        return Listed(
            records=tuple(listed.values()),
            positions=tuple(listed),
            cursor=more,
            looked_at=len(positions),
        )

    def _positions(
        self, sk: str, matches: Callable[[Item], bool], limit: int, cursor: str | None
    ) -> tuple[list[str], str | None]:
        with self._lock:
            listed = [items[sk] for items in self._items.values() if sk in items and matches(items[sk])]
        return page_of((item["created_uuid"] for item in listed), limit, cursor)

    def _is_indexed(self, record: Record | None) -> bool:
        state = None if record is None else self._state(record.uuid)
        return state is not None and is_indexed(state)

    def _shards(self, uuid: str) -> list[Shard]:
        """The shards of a group whose members are not counted in its state; none of anything else."""
        state = self._state(uuid)
        if state is None or TOTAL not in state or is_counted(state):
            return []
        return self.groups.shards(uuid, state[TOTAL])

    def _delete_members(self, group: str, total: int) -> None:
        for index in range(total):
            if (record := self.read(member_id(group, index))) is not None and record.ended:
                self.delete(record.uuid)
        for number in range(shards_of(total)):
            self._items.pop(shard_key(group, number), None)

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
        return to_ms(self.clock.now())


class _MemoryGroups:
    """See `Groups`."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def open(self, state: Item) -> tuple[Group | None, bool]:
        """See `Groups.open`."""
        with self._store._lock:
            items = self._store._items.setdefault(state["pk"], {})
            if (
                STATE not in items or items[STATE]["status"] == PENDING
            ):  # a worker gave its message back unopened
                items[STATE] = state
            return group_of(items[STATE]), items[STATE] is state

    def get(self, uuid: str, *, consistent: bool = True) -> Group | None:
        """See `Groups.get`."""
        with self._store._lock:
            state = self._store._state(uuid)
            return None if state is None else group_of(state)

    def count(self, group: str, shard: Shard, ttl: int) -> Shard:
        """See `Groups.count`."""
        key, change = shard_key(group, shard.number), members_counted(shard, ttl)
        with self._store._lock:
            items = self._store._items.setdefault(key, {})
            items[SHARD] = change.apply(items.get(SHARD, {"pk": key, "sk": SHARD}))
            return shard_of(shard.number, items[SHARD])

    def fill(self, group: str, shard: int) -> Group | None:
        """See `Groups.fill`."""
        with self._store._lock:
            if self.get(group) is None:
                return None
            return group_of(self._store._change(group, shard_filled(shard)))

    def close(self, group: str, status: str, members: Members, fields: Item) -> None:
        """See `Groups.close`."""
        with self._store._lock:
            known = self.get(group)
            if known is not None and not known.ended:
                now = self._store._now()
                self._store._change(group, group_ended(group, status, members, fields, now))

    def shards(self, group: str, total: int) -> list[Shard]:
        """See `Groups.shards`."""
        with self._store._lock:
            keys = [shard_key(group, number) for number in range(shards_of(total))]
            items = {key: self._store._items[key][SHARD] for key in keys if key in self._store._items}
            return shards_read(group, total, items)


def _is_listed(job: Item, owner: str) -> bool:
    return job.get("owner") == owner and "owner_day" in job


def _holds(state: Item | None, token: str) -> TypeGuard[Item]:
    return state is not None and state.get("token") == token and state["status"] == RUNNING
