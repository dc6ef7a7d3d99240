"""Deleting a job from DynamoDB and the bucket, so that what was cut short can be taken up again."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from serverless_tasks.engine.aws.dynamodb.expressions import from_dynamodb, to_dynamodb
from serverless_tasks.engine.aws.session import ConditionFailed
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.dead_letter import dead_letter_key, job_letter
from serverless_tasks.engine.job.message import MAX_DELAY, inputs_key, outputs_prefix
from serverless_tasks.engine.job.place import member_id
from serverless_tasks.engine.job.record import CANCELLED, FAILED, PENDING, RUNNING, SUCCEEDED
from serverless_tasks.engine.job.retry import EARLY
from serverless_tasks.engine.store.assembly import record_from_items
from serverless_tasks.engine.store.items import (
    JOB,
    STATE,
    TOTAL,
    Item,
    deliverable_until,
    is_tombstone,
    keep_until,
    tombstone,
)
from serverless_tasks.errors import BucketMissing, ConfigurationError, NotFinished, TaskNotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from serverless_tasks.engine.aws.dynamodb.groups import TableGroups
    from serverless_tasks.engine.aws.dynamodb.items import TableItems
    from serverless_tasks.engine.job.clock import Clock
    from serverless_tasks.engine.job.record import Record
    from serverless_tasks.engine.store.base import Blobs, Forget

logger = logging.getLogger(__name__)

# Members of a group that are deleted one after another; of more than that several at once.
_FEW = 20
_AT_ONCE = 8

# What `record_from_items` calls ended: a terminal status, or live in name only, past every delivery.
_ENDED = (
    "attribute_not_exists(pk) OR #status IN (:succeeded, :failed, :cancelled)"
    " OR (#status = :pending AND #expires < :now)"
    " OR (#status = :running AND #expires < :now AND #lease < :now)"
)


class Deletion:
    """Deletes jobs.

    Args:
        items: the table's items.
        groups: its groups.
        clock: the time.
        blobs: where large payloads lie, or None.
        unschedule: deletes the schedule that sends a job, by its id and when it is due (milliseconds); or None.
        forget: deletes what statistics keep of a job that failed, or None.
    """

    def __init__(
        self,
        items: TableItems,
        groups: TableGroups,
        clock: Clock,
        blobs: Blobs | None,
        unschedule: Callable[[str, int], None] | None,
        forget: Forget | None = None,
    ) -> None:
        self._items = items
        self._groups = groups
        self._clock = clock
        self._blobs = blobs
        self._unschedule = unschedule
        self._forget = forget

    def delete(self, uuid: str, ending: Callable[[Record], None] | None = None) -> None:
        """See `Store.delete`.

        Its schedules go first, while it is known when they are due. Then the tombstone comes, so that nothing half
        deleted is read; the ``job`` item goes last, so that the owner's listing leads back to a job whose deletion was
        cut short. The members of a group go before it.
        """
        items = {item["sk"]: item for item in self._items.query("pk = :pk", {":pk": uuid})}
        job, state = items.pop(JOB, None), items.pop(STATE, None)
        if state is not None and TOTAL in state:
            group = record_from_items([state], to_ms(self._clock.now()))
            if group is not None and group.ended:
                self._delete_members(uuid, state[TOTAL])
        payloads = self._payloads(uuid, job, state)
        if state is None or not is_tombstone(state):
            self._bury(uuid, job, state, items, ending)
        elif job is None and not items and not payloads:
            raise TaskNotFound(uuid)
        else:
            self._delete_schedules(uuid, job, state, items)
        if self._blobs is not None:
            self._blobs.delete([inputs_key(uuid), dead_letter_key(job_letter(uuid)), *payloads])
        self._items.delete_many(uuid, list(items))
        if job is not None:
            self._items.delete(uuid, JOB)

    def _delete_members(self, group: str, total: int) -> None:
        ids = [member_id(group, index) for index in range(total)]
        if total < _FEW:
            for uuid in ids:
                self._delete_member(uuid)
        else:
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="delete") as pool:
                list(pool.map(self._delete_member, ids))
        self._groups.delete_shards(group, total)

    def _delete_member(self, uuid: str) -> None:
        try:
            self.delete(uuid)
        except TaskNotFound:
            return  # it was never sent, or an earlier deletion was cut short after it

    def _bury(
        self,
        uuid: str,
        job: Item | None,
        state: Item | None,
        others: dict[str, Item],
        ending: Callable[[Record], None] | None,
    ) -> None:
        """Put the tombstone in the state's place.

        Raises:
            TaskNotFound: nothing is known of the job.
            NotFinished: it has not ended.
        """
        now = to_ms(self._clock.now())
        record = record_from_items([item for item in (job, state, *others.values()) if item is not None], now)
        if record is None:
            raise TaskNotFound(uuid)
        if not record.ended:
            raise NotFinished(uuid, record.status)
        if record.group is not None and ending is not None:
            ending(record)
        self._delete_schedules(uuid, job, state, others)
        if record.fingerprint and self._forget is not None:
            self._forget(record.fingerprint, uuid, record.finished or now)
        known = [item["ttl"] for item in (job, state) if item is not None and "ttl" in item]
        self._put_tombstone(record, max(known, default=keep_until(deliverable_until(now))), now)

    def _put_tombstone(self, record: Record, ttl: int, now: int) -> None:
        values = {
            ":succeeded": SUCCEEDED,
            ":failed": FAILED,
            ":cancelled": CANCELLED,
            ":pending": PENDING,
            ":running": RUNNING,
            ":now": now,
        }
        try:
            self._items.put(
                tombstone(record, ttl),
                ConditionExpression=_ENDED,
                ExpressionAttributeNames={"#status": "status", "#expires": "expires", "#lease": "lease"},
                ExpressionAttributeValues=to_dynamodb(values),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ConditionFailed as failed:  # a last delivery began it in between
            raise NotFinished(record.uuid, from_dynamodb(failed.item)["status"]) from None

    def _delete_schedules(
        self, uuid: str, job: Item | None, state: Item | None, others: dict[str, Item]
    ) -> None:
        """Delete the schedules that wait to send the job, or its retry, and hold its inputs until then.

        Raises:
            AwsError: one could not be deleted; the job is kept, for its inputs would be kept there.
        """
        if self._unschedule is None:
            return
        now = to_ms(self._clock.now())
        for asked, run_at in _waits(job, state, others):
            # What was due sooner lies in SQS, and what is due already has been sent.
            if run_at - asked <= MAX_DELAY * 1000 or run_at <= now:
                continue
            try:
                self._unschedule(uuid, run_at)
            except ConfigurationError as error:
                # Without a scheduler the message has gone through the queue, or waits in this process.
                logger.warning("deleted job %s may keep a schedule until it is due: %s", uuid, error)

    def _payloads(self, uuid: str, job: Item | None, state: Item | None) -> list[str]:
        """Return the keys of a job's outputs in the bucket, those of lost attempts among them.

        Raises:
            ConfigurationError: there are payloads, and no bucket is configured.
        """
        if self._blobs is not None:
            return self._blobs.list(outputs_prefix(uuid))
        named: list[Any] = [(job or {}).get("inputs_key"), (state or {}).get("outputs_key")]
        if any(key is not None for key in named):
            raise BucketMissing(f"Payloads of job {uuid}")
        return []


def _waits(job: Item | None, state: Item | None, others: dict[str, Item]) -> Iterator[tuple[int, int]]:
    """Yield the delays of a job: when each was set, and until when, in milliseconds since the epoch."""
    if job is not None and "run_at" in job:
        yield job["created"], job["run_at"]
    if state is not None and "not_before" in state:
        ends = [item["ended"] for key, item in others.items() if key.endswith("#end")]
        yield max(ends, default=state["created"]), state["not_before"] + EARLY
