"""What became of one group, judged by the table and by the diary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.soak.diary import FINISHED, STARTED
from serverless_tasks.engine.job.place import continuation_id
from serverless_tasks.engine.job.record import SUCCEEDED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from benchmarks.soak.diary import Event
    from benchmarks.soak.submission import Submitted
    from serverless_tasks.engine.job.record import Record


class Order:
    """The order of what the diary tells: all processes append to one file.

    Args:
        events: the diary.
    """

    def __init__(self, events: Iterable[Event]) -> None:
        self._begun: dict[str, int] = {}
        self._finished: dict[tuple[str, int], int] = {}
        for place, event in enumerate(events):
            if event.what == STARTED:
                self._begun.setdefault(event.id, place)
            elif event.what == FINISHED:
                self._finished[event.id, event.attempt] = place

    def has_begun(self, uuid: str) -> bool:
        """Whether a job was begun."""
        return uuid in self._begun

    def is_before(self, ended: Record, uuid: str) -> bool:
        """Whether the attempt with which one job has ended did its work before the other was begun."""
        done = self._finished.get((ended.uuid, ended.attempt))
        return done is not None and done < self._begun[uuid]


@dataclass(frozen=True, slots=True)
class FanIn:
    """One group.

    Attributes:
        uuid: its id.
        record: the table's record of it.
        members: those of its members, None for one of which the table knows nothing.
        continuation: that of what follows it.
    """

    uuid: str
    record: Record | None
    members: tuple[Record | None, ...]
    continuation: Record | None

    @classmethod
    def of(cls, uuid: str, sent: Submitted, records: Mapping[str, Record]) -> FanIn:
        """One of the groups that were submitted."""
        members = tuple(map(records.get, sent.members_of(uuid)))
        return cls(uuid, records.get(uuid), members, records.get(continuation_id(uuid)))

    @property
    def members_open(self) -> int:
        """How many members have not ended."""
        return sum(member is None or not member.ended for member in self.members)

    @property
    def succeeded(self) -> bool:
        """Whether the group has, with every member counted once."""
        record = self.record
        if record is None or record.members is None or record.status != SUCCEEDED:
            return False
        return record.members.succeeded == record.members.total == len(self.members)

    @property
    def followed(self) -> bool:
        """Whether what follows the group has ended with the results of all members."""
        record = self.continuation
        return record is not None and record.ended and record.outputs.get("count") == len(self.members)

    def is_early(self, order: Order) -> bool:
        """Whether what follows the group was sent, or begun, before all members had ended."""
        follows = continuation_id(self.uuid)
        if self.continuation is None and not order.has_begun(follows):
            return False
        if self.members_open:
            return True
        ended = [member for member in self.members if member is not None]
        if order.has_begun(follows) and not all(order.is_before(member, follows) for member in ended):
            return True
        sent = self.continuation.created if self.continuation is not None else 0
        return sent < max((member.finished or 0 for member in ended), default=0)
