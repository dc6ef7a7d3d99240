"""Jobs in DynamoDB: every write conditional on who may make it.

Claims follow the pattern of Powertools' idempotency (one conditional write claims, and takes over an expired lease);
`ReturnValuesOnConditionCheckFailure` brings the item that stood in the way:
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serverless_tasks.engine.aws.dynamodb.deletion import TableEraser
from serverless_tasks.engine.aws.dynamodb.expressions import from_dynamodb, to_dynamodb, update
from serverless_tasks.engine.aws.dynamodb.writer import FREE, WRITE_BATCH
from serverless_tasks.engine.aws.session import ConditionFailed, call
from serverless_tasks.engine.job.encoding import encode
from serverless_tasks.engine.job.message import outputs_prefix
from serverless_tasks.engine.job.record import (
    CANCELLED,
    FAILED,
    PENDING,
    RUNNING,
    SUCCEEDED,
    Failure,
    Record,
)
from serverless_tasks.engine.store.base import Claim
from serverless_tasks.engine.store.items import (
    BEFORE,
    INLINE_OUTPUTS,
    ITEM_OUTPUTS,
    LARGEST_OUTPUTS,
    STATE,
    Item,
    copies,
    deliverable_until,
    failure_fields,
    job_item,
    keep_until,
    lost_item,
    outputs_item,
    refusal,
)
from serverless_tasks.errors import AlreadyFinished, LeaseLost, PayloadTooLarge, TaskNotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.job.progress import Snapshot

_CLAIMABLE = (
    "attribute_not_exists(#pk)"
    " OR (#status = :pending AND (attribute_not_exists(#not_before) OR #not_before <= :now))"
    " OR (#status = :running AND #lease < :now)"
)


class Table(TableEraser):
    """The store on DynamoDB; see `TableEraser` for its arguments."""

    def put_jobs(self, messages: Sequence[Message]) -> None:
        """See `Store.put_jobs`."""
        # A batch with the same key twice is refused as a whole, which one uuid submitted twice would be.
        once = {message.uuid: message for message in reversed(messages)}
        items = [to_dynamodb(job_item(message)) for message in once.values()]
        if len(items) == 1:
            try:
                call(
                    self._client.put_item,
                    TableName=self._table,
                    Item=items[0],
                    ConditionExpression="attribute_not_exists(pk)",
                )
            except ConditionFailed:
                return  # submitted again with its uuid: the job item is never changed
            return
        for start in range(0, len(items), WRITE_BATCH):
            self._write_batch([{"PutRequest": {"Item": item}} for item in items[start : start + WRITE_BATCH]])

    def claim(self, message: Message, *, token: str, lease: int, request_id: str) -> Claim:
        """See `Store.claim`."""
        now = self._now()
        parameters = update(
            self._table,
            (message.uuid, STATE),
            put={
                **copies(message),
                "status": RUNNING,
                "token": token,
                "lease": lease,
                "request_id": request_id,
                "attempted": now,
                "progress": 0,
                "seq": 0,
                "messages": 0,
                "ttl": keep_until(max(message.expires, deliverable_until(now))),
            },
            add={"attempt": 1, "failures": 0},
            keep={"started": now},
            copy=BEFORE,
            remove=("not_before", "target"),
            condition=_CLAIMABLE,
            values={"pending": PENDING, "running": RUNNING, "now": now},
        )
        try:
            state = from_dynamodb(call(self._client.update_item, **parameters)["Attributes"])
        except ConditionFailed as failed:
            state = from_dynamodb(failed.item)
            # With one's own token boto3 tried twice, and both arrived.
            if state.get("token") != token or state["status"] != RUNNING:
                return _refused(state, now)
        self._put_lost(lost_item(state, now))
        return Claim(
            answer="claimed",
            token=token,
            attempt=state["attempt"],
            failures=state["failures"],
            status=RUNNING,
            started=state["attempted"],
            request_id=request_id,
            cancelled=state.get("cancel", False),
        )

    def write_progress(self, uuid: str, token: str, snapshot: Snapshot, *, lease: int | None) -> bool:
        """See `Store.write_progress`."""
        self._put_messages(uuid, token, snapshot)
        put = self._counters(snapshot)
        if lease is not None:
            put["lease"] = lease
        state = self._fenced(uuid, token, put, newer_than=snapshot.seq)
        return bool(state.get("cancel", False))

    def cancel_requested(self, uuid: str, token: str) -> bool:
        """See `Store.cancel_requested`."""
        state = self._get(uuid, STATE)
        if state is None or state.get("token") != token or state["status"] != RUNNING:
            raise LeaseLost(f"Attempt {token} no longer holds job {uuid}.")
        return bool(state.get("cancel", False))

    def succeed(self, uuid: str, claim: Claim, snapshot: Snapshot, outputs: dict[str, Any]) -> None:
        """See `Store.succeed`."""
        text = encode(outputs)
        place: Item = {}
        data = text.encode()
        if len(data) <= INLINE_OUTPUTS:
            place["outputs"] = text
        elif len(data) <= ITEM_OUTPUTS:
            self._put(outputs_item(uuid, claim.token, text))
        elif self._blobs is None:
            raise PayloadTooLarge(
                f"outputs of job {uuid} (without SERVERLESS_TASKS_BUCKET)", len(data), ITEM_OUTPUTS
            )
        elif len(data) > LARGEST_OUTPUTS:
            raise PayloadTooLarge(f"outputs of job {uuid}", len(data), LARGEST_OUTPUTS)
        else:
            place["outputs_key"] = outputs_prefix(uuid) + claim.token
            self._blobs.put(place["outputs_key"], data)
        self._put_messages(uuid, claim.token, snapshot)
        end = {**self._counters(snapshot), **place, "status": SUCCEEDED, "finished": self._now()}
        self._fenced(uuid, claim.token, end, remove=("cancel", *BEFORE), answered=False)

    def fail(
        self, uuid: str, claim: Claim, snapshot: Snapshot, failure: Failure, *, status: str = FAILED
    ) -> None:
        """See `Store.fail`."""
        now = self._now()
        self._put_ended(uuid, claim, failure, now)
        self._put_messages(uuid, claim.token, snapshot)
        end = {**self._counters(snapshot), **failure_fields(failure), "status": status, "finished": now}
        self._fenced(uuid, claim.token, end, remove=("cancel", *BEFORE), answered=False)

    def retry(
        self, message: Message, claim: Claim, snapshot: Snapshot, failure: Failure, *, not_before: int
    ) -> bool:
        """See `Store.retry`."""
        self._put_ended(message.uuid, claim, failure, self._now())
        self._put_messages(message.uuid, claim.token, snapshot)
        wait = {
            **self._counters(snapshot),
            "status": PENDING,
            "not_before": not_before,
            "failures": claim.failures + 1,
            "expires": message.expires,
            "ttl": keep_until(max(message.expires, deliverable_until(self._now()))),
        }
        state = self._fenced(message.uuid, claim.token, wait, remove=BEFORE)
        return bool(state.get("cancel", False))

    def release(self, uuid: str, token: str) -> None:
        """See `Store.release`."""
        try:
            self._fenced(uuid, token, {"status": PENDING}, add={"attempt": -1}, answered=False)
        except LeaseLost:
            return  # somebody else's job by now, which is what releasing is for

    def settle(self, message: Message, failure: Failure) -> Claim:
        """See `Store.settle`."""
        now = self._now()
        parameters = update(
            self._table,
            (message.uuid, STATE),
            put={
                **copies(message),
                **failure_fields(failure),
                "status": FAILED,
                "finished": now,
                "ttl": keep_until(max(message.expires, deliverable_until(now))),
            },
            remove=("cancel",),
            condition=f"{FREE} OR (#status = :running AND #lease < :now)",
            values={"pending": PENDING, "running": RUNNING, "now": now},
        )
        try:
            call(self._client.update_item, **parameters)
        except ConditionFailed as failed:
            return _refused(from_dynamodb(failed.item), now)
        return Claim(answer="settled", status=FAILED)

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
                    self._ask_to_stop(uuid)
                else:
                    self._cancel_waiting(record, message)
            except ConditionFailed:
                tried = True
                continue  # it was begun, given back or ended in between: look again
            return self.read(uuid) or record


def _refused(state: Item, now: int) -> Claim:
    refused = refusal(state, now)
    assert refused is not None, "the condition of the write says what refusal() says"
    return refused
