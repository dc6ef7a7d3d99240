"""A member's place in its group or chain, and the ids that follow from it: the same place is the same job for ever."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid5

if TYPE_CHECKING:
    from collections.abc import Mapping

# Members that are counted in one item: its sets stay within the 1 KB of one write unit.
SHARD_MEMBERS: Final = 200
LARGEST_GROUP: Final = 40_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A job's place among the members of a group or a chain.

    Attributes:
        group: the id of the group, or of the chain.
        index: which member it is, from 0.
        total: how many members there are.
        until: when it is seen to that every member has ended, milliseconds since the epoch: what is kept of the members
            is needed for longer than that.
        chain: whether the members run one after another.
        stops: whether the first member that does not succeed cancels those that have not begun.
    """

    group: str
    index: int
    total: int
    until: int
    chain: bool = False
    stops: bool = False

    @property
    def shard(self) -> int:
        """The shard that counts the member."""
        return self.index // SHARD_MEMBERS

    @property
    def position(self) -> int:
        """The member's index within its shard."""
        return self.index % SHARD_MEMBERS

    @property
    def shard_size(self) -> int:
        """How many members the shard counts."""
        return shard_size(self.shard, self.total)

    def encode(self) -> dict[str, Any]:
        """Return the place as JSON."""
        place: dict[str, Any] = {
            "group": self.group,
            "index": self.index,
            "total": self.total,
            "until": self.until,
        }
        if self.chain:
            place["chain"] = True
        if self.stops:
            place["stops"] = True
        return place

    @classmethod
    def decode(cls, given: Mapping[str, Any]) -> Place:
        """Read what `encode` has written.

        Raises:
            ValueError, TypeError, KeyError: it is no place.
        """
        index, total, until = given["index"], given["total"], given["until"]
        if not all(
            isinstance(number, int) and not isinstance(number, bool) for number in (index, total, until)
        ):
            raise ValueError("a member's index, total and until must be whole numbers")
        if not 0 <= index < total <= LARGEST_GROUP:
            raise ValueError("a member's index must be below its group's total")
        return cls(
            group=str(UUID(given["group"])),
            index=index,
            total=total,
            until=until,
            chain=given.get("chain") is True,
            stops=given.get("stops") is True,
        )


def shard_size(shard: int, total: int) -> int:
    """Return how many members a shard of a group counts."""
    return min(SHARD_MEMBERS, total - shard * SHARD_MEMBERS)


def shards_of(total: int) -> int:
    """Return how many shards a group has."""
    return -(-total // SHARD_MEMBERS)


def member_id(group: str, index: int) -> str:
    """Return the id of a member. Never changed: it is stored nowhere."""
    return str(uuid5(UUID(group), f"member {index}"))


def continuation_id(group: str) -> str:
    """Return the id of the job that follows a group. Never changed: it is stored nowhere."""
    return str(uuid5(UUID(group), "continuation"))
