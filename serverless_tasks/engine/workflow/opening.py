"""Opening a group or a chain: its deadline, its state, and its members, in this order.

Whoever opens it may die at any call. Opened again, by the same submitter or by a worker to which its message comes
again, it sends the members that are missing; and its deadline ends it where nobody does. The deadline is sent first, so
that there is none without.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.place import member_id, shard_size, shards_of
from serverless_tasks.engine.job.record import CANCELLED, GROUP_STOPPED
from serverless_tasks.engine.store.base import ClaimAnswer
from serverless_tasks.engine.store.group import Shard
from serverless_tasks.engine.store.groups import group_state
from serverless_tasks.engine.store.items import keep_until
from serverless_tasks.engine.store.payloads import offload_inputs
from serverless_tasks.engine.workflow.sending import message_of, send, settling_message
from serverless_tasks.errors import AwsError, IdempotencyConflict, SubmitFailed, SubmitUncertain, unsent

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from serverless_tasks.engine.job.clock import Clock
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.job.plan import Plan
    from serverless_tasks.engine.store.base import Blobs, Store
    from serverless_tasks.engine.store.group import Group
    from serverless_tasks.engine.workflow.fan_in import FanIn
    from serverless_tasks.engine.workflow.sending import Publish

# How much earlier the deadline of a nested group is than its parent's, in milliseconds.
_EARLIER: Final = 60_000
# Members whose jobs are looked for at a time.
_LOOKED_FOR: Final = 1_000


class Opening:
    """Opens groups.

    Args:
        store: where jobs and groups are kept.
        blobs: where large plans lie, or None.
        publish: sends messages and keeps their jobs.
        clock: the time.
        fan_in: ends those that have no members.
        has_deadlines: whether a message can wait for the deadline; else all members end while they are sent.
    """

    def __init__(
        self,
        store: Store,
        blobs: Blobs | None,
        publish: Publish,
        clock: Clock,
        fan_in: FanIn,
        *,
        has_deadlines: bool,
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._publish = publish
        self._clock = clock
        self._fan_in = fan_in
        self._has_deadlines = has_deadlines

    def open(
        self,
        message: Message,
        plan: Plan,
        *,
        earlier: Collection[int] = (),
        follows: Mapping[int, str] | None = None,
        sent: Callable[[int], object] | None = None,
    ) -> None:
        """Open a group, or go on with one that was opened before.

        Args:
            message: its job; its inputs are the plan where it was sent, and none where it is submitted now.
            plan: its plan, with all members.
            earlier: the members that had succeeded in the group that this one retries; they are not sent.
            follows: member -> the job that has the place of its unique task.
            sent: is told how many members were sent since it was told last, for whoever shows that.

        Raises:
            IdempotencyConflict: a group of this id has other members, or is another owner's.
            SubmitFailed: nothing of it was kept.
            SubmitUncertain: it is not, or perhaps not, open as a whole; to open it again with its id is safe.
        """
        now, tell = to_ms(self._clock.now()), sent or _untold
        try:
            kept = self._kept(message, plan)
            state = group_state(message, plan, now=now, deadline=self._deadline(message, plan, now))
            if self._has_deadlines:
                late = settling_message(
                    message.uuid, message.queue, message.task, now=now, run_at=state["deadline"]
                )
                send(self._publish, [late])
        except (AwsError, SubmitUncertain) as error:
            raise SubmitFailed(f"Job {message.uuid} was not sent: {error}") from error
        try:
            group, is_new = self._store.groups.open(state)
        except AwsError as error:
            raise unsent(message.uuid, str(error), uncertain=error.applied) from error
        try:
            if group is None:
                self._count_closed(message)
                return
            if (group.fingerprint, group.owner) != (plan.fingerprint, message.owner):
                raise IdempotencyConflict(message.task, f"uuid {message.uuid}")
            if group.ended:
                self._fan_in.close(group)
                return
            self._store.put_jobs([kept])
            self._count_earlier(group, earlier)
            for number in self._send_members(
                group, plan, message, set(earlier), follows or {}, look=not is_new
            ):
                tell(number)
            if not plan.total:
                self._fan_in.close(group)
        except (AwsError, SubmitFailed, SubmitUncertain) as error:
            raise SubmitUncertain(message.uuid, str(error)) from error

    def _kept(self, message: Message, plan: Plan) -> Message:
        """Return the job that is kept of a group: of one that was sent, what was sent."""
        if message.inputs or message.inputs_key is not None:
            return message
        kept = replace(message, inputs=plan.kept().to_json())
        return kept if self._store.any_size else offload_inputs(kept, self._blobs)

    def _count_closed(self, message: Message) -> None:
        """Count a group that ended before it was opened, or was deleted, where it is a member of another."""
        if message.member is not None:
            claim = self._store.settle(message, GROUP_STOPPED, status=CANCELLED)
            if claim.answer != ClaimAnswer.BUSY:
                self._fan_in.count({message.member: claim.status})
        elif not self._store.deleted(message.uuid):
            raise IdempotencyConflict(message.task, f"uuid {message.uuid}")

    def _deadline(self, message: Message, plan: Plan, now: int) -> int:
        deadline = now + plan.deadline * 1000
        if message.member is None:
            return deadline
        parent = self._store.groups.get(message.member.group)
        return deadline if parent is None else min(deadline, parent.deadline - _EARLIER)

    def _count_earlier(self, group: Group, earlier: Collection[int]) -> None:
        """Count the members that succeeded in an earlier group, before any other can end."""
        keep = keep_until(group.expires)
        for number in range(shards_of(group.total)) if earlier else ():
            places = map(group.member_place, earlier)
            done = frozenset(place.position for place in places if place.shard == number)
            if not done:
                continue
            counted = self._store.groups.count(
                group.uuid, Shard(number=number, ended=done, earlier=done), keep
            )
            if len(counted.ended) == shard_size(number, group.total):
                self._store.groups.fill(group.uuid, number)

    def _send_members(
        self,
        group: Group,
        plan: Plan,
        message: Message,
        earlier: set[int],
        follows: Mapping[int, str],
        *,
        look: bool,
    ) -> Iterator[int]:
        """Send the members that are missing; yields how many are there, each time that some more are."""
        indices = [index for index in range(group.total) if index not in earlier]
        if group.chain:
            indices = indices[:1]
        for start in range(0, len(indices), _LOOKED_FOR):
            some = indices[start : start + _LOOKED_FOR]
            ids = {index: member_id(group.uuid, index) for index in some}
            there = self._store.read_many(list(ids.values()), whole=False) if look else {}
            now = to_ms(self._clock.now())
            members = [
                message_of(
                    plan.members[index],
                    uuid=ids[index],
                    # Of one that may have been sent the job is kept as it was.
                    now=there[ids[index]].created if ids[index] in there else now,
                    owner=message.owner,
                    member=group.member_place(index),
                    previous=self._previous(group, message, index),
                    follows=follows.get(index),
                    build=message.build,
                )
                for index in some
                if ids[index] not in there or there[ids[index]].uncertain
            ]
            if members:
                send(self._publish, members)
            yield len(some)

    def _previous(self, group: Group, message: Message, index: int) -> str | None:
        """What the references of a member speak of: in a chain the step before it, else what came before the group."""
        if not group.chain or index == 0:
            return message.previous
        if group.retry_of is not None:
            (before,) = self._fan_in.ids_of(group, [index - 1])
            return before
        return member_id(group.uuid, index - 1)


def _untold(number: int) -> None:
    """Tell nobody how many members were sent."""
