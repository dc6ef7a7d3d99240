"""The calls that the table is made of, on plain items: one method for one call, or for one batch until it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serverless_tasks.engine.aws.dynamodb.expressions import from_dynamodb, to_dynamodb, update_parameters
from serverless_tasks.engine.aws.session import ConditionFailed, call
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from serverless_tasks.engine.aws.dynamodb.index_query import IndexPage, Selection
    from serverless_tasks.engine.job.clock import Clock
    from serverless_tasks.engine.store.items import Item
    from serverless_tasks.engine.store.transitions import Change

GET_BATCH = 100
WRITE_BATCH = 25
BATCH_TRIES = 12


class TableItems:
    """The items of a table. Every method raises AwsError when its call fails.

    Args:
        client: a DynamoDB client.
        table: the table's name.
        clock: the time.
    """

    def __init__(self, client: Any, table: str, clock: Clock) -> None:
        self._client = client
        self._table = table
        self._clock = clock

    def made(self) -> int | None:
        """Return when the table was made, milliseconds since the epoch; None of one with another one's items."""
        table = call(self._client.describe_table, TableName=self._table).get("Table", {})
        if "CreationDateTime" not in table or "RestoreSummary" in table or table.get("Replicas"):
            return None
        return to_ms(table["CreationDateTime"].timestamp())

    def get(self, pk: str, sk: str, *, consistent: bool = True) -> Item | None:
        """Return an item, or None."""
        key = to_dynamodb({"pk": pk, "sk": sk})
        response = call(self._client.get_item, TableName=self._table, Key=key, ConsistentRead=consistent)
        return from_dynamodb(response["Item"]) if "Item" in response else None

    def get_many(self, pks: Sequence[str], sk: str, only: Sequence[str] = ()) -> dict[str, Item]:
        """Return items by their ``pk``, or only some of their attributes, these with eventual consistency."""
        items: dict[str, Item] = {}
        names = {f"#{number}": name for number, name in enumerate(("pk", *only))}
        how: dict[str, Any] = {"ConsistentRead": True}
        if only:
            how = {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names}
        for start in range(0, len(pks), GET_BATCH):
            keys = [to_dynamodb({"pk": pk, "sk": sk}) for pk in pks[start : start + GET_BATCH]]
            left: dict[str, Any] = {self._table: {"Keys": keys, **how}}
            for pause in _pauses("batch_get_item"):
                response = call(self._client.batch_get_item, RequestItems=left)
                for item in map(from_dynamodb, response["Responses"].get(self._table, [])):
                    items[item["pk"]] = item
                left = response.get("UnprocessedKeys", {})
                if not left:
                    break
                self._clock.sleep(pause)
        return items

    def query(self, condition: str, values: Item, *, consistent: bool = True) -> list[Item]:
        """Return all items that a key condition selects.

        Args:
            condition: the condition.
            values: its values.
            consistent: read what was written last, so that progress never goes backwards; it costs twice as much.
        """
        items: list[Item] = []
        start: dict[str, Any] = {}
        while True:
            response = call(
                self._client.query,
                TableName=self._table,
                KeyConditionExpression=condition,
                ExpressionAttributeValues=to_dynamodb(values),
                ConsistentRead=consistent,
                **start,
            )
            items += map(from_dynamodb, response["Items"])
            if "LastEvaluatedKey" not in response:
                return items
            start = {"ExclusiveStartKey": response["LastEvaluatedKey"]}

    def newest(
        self,
        index: str,
        key: str,
        value: str,
        *,
        before: str,
        after: str = "",
        limit: int | None = None,
        only: Selection | None = None,
    ) -> IndexPage:
        """Return the newest items of an index whose key has a value, by one query.

        Args:
            index: the index's name.
            key: its partition key.
            value: the key's value.
            before: the ``created_uuid`` that they come before.
            after: the one that they come after, or "".
            limit: how many are looked at; None for a page of DynamoDB's, which is 1 MB.
            only: which of those that are looked at; None for all.
        """
        from serverless_tasks.engine.aws.dynamodb.index_query import IndexPage  # a worker queries no index

        # A condition on a sort key is one comparison, and this one includes both ends; the later one is not wanted.
        asked = None if limit is None else limit + 1 if after else limit
        sort = "created_uuid BETWEEN :after AND :before" if after else "created_uuid < :before"
        values = {":day": value, ":before": before, **({":after": after} if after else {})}
        response = call(
            self._client.query,
            TableName=self._table,
            IndexName=index,
            KeyConditionExpression=f"#day = :day AND {sort}",
            ExpressionAttributeNames={"#day": key, **(only.names if only else {})},
            ExpressionAttributeValues=to_dynamodb({**values, **(only.values if only else {})}),
            ScanIndexForward=False,
            **({} if asked is None else {"Limit": asked}),
            **({} if only is None else {"FilterExpression": only.expression}),
        )
        last = response.get("LastEvaluatedKey")
        return IndexPage(
            items=[from_dynamodb(item) for item in response["Items"] if item["created_uuid"]["S"] < before],
            looked_at=response["ScannedCount"],
            end=None if last is None else last["created_uuid"]["S"],
        )

    def put(self, item: Item, **condition: Any) -> None:
        """Put an item.

        Args:
            item: the item.
            condition: the parameters of PutItem that make it conditional.

        Raises:
            ConditionFailed: the condition does not hold.
        """
        call(self._client.put_item, TableName=self._table, Item=self._to_put(item), **condition)

    def put_new(self, item: Item) -> None:
        """Put an item unless it is there: then it stays as it is."""
        try:
            self.put(item, ConditionExpression="attribute_not_exists(pk)")
        except ConditionFailed:
            return

    def put_many(self, items: Sequence[Item]) -> None:
        """Put items of different keys, over those that are there."""
        self._write_batches([{"PutRequest": {"Item": self._to_put(item)}} for item in items])

    def update(
        self,
        pk: str,
        sk: str,
        change: Change,
        *,
        condition: str,
        values: Mapping[str, Any],
        answered: bool = True,
    ) -> Item:
        """Change an item; returns it as it is then, or {} when no answer is wanted. See `update_parameters`.

        Raises:
            ConditionFailed: the condition does not hold.
        """
        parameters = update_parameters(change, condition=condition, values=values, answered=answered)
        key = to_dynamodb({"pk": pk, "sk": sk})
        response = call(self._client.update_item, TableName=self._table, Key=key, **parameters)
        return from_dynamodb(response.get("Attributes", {}))

    def delete(self, pk: str, sk: str) -> None:
        """Delete an item."""
        key = to_dynamodb({"pk": pk, "sk": sk})
        call(self._client.delete_item, TableName=self._table, Key=key)

    def delete_many(self, pk: str, sks: Sequence[str]) -> None:
        """Delete items of one ``pk``."""
        self.delete_keys([(pk, sk) for sk in sks])

    def delete_keys(self, keys: Sequence[tuple[str, str]]) -> None:
        """Delete items by their ``pk`` and ``sk``."""
        self._write_batches(
            [{"DeleteRequest": {"Key": to_dynamodb({"pk": pk, "sk": sk})}} for pk, sk in keys]
        )

    def _to_put(self, item: Item) -> dict[str, Any]:
        stored = to_dynamodb(item)
        if not any(isinstance(value, bytes) for value in item.values()):
            return stored
        # Few items have any.
        from serverless_tasks.engine.aws.botocore_overrides.documents import bytes_as_text

        return bytes_as_text(stored, self._client)

    def _write_batches(self, requests: Sequence[dict[str, Any]]) -> None:
        for start in range(0, len(requests), WRITE_BATCH):
            left: dict[str, Any] = {self._table: requests[start : start + WRITE_BATCH]}
            for pause in _pauses("batch_write_item"):
                left = call(self._client.batch_write_item, RequestItems=left).get("UnprocessedItems", {})
                if not left:
                    break
                self._clock.sleep(pause)


def _pauses(operation: str) -> Iterator[float]:
    """Yield the seconds to wait before DynamoDB is asked again for what it left out of a batch, doubling.

    Raises:
        AwsError: it still leaves something out after a quarter of a minute.
    """
    for attempt in range(BATCH_TRIES):
        yield min(0.05 * 2**attempt, 2.0)
    raise AwsError(
        f"dynamodb.{operation}",
        "Unprocessed",
        f"some items were left unprocessed after {BATCH_TRIES} tries; the table is throttled",
        applied=True,
    )
