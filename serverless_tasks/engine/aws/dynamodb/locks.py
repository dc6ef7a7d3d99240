"""Locks in DynamoDB, in the table of the jobs: one conditional write each, or one transaction for a hundred."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serverless_tasks.engine.aws.dynamodb.expressions import from_dynamodb, to_dynamodb
from serverless_tasks.engine.aws.dynamodb.items import TableItems
from serverless_tasks.engine.aws.session import ConditionFailed, TransactionCancelled, call
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.store.locks import Lock
from serverless_tasks.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from serverless_tasks.engine.job.clock import Clock

SK = "lock"
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
TRANSACTION = 100
TRIES = 12
_REFUSED = "ConditionalCheckFailed"
_IN_A_TRANSACTION = "TransactionConflictException"
# Seconds to wait for other writers, before each further try.
_PAUSES = tuple(min(0.05 * 2**attempt, 2.0) for attempt in range(TRIES))


class TableLocks:
    """See `LockRows`.

    Args:
        client: a DynamoDB client.
        table: the table's name.
        clock: the time.
    """

    def __init__(self, client: Any, table: str, clock: Clock) -> None:
        self._client = client
        self._table = table
        self._clock = clock
        self._items = TableItems(client, table, clock)

    def put(self, locks: Sequence[Lock], over: Mapping[str, str]) -> list[Lock]:
        """See `LockRows.put`."""
        writes = [self._write(lock, over.get(lock.id)) for lock in locks]
        if len(writes) == 1:
            return [self._put_one(locks[0], writes[0])]
        found: list[Lock] = []
        for start in range(0, len(writes), TRANSACTION):
            end = start + TRANSACTION
            found += self._put_together(locks[start:end], writes[start:end])
        return found

    def read(self, ids: Sequence[str]) -> dict[str, Lock]:
        """See `LockRows.read`."""
        if len(ids) == 1:
            item = self._items.get(ids[0], SK)
            items = [] if item is None else [item]
        else:
            items = list(self._items.get_many(ids, SK).values())
        now = to_ms(self._clock.now())
        return {lock.id: lock for lock in map(_lock, items) if lock.expires >= now}

    def free(self, lock: Lock) -> None:
        """See `LockRows.free`."""
        try:
            call(
                self._client.update_item,
                TableName=self._table,
                Key=to_dynamodb({"pk": lock.id, "sk": SK}),
                UpdateExpression="SET expires = :never",
                ConditionExpression="#uuid = :uuid AND created = :created",
                ExpressionAttributeNames={"#uuid": "uuid"},
                ExpressionAttributeValues=to_dynamodb(
                    {":never": 0, ":uuid": lock.uuid, ":created": lock.created}
                ),
            )
        except ConditionFailed:
            return  # somebody else submits the job by now, or another one: the row is theirs

    def _put_one(self, lock: Lock, write: dict[str, Any]) -> Lock:
        for pause in _PAUSES:
            try:
                call(self._client.put_item, **write)
            except ConditionFailed as failed:
                return _lock(from_dynamodb(failed.item))
            except AwsError as error:
                if error.code != _IN_A_TRANSACTION:
                    raise
                self._clock.sleep(pause)
                continue
            return lock
        raise _in_the_way("put_item", _IN_A_TRANSACTION)

    def _put_together(self, locks: Sequence[Lock], writes: Sequence[dict[str, Any]]) -> list[Lock]:
        """Write rows in one transaction; those that stand in its way are left out, and the others written in the next.

        Raises:
            AwsError: other writers were in the way each time.
        """
        found: dict[int, Lock] = {}
        codes: set[str] = set()
        for pause in _PAUSES:
            left = [index for index in range(len(locks)) if index not in found]
            try:
                if left:
                    call(
                        self._client.transact_write_items,
                        TransactItems=[{"Put": writes[index]} for index in left],
                    )
            except TransactionCancelled as cancelled:
                refused = {
                    index: _lock(from_dynamodb(reason["Item"]))
                    for index, reason in zip(left, cancelled.reasons, strict=True)
                    if reason["Code"] == _REFUSED
                }
                found |= refused
                if not refused:  # another transaction has one of the rows in hand, or the table is throttled
                    codes = {reason["Code"] for reason in cancelled.reasons} - {"None"}
                    self._clock.sleep(pause)
                continue
            return [found.get(index, lock) for index, lock in enumerate(locks)]
        raise _in_the_way("transact_write_items", ", ".join(sorted(codes)))

    def _write(self, lock: Lock, over: str | None) -> dict[str, Any]:
        condition = "attribute_not_exists(pk) OR expires < :now"
        values: dict[str, Any] = {":now": to_ms(self._clock.now())}
        if over is not None:
            condition += " OR #uuid = :over"
            values[":over"] = over
        write = {
            "TableName": self._table,
            "Item": to_dynamodb(_item(lock)),
            "ConditionExpression": condition,
            "ExpressionAttributeValues": to_dynamodb(values),
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        return write if over is None else write | {"ExpressionAttributeNames": {"#uuid": "uuid"}}


def _in_the_way(operation: str, code: str) -> AwsError:
    reason = f"concurrent writes to the item conflicted {TRIES} times"
    return AwsError(f"dynamodb.{operation}", code, reason, applied=False)


def _item(lock: Lock) -> dict[str, Any]:
    item = {
        "pk": lock.id,
        "sk": SK,
        "uuid": lock.uuid,
        "fingerprint": lock.fingerprint,
        "created": lock.created,
        "expires": lock.expires,
        "ttl": lock.expires // 1000 + 1,
    }
    return item | {"converted": lock.converted} if lock.converted else item


def _lock(item: dict[str, Any]) -> Lock:
    return Lock(
        id=item["pk"],
        uuid=item["uuid"],
        fingerprint=item["fingerprint"],
        created=item["created"],
        expires=item["expires"],
        converted=item.get("converted", ""),
    )
