"""Groups and chains as they are kept: the state of the group, and how many of its members have ended.

A group is a job: it has a ``job`` item, whose inputs are its plan, and a ``s#state``, which is there from its
submission on. Its members are counted in shards, items with a key of their own, as sets of the members' positions:
counting one twice is counting it once. A shard is full when its set ``ended`` is, and the group has ended when all its
shards are.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from serverless_tasks.engine.job.encoding import encode
from serverless_tasks.engine.job.message import RETENTION
from serverless_tasks.engine.job.place import (
    SHARD_MEMBERS,
    Place,
    member_id,
    shards_of,
)
from serverless_tasks.engine.job.record import (
    CANCELLED,
    EXPIRED,
    FAILED,
    RUNNING,
    SUCCEEDED,
    Failure,
    Members,
    Record,
)
from serverless_tasks.engine.store.group import Group, Groups, Shard
from serverless_tasks.engine.store.items import STATE, TOTAL, Item, index_fields, keep_until, state_copy
from serverless_tasks.engine.store.transitions import Change

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.job.plan import Plan

SHARD: Final = "g#shard"
_COUNTS: Final = ("members_succeeded", "members_failed", "members_cancelled")


def group_of(state: Item) -> Group | None:
    """The group that a state is of; None where it is a task's, or the group was deleted."""
    if TOTAL not in state:
        return None
    return Group(
        uuid=state["pk"],
        status=state["status"],
        total=state[TOTAL],
        deadline=state["deadline"],
        expires=state["expires"],
        fingerprint=state.get("fingerprint", ""),
        chain=state.get("chain", False),
        stops=state.get("stops", False),
        stopped=state.get("cancel", False),
        full=state.get("full", frozenset()),
        place=Place.decode(json.loads(state["place"])) if "place" in state else None,
        retry_of=state.get("retry_of"),
        owner=state.get("owner"),
        retried_as=tuple(state.get("retried_as", "").split()),
    )


def shard_of(number: int, item: Item | None) -> Shard:
    """The shard that an item holds; one of which nothing has ended yet where there is none."""
    names = ("ended", "failed", "cancelled", "earlier", "unsent")
    return Shard(number=number, **{name: (item or {}).get(name, frozenset()) for name in names})


def shard_key(group: str, shard: int) -> str:
    """Return the key of a shard's item."""
    return f"{group}#{shard}"


def group_state(message: Message, plan: Plan, *, now: int, deadline: int) -> Item:
    """The state of a group that is submitted now.

    Args:
        message: the group.
        plan: its plan.
        now: the present, in milliseconds since the epoch.
        deadline: when it is seen to that every member has ended, likewise.
    """
    expires = expires_after(deadline)
    state: Item = {
        "pk": message.uuid,
        "sk": STATE,
        **state_copy(message),
        "status": RUNNING,
        TOTAL: plan.total,
        "deadline": deadline,
        "expires": expires,
        "started": now,
        "fingerprint": plan.fingerprint,
        "ttl": keep_until(expires),
        # For code of before groups, to which it is a job that runs until then.
        "lease": expires,
        "token": "",
        "attempt": 0,
        "seq": 0,
    }
    flags = {"chain": plan.chain, "stops": plan.stops}
    state |= {name: True for name, given in flags.items() if given}
    if message.member is not None:
        state["place"] = encode(message.member.encode())
    return state


def members_counted(shard: Shard, ttl: int) -> Change:
    """Count members of a group that have ended, in the item of their shard."""
    return Change(unite=shard.sets(), keep={"ttl": ttl})


def shard_filled(shard: int) -> Change:
    """Note in a group's state that all members of a shard have ended."""
    return Change(unite={"full": frozenset({shard})})


def group_ended(uuid: str, status: str, members: Members, fields: Item, now: int) -> Change:
    """End a group: all of its members have ended, and what follows it was sent."""
    listed = {} if status == SUCCEEDED else index_fields(uuid, status, now)
    return Change(
        put={**counts_of(members), **fields, **listed, "status": status, "finished": now},
        remove=("cancel",),
    )


def group_record(state: Item, shards: Sequence[Shard], now: int) -> Record:
    """Return the record of a group.

    Args:
        state: its state.
        shards: its shards, unless its members are counted in the state.
        now: the present, in milliseconds since the epoch.
    """
    members = members_of(state, shards)
    status, failure, finished = state["status"], None, state.get("finished")
    if status == RUNNING and now > state["expires"]:  # nobody has seen to it at its deadline
        status, failure, finished = FAILED, EXPIRED, state["expires"]
    if "error_type" in state:
        failure = Failure(type=state["error_type"], message=state["error"], public=state["error_public"])
    return Record(
        uuid=state["pk"],
        task=state["task"],
        owner=state.get("owner"),
        created=state["created"],
        status=status,
        failure=failure,
        outputs=json.loads(state.get("outputs", "{}")),
        progress=members.ended,
        target=members.total,
        started=state.get("started"),
        finished=finished,
        cancel_requested=state.get("cancel", False),
        seq=members.ended,
        members=members,
        group=state.get("group"),
        queue=state.get("queue", ""),
        tenant=state.get("tenant"),
        retry_of=state.get("retry_of"),
        retried_as=tuple(state.get("retried_as", "").split()),
    )


def expires_after(deadline: int) -> int:
    """Return until when messages of a group may be delivered: a member may be sent as late as at its deadline."""
    return deadline + 2 * RETENTION * 1000


def counts_of(members: Members) -> Item:
    """Return what the state of an ended group says of its members."""
    return dict(zip(_COUNTS, (members.succeeded, members.failed, members.cancelled), strict=True))


def members_of(state: Item, shards: Sequence[Shard]) -> Members:
    """Return a group's members as they are counted: in the state once it has ended, before that in the shards."""
    if _COUNTS[0] in state:
        succeeded, failed, cancelled = (state[name] for name in _COUNTS)
        return Members(total=state[TOTAL], succeeded=succeeded, failed=failed, cancelled=cancelled)
    return counted(state[TOTAL], shards)


def counted(total: int, shards: Iterable[Shard]) -> Members:
    """Return the members that shards count."""
    failed = cancelled = ended = 0
    for shard in shards:
        ended += len(shard.ended)
        # A member that ended twice, as far as one can tell, has failed.
        failed += len(shard.failed)
        cancelled += len(shard.cancelled - shard.failed)
    return Members(
        total=total, succeeded=max(0, ended - failed - cancelled), failed=failed, cancelled=cancelled
    )


def ended_members(ends: Mapping[Place, str]) -> dict[tuple[str, int], Shard]:
    """Return what to count, by group and shard, of members and the statuses with which they ended."""
    shards: dict[tuple[str, int], Shard] = {}
    for place, status in ends.items():
        key, one = (place.group, place.shard), frozenset({place.position})
        known = shards.get(key, Shard(number=place.shard))
        shards[key] = Shard(
            number=place.shard,
            ended=known.ended | one,
            failed=known.failed | (one if status == FAILED else frozenset()),
            cancelled=known.cancelled | (one if status == CANCELLED else frozenset()),
        )
    return shards


def is_counted(state: Item) -> bool:
    """Return whether the members of a group are counted in its state, so that no shard is to be read."""
    return _COUNTS[0] in state


def status_of(shard: Shard, position: int) -> str:
    """Return how a member ended that a shard counts."""
    if position in shard.failed:
        return FAILED
    return CANCELLED if position in shard.cancelled else SUCCEEDED


def member_ids(group: Group, wanted: Iterable[int], shards: Sequence[Shard], groups: Groups) -> list[str]:
    """Return the ids of members; those that had succeeded in an earlier group are that one's.

    Args:
        group: the group.
        wanted: their indices.
        shards: the group's shards.
        groups: where earlier groups are.
    """
    ids: dict[int, str] = {}
    wanted = list(wanted)
    earlier = []
    for index in wanted:
        if index % SHARD_MEMBERS in shards[index // SHARD_MEMBERS].earlier:
            earlier.append(index)
        else:
            ids[index] = member_id(group.uuid, index)
    if earlier and group.retry_of is not None and (before := groups.get(group.retry_of)) is not None:
        known = member_ids(before, earlier, groups.shards(before.uuid, before.total), groups)
        ids |= dict(zip(earlier, known, strict=True))
    return [ids.get(index) or member_id(group.uuid, index) for index in wanted]


def shards_read(group: str, total: int, items: Mapping[str, Any]) -> list[Shard]:
    """Return all shards of a group, of their items by key."""
    return [shard_of(number, items.get(shard_key(group, number))) for number in range(shards_of(total))]
