"""The record of this process's build: its manifest, written once."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from serverless_tasks.engine.definition.manifest.build import READS, Manifest
from serverless_tasks.engine.store.items import DAY_MS
from serverless_tasks.errors import AwsError

if TYPE_CHECKING:
    from serverless_tasks.engine.definition.manifest.build import ManifestStore
    from serverless_tasks.engine.definition.registry import Registry

logger = logging.getLogger(__name__)
# A table is new for so long: workers write a manifest after their first batch.
NEW_MS: Final = DAY_MS


class BuildRecord:
    """Writes the manifest of this process's build, once.

    Args:
        registry: the tasks of this process.
        store: where the manifest lies, or None.
        since: when this process began, seconds since the epoch.
        build_id: the id of its code, or "".
    """

    def __init__(
        self, registry: Registry, store: ManifestStore | None, since: float, build_id: str = ""
    ) -> None:
        self._build_id = build_id
        self._registry = registry
        self._store = store
        self._since = since
        self._done = False

    def write_once(self) -> None:
        """Write a worker's manifest unless it is there. What goes wrong is logged: no job depends on it."""
        if self._done or self._store is None:
            return
        self._done = True
        try:
            manifest = self._manifest()
            there = self._store.read()
            if there is None:
                mine = self._of_a_table_without(manifest, manifest.since)
            elif not self._says(there, manifest):
                first = self._first(manifest, there)
                mine = replace(manifest, indexed_since=manifest.since, first=first)
            else:
                return
            before = {} if there is None else there.reads
            self._store.write(replace(mine, reads={name: before.get(name, manifest.since) for name in READS}))
        except Exception:
            logger.warning("the manifest of this build could not be written", exc_info=True)

    def write(self) -> None:
        """Write the manifest over the one that is there. Of workers it says no more than that a new table has had none.

        Raises:
            AwsError: it could not be written.
        """
        if self._store is None:
            return
        manifest = self._manifest()
        try:
            there = self._store.read()
        except AwsError:  # the policy of schedules lets its holder write alone
            self._store.write(manifest)
            return
        self._store.write(self._of_a_table_without(manifest, None) if there is None else manifest)

    def _of_a_table_without(self, manifest: Manifest, indexed_since: int | None) -> Manifest:
        """Return the manifest of a table that has none. Where that is new, no worker of a version before has run."""
        first = self._first(manifest, None)
        is_new = first is not None and manifest.since - first < NEW_MS
        return replace(manifest, first=first, indexed_since=0 if is_new else indexed_since)

    def _says(self, there: Manifest, manifest: Manifest) -> bool:
        """Return whether the manifest that is there is one of this build, and a worker's."""
        same = (there.build, there.build_id) == (manifest.build, manifest.build_id)
        return same and there.indexed_since is not None and there.reads.keys() == set(READS)

    def _first(self, manifest: Manifest, there: Manifest | None) -> int | None:
        """Return when the table was made: as the build before says, else as the table itself does."""
        if there is not None and there.first is not None:
            return there.first
        made = self._store.made() if self._store is not None else None
        return None if made is None else min(made, manifest.since)

    def _manifest(self) -> Manifest:
        return Manifest.of(self._registry, self._since, self._build_id)
