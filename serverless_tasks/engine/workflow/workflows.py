"""Workflows, for whoever submits, runs, cancels or deletes their jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from serverless_tasks.engine.job.message import OPEN, Message
from serverless_tasks.engine.job.place import member_id
from serverless_tasks.engine.job.plan import Plan
from serverless_tasks.engine.job.record import CANCELLED, EXPIRED, FAILED, GROUP_STOPPED, RUNNING, Failure
from serverless_tasks.engine.store.base import ClaimAnswer
from serverless_tasks.engine.store.payloads import load_inputs
from serverless_tasks.engine.workflow.fan_in import FanIn
from serverless_tasks.engine.workflow.opening import Opening
from serverless_tasks.engine.workflow.settling import Settling
from serverless_tasks.errors import NotFinished

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serverless_tasks.engine.job.clock import Clock
    from serverless_tasks.engine.job.place import Place
    from serverless_tasks.engine.job.record import Record
    from serverless_tasks.engine.store.base import Blobs, Store
    from serverless_tasks.engine.workflow.sending import Publish

# Seconds between two looks of a process at the mark of one group.
_LOOK: Final = 1.0
_LOOKED_AT: Final = 1_000


class Workflows:
    """Groups and chains.

    Args:
        store: where jobs and groups are kept.
        blobs: where large payloads lie, or None.
        publish: sends messages and keeps their jobs.
        clock: the time.
        has_deadlines: see `Opening`.
    """

    def __init__(
        self, store: Store, blobs: Blobs | None, publish: Publish, clock: Clock, *, has_deadlines: bool = True
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._clock = clock
        self._fan_in = FanIn(store, publish, clock)
        self._settling = Settling(store, clock, self._fan_in)
        opening = Opening(store, blobs, publish, clock, self._fan_in, has_deadlines=has_deadlines)
        self.open = opening.open
        self.stop = self._fan_in.stop
        self.ids_of = self._fan_in.ids_of
        self._marks: dict[str, tuple[float, bool]] = {}

    def count(self, ends: Mapping[Place, str]) -> None:
        """Count members whose end is recorded; see `FanIn.count`."""
        self._fan_in.count(ends)

    def is_stopped(self, group: str) -> bool:
        """Return whether a group was cancelled, as far as a look at it tells that is a second old at most."""
        now = self._clock.now()
        looked, stopped = self._marks.get(group, (0.0, False))
        if stopped or now - looked < _LOOK:
            return stopped
        found = self._store.groups.get(group, consistent=False)
        if len(self._marks) >= _LOOKED_AT:
            self._marks.clear()
        self._marks[group] = now, found is not None and found.stopped
        return self._marks[group][1]

    def deliver(self, message: Message) -> float | None:
        """Do what the message of a workflow says: open a group, or see to its members.

        Returns:
            Seconds until it is to be delivered again, or None.

        Raises:
            ServerlessTasksError: something could not be done; the message must come back.
        """
        if message.workflow != OPEN:
            return self._settling.settle(message)
        if message.member is not None and self.is_stopped(message.member.group):
            self.settle(message, GROUP_STOPPED, status=CANCELLED)
            return None
        self.open(message, Plan.of(load_inputs(message, self._blobs)).hashed())
        return None

    def settle(self, message: Message, failure: Failure, *, status: str = FAILED) -> str | None:
        """Settle a job that nobody holds, and count it where it is a member.

        Returns:
            How it is recorded; None while an attempt holds it.
        """
        claim = self._store.settle(message, failure, status=status)
        if claim.answer == ClaimAnswer.BUSY:
            return None
        if message.member is not None:
            self.count({message.member: claim.status})
        return claim.status

    def cancelled(self, record: Record) -> None:
        """Do what follows the cancelling of a job that is a group, or that had not begun as a member of one."""
        if record.members is not None:
            self._fan_in.settle_soon(record.uuid)
        self.ended(record)

    def ended(self, record: Record) -> None:
        """Count a job that ended without a worker, or that is about to be deleted, where it is a member.

        What time alone has made of it is recorded first: a late delivery of it finds that it has ended.

        Raises:
            NotFinished: a late delivery has begun it.
        """
        if record.group is None or not record.ended:
            return
        job = self._store.job(record.uuid) or self._member_of(record)
        if job is None or job.member is None:
            return
        status = self.settle(job, record.failure or EXPIRED, status=record.status)
        if status is None:
            raise NotFinished(record.uuid, RUNNING)

    def _member_of(self, record: Record) -> Message | None:
        """Return a member whose job was not kept, as far as its state repeats it: its id tells which one it is."""
        group = self._store.groups.get(record.group) if record.group is not None else None
        if group is None:
            return None
        for index in range(group.total):
            if member_id(group.uuid, index) == record.uuid:
                return Message(
                    uuid=record.uuid,
                    task=record.task,
                    owner=record.owner,
                    created=record.created,
                    expires=group.expires,
                    member=group.member_place(index),
                )
        return None
