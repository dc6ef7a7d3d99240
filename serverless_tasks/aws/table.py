"""Jobs in DynamoDB: every write conditional on who may make it.

Claims follow the pattern of Powertools' idempotency (one conditional write claims, and takes over an expired lease);
`ReturnValuesOnConditionCheckFailure` brings the item that stood in the way:
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serverless_tasks.aws.items import from_dynamodb, to_dynamodb, update
from serverless_tasks.aws.reader import TableReader
from serverless_tasks.aws.session import ConditionFailed, call
from serverless_tasks.clock import to_ms
from serverless_tasks.errors import AlreadyFinished, LeaseLost, PayloadTooLarge, TaskNotFound
from serverless_tasks.items import (
    BEFORE,
    INLINE_OUTPUTS,
    ITEM_OUTPUTS,
    JOB,
    STATE,
    Item,
    copies,
    ended_item,
    failure_fields,
    job_item,
    keep_until,
    lost_item,
    messages_item,
    outputs_item,
)
from serverless_tasks.record import (
    CANCELLED,
    ENDED,
    FAILED,
    PENDING,
    RUNNING,
    SUCCEEDED,
    Attempt,
    Failure,
    Record,
)
from serverless_tasks.schema import encode
from serverless_tasks.store import Claim

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from serverless_tasks.message import Message
    from serverless_tasks.progress import Snapshot

WRITE_BATCH = 25
_FREE = "attribute_not_exists(#pk) OR #status = :pending"
_CLAIMABLE = (
    "attribute_not_exists(#pk)"
    " OR (#status = :pending AND (attribute_not_exists(#not_before) OR #not_before <= :now))"
    " OR (#status = :running AND #lease < :now)"
)
_HELD = "#token = :token AND #status = :running"


class Table(TableReader):
    """The store on DynamoDB; see `TableReader` for its arguments."""

    def put_jobs(self, messages: Sequence[Message]) -> None:
        """See `Store.put_jobs`."""
        items = [to_dynamodb(job_item(message)) for message in messages]
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
                "ttl": keep_until(max(message.expires, now)),
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
                return _refusal(state)
        lost = lost_item(state, now)
        if lost is not None:
            self._put(lost)
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
        if len(text) <= INLINE_OUTPUTS:
            place["outputs"] = text
        elif len(data := text.encode()) <= ITEM_OUTPUTS:
            self._put(outputs_item(uuid, claim.token, text))
        elif self._blobs is None:
            raise PayloadTooLarge(
                f"outputs of job {uuid} (without SERVERLESS_TASKS_BUCKET)", len(data), ITEM_OUTPUTS
            )
        else:
            place["outputs_key"] = f"outputs/{uuid}/{claim.token}"
            self._blobs.put(place["outputs_key"], data)
        self._put_messages(uuid, claim.token, snapshot)
        end = {**self._counters(snapshot), **place, "status": SUCCEEDED, "finished": self._now()}
        self._fenced(uuid, claim.token, end, remove=("cancel",))

    def fail(
        self, uuid: str, claim: Claim, snapshot: Snapshot, failure: Failure, *, status: str = FAILED
    ) -> None:
        """See `Store.fail`."""
        now = self._now()
        self._put_ended(uuid, claim, failure, now)
        self._put_messages(uuid, claim.token, snapshot)
        end = {**self._counters(snapshot), **failure_fields(failure), "status": status, "finished": now}
        self._fenced(uuid, claim.token, end, remove=("cancel",))

    def retry(
        self, message: Message, claim: Claim, snapshot: Snapshot, failure: Failure, *, not_before: int
    ) -> None:
        """See `Store.retry`."""
        self._put_ended(message.uuid, claim, failure, self._now())
        self._put_messages(message.uuid, claim.token, snapshot)
        wait = {
            **self._counters(snapshot),
            "status": PENDING,
            "not_before": not_before,
            "failures": claim.failures + 1,
            "expires": message.expires,
            "ttl": keep_until(message.expires),
        }
        self._fenced(message.uuid, claim.token, wait)

    def release(self, uuid: str, token: str) -> None:
        """See `Store.release`."""
        try:
            self._fenced(uuid, token, {"status": PENDING}, add={"attempt": -1})
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
                "ttl": keep_until(max(message.expires, now)),
            },
            remove=("not_before", "cancel"),
            condition=f"{_FREE} OR (#status = :running AND #lease < :now)",
            values={"pending": PENDING, "running": RUNNING, "now": now},
        )
        try:
            call(self._client.update_item, **parameters)
        except ConditionFailed as failed:
            return _refusal(from_dynamodb(failed.item))
        return Claim(answer="ended", status=FAILED)

    def cancel(self, uuid: str) -> Record:
        """See `Store.cancel`."""
        while True:
            record = self.read(uuid)
            if record is None:
                raise TaskNotFound(uuid)
            if record.ended:
                raise AlreadyFinished(uuid, record.status)
            try:
                if record.status == RUNNING:
                    self._ask_to_stop(uuid)
                else:
                    self._cancel_waiting(record)
            except ConditionFailed:
                continue  # it was begun, given back or ended in between: look again
            return self.read(uuid) or record

    def _ask_to_stop(self, uuid: str) -> None:
        condition, values = "#status = :running", {"running": RUNNING}
        asked = update(self._table, (uuid, STATE), put={"cancel": True}, condition=condition, values=values)
        call(self._client.update_item, **asked)

    def _cancel_waiting(self, record: Record) -> None:
        now = self._now()
        job = self._get(record.uuid, JOB) or {}
        expires = job.get("expires", now)
        copied = {"task": record.task, "created": record.created, "expires": expires}
        if record.owner is not None:
            copied["owner"] = record.owner
        parameters = update(
            self._table,
            (record.uuid, STATE),
            put={"status": CANCELLED, "finished": now, "ttl": keep_until(max(expires, now))},
            keep=copied,
            remove=("not_before",),
            condition=_FREE,
            values={"pending": PENDING},
        )
        call(self._client.update_item, **parameters)

    def _fenced(
        self,
        uuid: str,
        token: str,
        put: Item,
        *,
        add: dict[str, int] | None = None,
        remove: Iterable[str] = (),
        newer_than: int | None = None,
    ) -> Item:
        """Write under a token; returns the state after it.

        Raises:
            LeaseLost: the token no longer holds the job.
        """
        condition, values = _HELD, {"token": token, "running": RUNNING}
        if newer_than is not None:
            condition += " AND #seq < :seq"
        parameters = update(
            self._table, (uuid, STATE), put=put, add=add, remove=remove, condition=condition, values=values
        )
        try:
            return from_dynamodb(call(self._client.update_item, **parameters)["Attributes"])
        except ConditionFailed as failed:
            state = from_dynamodb(failed.item)
            if state.get("token") == token and _was_applied(state, put):
                return state
            raise LeaseLost(
                f"Attempt {token} no longer holds job {uuid}, which is {state.get('status')}."
            ) from None

    @staticmethod
    def _counters(snapshot: Snapshot) -> Item:
        counters: Item = {
            "progress": snapshot.progress,
            "seq": snapshot.seq,
            "messages": snapshot.message_count,
        }
        if snapshot.target is not None:
            counters["target"] = snapshot.target
        return counters

    def _put_messages(self, uuid: str, token: str, snapshot: Snapshot) -> None:
        if not snapshot.messages:
            return
        item = to_dynamodb(self._kept(messages_item(uuid, token, snapshot)))
        try:
            call(
                self._client.put_item,
                TableName=self._table,
                Item=item,
                ConditionExpression="attribute_not_exists(pk) OR n <= :n",
                ExpressionAttributeValues={":n": item["n"]},
            )
        except ConditionFailed:
            return  # a later write of the same messages, and more, is already there

    def _put_ended(self, uuid: str, claim: Claim, failure: Failure, now: int) -> None:
        attempt = Attempt(
            number=claim.attempt,
            started=claim.started,
            ended=now,
            failure=failure,
            request_id=claim.request_id,
        )
        self._put(ended_item(uuid, claim.token, attempt))

    def _put(self, item: Item) -> None:
        call(self._client.put_item, TableName=self._table, Item=to_dynamodb(self._kept(item)))

    def _kept(self, item: Item) -> Item:
        return {**item, "ttl": keep_until(self._now())}

    def _now(self) -> int:
        return to_ms(self._clock.now())

    def _write_batch(self, requests: list[dict[str, Any]]) -> None:
        left = {self._table: requests}
        pause = 0.05
        while left:
            left = call(self._client.batch_write_item, RequestItems=left).get("UnprocessedItems", {})
            if left:
                self._clock.sleep(pause)
                pause = min(2 * pause, 2.0)


def _was_applied(state: Item, put: Item) -> bool:
    """Whether a write that was refused under one's own token had in fact arrived before: boto3 tried twice."""
    if put.get("status", RUNNING) != state["status"]:
        return False
    return put.get("seq") is None or bool(state["seq"] >= put["seq"])


def _refusal(state: Item) -> Claim:
    if state["status"] in ENDED:
        return Claim(answer="ended", status=state["status"])
    if state["status"] == RUNNING:
        return Claim(answer="busy", until=state["lease"], status=RUNNING)
    return Claim(answer="waiting", until=state.get("not_before", 0), status=PENDING)
