"""The pauses in DynamoDB: one item beside the jobs, with an attribute for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.store.transitions import Change

if TYPE_CHECKING:
    from serverless_tasks.engine.aws.dynamodb.items import TableItems
    from serverless_tasks.engine.job.clock import Clock
    from serverless_tasks.engine.store.items import Item

PK: Final = "control"
SK: Final = "pauses"
_PREFIXES: Final = ("queue_", "task_")
# Seconds for which the item is kept after a change, and how long before its end it is kept for as long again.
KEPT: Final = 400 * 86_400
RENEWED: Final = 200 * 86_400


class TablePauses:
    """See `PauseStore`. Each change is one write of one attribute: two operators do not undo each other's.

    A pause is removed when it is resumed, or by the next change after it has ended. The item's ``ttl`` takes what is
    left of pauses that nobody looks at any more.

    Args:
        items: the table.
        reader: the table, by a client that does not wait for long: a job waits for the worker's look.
        clock: the time.
    """

    def __init__(self, items: TableItems, reader: TableItems, clock: Clock) -> None:
        self._items = items
        self._reader = reader
        self._clock = clock
        self._ends = 0

    def read(self) -> dict[str, str]:
        """See `PauseStore.read`: one read with eventual consistency, half a read unit."""
        item = self._reader.get(PK, SK, consistent=False) or {}
        self._ends = item.get("ttl", 0)  # one of the version before has none
        return {name: str(value) for name, value in item.items() if name.startswith(_PREFIXES)}

    def put(self, key: str, text: str) -> None:
        """See `PauseStore.put`."""
        self._change(Change(put={**self._changed(), key: text}))

    def remove(self, key: str) -> None:
        """See `PauseStore.remove`."""
        self._change(Change(put=self._changed(), remove=(key,)))

    def renew(self) -> None:
        """See `PauseStore.renew`: a write in two hundred days."""
        if self._ends - self._clock.now() < RENEWED:
            # By the client that does not wait for long. What was removed meanwhile is not made anew.
            change = Change(put={"ttl": self._ttl()})
            self._reader.update(PK, SK, change, condition="attribute_exists(pk)", values={}, answered=False)

    def _changed(self) -> Item:
        return {"changed": to_ms(self._clock.now()), "ttl": self._ttl()}

    def _ttl(self) -> int:
        return int(self._clock.now()) + KEPT

    def _change(self, change: Change) -> None:
        self._items.update(PK, SK, change, condition="", values={}, answered=False)
