"""Groups in DynamoDB: their states, and the items that count their members."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serverless_tasks.engine.aws.dynamodb.expressions import from_dynamodb, to_dynamodb
from serverless_tasks.engine.aws.session import ConditionFailed
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.place import shards_of
from serverless_tasks.engine.job.record import PENDING, RUNNING
from serverless_tasks.engine.store.group import Group, Shard
from serverless_tasks.engine.store.groups import (
    SHARD,
    group_ended,
    group_of,
    members_counted,
    shard_filled,
    shard_key,
    shard_of,
    shards_read,
)
from serverless_tasks.engine.store.items import STATE, TOTAL

if TYPE_CHECKING:
    from serverless_tasks.engine.aws.dynamodb.items import TableItems
    from serverless_tasks.engine.job.clock import Clock
    from serverless_tasks.engine.job.record import Members
    from serverless_tasks.engine.store.items import Item

# A deleted group's state is there, and has no total.
_IS_GROUP = f"attribute_exists(#{TOTAL})"
# An eventually consistent read of a group's mark.
_LOOKED_AT = ("status", "cancel", TOTAL, "deadline", "expires")


class TableGroups:
    """See `Groups`.

    Args:
        items: the table.
        clock: the time.
    """

    def __init__(self, items: TableItems, clock: Clock) -> None:
        self._items = items
        self._clock = clock

    def open(self, state: Item) -> tuple[Group | None, bool]:
        """See `Groups.open`."""
        try:
            self._items.put(
                state,
                # A worker may have given its message back unopened.
                ConditionExpression="attribute_not_exists(pk) OR #status = :pending",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues=to_dynamodb({":pending": PENDING}),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ConditionFailed as failed:
            return group_of(from_dynamodb(failed.item)), False
        return group_of(state), True

    def get(self, uuid: str, *, consistent: bool = True) -> Group | None:
        """See `Groups.get`."""
        if consistent:
            state = self._items.get(uuid, STATE)
        else:
            state = self._items.get_many([uuid], STATE, _LOOKED_AT).get(uuid)
        return None if state is None else group_of(state)

    def count(self, group: str, shard: Shard, ttl: int) -> Shard:
        """See `Groups.count`."""
        key, change = shard_key(group, shard.number), members_counted(shard, ttl)
        return shard_of(shard.number, self._items.update(key, SHARD, change, condition="", values={}))

    def fill(self, group: str, shard: int) -> Group | None:
        """See `Groups.fill`."""
        try:
            change = shard_filled(shard)
            state = self._items.update(group, STATE, change, condition=_IS_GROUP, values={})
        except ConditionFailed:
            return None
        return group_of(state)

    def close(self, group: str, status: str, members: Members, fields: Item) -> None:
        """See `Groups.close`."""
        change = group_ended(group, status, members, fields, to_ms(self._clock.now()))
        condition = f"{_IS_GROUP} AND #status = :running"
        try:
            self._items.update(
                group, STATE, change, condition=condition, values={"running": RUNNING}, answered=False
            )
        except ConditionFailed:
            return  # another has closed it, or it was deleted

    def shards(self, group: str, total: int) -> list[Shard]:
        """See `Groups.shards`."""
        keys = [shard_key(group, number) for number in range(shards_of(total))]
        return shards_read(group, total, self._items.get_many(keys, SHARD))

    def delete_shards(self, group: str, total: int) -> None:
        """Delete all shards of a group."""
        self._items.delete_keys([(shard_key(group, number), SHARD) for number in range(shards_of(total))])
