"""The manifest in DynamoDB: one item beside the jobs, written over by each build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from serverless_tasks.engine.aws.dynamodb.expressions import to_dynamodb
from serverless_tasks.engine.aws.session import ConditionFailed
from serverless_tasks.engine.definition.manifest.build import Manifest

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
        try:
            self._items.put(
                {"pk": PK, "sk": SK, **manifest.to_item()},
                ConditionExpression="attribute_not_exists(pk) OR since <= :since",
                ExpressionAttributeValues=to_dynamodb({":since": manifest.since}),
            )
        except ConditionFailed:
            return  # a process that began later was quicker
