"""The pauses in DynamoDB: one item beside the jobs, with an attribute for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.store.transitions import Change

if TYPE_CHECKING:
    from serverless_tasks.engine.aws.dynamodb.items import TableItems
    from serverless_tasks.engine.job.clock import Clock

PK: Final = "control"
SK: Final = "pauses"
_PREFIXES: Final = ("queue_", "task_")


class TablePauses:
    """See `PauseStore`. Each change is one write of one attribute: two operators do not undo each other's.

    The item has no ``ttl``: a pause is removed when it is resumed, or by the next change after it has ended.

    Args:
        items: the table.
        reader: the table, by a client that does not wait for long: a job waits for the worker's look.
        clock: the time.
    """

    def __init__(self, items: TableItems, reader: TableItems, clock: Clock) -> None:
        self._items = items
        self._reader = reader
        self._clock = clock

    def read(self) -> dict[str, str]:
        """See `PauseStore.read`: one read with eventual consistency, half a read unit."""
        item = self._reader.get(PK, SK, consistent=False) or {}
        return {name: str(value) for name, value in item.items() if name.startswith(_PREFIXES)}

    def put(self, key: str, text: str) -> None:
        """See `PauseStore.put`."""
        self._change(Change(put={"changed": to_ms(self._clock.now()), key: text}))

    def remove(self, key: str) -> None:
        """See `PauseStore.remove`."""
        self._change(Change(put={"changed": to_ms(self._clock.now())}, remove=(key,)))

    def _change(self, change: Change) -> None:
        self._items.update(PK, SK, change, condition="", values={}, answered=False)
