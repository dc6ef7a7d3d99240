"""Jobs by their ids, for callers who may see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django_integration.web.http.job_id import job_id
from django_integration.web.live.shared_reads import SharedReads, drop
from serverless_tasks.engine.job.job_id import uuid_in
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import TaskNotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django_integration.web.auth.caller import Caller
    from django_integration.web.live.job_view import JobView, Version
    from serverless_tasks.engine.job.record import Record


def find_record(caller: Caller, uuid: str) -> Record:
    """The record of a job that the caller may see, as it is now.

    Raises:
        TaskNotFound: the id is none, nothing is known of it, or it is another owner's.
        Refused: the site's permission classes refuse this job.
    """
    wanted = job_id(uuid)
    record = current_services().store.read(wanted)
    if record is None:
        raise TaskNotFound(wanted)
    caller.check_sees(record)
    caller.check_may(record)
    # Who has seen this is not shown an older one by a poll.
    drop(wanted)
    return record


def find_records(caller: Caller, uuids: Sequence[str]) -> tuple[list[Record], list[str]]:
    """Return those of several jobs that the caller may see, as they are now, and the ids of the others, as given.

    Raises:
        TaskNotFound: the caller may see none of them.
    """
    asked = {uuid: uuid.lower() for uuid in uuids}
    jobs = dict.fromkeys(job for job in asked.values() if uuid_in(job) == job)
    found = current_services().store.read_many(list(jobs))
    seen = {job: found[job] for job in jobs if job in found and caller.sees(found[job])}
    if not seen:
        raise TaskNotFound(uuids[0][:40])
    drop(*seen)
    return list(seen.values()), [uuid for uuid, job in asked.items() if job not in seen]


def find_shared(caller: Caller, uuid: str, reads: SharedReads, at_least: Version) -> JobView:
    """Return the view of a job that the caller may see, from a recent shared read.

    Args:
        caller: who asks. Whether they may see the job is asked of each, whoever had it read.
        uuid: the job's id.
        reads: the shared reads.
        at_least: what the caller has seen before.

    Raises:
        TaskNotFound: see `find_record`.
    """
    wanted = job_id(uuid)
    view = reads.read(wanted, current_services().store.read, at_least)
    if view is None:
        raise TaskNotFound(wanted)
    caller.check_sees(view)
    return view
