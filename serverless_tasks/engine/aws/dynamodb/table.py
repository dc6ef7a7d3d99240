"""Jobs in DynamoDB: every write conditional on who may make it.

Claims follow the pattern of Powertools' idempotency (one conditional write claims, and takes over an expired lease);
`ReturnValuesOnConditionCheckFailure` brings the item that stood in the way:
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html
"""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from serverless_tasks.engine.aws.dynamodb.expressions import from_dynamodb, to_dynamodb
from serverless_tasks.engine.aws.dynamodb.items import TableItems
from serverless_tasks.engine.aws.session import ConditionFailed
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.encoding import encode
from serverless_tasks.engine.job.masking import masked
from serverless_tasks.engine.job.message import SCHEDULER_TRIES, outputs_prefix
from serverless_tasks.engine.job.record import CANCELLED, ENDED, FAILED, PENDING, RUNNING, SUCCEEDED
from serverless_tasks.engine.store import transitions
from serverless_tasks.engine.store.assembly import (
    RECORDED,
    VERSION_ATTRIBUTES,
    message_from_item,
    names_others,
    outputs_key,
    pending_record,
    record_from_items,
    version_token,
)
from serverless_tasks.engine.store.base import Claim, ClaimAnswer, Listed
from serverless_tasks.engine.store.items import (
    COMPRESSED,
    INLINE_OUTPUTS,
    ITEM_OUTPUTS,
    JOB,
    LARGEST_OUTPUTS,
    STATE,
    STATE_PREFIX,
    TOTAL,
    Item,
    compressed,
    deliverable_until,
    ended_item,
    failure_fields,
    is_indexed,
    is_tombstone,
    job_item,
    keep_until,
    lost_item,
    message_items,
    outputs_item,
)
from serverless_tasks.engine.store.overlap import allows_overlap
from serverless_tasks.engine.store.payloads import load_inputs
from serverless_tasks.errors import (
    AlreadyFinished,
    AwsError,
    BucketMissing,
    LeaseLost,
    PayloadTooLarge,
    ServerlessTasksError,
    TaskNotFound,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from serverless_tasks.engine.aws.dynamodb.groups import TableGroups
    from serverless_tasks.engine.aws.dynamodb.listing import Found
    from serverless_tasks.engine.aws.dynamodb.listings import Listings
    from serverless_tasks.engine.aws.dynamodb.manifest import DeployedReads
    from serverless_tasks.engine.job.clock import Clock
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.job.progress import Snapshot
    from serverless_tasks.engine.job.record import Failure, Record
    from serverless_tasks.engine.store.base import Blobs, Forget
    from serverless_tasks.engine.store.group import Shard
    from serverless_tasks.engine.store.listing import IndexFilter
    from serverless_tasks.engine.store.transitions import Change

logger = logging.getLogger(__name__)

_CLAIMABLE = (
    "attribute_not_exists(#pk)"
    " OR (#status = :pending AND (attribute_not_exists(#not_before) OR #not_before <= :now))"
    " OR (#status = :running AND #lease < :now)"
)
_FREE = "attribute_not_exists(#pk) OR #status = :pending"
_HELD = "#token = :token AND #status = :running"
_ENDED = "#status IN (:succeeded, :failed, :cancelled)"


class Table:
    """The store on DynamoDB.

    Args:
        client: a DynamoDB client.
        table: the table's name.
        clock: the time.
        blobs: where large payloads lie, or None.
        unschedule: deletes the schedule that sends a job, by its id and when it is due (milliseconds); or None.
        forget: deletes what statistics keep of a job that failed, or None.
        build: the id of the code whose attempts it keeps, or "".
        compress: whether inputs are stored compressed where that costs less; None: once all deployed builds read it.
    """

    any_size = False

    def __init__(
        self,
        client: Any,
        table: str,
        clock: Clock,
        blobs: Blobs | None,
        unschedule: Callable[[str, int], None] | None = None,
        forget: Forget | None = None,
        build: str = "",
        *,
        compress: bool | None = False,
    ) -> None:
        self._build = build
        self._compress = compress
        self._items = TableItems(client, table, clock)
        self.clock = clock
        self._blobs = blobs
        self._unschedule = unschedule
        self._forget = forget

    @cached_property
    def groups(self) -> TableGroups:
        """See `Store.groups`."""
        from serverless_tasks.engine.aws.dynamodb.groups import TableGroups  # most processes have none

        return TableGroups(self._items, self.clock)

    @cached_property
    def _deployed(self) -> DeployedReads:
        from serverless_tasks.engine.aws.dynamodb.manifest import DeployedReads

        return DeployedReads(self._items, self.clock)

    @cached_property
    def _listings(self) -> Listings:
        from serverless_tasks.engine.aws.dynamodb.listings import Listings  # no worker lists

        return Listings(self._items, self.clock)

    def put_jobs(self, messages: Sequence[Message]) -> None:
        """See `Store.put_jobs`."""
        # A batch with the same key twice is refused as a whole, which one uuid submitted twice would be.
        once = {message.uuid: message for message in reversed(messages)}
        items = [self.item_of(message) for message in once.values()]
        if len(items) == 1:
            self._items.put_new(items[0])  # submitted again with its uuid: the job item is never changed
        else:
            self._items.put_many(items)

    def item_of(self, message: Message) -> Item:
        """See `Store.item_of`."""
        item = job_item(message)
        if self._compress is False:
            return item
        smaller = compressed(item)
        if smaller is item or self._compress or self._deployed.have(COMPRESSED):
            return smaller
        return item

    def claim(self, message: Message, *, token: str, lease: int, request_id: str) -> Claim:
        """See `Store.claim`."""
        now = self._now()
        try:
            state = self._items.update(
                message.uuid,
                STATE,
                transitions.claimed(
                    message, token=token, lease=lease, request_id=request_id, now=now, build=self._build
                ),
                condition=_CLAIMABLE,
                values={"pending": PENDING, "running": RUNNING, "now": now},
            )
        except ConditionFailed as failed:
            state = from_dynamodb(failed.item)
            # With one's own token boto3 tried twice, and both arrived.
            if state.get("token") != token or state["status"] != RUNNING:
                return _certain(transitions.claim_refusal(state, now))
        lost = lost_item(state, now)
        if lost is not None:
            try:
                self._put_end(lost)
            except AwsError:  # a line of the history is not worth another attempt
                logger.warning("job %s: the history lacks its lost attempt", message.uuid, exc_info=True)
        return transitions.claim_from_state(state)

    def write_progress(self, uuid: str, token: str, snapshot: Snapshot, *, lease: int | None) -> bool:
        """See `Store.write_progress`."""
        self._put_messages(uuid, token, snapshot)
        state = self._write(
            uuid, token, transitions.progressed(snapshot, lease=lease), newer_than=snapshot.seq
        )
        return bool(state.get("cancel", False))

    def cancel_requested(self, uuid: str, token: str) -> bool:
        """See `Store.cancel_requested`."""
        state = self._items.get(uuid, STATE)
        if state is None or state.get("token") != token or state["status"] != RUNNING:
            raise LeaseLost(f"Attempt {token} no longer holds job {uuid}.")
        return bool(state.get("cancel", False))

    def succeed(self, uuid: str, claim: Claim, snapshot: Snapshot, outputs: dict[str, Any]) -> None:
        """See `Store.succeed`."""
        fields = self._put_outputs(uuid, claim, encode(outputs))
        self._put_messages(uuid, claim.token, snapshot)
        change = transitions.ended(uuid, SUCCEEDED, fields, snapshot, self._now())
        self._write(uuid, claim.token, change, answered=False)

    def fail(
        self, uuid: str, claim: Claim, snapshot: Snapshot, failure: Failure, *, status: str = FAILED
    ) -> None:
        """See `Store.fail`."""
        now = self._now()
        self._put_end(ended_item(uuid, claim, failure, now))
        self._put_messages(uuid, claim.token, snapshot)
        change = transitions.ended(uuid, status, failure_fields(failure), snapshot, now)
        self._write(uuid, claim.token, change, answered=False)

    def retry(
        self, message: Message, claim: Claim, snapshot: Snapshot, failure: Failure, *, not_before: int
    ) -> bool:
        """See `Store.retry`."""
        uuid, now = message.uuid, self._now()
        self._put_end(ended_item(uuid, claim, failure, now, due=message.run_at))
        self._put_messages(uuid, claim.token, snapshot)
        change = transitions.retried(message, claim, snapshot, not_before=not_before, now=now)
        return bool(self._write(uuid, claim.token, change).get("cancel", False))

    def release(self, uuid: str, token: str) -> None:
        """See `Store.release`."""
        try:
            self._write(uuid, token, transitions.released(), answered=False)
        except LeaseLost:
            return  # somebody else's job by now, which is what releasing is for

    def returned(self, message: Message, failure: Failure) -> None:
        """See `Store.returned`."""
        change = transitions.returned(message, failure, self._now())
        try:
            self._items.update(message.uuid, STATE, change, condition=_FREE, values={"pending": PENDING})
        except ConditionFailed:
            return  # it runs, or has ended

    def settle(self, message: Message, failure: Failure, *, status: str = FAILED) -> Claim:
        """See `Store.settle`."""
        now = self._now()
        try:
            state = self._items.update(
                message.uuid,
                STATE,
                transitions.settled(message, failure, now, status),
                condition=f"{_FREE} OR (#status = :running AND #lease < :now)",
                values={"pending": PENDING, "running": RUNNING, "now": now},
            )
        except ConditionFailed as failed:
            return _certain(transitions.settle_refusal(from_dynamodb(failed.item), now))
        return Claim(answer=ClaimAnswer.SETTLED, status=status, attempt=state.get("attempt", 0))

    def delete(self, uuid: str, *, ending: Callable[[Record], None] | None = None) -> None:
        """See `Store.delete`."""
        from serverless_tasks.engine.aws.dynamodb.deletion import Deletion  # no worker deletes

        deletion = Deletion(self._items, self.groups, self.clock, self._blobs, self._unschedule, self._forget)
        deletion.delete(uuid, ending)

    def cancel(self, uuid: str, *, message: Message | None = None) -> Record:
        """See `Store.cancel`."""
        tried = False
        while True:
            record = self.read(uuid, message=message)
            if record is None:
                raise TaskNotFound(uuid)
            if tried and record.status == CANCELLED:
                return record  # boto3 tried twice, and both arrived
            if record.ended:
                raise AlreadyFinished(uuid, record.status)
            try:
                if record.status == RUNNING:
                    condition, values = "#status = :running", {"running": RUNNING}
                    self._items.update(
                        uuid, STATE, transitions.stop_requested(), condition=condition, values=values
                    )
                else:
                    job = self._items.get(uuid, JOB) if message is None else None
                    change = transitions.cancelled(record, job, message, self._now())
                    self._items.update(uuid, STATE, change, condition=_FREE, values={"pending": PENDING})
            except ConditionFailed:
                tried = True
                continue  # it was begun, given back or ended in between: look again
            return self.read(uuid) or record

    def note_retry(self, uuid: str, retry: str) -> bool:
        """See `Store.note_retry`. The first retry of a job is noted by one call, a later one by two."""
        noted: str | None = ""
        while noted is not None and retry not in noted.split():
            change, unchanged = transitions.retry_noted(noted, retry), "attribute_not_exists(#retried_as)"
            values = {"succeeded": SUCCEEDED, "failed": FAILED, "cancelled": CANCELLED}
            if noted:
                values["noted"], unchanged = noted, "#retried_as = :noted"
            try:
                self._items.update(
                    uuid,
                    STATE,
                    change,
                    condition=f"{_ENDED} AND attribute_not_exists(#deleted) AND {unchanged}",
                    values=values,
                    answered=False,
                )
            except ConditionFailed as failed:
                noted = transitions.retries_of(from_dynamodb(failed.item))
            else:
                return True
        return noted is not None

    def read(self, uuid: str, *, whole: bool = True, message: Message | None = None) -> Record | None:
        """See `Store.read`."""
        items = self._items.query(
            "pk = :pk AND begins_with(sk, :prefix)", {":pk": uuid, ":prefix": STATE_PREFIX}
        )
        if not items and message is not None:
            return pending_record(message, self._now())
        job = None if items else self._items.get(uuid, JOB)
        return self._record(items if job is None else [job], whole=whole)

    def deleted(self, uuid: str) -> bool:
        """See `Store.deleted`."""
        state = self._items.get(uuid, STATE)
        return state is not None and is_tombstone(state)

    def read_many(self, uuids: Sequence[str], *, whole: bool = True) -> dict[str, Record]:
        """See `Store.read_many`."""
        return self._records(dict.fromkeys(uuids), whole)

    def changed(self, seen: Mapping[str, str]) -> dict[str, tuple[str, Record | ServerlessTasksError | None]]:
        """See `Store.changed`.

        The version tokens are read with eventual consistency, which costs half as much; what changed is read as it is.
        """
        states = self._items.get_many(list(seen), STATE, VERSION_ATTRIBUTES)
        shards = {uuid: self._shards((state,)) for uuid, state in states.items()}
        versions = {uuid: version_token(states.get(uuid), shards.get(uuid, ())) for uuid in seen}
        moved = [uuid for uuid, last in seen.items() if versions[uuid] != last]
        unread: dict[str, ServerlessTasksError] = {}
        records = self._records(dict.fromkeys(moved), True, unread, shards)
        return {uuid: (versions[uuid], unread.get(uuid) or records.get(uuid)) for uuid in moved}

    def job(self, uuid: str) -> Message | None:
        """See `Store.job`."""
        item = self._items.get(uuid, JOB)
        if item is None:
            return None
        message = message_from_item(item)
        if message.inputs_key is None:
            return message
        try:
            inputs = load_inputs(message, self._blobs)
        except AwsError as error:
            if not error.gone:
                raise
            return message
        return replace(message, inputs=masked(inputs, message.secrets), inputs_key=None)

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
        return self._listed(self._listings.of_owner(owner, limit, cursor, since, until), whole=whole)

    def owner_uuids(
        self, owner: str, *, limit: int = 100, cursor: str | None = None
    ) -> tuple[list[str], str | None]:
        """See `Store.owner_uuids`."""
        # Who deletes an owner's jobs asks for them, and is to miss none.
        found = self._listings.of_owner(owner, limit, cursor, anew=True)
        return [item["pk"] for item in found.items], found.cursor

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
        return self._listed(self._listings.of_tasks(tasks, limit, cursor, since, until), whole=whole)

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
        return self._listed(self._listings.by_status.page(status, where, limit, cursor, since, until))

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
        found = self._listings.find(where, names, limit, cursor)
        return self._listed(found, indexed=indexed)

    def indexed_since(self) -> int | None:
        """See `Store.indexed_since`."""
        return self._listings.by_status.since()

    def _shards(self, items: Iterable[Item]) -> Sequence[Shard]:
        """Return the shards of a group whose members its state does not count; none of anything else."""
        for item in items:
            if TOTAL in item and item["status"] not in ENDED:
                return self.groups.shards(item["pk"], item[TOTAL])
        return ()

    def _record(
        self, items: Sequence[Item], *, whole: bool = True, shards: Sequence[Shard] = ()
    ) -> Record | None:
        record = record_from_items(items, self._now(), shards or self._shards(items))
        key = outputs_key(items)
        if record is None or key is None or not whole:
            return record
        if self._blobs is None:
            raise BucketMissing(f"The outputs of job {record.uuid}")
        return replace(record, outputs=json.loads(self._blobs.get(key)))

    def _records(
        self,
        jobs: dict[str, Item | None],
        whole: bool,
        unread: dict[str, ServerlessTasksError] | None = None,
        shards: Mapping[str, Sequence[Shard]] | None = None,
        *,
        alone: bool = False,
        indexed: bool = True,
    ) -> dict[str, Record]:
        """Read many jobs: their states at once, then those whose state names other items one by one.

        Args:
            jobs: uuid -> what is known of its ``job`` item already.
            whole: see `Store.read`.
            unread: takes the errors of jobs that cannot be read by themselves; None raises the first of them.
            shards: those of groups that have just been read.
            alone: of each job one item is read, and not what its state names.
            indexed: False leaves out the jobs whose states are indexed.
        """
        states = self._items.get_many(list(jobs), STATE)
        absent = [uuid for uuid, job in jobs.items() if uuid not in states and job is None and not alone]
        known = {uuid: job for uuid, job in jobs.items() if job is not None} | self._items.get_many(
            absent, JOB
        )
        if alone:  # of what the indexes do not tell, a job that waits in its queue has some in its own item
            waiting = [uuid for uuid, job in known.items() if uuid not in states]
            known |= self._items.get_many(waiting, JOB, RECORDED)
        records: dict[str, Record] = {}
        for uuid in jobs:
            state = states.get(uuid)
            if state is not None and not indexed and is_indexed(state):
                continue
            items = [item for item in (state, known.get(uuid)) if item is not None]
            others = state is not None and not alone and names_others(state)
            try:
                if others:
                    record = self.read(uuid, whole=whole)
                else:
                    record = self._record(items, whole=whole, shards=(shards or {}).get(uuid, ()))
            except ServerlessTasksError as error:
                if unread is None:
                    raise
                unread[uuid] = error
                continue
            if record is not None:
                records[uuid] = record
        return records

    def _listed(self, found: Found, *, whole: bool = False, indexed: bool = True) -> Listed:
        # Of a state's own index the item is no ``job`` item: where the state is gone, so is the job.
        jobs = {item["pk"]: item if item["sk"] == JOB else None for item in found.items}
        records = self._records(jobs, whole, alone=not whole, indexed=indexed)
        listed = [item for item in found.items if item["pk"] in records]
        return Listed(
            records=tuple(records[item["pk"]] for item in listed),
            positions=tuple(item["created_uuid"] for item in listed),
            cursor=found.cursor,
            looked_at=found.looked_at,
        )

    def _write(
        self,
        uuid: str,
        token: str,
        change: Change,
        *,
        newer_than: int | None = None,
        answered: bool = True,
    ) -> Item:
        """Change the state under a token; returns it as it is then, or {} when no answer is wanted.

        Raises:
            LeaseLost: the token no longer holds the job.
        """
        condition, values = _HELD, {"token": token, "running": RUNNING}
        if newer_than is not None:
            condition += " AND #seq < :seq"
        try:
            with allows_overlap():
                return self._items.update(
                    uuid, STATE, change, condition=condition, values=values, answered=answered
                )
        except ConditionFailed as failed:
            state = from_dynamodb(failed.item)
            if state.get("token") == token and _was_applied(state, change.put):
                return state
            raise LeaseLost(
                f"Attempt {token} no longer holds job {uuid}, which is {state.get('status')}."
            ) from None

    def _put_outputs(self, uuid: str, claim: Claim, outputs: str) -> Item:
        """Keep outputs where they fit; returns what the state says of them.

        Raises:
            PayloadTooLarge: they are past what can be kept.
        """
        data = outputs.encode()
        if len(data) <= INLINE_OUTPUTS:
            return {"outputs": outputs}
        if len(data) <= ITEM_OUTPUTS:
            self._items.put(self._kept(outputs_item(uuid, claim.token, outputs), claim.ttl))
            return {}
        if self._blobs is None:
            raise PayloadTooLarge(
                f"outputs of job {uuid} (without SERVERLESS_TASKS_BUCKET)", len(data), ITEM_OUTPUTS
            )
        if len(data) > LARGEST_OUTPUTS:
            raise PayloadTooLarge(f"outputs of job {uuid}", len(data), LARGEST_OUTPUTS)
        key = outputs_prefix(uuid) + claim.token
        self._blobs.put(key, data)
        return {"outputs_key": key}

    def _put_messages(self, uuid: str, token: str, snapshot: Snapshot) -> None:
        for item in message_items(uuid, token, snapshot):
            try:
                self._items.put(
                    self._kept(item),
                    ConditionExpression="attribute_not_exists(pk) OR n <= :n",
                    ExpressionAttributeValues=to_dynamodb({":n": item["n"]}),
                )
            except ConditionFailed:
                continue  # a later write of the same messages, and more, is already there

    def _put_end(self, end: Item) -> None:
        """Keep how an attempt ended. The first word stands: that of the worker, or of the claim that gave it up."""
        self._items.put_new(self._kept(end))

    def _kept(self, item: Item, ttl: int = 0) -> Item:
        """Return an item that the state names with a TTL as long: a scheduler's message is delivered a day longer."""
        least = keep_until(deliverable_until(self._now()) + SCHEDULER_TRIES * 1000)
        return {**item, "ttl": max(least, ttl)}

    def _now(self) -> int:
        return to_ms(self.clock.now())


def _certain(refusal: Claim | None) -> Claim:
    assert refusal is not None, "the condition of the write says what the refusal says"
    return refusal


def _was_applied(state: Item, put: Item) -> bool:
    """Return whether a write that was refused under one's own token had in fact arrived before: boto3 tried twice."""
    if put.get("status", RUNNING) != state["status"]:
        return False
    return put.get("seq") is None or bool(state["seq"] >= put["seq"])
