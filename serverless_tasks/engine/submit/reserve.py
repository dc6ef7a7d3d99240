"""Deduplication before a job is sent: its idempotency key, and the lock of a unique task's one live job.

The row is written first and names the job's uuid, so that whatever is lost after it (the send, its answer, the
process), the next try finds the uuid and sends the same job again: two messages of one uuid are run once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from serverless_tasks.engine.definition.accepted import Compared
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.store.locks import GRACE_MS, Held, Lock
from serverless_tasks.engine.submit.job_locks import key_lock, take_unique, unique_lock
from serverless_tasks.engine.submit.options import KEY_TTL
from serverless_tasks.engine.submit.publication import Publication
from serverless_tasks.errors import (
    AlreadyRunning,
    AwsError,
    IdempotencyConflict,
    ServerlessTasksError,
    SubmitFailed,
    SubmitUncertain,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.services import Services


@dataclass(frozen=True, slots=True, kw_only=True)
class Deduplication:
    """The deduplication of a submission.

    Attributes:
        key: the idempotency key of the one job, or None.
        key_ttl: how long the key is remembered, in seconds.
        unique: whether one job of the same task and inputs may live at a time.
        anonymous: whether the caller is nobody in particular, who is never given another caller's job for its inputs.
        compared: what the inputs of each job are compared by; what its message has of them unless given.
    """

    key: str | None = None
    key_ttl: int = KEY_TTL
    unique: bool = False
    anonymous: bool = False
    compared: Sequence[Compared] = ()

    @property
    def compares(self) -> bool:
        """True if the inputs are compared with those of other jobs."""
        return self.unique or self.key is not None


def reserve(
    services: Services, messages: Sequence[Message], deduplication: Deduplication
) -> list[Publication]:
    """The publications of messages, those among them settled of which nothing is to be sent.

    Without a key, and unless the task is unique, nothing is called. A key costs one write, and a read when it is
    known; unique jobs cost one write (one transaction for a hundred), and a look at the jobs that are in the way. Of
    those whose inputs were converted one more read tells what was written before conversions were compared.

    Raises:
        IdempotencyConflict: the key was used with other inputs.
        AwsError: the table could not be asked; nothing was sent.
    """
    compared = deduplication.compared or [Compared(message.inputs, message.inputs) for message in messages]
    if deduplication.key is None:
        publications = [Publication(message) for message in messages]
    else:
        publications = [
            _under_key(services, message, each, deduplication, deduplication.key)
            for message, each in zip(messages, compared, strict=True)
        ]
    if deduplication.unique:
        _make_unique(services, publications, compared, deduplication)
    return publications


def still_held(services: Services, publications: Sequence[Publication]) -> list[Publication]:
    """Return the publications that still hold their unique lock; the others are settled.

    A lock that waited longer than `GRACE_MS` for the end of its transaction may be another job's by now: it is taken
    again, which costs one write, and nothing where the lock is younger.
    """
    now = to_ms(services.clock.now())
    # Half of the time, since the clocks of two machines differ.
    old = {
        p.unique_lock.id: p
        for p in publications
        if p.unique_lock is not None and now > p.unique_lock.created + GRACE_MS // 2
    }
    locks = [publication.unique_lock for publication in old.values() if publication.unique_lock is not None]
    for held in services.locks.only(locks) if locks else ():
        publication = old[held.lock.id]
        if held.lock.uuid != publication.message.uuid:
            publication.unique_lock = None
            publication.settle(AlreadyRunning(publication.message.task))
    return [publication for publication in publications if publication.unsent]


def release(services: Services, publications: Sequence[Publication]) -> None:
    """Free what jobs have reserved that were certainly not published.

    A key outlives a failed send, so that its next try is the same job; not so inputs that are refused for good. What
    cannot be freed now is taken over in time.
    """
    for publication in publications:
        error = publication.error
        if error is None or isinstance(error, SubmitUncertain):
            continue
        locks = []
        if not isinstance(error, (SubmitFailed, AwsError)):
            locks.append(publication.key)
        # Under a row that was there before, another submit's job may be on its way.
        if publication.took_lock:
            locks.append(publication.unique_lock)
        for lock in locks:
            if lock is not None:
                _free(services, lock, error)


def _free(services: Services, lock: Lock, error: ServerlessTasksError) -> None:
    try:
        services.locks.free(lock)
    except AwsError as failed:
        error.add_note(f"Its lock {lock.id} remains until it is taken over: {failed}")


def _under_key(
    services: Services, message: Message, compared: Compared, deduplication: Deduplication, key: str
) -> Publication:
    lock = key_lock(message, key, to_ms(services.clock.now()), deduplication.key_ttl, compared)
    held = services.locks.once(lock)
    if not held.lock.matches(lock):
        raise IdempotencyConflict(message.task, key)
    publication = Publication(message)
    publication.key = held.lock
    _stand_for(services, publication, held)
    return publication


def _stand_for(services: Services, publication: Publication, held: Held) -> None:
    """Take the id of the job that has the row: to give it back where it lives, and else to send it once more.

    A job that may have been sent already has one more message then: with the same inputs, whatever was made anew for
    this one.
    """
    uuid = held.lock.uuid
    if held.live is not None:
        publication.give_back(held.live)
    elif publication.message.uuid != uuid:
        job = services.store.job(uuid)
        whole = job is not None and job.inputs_key is None and not job.secrets
        inputs = job.inputs if job is not None and whole else publication.message.inputs
        publication.message = replace(publication.message, uuid=uuid, inputs=inputs)


def _make_unique(
    services: Services,
    publications: Sequence[Publication],
    compared: Sequence[Compared],
    deduplication: Deduplication,
) -> None:
    """Take the places of jobs, or learn who has them; inputs that are given twice are one job."""
    now = to_ms(services.clock.now())
    originals: dict[str, tuple[Publication, Lock]] = {}
    before: dict[str, list[Lock]] = {}
    for publication, each in zip(publications, compared, strict=True):
        if publication.earlier is None:
            lock = unique_lock(publication.message, now, each.made)
            as_given = unique_lock(publication.message, now, each.given)
            if as_given.id != lock.id:
                before.setdefault(lock.id, []).append(as_given)
            if lock.id in originals:
                publication.duplicate_of(originals[lock.id][0])
            else:
                originals[lock.id] = (publication, lock)
    locks = [lock for _, lock in originals.values()]
    held = take_unique(services.locks, locks, before, anonymous=deduplication.anonymous)
    for (publication, wanted), found in zip(originals.values(), held, strict=True):
        if found.foreign:
            publication.settle(AlreadyRunning(publication.message.task))
            continue
        if found.lock.uuid != publication.message.uuid and publication.key is not None:
            services.locks.move(publication.key, found.lock.uuid)
            publication.key = replace(publication.key, uuid=found.lock.uuid)
        _stand_for(services, publication, found)
        if found.live is None:
            publication.unique_lock = found.lock
            publication.took_lock = found.lock == wanted
