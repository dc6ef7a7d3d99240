"""The step after the end of a member: counting it, sending the next step of a chain, and ending its group.

Every part of it can be done twice: a member is counted in a set, what is sent has an id that follows from its group's,
and a group that has ended stays as it is. So it is done again with each delivery of a member that has ended, until
nothing of it is left undone: https://docs.aws.amazon.com/wellarchitected/latest/reliability-pillar/rel_prevent_interaction_failure_idempotent.html
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.encoding import encode
from serverless_tasks.engine.job.place import Place, member_id
from serverless_tasks.engine.job.plan import END, Plan, Step
from serverless_tasks.engine.job.record import (
    CANCELLED,
    FAILED,
    GROUP_STOPPED,
    SKIPPED_STEP,
    SUCCEEDED,
    TASK_CANCELLED,
    Failure,
    Members,
)
from serverless_tasks.engine.store.base import ClaimAnswer
from serverless_tasks.engine.store.groups import counted, ended_members, expires_after, member_ids
from serverless_tasks.engine.store.items import failure_fields, keep_until
from serverless_tasks.engine.workflow.sending import message_of, send, settling_message
from serverless_tasks.errors import (
    AlreadyFinished,
    ConfigurationError,
    PayloadTooLarge,
    ServerlessTasksError,
    TaskNotFound,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from serverless_tasks.engine.job.clock import Clock
    from serverless_tasks.engine.job.record import Record
    from serverless_tasks.engine.store.base import Store
    from serverless_tasks.engine.store.group import Group, Shard
    from serverless_tasks.engine.store.items import Item
    from serverless_tasks.engine.workflow.sending import Publish

logger = logging.getLogger(__name__)

NAMED: Final = 20
MEMBERS_FAILED: Final = "MembersFailed"
INCOMPLETE: Final = "Incomplete"
NOT_CONTINUED: Final = "ContinuationNotSent"
PLAN_GONE: Final = "InputsUnavailable"


class FanIn:
    """Counts the members of groups, and ends groups.

    Args:
        store: where jobs and groups are kept.
        publish: sends messages and keeps their jobs.
        clock: the time.
    """

    def __init__(self, store: Store, publish: Publish, clock: Clock) -> None:
        self._store = store
        self._publish = publish
        self._clock = clock

    def count(self, ends: Mapping[Place, str]) -> None:
        """Count members whose end is recorded.

        Args:
            ends: their places and statuses, as they are recorded: they have been written, or read.

        Raises:
            ServerlessTasksError: something could not be done, and all of it is to be done again.
        """
        steps = {place: status for place, status in ends.items() if place.chain}
        ends = {place: status for place, status in ends.items() if not place.chain}
        for place, status in steps.items():
            ends |= self._advance(place, status)
        stopping = {place.group for place, status in ends.items() if place.stops and status != SUCCEEDED}
        for group in stopping:
            self._stop_others(group)
        places = {(place.group, place.shard): place for place in ends}
        for key, shard in ended_members(ends).items():
            self.count_shard(places[key], shard)

    def count_shard(self, place: Place, shard: Shard) -> None:
        """Count members of one shard, and end their group when they are the last.

        Args:
            place: the place of one of them.
            shard: the members.
        """
        keep = keep_until(expires_after(place.until))
        known = self._store.groups.count(place.group, shard, keep)
        if len(known.ended) < place.shard_size:
            return
        group = self._store.groups.fill(place.group, place.shard)
        if group is not None and group.all_counted:
            self.close(group)

    def close(self, group: Group) -> None:
        """End a group of which all members have ended: what follows it is sent first."""
        if not group.ended:
            shards = self._store.groups.shards(group.uuid, group.total)
            members = counted(group.total, shards)
            status, failure, fields = self._continued(group, *self._outcome(group, members, shards))
            if failure is not None:
                fields |= failure_fields(failure)
            self._store.groups.close(group.uuid, status, members, fields)
        if group.place is not None and (ended := self._store.groups.get(group.uuid)) is not None:
            self.count({group.place: ended.status})

    def _continued(
        self, group: Group, status: str, failure: Failure | None
    ) -> tuple[str, Failure | None, Item]:
        """Send what follows a group; return how the group ends, and what its state says of what follows."""
        plan, missing = self.plan_of(group)
        if plan is None:
            return FAILED, failure or missing, {}
        if plan.then is None or (status != SUCCEEDED and plan.on != END):
            return status, failure, {}
        if group.stopped and self._store.read(group.continuation, whole=False) is None:
            return (status, failure, {}) if failure is not None else (CANCELLED, TASK_CANCELLED, {})
        try:
            self._send_continuation(group, plan.then)
        except (PayloadTooLarge, ConfigurationError) as error:
            # A setting that is missing may be there after the next deployment, for which there is time to the deadline.
            if isinstance(error, ConfigurationError) and to_ms(self._clock.now()) < group.deadline:
                raise
            logger.exception("the job that follows group %s could not be sent", group.uuid)
            text = f"The job that follows the group could not be sent: {error}"
            return FAILED, Failure(type=NOT_CONTINUED, message=text, public=False), {}
        return status, failure, {"outputs": encode({"continuation": group.continuation})}

    def plan_of(self, group: Group) -> tuple[Plan | None, Failure | None]:
        """Return the plan of a group; or, where it is not kept, None and what that means for the group.

        Raises:
            ServerlessTasksError: the bucket does not give it now. S3 says of what may not be read the same as of what
                is not there, so that only after the deadline it counts as gone.
        """
        job = self._store.job(group.uuid)
        if job is None:
            text = "The group was not submitted whole: its plan was never kept."
            return None, Failure(type=INCOMPLETE, message=text)
        if not job.inputs:
            if to_ms(self._clock.now()) < group.deadline:
                raise ServerlessTasksError(
                    f"The plan of group {group.uuid} cannot be read: the bucket has no {job.inputs_key}, or this role"
                    " may not read it. It is tried again until the group's deadline."
                )
            text = "The bucket no longer has the plan of the group, so that what follows was not sent."
            return None, Failure(type=PLAN_GONE, message=text)
        return Plan.of(job.inputs), None

    def ids_of(self, group: Group, indices: Sequence[int]) -> list[str]:
        """Return the ids of members, also of those that succeeded in the group that this one retries."""
        shards = self._store.groups.shards(group.uuid, group.total)
        return member_ids(group, indices, shards, self._store.groups)

    def skip(
        self, group: Group, plan: Plan | None, indices: Sequence[int], failure: Failure
    ) -> dict[Place, str]:
        """End members that were not sent, and will not be; return how each is recorded."""
        ends: dict[Place, str] = {}
        now = to_ms(self._clock.now())
        for index in indices:
            place, uuid = group.member_place(index), member_id(group.uuid, index)
            step = plan.members[index] if plan is not None else Step(task="chain")
            message = message_of(step, uuid=uuid, now=now, owner=group.owner, member=place)
            settled = self._store.settle(message, failure, status=CANCELLED)
            if settled.answer != ClaimAnswer.BUSY:
                ends[place] = settled.status
        return ends

    def _advance(self, place: Place, status: str) -> dict[Place, str]:
        """Send the step that follows one, or end those that never will follow; return all that are to be counted."""
        following = range(place.index + 1, place.total)
        if not following:
            return {place: status}
        group = self._store.groups.get(place.group)
        if group is None or group.ended or self._is_counted(group, place):
            return {place: status}
        plan, missing = self.plan_of(group)
        if plan is None or status != SUCCEEDED or group.stopped:
            why = GROUP_STOPPED if group.stopped else missing or SKIPPED_STEP
            return {place: status, **self.skip(group, plan, following, why)}
        index = place.index + 1
        step = message_of(
            plan.members[index],
            uuid=member_id(group.uuid, index),
            now=to_ms(self._clock.now()),
            owner=group.owner,
            member=group.member_place(index),
            previous=member_id(group.uuid, place.index),
        )
        send(self._publish, [step])
        return {place: status}

    def _is_counted(self, group: Group, place: Place) -> bool:
        """Return whether a member was counted before: then all that comes before that was done."""
        shard = self._store.groups.shards(group.uuid, group.total)[place.shard]
        return place.position in shard.ended

    def _send_continuation(self, group: Group, step: Step) -> None:
        following = message_of(
            step,
            uuid=group.continuation,
            now=to_ms(self._clock.now()),
            owner=group.owner,
            previous=group.uuid,
        )
        send(self._publish, [following])

    def stop(self, uuid: str) -> Record:
        """Cancel a group: no member begins any more, and a worker ends those that have not begun.

        Raises:
            TaskNotFound: nothing is known of it.
            AlreadyFinished: it has ended.
        """
        record = self._store.cancel(uuid)
        self.settle_soon(uuid)
        return record

    def settle_soon(self, uuid: str) -> None:
        """Let a worker see to the members of a group."""
        group, job = self._store.groups.get(uuid), self._store.job(uuid)
        if group is not None and job is not None:
            now = to_ms(self._clock.now())
            send(self._publish, [settling_message(uuid, job.queue, job.task, now=now)])

    def _stop_others(self, uuid: str) -> None:
        group = self._store.groups.get(uuid, consistent=False)
        if group is None or group.stopped or group.ended:
            return
        with suppress(AlreadyFinished, TaskNotFound):
            self.stop(uuid)

    def _outcome(self, group: Group, members: Members, shards: Sequence[Shard]) -> tuple[str, Failure | None]:
        if members.succeeded == members.total:
            return SUCCEEDED, None
        if group.stopped and not (group.stops and members.failed):
            return CANCELLED, TASK_CANCELLED
        unsent = [index for shard in shards for index in shard.indices(shard.unsent)]
        if unsent:
            text = f"{len(unsent)} of {members.total} members were never sent: {_named(unsent)}"
            return FAILED, Failure(type=INCOMPLETE, message=text)
        failed = [index for shard in shards for index in shard.indices(shard.failed | shard.cancelled)]
        text = f"{len(failed)} of {members.total} members did not succeed: {_named(failed)}"
        return FAILED, Failure(type=MEMBERS_FAILED, message=text)


def _named(indices: Sequence[int]) -> str:
    names = ", ".join(map(str, indices[:NAMED]))
    left = len(indices) - NAMED
    return f"{names} and {left} more." if left > 0 else f"{names}."
