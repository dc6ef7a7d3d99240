"""Deleting ended jobs by their age and status."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from serverless_tasks.client.owner_deletion import AT_ONCE, PAGE, JobDeletion
from serverless_tasks.engine.job.record import ENDED
from serverless_tasks.errors import ConfigurationError, NotFinished, TaskNotFound

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from serverless_tasks.engine.services import Services
    from serverless_tasks.engine.store.base import Store


def delete_finished(
    services: Services,
    before: int,
    *,
    tasks: Sequence[str] = (),
    statuses: Collection[str] = (),
    dry_run: bool = False,
) -> Iterator[JobDeletion]:
    """Delete jobs that ended before a time, newest first, and leave all others alone.

    Args:
        services: the services to use.
        before: the time, milliseconds since the epoch.
        tasks: names of tasks; none means those that this process knows.
        statuses: how the jobs ended; none means however.
        dry_run: delete nothing.

    Yields:
        Each job that was, or would be, deleted.

    Raises:
        ConfigurationError: no task is named or known, or a status is none of an ended job.
        AwsError: the store or the bucket could not be asked.
    """
    registry = services.registry
    wanted_tasks = list(tasks) or [task.name for task in registry.listed()]
    names = list(dict.fromkeys(name for task in wanted_tasks for name in registry.names_of(task)))
    if not names:
        raise ConfigurationError("Name the tasks whose jobs are to be deleted: none is known here.")
    wanted = set(statuses) or ENDED
    if wanted - ENDED:
        raise ConfigurationError(
            f"No ended job is {min(wanted - ENDED)!r}; name {', '.join(sorted(ENDED))} or none."
        )
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="delete") as pool:
        for uuids in _finished(services.store, before, names, wanted):
            yield from pool.map(lambda uuid: _delete(services, uuid, dry_run), uuids)


def _finished(
    store: Store, before: int, names: Sequence[str], wanted: Collection[str]
) -> Iterator[list[str]]:
    cursor: str | None = None
    while True:
        # What ended before the time was submitted before it.
        page = store.list_tasks(names, limit=PAGE, cursor=cursor, until=before, whole=False)
        yield [
            record.uuid
            for record in page.records
            if record.status in wanted and record.finished is not None and record.finished < before
        ]
        cursor = page.cursor
        if cursor is None:
            return


def _delete(services: Services, uuid: str, dry_run: bool) -> JobDeletion:
    try:
        if not dry_run:
            services.delete(uuid)
    except TaskNotFound:
        return JobDeletion(uuid, "gone")
    except NotFinished:  # it reads as ended, and a worker has it after all
        return JobDeletion(uuid, "live")
    return JobDeletion(uuid, "deleted")
