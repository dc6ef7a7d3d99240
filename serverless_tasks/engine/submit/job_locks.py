"""The rows that a job asks for: of its idempotency key, and of the one live job of its task and inputs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from serverless_tasks.engine.store.hashes import hashed, lock_id
from serverless_tasks.engine.store.items import KEEP_AFTER_EXPIRY_MS
from serverless_tasks.engine.store.locks import Held, Lock

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from serverless_tasks.engine.definition.accepted import Compared
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.job.record import Record
    from serverless_tasks.engine.store.locks import Locks


def key_lock(message: Message, key: str, now: int, seconds: int, compared: Compared | None = None) -> Lock:
    """The row of an idempotency key, which counts for the owner and the task of the message alone.

    Args:
        message: the job.
        key: the key.
        now: the time, milliseconds since the epoch.
        seconds: how long the key is remembered.
        compared: what the inputs are compared by; what the message has of them unless given.
    """
    scope = [message.owner, message.task, key]
    given = hashed([*scope, message.inputs if compared is None else compared.given])
    made = given if compared is None else hashed([*scope, compared.made])
    return Lock(
        id=lock_id("key", scope),
        uuid=message.uuid,
        fingerprint=given,
        converted="" if made == given else made,
        created=now,
        expires=now + seconds * 1000,
    )


def unique_lock(message: Message, now: int, inputs: Any = None) -> Lock:
    """The row of the one live job of the message's task and inputs.

    Args:
        message: the job.
        now: the time, milliseconds since the epoch.
        inputs: what the inputs are compared by; what the message has of them unless given.
    """
    claimed = ["job", message.task, message.inputs if inputs is None else inputs]
    return Lock(
        id=lock_id("unique", claimed),
        uuid=message.uuid,
        fingerprint=hashed([message.owner, *claimed]),
        created=now,
        expires=message.expires + KEEP_AFTER_EXPIRY_MS,
    )


def take_unique(
    locks: Locks, wanted: Sequence[Lock], before: Mapping[str, Sequence[Lock]], *, anonymous: bool
) -> list[Held]:
    """`Locks.only`, with an eye on the rows of jobs that were submitted before conversions were compared.

    A live job under such a row is in the way as under any other; its place is taken over for it, so that it is found
    from then on however the same inputs are given.

    Args:
        locks: the rows.
        wanted: the rows of jobs, each of another id.
        before: by those ids the rows that the inputs as they were given would have had, where those are others.
        anonymous: see `Locks.only`.

    Raises:
        AwsError: the table could not be asked.
    """
    earlier = {lock.id: lock for each in before.values() for lock in each}
    seen = locks.look(list(earlier.values()), anonymous=anonymous) if earlier else {}
    foreign: dict[str, Held] = {}
    live: dict[str, Record] = {}
    asked = []
    for lock in wanted:
        there = [seen[each.id] for each in before.get(lock.id, ()) if each.id in seen]
        in_the_way = [held for held in there if held.foreign or held.lock.uuid != earlier[held.lock.id].uuid]
        if any(held.foreign for held in in_the_way):
            foreign[lock.id] = Held(lock=lock, foreign=True)
            continue
        live |= {held.lock.uuid: held.live for held in in_the_way if held.live is not None}
        asked.append(replace(lock, uuid=in_the_way[0].lock.uuid) if in_the_way else lock)
    taken = locks.only(asked, anonymous=anonymous)
    answers = {held.lock.id: replace(held, live=held.live or live.get(held.lock.uuid)) for held in taken}
    return [foreign.get(lock.id) or answers[lock.id] for lock in wanted]
