"""The manifest in DynamoDB: one item beside the jobs, written over by each build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from serverless_tasks.engine.aws.session import ConditionFailed
from serverless_tasks.engine.definition.manifest.build import ROLLED_OUT_MS, Manifest, reads_of
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.store.items import DAY_MS
from serverless_tasks.engine.store.transitions import Change
from serverless_tasks.errors import AwsError

if TYPE_CHECKING:
    from serverless_tasks.engine.aws.dynamodb.items import TableItems
    from serverless_tasks.engine.job.clock import Clock
    from serverless_tasks.engine.store.items import Item

# Its key, of which template.yaml's SchedulesPolicy speaks. It has no ttl.
PK: Final = "manifest"
SK: Final = "manifest"
# AWS refuses a request that was signed by a clock a quarter of an hour off: no job is older than its table by more.
MARGIN_MS: Final = 60 * 60 * 1000
# After so long the manifest is looked at again where it did not say when the table was made, and for what builds read.
AGAIN_MS: Final = 15 * 60 * 1000


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
        kept: Item = {name: item.pop(name) for name in ("indexed_since", "first") if name in item}
        try:
            self._items.update(
                PK,
                SK,
                Change(put=item, keep=kept),
                condition="attribute_not_exists(#pk) OR #since <= :since",
                values={},
                answered=False,
            )
        except ConditionFailed:
            return  # a process that began later was quicker

    def made(self) -> int | None:
        """See `ManifestStore.made`. Who may not ask, or asks too often, does not know it."""
        try:
            return self._items.made()
        except AwsError:
            return None


class Beginning:
    """The first day that the table can hold jobs of, by the manifest's `first`.

    Args:
        items: the table.
        clock: the time.
    """

    def __init__(self, items: TableItems, clock: Clock) -> None:
        self._items = items
        self._clock = clock
        self._day = 0
        self._again = 0

    def day(self, *, ask: bool) -> int:
        """Return the day, counted from the epoch; 0 where it is not known.

        Args:
            ask: read the manifest where that was not done.
        """
        now = to_ms(self._clock.now())
        if ask and not self._day and now >= self._again:
            self._again = now + AGAIN_MS
            try:
                first = self._items.get_many([PK], SK, ("first",)).get(PK, {}).get("first")
            except AwsError:  # all days are asked then
                first = None
            self._day = 0 if first is None else (first - MARGIN_MS) // DAY_MS
        return self._day


class DeployedReads:
    """What items may have that versions before do not read, by the manifest's `reads`.

    Args:
        items: the table.
        clock: the time.
    """

    def __init__(self, items: TableItems, clock: Clock) -> None:
        self._items = items
        self._clock = clock
        self._reads: dict[str, int] = {}
        self._again = 0

    def have(self, name: str) -> bool:
        """Return whether the deployed build reads something, and those before it are gone.

        The manifest is asked at most once in a quarter of an hour. Where it cannot be read, nothing is known to be.
        """
        now = to_ms(self._clock.now())
        if now >= self._again:
            self._again = now + AGAIN_MS
            try:
                self._reads = reads_of(self._items.get_many([PK], SK, ("build", "reads")).get(PK, {}))
            except AwsError:
                self._reads = {}
        return name in self._reads and now >= self._reads[name] + ROLLED_OUT_MS
