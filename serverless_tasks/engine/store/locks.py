"""Rows that name one job: the key of a repeated submit, the one live job of a task and its inputs, a schedule's turn.

A row is a claim on a name, not on a worker: it is never deleted at a job's end, which would cost the worker a call.
Whoever finds it looks at the job that it names, and takes it over when that one has ended. Each taking is one
conditional write, so that of two who try, one wins and the other is shown the winner.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.record import RUNNING
from serverless_tasks.engine.store.hashes import lock_id
from serverless_tasks.engine.store.items import KEEP_AFTER_EXPIRY_MS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from serverless_tasks.engine.job.clock import Clock
    from serverless_tasks.engine.job.record import Record
    from serverless_tasks.engine.store.base import Store

# How long a unique task's row counts although nothing is known of its job, in milliseconds: the time between the row
# and the job's item, which are one send apart. No Lambda function lives longer, and no web request should.
GRACE_MS: Final = 900_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A row; times in milliseconds since the epoch.

    Attributes:
        id: what is claimed, hashed: ``key#...`` or ``unique#...``.
        uuid: the job that claims it.
        fingerprint: the hash of that job's owner, task and inputs, or ""; of a key, of the inputs as they were given.
        converted: of a key, the same hash of the inputs as they were converted, where that is another one.
        created: when the row was written.
        expires: when it counts for nothing any more, whatever became of the job.
    """

    id: str
    uuid: str
    created: int
    expires: int
    fingerprint: str = ""
    converted: str = ""

    def matches(self, other: Lock) -> bool:
        """Return whether the inputs of two jobs are the same, as given or as converted."""
        known = {self.fingerprint, self.converted or self.fingerprint}
        return not known.isdisjoint({other.fingerprint, other.converted or other.fingerprint})


class LockRows(Protocol):
    """The storage of lock rows."""

    def put(self, locks: Sequence[Lock], over: Mapping[str, str]) -> list[Lock]:
        """Write each row unless one is there that counts.

        Args:
            locks: the rows, each of another id.
            over: id -> the uuid of a holder whose row counts no longer.

        Returns:
            For each, the row that is there now: the given one, or the one that stands in its way.

        Raises:
            AwsError: the table could not be asked; some may have been written.
        """

    def read(self, ids: Sequence[str]) -> dict[str, Lock]:
        """The rows that are there and count, by their ids.

        Raises:
            AwsError: the table could not be asked.
        """

    def free(self, lock: Lock) -> None:
        """Let a row count for nothing, unless it was written anew, for this job or for another.

        Raises:
            AwsError: the table could not be asked.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The answer to a job that asks for a row.

    Attributes:
        lock: the row as it is now; its ``uuid`` is the job to submit, when one is to be.
        live: the job that holds it, when that one has been published and lives; nothing is to be submitted then.
        foreign: whether the holder is none of the asker's.
    """

    lock: Lock
    live: Record | None = None
    foreign: bool = False


class Locks:
    """Takes rows, and takes them over from jobs that no longer need them.

    Args:
        rows: where the rows are kept.
        store: where the jobs are kept.
        clock: the time.
    """

    def __init__(self, rows: LockRows, store: Store, clock: Clock) -> None:
        self._rows = rows
        self._store = store
        self._clock = clock

    def once(self, lock: Lock) -> Held:
        """Take the row of an idempotency key.

        A key that is taken keeps its job until it expires, however the job ended, unless that was deleted. A job that
        was never published, or perhaps not, is to be submitted again, with the uuid that the row has. The answer to
        another fingerprint is the row as it is.

        Raises:
            AwsError: the table could not be asked.
        """
        over: dict[str, str] = {}
        while True:
            (found,) = self._rows.put([lock], over)
            if found.uuid == lock.uuid:
                return Held(lock=found)
            record = self._store.read(found.uuid) if found.matches(lock) else None
            if record is not None and not record.uncertain:
                return Held(lock=found, live=record)
            if record is not None or not self._store.deleted(found.uuid):
                return Held(lock=found)
            over = {lock.id: found.uuid}

    def only(self, locks: Sequence[Lock], *, anonymous: bool = False) -> list[Held]:
        """Take the rows of jobs of which one may live at a time.

        A job of the same owner that holds a row and was never published, or perhaps not, is to be submitted again
        with its own uuid: whoever took the row may have died since, and if not, the two messages are one job.

        Args:
            locks: the rows, each of another id.
            anonymous: whether the caller is nobody in particular, and no job without an owner is theirs.

        Raises:
            AwsError: the table could not be asked; rows that were taken before are taken over in time.
        """
        held: dict[str, Held] = {}
        wanted = {lock.id: lock for lock in locks}
        asked, over = wanted, dict[str, str]()
        while asked:
            found = self._rows.put(list(asked.values()), over)
            in_the_way = [row for row in found if row.uuid != asked[row.id].uuid]
            held |= {row.id: Held(lock=row) for row in found if row.uuid == asked[row.id].uuid}
            records = self._records([row.uuid for row in in_the_way])
            asked, over = {}, {}
            for row in in_the_way:
                answer = self._answer(row, records.get(row.uuid), wanted[row.id], anonymous)
                if isinstance(answer, Held):
                    held[row.id] = answer
                else:
                    asked[row.id], over[row.id] = answer, row.uuid
        return [held[lock.id] for lock in locks]

    def look(self, locks: Sequence[Lock], *, anonymous: bool = False) -> dict[str, Held]:
        """Return the answer of `only` for the rows that are there, without taking any.

        Raises:
            AwsError: the table could not be asked.
        """
        rows = self._rows.read([lock.id for lock in locks])
        records = self._records([row.uuid for row in rows.values()])
        held: dict[str, Held] = {}
        for lock in locks:
            if (row := rows.get(lock.id)) is not None:
                answer = self._answer(row, records.get(row.uuid), lock, anonymous)
                held[row.id] = answer if isinstance(answer, Held) else Held(lock=answer)
        return held

    def _answer(self, row: Lock, record: Record | None, wanted: Lock, anonymous: bool) -> Held | Lock:
        """Return the answer for a row that is in the way, or the row to write over it."""
        if record.ended if record is not None else self._store.deleted(row.uuid):
            return wanted
        mine = row.fingerprint == wanted.fingerprint and not anonymous
        if record is not None and not record.uncertain:
            return Held(lock=row, live=record, foreign=not mine)
        if mine:
            return replace(wanted, uuid=row.uuid)
        if record is None and self._now() > row.created + GRACE_MS:
            return wanted
        return Held(lock=row, foreign=True)

    def acquire(self, name: str, uuid: str) -> bool:
        """Ask for a name's turn, for a job that a worker has just claimed.

        The turn is another's while that one waits or runs under a live lease; a job that asks again has it still.

        Args:
            name: what only one job at a time may do, such as a schedule's name.
            uuid: the job that asks.

        Raises:
            AwsError: the table could not be asked.
        """
        now = self._now()
        wanted = Lock(
            id=lock_id("unique", ["turn", name]), uuid=uuid, created=now, expires=now + KEEP_AFTER_EXPIRY_MS
        )
        over: dict[str, str] = {}
        while True:
            (found,) = self._rows.put([wanted], over)
            if found.uuid == uuid:
                return True
            holder = self._store.read(found.uuid, whole=False)
            if holder is not None and not holder.ended and not self._is_lost(holder):
                return False
            over = {wanted.id: found.uuid}

    def move(self, lock: Lock, uuid: str) -> None:
        """Let a row name another job, unless somebody else has taken it."""
        self._rows.put([replace(lock, uuid=uuid)], {lock.id: lock.uuid})

    def free(self, lock: Lock) -> None:
        """Let a row count for nothing, unless it was written anew.

        Raises:
            AwsError: the table could not be asked.
        """
        self._rows.free(lock)

    def _records(self, uuids: Sequence[str]) -> dict[str, Record]:
        if len(uuids) == 1:
            record = self._store.read(uuids[0], whole=False)
            return {} if record is None else {record.uuid: record}
        return self._store.read_many(uuids, whole=False) if uuids else {}

    def _is_lost(self, record: Record) -> bool:
        return record.status == RUNNING and record.lease is not None and record.lease < self._now()

    def _now(self) -> int:
        return to_ms(self._clock.now())
