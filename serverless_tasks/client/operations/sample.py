"""The jobs that an operator's view looks at: the newest of all tasks that are known, and not more than a bound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from serverless_tasks.engine.job.record import PENDING
from serverless_tasks.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serverless_tasks.engine.job.record import Record
    from serverless_tasks.engine.services import Services

# Jobs that one view looks at.
LOOKED_AT: Final = 500


def task_names(services: Services) -> list[str]:
    """Return the names of the tasks whose code is here, and of those of the deployed build."""
    names = {task.name for task in services.registry.listed()}
    store = services.manifest_store
    try:
        manifest = None if store is None else store.read()
    except AwsError:  # those that are known here are better than nothing
        manifest = None
    return sorted(names if manifest is None else names | set(manifest.tasks))


def with_queues(services: Services, records: Sequence[Record]) -> list[Record]:
    """Return records of a listing, those that wait with their queue, tenant and due time.

    The index has none of these, and a job that no worker has begun has no state: its item is read, in batches of a
    hundred.

    Raises:
        AwsError: the table could not be asked.
    """
    bare = [record.uuid for record in records if record.status == PENDING and not record.queue]
    read = services.store.read_many(bare, whole=False) if bare else {}
    return [read.get(record.uuid, record) for record in records]
