"""Reading jobs from DynamoDB: one record by one query, many by batches, listings by the indexes."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from serverless_tasks.assembly import assemble, names_others, outputs_key, submitted
from serverless_tasks.aws.items import from_dynamodb, to_dynamodb
from serverless_tasks.aws.session import call
from serverless_tasks.clock import to_ms
from serverless_tasks.errors import AwsError, ConfigurationError, InvalidCursor
from serverless_tasks.items import (
    DAY_MS,
    JOB,
    LISTED_DAYS,
    OWNER_SHARDS,
    STATE,
    STATE_PREFIX,
    TASK_SHARDS,
    Item,
    day_of,
)
from serverless_tasks.store import Page

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from serverless_tasks.clock import Clock
    from serverless_tasks.message import Message
    from serverless_tasks.record import Record
    from serverless_tasks.store import Blobs

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

    def __init__(self, client: Any, table: str, clock: Clock, blobs: Blobs | None) -> None:
        self._client = client
        self._table = table
        self._clock = clock
        self._blobs = blobs

    def read(self, uuid: str) -> Record | None:
        """See `Store.read`."""
        items = self._state_items(uuid)
        if not items:
            job = self._get(uuid, JOB)
            items = [job] if job is not None else []
        return self._record(items)

    def read_many(self, uuids: Sequence[str]) -> dict[str, Record]:
        """See `Store.read_many`."""
        return self._records(dict.fromkeys(uuids))

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
        return replace(message, inputs=inputs, inputs_key=None)

    def list_owner(self, owner: str, *, limit: int = 50, cursor: str | None = None) -> Page:
        """See `Store.list_owner`."""
        return self._list("by_owner", "owner_day", owner, OWNER_SHARDS, limit, cursor)

    def list_task(self, task: str, *, limit: int = 50, cursor: str | None = None) -> Page:
        """See `Store.list_task`."""
        return self._list("by_task", "task_day", task, TASK_SHARDS, limit, cursor)

    def _state_items(self, uuid: str) -> list[Item]:
        """Everything under the state's prefix, read consistently so that progress never goes backwards."""
        items: list[Item] = []
        start: dict[str, Any] = {}
        while True:
            answer = call(
                self._client.query,
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
                ExpressionAttributeValues=to_dynamodb({":pk": uuid, ":prefix": STATE_PREFIX}),
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

    def _record(self, items: Sequence[Item]) -> Record | None:
        record = assemble(items, to_ms(self._clock.now()))
        key = outputs_key(items)
        if record is None or key is None:
            return record
        if self._blobs is None:
            raise ConfigurationError(
                f"The outputs of job {record.uuid} lie in the bucket, and SERVERLESS_TASKS_BUCKET is not set."
            )
        return replace(record, outputs=json.loads(self._blobs.get(key)))

    def _records(self, jobs: dict[str, Item | None]) -> dict[str, Record]:
        """Records of many jobs: their states at once, then those whose state names other items one by one.

        Args:
            jobs: uuid -> what is known of its ``job`` item already.
        """
        states = self._get_many(list(jobs), STATE)
        absent = [uuid for uuid, job in jobs.items() if uuid not in states and job is None]
        known = {uuid: job for uuid, job in jobs.items() if job is not None} | self._get_many(absent, JOB)
        records: dict[str, Record] = {}
        for uuid in jobs:
            state = states.get(uuid)
            items = [item for item in (state, known.get(uuid)) if item is not None]
            record = self.read(uuid) if state is not None and names_others(state) else self._record(items)
            if record is not None:
                records[uuid] = record
        return records

    def _get_many(self, uuids: Sequence[str], sk: str) -> dict[str, Item]:
        found: dict[str, Item] = {}
        for start in range(0, len(uuids), GET_BATCH):
            keys = [to_dynamodb({"pk": uuid, "sk": sk}) for uuid in uuids[start : start + GET_BATCH]]
            left: dict[str, Any] = {self._table: {"Keys": keys, "ConsistentRead": True}}
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

    def _list(self, index: str, key: str, value: str, shards: int, limit: int, cursor: str | None) -> Page:
        """A page from an index whose keys hold the day and a shard: day by day backwards, the shards merged."""
        now = to_ms(self._clock.now())
        oldest = (now // DAY_MS - LISTED_DAYS) * DAY_MS
        moment, before = _read_cursor(cursor) if cursor else (now, "~")
        moment = min(moment, now)  # a made-up cursor of the year 9999 would ask for every day until then
        found: list[Item] = []
        while moment >= oldest and len(found) <= limit:
            of_day: list[Item] = []
            for number in range(shards):
                answer = call(
                    self._client.query,
                    TableName=self._table,
                    IndexName=index,
                    KeyConditionExpression="#day = :day AND created_uuid < :before",
                    ExpressionAttributeNames={"#day": key},
                    ExpressionAttributeValues=to_dynamodb(
                        {":day": f"{value}#{day_of(moment)}#{number}", ":before": before}
                    ),
                    ScanIndexForward=False,
                    Limit=limit + 1,
                )
                of_day += map(from_dynamodb, answer["Items"])
            found += sorted(of_day, key=lambda item: str(item["created_uuid"]), reverse=True)
            moment -= DAY_MS
        page = found[:limit]
        records = self._records({item["pk"]: item for item in page})
        more = _cursor(page[-1]) if len(found) > limit else None
        return Page(records=tuple(records[item["pk"]] for item in page if item["pk"] in records), cursor=more)


def _cursor(last: Item) -> str:
    return base64.urlsafe_b64encode(str(last["created_uuid"]).encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[int, str]:
    """The moment and the sort key that a cursor stands for.

    Raises:
        InvalidCursor: it is not one of ours.
    """
    try:
        position = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        moment = int(position.split("#")[0])
        day_of(moment)
    except (ValueError, OverflowError, OSError):
        raise InvalidCursor(f"The cursor {cursor!r} is not one that a listing has given.") from None
    return moment, position
