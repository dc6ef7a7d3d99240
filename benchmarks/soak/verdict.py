"""What became of the jobs, judged by the table and by the diary."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from benchmarks.soak.diary import FINISHED, RECORDED, STARTED, THROTTLED
from benchmarks.soak.fan_in import FanIn, Order
from serverless_tasks.engine.job.place import continuation_id
from serverless_tasks.engine.job.record import SUCCEEDED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.soak.diary import Event
    from benchmarks.soak.submission import Submitted
    from serverless_tasks.engine.job.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The counts that must be zero.

    Attributes:
        lost: jobs of which the table knows nothing, or that ended with their work not done; members of groups, and
            what follows these, are jobs too.
        run_twice: attempts that were begun after the table had taken their job's end.
        left_open: jobs that have not ended.
        members_open: members of groups that have not ended, or of which the table knows nothing.
        groups_open: groups that have not ended, or not with success and all members counted.
        continuations_early: groups of which what follows was sent, or begun, before all members had ended.
        continuations_lost: groups of which what follows has not run, or not with the results of all members.
        messages_left: messages that are still in a queue, the dead-letter queue among them.
        unseen: jobs of a run in which no end was seen at all: nothing could be told of what was run twice.
    """

    lost: int
    run_twice: int
    left_open: int
    members_open: int = 0
    groups_open: int = 0
    continuations_early: int = 0
    continuations_lost: int = 0
    messages_left: int
    unseen: int = 0

    @property
    def holds(self) -> bool:
        """Whether all is as it should be."""
        return not any(getattr(self, field.name) for field in fields(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the run went through.

    Attributes:
        continuations: the groups of which what follows has run.
        attempts: attempts that were begun.
        attempts_lost: those of them that ended with their worker, or whose end could not be recorded.
        throttles: calls that were answered with a throttling error.
    """

    continuations: int = 0
    attempts: int
    attempts_lost: int
    throttles: int


def judge(
    sent: Submitted, records: Mapping[str, Record], events: Sequence[Event], messages_left: int
) -> Verdict:
    """Judge a run.

    Args:
        sent: what was submitted.
        records: the table's records of it.
        events: the diary, in order.
        messages_left: messages that are still in a queue.
    """
    ended: set[str] = set()
    finished: dict[str, set[int]] = defaultdict(set)
    run_twice = 0
    for event in events:
        if event.what == RECORDED:
            ended.add(event.id)
        elif event.what == FINISHED:
            finished[event.id].add(event.attempt)
        elif event.what == STARTED and event.id in ended:
            run_twice += 1
    uuids, fan_ins, order = sent.tasks, [FanIn.of(uuid, sent, records) for uuid in sent.groups], Order(events)
    return Verdict(
        lost=sum(_is_lost(records.get(uuid), finished[uuid]) for uuid in uuids),
        run_twice=run_twice,
        left_open=sum(uuid in records and not records[uuid].ended for uuid in uuids),
        members_open=sum(each.members_open for each in fan_ins),
        groups_open=sum(not each.succeeded for each in fan_ins),
        continuations_early=sum(each.is_early(order) for each in fan_ins),
        continuations_lost=sum(not each.followed for each in fan_ins),
        messages_left=messages_left,
        unseen=0 if ended else len(uuids),
    )


def _is_lost(record: Record | None, finished: set[int]) -> bool:
    if record is None:
        return True
    # Every task of the run succeeds once it is let: no other end is the task's own.
    return record.ended and (record.status != SUCCEEDED or record.attempt not in finished)


def seen(sent: Submitted, events: Sequence[Event]) -> Seen:
    """Count what the run went through."""
    counted = Counter(event.what for event in events)
    ran = {event.id for event in events if event.what == FINISHED}
    return Seen(
        continuations=sum(continuation_id(group) in ran for group in sent.groups),
        attempts=counted[STARTED],
        attempts_lost=counted[STARTED] - counted[RECORDED],
        throttles=counted[THROTTLED],
    )
