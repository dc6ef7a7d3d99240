"""The jobs that wait long, by the index of states."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serverless_tasks.engine.store.items import INDEXED_SHARDS, WAITING, index_key

if TYPE_CHECKING:
    from serverless_tasks.engine.aws.dynamodb.items import TableItems


def held_jobs(items: TableItems, limit: int) -> list[str]:
    """Return the ids of the jobs that have waited long, those that began last first: one query a shard.

    Args:
        items: the table.
        limit: how many at most.

    Raises:
        AwsError: the table could not be asked.
    """
    found = [
        item
        for number in range(INDEXED_SHARDS)
        for item in items.newest("by_task", "task_day", index_key(WAITING, number), "~", limit)
    ]
    found.sort(key=lambda item: str(item["created_uuid"]), reverse=True)
    return [str(item["pk"]) for item in found[:limit]]
