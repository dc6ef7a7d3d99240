"""Seeing to it that every member of a group ends: at its deadline, and once it was cancelled."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.job.place import SHARD_MEMBERS, member_id
from serverless_tasks.engine.job.record import (
    CANCELLED,
    FAILED,
    GROUP_STOPPED,
    NEVER_SENT,
    PAST_DEADLINE,
    RUNNING,
    SUCCEEDED,
    WORKER_LOST,
)
from serverless_tasks.engine.store.base import ClaimAnswer
from serverless_tasks.engine.store.group import Shard
from serverless_tasks.engine.store.items import keep_until
from serverless_tasks.errors import AlreadyFinished, TaskNotFound

if TYPE_CHECKING:
    from serverless_tasks.engine.job.clock import Clock
    from serverless_tasks.engine.job.record import Failure, Record
    from serverless_tasks.engine.store.base import Store
    from serverless_tasks.engine.store.group import Group
    from serverless_tasks.engine.workflow.fan_in import FanIn

# Seconds until it is looked again at members that run, at least and at most.
_SOONEST: Final = 30.0
_LATEST: Final = 900.0
# Seconds for which a message is given back at most: an hour less than SQS can hide it.
_LONGEST_AWAY: Final = 39_600.0
# Milliseconds between the sending of a deadline and the state of its group, at most: no Lambda function lives longer.
_KEPT_WITHIN: Final = 900_000


class Settling:
    """Ends the members of groups that nobody ends.

    Args:
        store: where jobs and groups are kept.
        clock: the time.
        fan_in: counts them.
    """

    def __init__(self, store: Store, clock: Clock, fan_in: FanIn) -> None:
        self._store = store
        self._clock = clock
        self._fan_in = fan_in

    def settle(self, message: Message) -> float | None:
        """Settle first, and count by what is recorded then; a member under a live lease is left to its worker.

        Args:
            message: what a group's deadline, or its canceller, has sent.

        Returns:
            Seconds until it is to be looked again; None when there is nothing more to be done.

        Raises:
            ServerlessTasksError: something could not be done; it is to be tried again.
        """
        now = to_ms(self._clock.now())
        group = self._store.groups.get(message.uuid)
        if group is None:
            # It is sent before the group is kept: of a deadline of seconds it may come before that as well.
            is_early = now < message.created + _KEPT_WITHIN and not self._store.deleted(message.uuid)
            return _SOONEST if is_early else None
        # One without members may still be on its way: who opens it closes it.
        is_counted = group.all_counted and (group.total > 0 or now >= group.deadline)
        if group.ended or is_counted:
            self._fan_in.close(group)
            return None
        if not group.stopped and now < group.deadline:
            return min(_LONGEST_AWAY, (group.deadline - now) / 1000 + 1)  # it came before its time
        until = self._settle_chain(group) if group.chain else self._settle_members(group)
        if until is None or (group.stopped and now < group.deadline):
            return None  # what runs hears of it, and is counted when it ends; the deadline sees to the rest
        return min(_LATEST, max(_SOONEST, (until - now) / 1000 + 1))

    def _settle_members(self, group: Group) -> int | None:
        """Settle the members of a group; return until when one of those that run may, or None."""
        latest: int | None = None
        for shard in self._store.groups.shards(group.uuid, group.total):
            first = shard.number * SHARD_MEMBERS
            size = group.member_place(first).shard_size
            left = [first + position for position in range(size) if position not in shard.ended]
            records = self._store.read_many([member_id(group.uuid, index) for index in left], whole=False)
            settled: dict[str, set[int]] = {
                name: set() for name in ("ended", "failed", "cancelled", "unsent")
            }
            for index in left:
                record = records.get(member_id(group.uuid, index))
                status, until, unsent = self._settle_member(group, index, record)
                if status is None:
                    latest = max(latest or 0, until)
                    continue
                position = index - first
                settled["ended"].add(position)
                if status == FAILED:
                    settled["failed"].add(position)
                if status == CANCELLED:
                    settled["cancelled"].add(position)
                if unsent:
                    settled["unsent"].add(position)
            if settled["ended"] or (not left and shard.number not in group.full):
                sets = {name: frozenset(found) for name, found in settled.items()}
                self._fan_in.count_shard(group.member_place(first), Shard(number=shard.number, **sets))
        return latest

    def _settle_chain(self, group: Group) -> int | None:
        """Settle the step at which a chain stands; those after it follow."""
        (shard,) = self._store.groups.shards(group.uuid, group.total)
        left = [position for position in range(group.total) if position not in shard.ended]
        if not left:
            self._fan_in.count_shard(group.member_place(0), Shard(number=0))
            return None
        index = left[0]
        record = self._store.read(member_id(group.uuid, index), whole=False)
        status, until, unsent = self._settle_member(group, index, record)
        if status is None:
            return until
        if unsent:
            missing = Shard(number=0, unsent=frozenset({index}))
            self._store.groups.count(group.uuid, missing, keep_until(group.expires))
        if status == SUCCEEDED and index + 1 < group.total and not group.stopped:
            # The next step was not sent, and it is too late for it.
            plan, _ = self._fan_in.plan_of(group)
            self._fan_in.skip(group, plan, range(index + 1, group.total), PAST_DEADLINE)
        self._fan_in.count({group.member_place(index): status})
        return None

    def _settle_member(self, group: Group, index: int, record: Record | None) -> tuple[str | None, int, bool]:
        """Settle one member.

        Returns:
            How it ended, or None; until when it may run, in milliseconds since the epoch; whether it was never sent.
        """
        if record is not None and record.members is not None and not record.ended:
            self._see_to_nested(group, record)
            return None, to_ms(self._clock.now() + _LATEST), False
        if record is not None and record.status == RUNNING and group.stopped:
            return None, record.lease or 0, False
        failure, status = self._reason(group, record)
        claim = self._store.settle(self._message(group, index, record), failure, status=status)
        if claim.answer == ClaimAnswer.BUSY:
            return None, claim.until, False
        # One that was settled before, by a sweep that was cut short, says so itself.
        unsent = failure.message == NEVER_SENT.message and (
            record is not None or claim.answer == ClaimAnswer.SETTLED
        )
        return claim.status, 0, unsent

    @staticmethod
    def _reason(group: Group, record: Record | None) -> tuple[Failure, str]:
        if record is not None and record.ended and record.failure is not None:
            return record.failure, record.status  # what time has made of it is written now
        if group.stopped:
            return GROUP_STOPPED, CANCELLED
        if record is None:
            return NEVER_SENT, FAILED
        return (WORKER_LOST if record.status == RUNNING else PAST_DEADLINE), FAILED

    def _see_to_nested(self, group: Group, record: Record) -> None:
        if not group.stopped:
            self._fan_in.settle_soon(record.uuid)
            return
        with suppress(AlreadyFinished, TaskNotFound):
            self._fan_in.stop(record.uuid)

    def _message(self, group: Group, index: int, record: Record | None) -> Message:
        """Return a message as far as a member's state repeats it."""
        return Message(
            uuid=member_id(group.uuid, index),
            task=record.task if record is not None else self._task_of(group),
            owner=group.owner,
            created=record.created if record is not None else to_ms(self._clock.now()),
            expires=group.expires,
            member=group.member_place(index),
        )

    def _task_of(self, group: Group) -> str:
        job = self._store.job(group.uuid)
        return job.task if job is not None else "group"
