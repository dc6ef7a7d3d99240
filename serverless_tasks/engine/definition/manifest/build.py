"""The manifest of a build: made of a registry, and kept where the jobs are."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from serverless_tasks.engine.definition.manifest.entry import DeployedTask
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.encoding import encode
from serverless_tasks.engine.store.hashes import hashed
from serverless_tasks.errors import TaskDefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from serverless_tasks.engine.definition.registry import Registry

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-items: 400 KB an item.
LARGEST: Final = 380_000
# In the build's name: a worker of the version before, which indexes no states, is of another build although it has the
# same tasks. So it writes its own manifest over ours when it is deployed again, and ``indexed_since`` goes.
INDEXES: Final = "states"
# What items may have that versions before do not read: written once all deployed builds read it. A name stays.
READS: Final = ("inputs_zlib",)
# After so long no process of a build before runs any more: a Lambda function's ends a quarter of an hour after it was
# replaced, a container when it has been told to stop.
ROLLED_OUT_MS: Final = 60 * 60 * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The tasks of a build.

    Attributes:
        build: what tells it from others: a hash of its tasks.
        since: when the process began that wrote it, milliseconds since the epoch; an older one does not write over it.
        tasks: the tasks by name.
        indexed_since: since when workers list the states of jobs that fail, are cancelled, or wait long, by their
            status, milliseconds since the epoch; 0 where no others have run, and None where that is not known of a
            writer that is no worker.
        build_id: the id of the code (`Config.build`), or "" where it has none.
        first: when the table was made, milliseconds since the epoch: no job in it is older. None where that is not
            known, as of a table that was restored from another one.
        reads: of `READS`, what the workers read, and since when those of every build have, milliseconds since the
            epoch; nothing of a writer that is no worker.
    """

    build: str
    since: int
    tasks: Mapping[str, DeployedTask] = field(default_factory=dict)
    indexed_since: int | None = None
    build_id: str = ""
    first: int | None = None
    reads: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, registry: Registry, since: float, build_id: str = "") -> Manifest:
        """The manifest of the tasks that a process knows.

        Args:
            registry: the tasks. One whose class contradicts itself is left out: no worker could run it.
            since: when the process began, seconds since the epoch.
            build_id: the id of its code, or "".
        """
        tasks = {entry.name: entry for entry in _entries(registry)}
        build = hashed([INDEXES, *READS, *(tasks[name].to_json() for name in sorted(tasks))])
        return cls(build=build, since=to_ms(since), tasks=tasks, build_id=build_id)

    def to_item(self) -> dict[str, Any]:
        """Return its attributes in the table. Past an item's size the schemas are left out."""
        packed = self._packed(schemas=True)
        if len(packed) > LARGEST:
            packed = self._packed(schemas=False)
        item: dict[str, Any] = {
            "build": self.build,
            "build_id": self.build_id,
            "since": self.since,
            "tasks": packed,
        }
        if self.reads:
            item["reads"] = encode({"build": self.build, **self.reads})
        kept = {"indexed_since": self.indexed_since, "first": self.first}
        return item | {name: value for name, value in kept.items() if value is not None}

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Manifest:
        """Read what `to_item` gave."""
        entries = json.loads(zlib.decompress(base64.b64decode(item["tasks"])))
        tasks = {each["name"]: DeployedTask.from_json(each) for each in entries}
        return cls(
            build=item["build"],
            since=item["since"],
            tasks=tasks,
            indexed_since=item.get("indexed_since"),
            build_id=item.get("build_id", ""),
            first=item.get("first"),
            reads=reads_of(item),
        )

    def _packed(self, *, schemas: bool) -> str:
        text = encode([task.to_json(schema=schemas) for task in self.tasks.values()])
        return base64.b64encode(zlib.compress(text.encode())).decode()


def reads_of(item: Mapping[str, Any]) -> dict[str, int]:
    """Return the `reads` of a manifest by its item, or by these attributes of it: ``build`` and ``reads``.

    A version that knows nothing of them leaves them in the item beside its own build: then they no longer hold.
    """
    reads: dict[str, Any] = json.loads(item.get("reads", "{}"))
    return reads if reads.pop("build", None) == item.get("build", "") else {}


class ManifestStore(Protocol):
    """Where the manifest of the last build lies."""

    def read(self) -> Manifest | None:
        """The manifest that is there.

        Raises:
            AwsError: the store could not be asked.
        """

    def write(self, manifest: Manifest) -> None:
        """Write a manifest over the one that is there, unless a process that began later wrote that.

        An ``indexed_since`` or a ``first`` that is there stays.

        Raises:
            AwsError: it could not be written.
        """

    def made(self) -> int | None:
        """When the store was made, milliseconds since the epoch; None where that is not known."""


def _entries(registry: Registry) -> Iterator[DeployedTask]:
    for task in registry:
        try:
            definition = registry.definition(task.name)
        except TaskDefinitionError:
            continue
        yield DeployedTask.of(definition)
