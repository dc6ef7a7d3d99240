"""The manifest in DynamoDB: one item beside the jobs, written over by each build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from serverless_tasks.engine.aws.session import ConditionFailed
from serverless_tasks.engine.definition.manifest.build import Manifest
from serverless_tasks.engine.store.transitions import Change

if TYPE_CHECKING:
    from serverless_tasks.engine.aws.dynamodb.items import TableItems

# Its key, of which template.yaml's SchedulesPolicy speaks. It has no ttl.
PK: Final = "manifest"
SK: Final = "manifest"


class TableManifest:
    """See `ManifestStore`.

    Args:
        items: the table.
    """

    def __init__(self, items: TableItems) -> None:
        self._items = items

    def read(self) -> Manifest | None:
        """See `ManifestStore.read`."""
        item = self._items.get(PK, SK)
        return None if item is None else Manifest.from_item(item)

    def write(self, manifest: Manifest) -> None:
        """See `ManifestStore.write`."""
        item = manifest.to_item()
        since = {"indexed_since": item.pop("indexed_since")} if "indexed_since" in item else {}
        try:
            self._items.update(
                PK,
                SK,
                Change(put=item, keep=since),
                condition="attribute_not_exists(#pk) OR #since <= :since",
                values={},
                answered=False,
            )
        except ConditionFailed:
            return  # a process that began later was quicker
