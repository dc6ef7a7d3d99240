"""The tasks of the deployed build, as those see them who submit a task by its name."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from serverless_tasks.engine.definition.manifest.entry import find_task
from serverless_tasks.errors import AwsError

if TYPE_CHECKING:
    from serverless_tasks.engine.definition.manifest.build import Manifest, ManifestStore
    from serverless_tasks.engine.definition.manifest.entry import DeployedTask
    from serverless_tasks.engine.job.clock import Clock

logger = logging.getLogger(__name__)

# How long a manifest counts as read just now, in seconds, before a task or its inputs are refused by it.
FRESH: Final = 60
# The same for its names, of which a new one is looked for in lists of jobs alone.
NAMES_FRESH: Final = 600


class DeployedTasks:
    """The tasks of the deployed build, for those who submit by name. The manifest is read when it is first asked for.

    Args:
        store: where the manifest lies, or None.
        clock: the time.
    """

    def __init__(self, store: ManifestStore | None, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._manifest: Manifest | None = None
        self._read_at: float | None = None
        self._error: AwsError | None = None
        self._told: set[str] = set()

    def find(self, name: str) -> DeployedTask | None:
        """The task of a name; None where the manifest has none, or is none.

        One that is not found is looked for once more when the manifest was read some time ago.
        """
        if self._store is None:
            return None
        if self._read_at is None:
            self._read(self._store)
        if (task := self._known(name)) is None and self.refresh():
            task = self._known(name)
        return task

    def names(self) -> tuple[str, ...]:
        """Return the names of all its tasks, and those that they had before; none where there is no manifest.

        They are as read some minutes ago at most.
        """
        if self._store is not None and (
            self._read_at is None or self._clock.now() >= self._read_at + NAMES_FRESH
        ):
            self._read(self._store)
        if self._manifest is None:
            return ()
        return tuple(name for task in self._manifest.tasks.values() for name in (task.name, *task.aliases))

    def names_of(self, name: str) -> tuple[str, ...]:
        """Return the names under which a task's jobs were submitted, as `Registry.names_of`, by the same manifest."""
        self.names()
        task = self._known(name)
        return (name,) if task is None else (task.name, *task.aliases)

    def warn(self, name: str) -> None:
        """Log once what is not known of a task that was not found, and is submitted all the same."""
        if self._store is None or name in self._told:
            return
        self._told.add(name)
        logger.warning(
            "Task %r is not known here: %s. The job goes to the queue that the submission names, as one of a task that"
            " is not unique and has no secret inputs, and its inputs are first validated by the worker.",
            name,
            self._missing(),
        )

    def refresh(self) -> bool:
        """Read the manifest anew if that was some time ago, since a newer build may be deployed by now."""
        if self._store is None or self._read_at is None or self._clock.now() < self._read_at + FRESH:
            return False
        self._read(self._store)
        return True

    def _known(self, name: str) -> DeployedTask | None:
        return None if self._manifest is None else find_task(self._manifest.tasks, name)

    def _missing(self) -> str:
        if self._error is not None:
            return f"the manifest of the deployed build could not be read ({self._error})"
        if self._manifest is not None:
            return "the manifest of the deployed build does not have it"
        return (
            "the stack has no manifest yet (its worker writes one after its first batch, and so does"
            " `serverless-tasks schedules sync`)"
        )

    def _read(self, store: ManifestStore) -> None:
        self._read_at, self._error = self._clock.now(), None
        try:
            self._manifest = store.read()
        except AwsError as error:
            self._error = error
