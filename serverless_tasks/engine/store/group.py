"""A group, its shards, and the protocol of what keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from serverless_tasks.engine.job.place import SHARD_MEMBERS, Place, continuation_id, shards_of
from serverless_tasks.engine.job.record import ENDED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from serverless_tasks.engine.job.record import Members


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The state of a group; times in milliseconds since the epoch.

    Attributes:
        uuid: the group's id.
        status: ``running``, or how it ended.
        total: how many members it has.
        deadline: when it is seen to that every member has ended.
        expires: until when a message of it, or of its members, may be delivered.
        fingerprint: the hash of its plan and all inputs.
        chain: whether its members run one after another.
        stops: whether the first member that does not succeed cancels the others.
        stopped: whether it was cancelled: what has not begun does not begin.
        full: the shards of which all members have ended.
        place: its own place in the group that it is a member of, or None.
        retry_of: the group whose succeeded members count as its own, or None.
        owner: whose it is, or None.
        retried_as: the groups that retry this one, oldest first.
    """

    uuid: str
    status: str
    total: int
    deadline: int
    expires: int
    fingerprint: str = ""
    chain: bool = False
    stops: bool = False
    stopped: bool = False
    full: frozenset[int] = frozenset()
    place: Place | None = None
    retry_of: str | None = None
    owner: str | None = None
    retried_as: tuple[str, ...] = ()

    @property
    def ended(self) -> bool:
        """True if the group has ended."""
        return self.status in ENDED

    @property
    def all_counted(self) -> bool:
        """True if every member has ended."""
        return len(self.full) == shards_of(self.total)

    @property
    def continuation(self) -> str:
        """The id of the job that follows the group, where it has one."""
        return continuation_id(self.uuid)

    def member_place(self, index: int) -> Place:
        """The place of a member."""
        return Place(
            group=self.uuid,
            index=index,
            total=self.total,
            until=self.deadline,
            chain=self.chain,
            stops=self.stops,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """The members of a shard that have ended, by their positions within it.

    Attributes:
        number: the shard's.
        ended: all that have ended.
        failed: those of them that failed.
        cancelled: those of them that were cancelled.
        earlier: those of them that had succeeded in the group that this one retries.
        unsent: those of them that were never sent.
    """

    number: int
    ended: frozenset[int] = frozenset()
    failed: frozenset[int] = frozenset()
    cancelled: frozenset[int] = frozenset()
    earlier: frozenset[int] = frozenset()
    unsent: frozenset[int] = frozenset()

    def sets(self) -> dict[str, frozenset[int]]:
        """Return the sets that are not empty, by their attributes."""
        sets = {
            "ended": self.ended,
            "failed": self.failed,
            "cancelled": self.cancelled,
            "earlier": self.earlier,
            "unsent": self.unsent,
        }
        return {name: members for name, members in sets.items() if members}

    def indices(self, positions: Iterable[int]) -> Iterator[int]:
        """Yield the indices in the group that positions of this shard have, in order."""
        for position in sorted(positions):
            yield self.number * SHARD_MEMBERS + position


class Groups(Protocol):
    """The storage of groups."""

    def open(self, state: dict[str, Any]) -> tuple[Group | None, bool]:
        """Keep the state of a new group, unless there is one, or its job has ended.

        Returns:
            The group that is there, None where the job has ended or was begun as none; and whether it is the new one.
        """

    def get(self, uuid: str, *, consistent: bool = True) -> Group | None:
        """Return a group; None where there is none."""

    def count(self, group: str, shard: Shard, ttl: int) -> Shard:
        """Add members to a shard's sets; return the shard as it is then."""

    def fill(self, group: str, shard: int) -> Group | None:
        """Note that a shard is full; return the group as it is then, None where it was deleted."""

    def close(self, group: str, status: str, members: Members, fields: dict[str, Any]) -> None:
        """End a group that runs; one that has ended stays as it is."""

    def shards(self, group: str, total: int) -> list[Shard]:
        """Return all shards of a group, as they are now."""
