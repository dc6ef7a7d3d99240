"""Writing to DynamoDB: under a token, and what the state names."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from serverless_tasks.engine.aws.dynamodb.expressions import from_dynamodb, to_dynamodb, update
from serverless_tasks.engine.aws.dynamodb.reader import TableReader
from serverless_tasks.engine.aws.session import ConditionFailed, call
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.message import SCHEDULER_TRIES
from serverless_tasks.engine.job.record import (
    CANCELLED,
    PENDING,
    RUNNING,
    TASK_CANCELLED,
    Attempt,
    Failure,
    Record,
)
from serverless_tasks.engine.job.retry import EARLY, LONGEST_WAIT
from serverless_tasks.engine.store.base import Claim
from serverless_tasks.engine.store.items import (
    JOB,
    STATE,
    Item,
    copies,
    deliverable_until,
    ended_item,
    failure_fields,
    keep_until,
    message_items,
)
from serverless_tasks.engine.store.overlap import carrying
from serverless_tasks.errors import AwsError, LeaseLost

if TYPE_CHECKING:
    from collections.abc import Iterable

    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.job.progress import Snapshot

logger = logging.getLogger(__name__)

WRITE_BATCH = 25
FREE = "attribute_not_exists(#pk) OR #status = :pending"
_HELD = "#token = :token AND #status = :running"


class TableWriter(TableReader):
    """The writes that the store is made of; see `TableReader` for its arguments."""

    def _fenced(
        self,
        uuid: str,
        token: str,
        put: Item,
        *,
        add: dict[str, int] | None = None,
        remove: Iterable[str] = (),
        newer_than: int | None = None,
        answered: bool = True,
    ) -> Item:
        """Write under a token; returns the state after it, or {} when no answer is wanted.

        Raises:
            LeaseLost: the token no longer holds the job.
        """
        condition, values = _HELD, {"token": token, "running": RUNNING}
        if newer_than is not None:
            condition += " AND #seq < :seq"
        parameters = update(
            self._table,
            (uuid, STATE),
            put=put,
            add=add,
            remove=remove,
            condition=condition,
            values=values,
            answered=answered,
        )
        try:
            with carrying():
                return from_dynamodb(call(self._client.update_item, **parameters).get("Attributes", {}))
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

    def _ask_to_stop(self, uuid: str) -> None:
        condition, values = "#status = :running", {"running": RUNNING}
        asked = update(self._table, (uuid, STATE), put={"cancel": True}, condition=condition, values=values)
        call(self._client.update_item, **asked)

    def _cancel_waiting(self, record: Record, message: Message | None) -> None:
        now = self._now()
        job = self._get(record.uuid, JOB) or {} if message is None else copies(message)
        expires = job.get("expires", now)
        # The message of a retry may come much later than the first one could.
        latest = deliverable_until(now) + ((LONGEST_WAIT + SCHEDULER_TRIES) * 1000 if record.attempt else 0)
        copied = {"task": record.task, "created": record.created, "expires": expires}
        if record.owner is not None:
            copied["owner"] = record.owner
        if message is not None and message.run_at is not None:
            copied["not_before"] = (
                message.run_at - EARLY
            )  # so that its schedule is found when the job is deleted
        parameters = update(
            self._table,
            (record.uuid, STATE),
            put={
                **failure_fields(TASK_CANCELLED),
                "status": CANCELLED,
                "finished": now,
                "ttl": keep_until(max(expires, latest)),
            },
            keep=copied,
            remove=("cancel",),
            condition=FREE,
            values={"pending": PENDING},
        )
        call(self._client.update_item, **parameters)

    def _put_messages(self, uuid: str, token: str, snapshot: Snapshot) -> None:
        for item in message_items(uuid, token, snapshot):
            try:
                call(
                    self._client.put_item,
                    TableName=self._table,
                    Item=to_dynamodb(self._kept(item)),
                    ConditionExpression="attribute_not_exists(pk) OR n <= :n",
                    ExpressionAttributeValues=to_dynamodb({":n": item["n"]}),
                )
            except ConditionFailed:
                continue  # a later write of the same messages, and more, is already there

    def _put_ended(self, uuid: str, claim: Claim, failure: Failure, now: int) -> None:
        attempt = Attempt(
            number=claim.attempt,
            started=claim.started,
            ended=now,
            failure=failure,
            request_id=claim.request_id,
        )
        self._put_end(ended_item(uuid, claim.token, attempt))

    def _put_lost(self, lost: Item | None) -> None:
        """Tell of the attempt that a claim has taken over. A line of the history is not worth another attempt."""
        if lost is None:
            return
        try:
            self._put_end(lost)
        except AwsError:
            logger.warning("job %s: the history lacks its lost attempt", lost["pk"], exc_info=True)

    def _put_end(self, end: Item) -> None:
        """Keep how an attempt ended. The first word stands: that of the worker, or of the claim that gave it up."""
        try:
            call(
                self._client.put_item,
                TableName=self._table,
                Item=to_dynamodb(self._kept(end)),
                ConditionExpression="attribute_not_exists(pk)",
            )
        except ConditionFailed:
            return

    def _put(self, item: Item) -> None:
        call(self._client.put_item, TableName=self._table, Item=to_dynamodb(self._kept(item)))

    def _kept(self, item: Item) -> Item:
        """An item that the state names, kept for as long as that: a scheduler's message is delivered a day longer."""
        return {**item, "ttl": keep_until(deliverable_until(self._now()) + SCHEDULER_TRIES * 1000)}

    def _now(self) -> int:
        return to_ms(self._clock.now())

    def _write_batch(self, requests: list[dict[str, Any]]) -> None:
        left = {self._table: requests}
        for pause in self._pauses("batch_write_item"):
            left = call(self._client.batch_write_item, RequestItems=left).get("UnprocessedItems", {})
            if not left:
                return
            self._clock.sleep(pause)


def _was_applied(state: Item, put: Item) -> bool:
    """Return whether a write that was refused under its own token had been applied before: boto3 had retried it."""
    if put.get("status", RUNNING) != state["status"]:
        return False
    return put.get("seq") is None or bool(state["seq"] >= put["seq"])
