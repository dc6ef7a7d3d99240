"""Deleting everything of one owner: job after job over their listing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from serverless_tasks.errors import AlreadyFinished, NotFinished, TaskNotFound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serverless_tasks.engine.services import Services
    from serverless_tasks.engine.store.base import Store

# The number of concurrent deletions; each is a handful of sequential calls.
AT_ONCE = 8
PAGE = 100
POLL = 2.0


@dataclass(frozen=True, slots=True)
class JobDeletion:
    """The result of deleting one job.

    Attributes:
        uuid: the job's id.
        outcome: ``deleted``; ``gone``: it had been before; ``live``: it runs, and was asked to stop.
    """

    uuid: str
    outcome: Literal["deleted", "gone", "live"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerDeletion:
    """The result of deleting an owner's jobs.

    Attributes:
        found: how many there were.
        deleted: how many were deleted.
        live: the ids of those that were asked to stop and still run; delete them once they have ended.
    """

    found: int
    deleted: int
    live: tuple[str, ...] = ()


def jobs_of(store: Store, owner: str) -> Iterator[list[str]]:
    """The ids of an owner's jobs in pages, newest first; those whose deletion was cut short among them."""
    cursor: str | None = None
    while True:
        uuids, cursor = store.owner_uuids(owner, limit=PAGE, cursor=cursor)
        yield uuids
        if cursor is None:
            return


def delete_owner(services: Services, owner: str, *, wait: float, dry_run: bool) -> OwnerDeletion:
    """Delete an owner's jobs, or count them; see `delete_each`."""
    if dry_run:
        return OwnerDeletion(found=sum(len(uuids) for uuids in jobs_of(services.store, owner)), deleted=0)
    erased = list(delete_each(services, owner, wait=wait))
    return OwnerDeletion(
        found=len(erased),
        deleted=sum(one.outcome == "deleted" for one in erased),
        live=tuple(one.uuid for one in erased if one.outcome == "live"),
    )


def delete_each(services: Services, owner: str, *, wait: float = 0.0) -> Iterator[JobDeletion]:
    """Delete an owner's jobs. What was cut short is finished by asking again.

    Waiting jobs are cancelled first. Running ones are asked to stop, and deleted once they have.

    Args:
        services: the services to use.
        owner: whose jobs.
        wait: seconds to wait at most for running jobs to end, after all others.

    Yields:
        What became of each job; those that still run come last.

    Raises:
        AwsError: the store or the bucket could not be asked.
    """
    live: list[str] = []
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="erase") as pool:
        for uuids in jobs_of(services.store, owner):
            for erased in pool.map(lambda uuid: _delete_one(services, uuid), uuids):
                if erased.outcome == "live":
                    live.append(erased.uuid)
                else:
                    yield erased
        until = services.clock.now() + wait
        while live and services.clock.now() < until:
            services.clock.sleep(min(POLL, until - services.clock.now()))
            again = list(pool.map(lambda uuid: _delete_one(services, uuid), live))
            live = [erased.uuid for erased in again if erased.outcome == "live"]
            yield from (erased for erased in again if erased.outcome != "live")
    yield from (JobDeletion(uuid, "live") for uuid in live)


def _delete_one(services: Services, uuid: str) -> JobDeletion:
    try:
        try:
            services.delete(uuid)
        except NotFinished:
            _cancel(services, uuid)
            services.delete(uuid)
    except TaskNotFound:
        return JobDeletion(uuid, "gone")
    except NotFinished:
        return JobDeletion(uuid, "live")
    return JobDeletion(uuid, "deleted")


def _cancel(services: Services, uuid: str) -> None:
    try:
        services.cancel(uuid)
    except AlreadyFinished:
        return  # ended between the two calls, and can be deleted now
