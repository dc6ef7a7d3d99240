"""Reading jobs from DynamoDB: one record by one query, many by batches, listings by the indexes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from serverless_tasks.engine.aws.dynamodb.expressions import from_dynamodb, to_dynamodb
from serverless_tasks.engine.aws.dynamodb.listing import Listing
from serverless_tasks.engine.aws.session import call
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.masking import masked
from serverless_tasks.engine.store.assembly import (
    MARKED,
    assemble,
    mark,
    names_others,
    outputs_key,
    submitted,
    unbegun,
)
from serverless_tasks.engine.store.base import Page
from serverless_tasks.engine.store.items import (
    JOB,
    OWNER_SHARDS,
    STATE,
    STATE_PREFIX,
    TASK_SHARDS,
    Item,
    is_tombstone,
)
from serverless_tasks.errors import AwsError, ConfigurationError, ServerlessTasksError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from serverless_tasks.engine.job.clock import Clock
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.job.record import Record
    from serverless_tasks.engine.store.base import Blobs

GET_BATCH = 100
BATCH_TRIES = 12


class TableReader:
    """The reading half of the store on DynamoDB.

    Args:
        client: a DynamoDB client.
        table: the table's name.
        clock: the time.
        blobs: where large outputs lie, or None.
    """

    any_size = False

    def __init__(self, client: Any, table: str, clock: Clock, blobs: Blobs | None) -> None:
        self._client = client
        self._table = table
        self._clock = clock
        self._blobs = blobs
        self._by_owner = Listing(client, table, clock, "by_owner", "owner_day", OWNER_SHARDS)
        self._by_task = Listing(client, table, clock, "by_task", "task_day", TASK_SHARDS)

    def read(self, uuid: str, *, whole: bool = True, message: Message | None = None) -> Record | None:
        """See `Store.read`."""
        items = self._state_items(uuid)
        if not items and message is not None:
            return unbegun(message, to_ms(self._clock.now()))
        job = None if items else self._get(uuid, JOB)
        return self._record(items if job is None else [job], whole=whole)

    def deleted(self, uuid: str) -> bool:
        """See `Store.deleted`."""
        state = self._get(uuid, STATE)
        return state is not None and is_tombstone(state)

    def read_many(self, uuids: Sequence[str], *, whole: bool = True) -> dict[str, Record]:
        """See `Store.read_many`."""
        return self._records(dict.fromkeys(uuids), whole)

    def changed(self, seen: Mapping[str, str]) -> dict[str, tuple[str, Record | ServerlessTasksError | None]]:
        """See `Store.changed`.

        The marks are read with eventual consistency, which costs half as much; what changed is read as it is.
        """
        states = self._get_many(list(seen), STATE, MARKED)
        marks = {uuid: mark(states.get(uuid)) for uuid in seen}
        moved = [uuid for uuid, last in seen.items() if marks[uuid] != last]
        unread: dict[str, ServerlessTasksError] = {}
        records = self._records(dict.fromkeys(moved), True, unread)
        return {uuid: (marks[uuid], unread.get(uuid) or records.get(uuid)) for uuid in moved}

    def job(self, uuid: str) -> Message | None:
        """See `Store.job`."""
        item = self._get(uuid, JOB)
        if item is None:
            return None
        message = submitted(item)
        if message.inputs_key is None:
            return message
        if self._blobs is None:
            raise ConfigurationError(
                f"The inputs of job {uuid} lie in the bucket, and SERVERLESS_TASKS_BUCKET is not set."
            )
        try:
            inputs = json.loads(self._blobs.get(message.inputs_key))
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
        whole: bool = True,
    ) -> Page:
        """See `Store.list_owner`."""
        return self._page(self._by_owner.page([owner], limit, cursor, since), whole=whole)

    def owner_uuids(
        self, owner: str, *, limit: int = 100, cursor: str | None = None
    ) -> tuple[list[str], str | None]:
        """See `Store.owner_uuids`."""
        items, more = self._by_owner.page([owner], limit, cursor)
        return [item["pk"] for item in items], more

    def list_task(self, task: str, *, limit: int = 50, cursor: str | None = None) -> Page:
        """See `Store.list_task`."""
        return self.list_tasks([task], limit=limit, cursor=cursor)

    def list_tasks(
        self,
        tasks: Sequence[str],
        *,
        limit: int = 50,
        cursor: str | None = None,
        since: int = 0,
        whole: bool = True,
    ) -> Page:
        """See `Store.list_tasks`."""
        return self._page(self._by_task.page(tasks, limit, cursor, since), whole=whole)

    def _state_items(self, uuid: str) -> list[Item]:
        """Everything under the state's prefix, read consistently so that progress never goes backwards."""
        condition = "pk = :pk AND begins_with(sk, :prefix)"
        return self._query(condition, {":pk": uuid, ":prefix": STATE_PREFIX})

    def _query(self, condition: str, values: Item) -> list[Item]:
        items: list[Item] = []
        start: dict[str, Any] = {}
        while True:
            answer = call(
                self._client.query,
                TableName=self._table,
                KeyConditionExpression=condition,
                ExpressionAttributeValues=to_dynamodb(values),
                ConsistentRead=True,
                **start,
            )
            items += map(from_dynamodb, answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return items
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def _get(self, uuid: str, sk: str) -> Item | None:
        key = to_dynamodb({"pk": uuid, "sk": sk})
        answer = call(self._client.get_item, TableName=self._table, Key=key, ConsistentRead=True)
        return from_dynamodb(answer["Item"]) if "Item" in answer else None

    def _record(self, items: Sequence[Item], *, whole: bool = True) -> Record | None:
        record = assemble(items, to_ms(self._clock.now()))
        key = outputs_key(items)
        if record is None or key is None or not whole:
            return record
        if self._blobs is None:
            raise ConfigurationError(
                f"The outputs of job {record.uuid} lie in the bucket, and SERVERLESS_TASKS_BUCKET is not set."
            )
        return replace(record, outputs=json.loads(self._blobs.get(key)))

    def _records(
        self, jobs: dict[str, Item | None], whole: bool, unread: dict[str, ServerlessTasksError] | None = None
    ) -> dict[str, Record]:
        """Records of many jobs: their states at once, then those whose state names other items one by one.

        Args:
            jobs: uuid -> what is known of its ``job`` item already.
            whole: see `Store.read`.
            unread: takes the errors of jobs that cannot be read by themselves; None raises the first of them.
        """
        states = self._get_many(list(jobs), STATE)
        absent = [uuid for uuid, job in jobs.items() if uuid not in states and job is None]
        known = {uuid: job for uuid, job in jobs.items() if job is not None} | self._get_many(absent, JOB)
        records: dict[str, Record] = {}
        for uuid in jobs:
            state = states.get(uuid)
            items = [item for item in (state, known.get(uuid)) if item is not None]
            others = state is not None and names_others(state)
            try:
                record = self.read(uuid, whole=whole) if others else self._record(items, whole=whole)
            except ServerlessTasksError as error:
                if unread is None:
                    raise
                unread[uuid] = error
                continue
            if record is not None:
                records[uuid] = record
        return records

    def _get_many(self, uuids: Sequence[str], sk: str, only: Sequence[str] = ()) -> dict[str, Item]:
        """Items of many jobs, or only some of their attributes, these with eventual consistency."""
        found: dict[str, Item] = {}
        names = {f"#{number}": name for number, name in enumerate(("pk", *only))}
        how: dict[str, Any] = {"ConsistentRead": True}
        if only:
            how = {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names}
        for start in range(0, len(uuids), GET_BATCH):
            keys = [to_dynamodb({"pk": uuid, "sk": sk}) for uuid in uuids[start : start + GET_BATCH]]
            left: dict[str, Any] = {self._table: {"Keys": keys, **how}}
            for pause in self._pauses("batch_get_item"):
                answer = call(self._client.batch_get_item, RequestItems=left)
                for item in map(from_dynamodb, answer["Responses"].get(self._table, [])):
                    found[item["pk"]] = item
                left = answer.get("UnprocessedKeys", {})
                if not left:
                    break
                self._clock.sleep(pause)
        return found

    def _pauses(self, operation: str) -> Iterator[float]:
        """The seconds to wait before DynamoDB is asked again for what it left out of a batch, doubling.

        Raises:
            AwsError: it still leaves something out after a quarter of a minute.
        """
        for attempt in range(BATCH_TRIES):
            yield min(0.05 * 2**attempt, 2.0)
        raise AwsError(
            f"dynamodb.{operation}",
            "Unprocessed",
            f"a part was left out of {BATCH_TRIES} tries; the table is throttled",
            applied=True,
        )

    def _page(self, found: tuple[list[Item], str | None], *, whole: bool) -> Page:
        items, more = found
        records = self._records({item["pk"]: item for item in items}, whole)
        return Page(
            records=tuple(records[item["pk"]] for item in items if item["pk"] in records), cursor=more
        )
