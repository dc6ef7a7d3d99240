"""Reading which kinds of failures occurred, how often, and examples of them. For operators: texts may not be public."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from serverless_tasks.engine.job.record import iso
from serverless_tasks.engine.statistics.items import HOUR_MS, day_start, days_between, whole_hours

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from serverless_tasks.engine.statistics.base import StatisticsStore
    from serverless_tasks.engine.statistics.errors import ErrorDay, ErrorKind

EXAMPLES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorSummary:
    """Failures of one kind in a time of whole hours.

    Attributes:
        fingerprint: the kind's name.
        task: the task's name.
        type: the exception's class name.
        frame: the innermost function of the project's own code, ``module.function``, or "".
        message: the message of one of them, its secrets masked; "" where its job was deleted or is older than 28 days.
        count: how many there were.
        first_seen: when the kind first occurred, milliseconds since the epoch, maybe long before this time.
        last_seen: when it last did on the days of this time.
        hours: every hour's beginning in milliseconds, with its count, the earliest first.
        examples: the ids of up to three jobs, those of the last days first; none older than 28 days.
        new: whether it first occurred in this time.
    """

    fingerprint: str
    task: str
    type: str
    frame: str
    message: str
    count: int
    first_seen: int
    last_seen: int
    hours: tuple[tuple[int, int], ...]
    examples: tuple[str, ...]
    new: bool

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON; of the hours those with failures."""
        return {
            "fingerprint": self.fingerprint,
            "task": self.task,
            "type": self.type,
            "frame": self.frame,
            "message": self.message,
            "count": self.count,
            "first_seen": iso(self.first_seen),
            "last_seen": iso(self.last_seen),
            "new": self.new,
            "hours": [{"hour": iso(start), "count": count} for start, count in self.hours if count],
            "examples": list(self.examples),
        }


def list_errors(
    store: StatisticsStore, *, since: int, until: int, task: str | None = None
) -> list[ErrorSummary]:
    """Return the kinds of failures of a time, the most frequent first; a query of the table for each day.

    Args:
        store: where they are.
        since: the time's beginning, milliseconds since the epoch; its whole hour is counted.
        until: its end, exclusive; the whole hour of the moment before it is counted.
        task: of this task alone, or None.

    Raises:
        AwsError: the store could not be asked.
    """
    days = store.errors(days_between(since, until))
    kinds: defaultdict[str, list[ErrorDay]] = defaultdict(list)
    for day in days:
        if task is None or day.kind.task == task:
            kinds[day.kind.fingerprint].append(day)
    found = _summaries(store, kinds.values(), since, until)
    return sorted(found, key=lambda each: (-each.count, -each.last_seen, each.fingerprint))


def read_error(store: StatisticsStore, fingerprint: str, *, since: int, until: int) -> ErrorSummary | None:
    """Return one kind of failures, or None where none occurred in a time; see `list_errors`."""
    days = store.error(fingerprint, days_between(since, until))
    found = _summaries(store, [days] if days else [], since, until)
    return found[0] if found else None


def _summaries(
    store: StatisticsStore, kinds: Iterable[Sequence[ErrorDay]], since: int, until: int
) -> list[ErrorSummary]:
    starts = whole_hours(since, until)
    counted = {}
    for days in kinds:
        hours = _hours(days, starts)
        if any(hours.values()):
            counted[days[0].kind.fingerprint] = sorted(days, key=lambda day: day.day), hours
    first = store.first_seen(list(counted)) if counted else {}
    return [
        _summary(days, hours, first.get(fingerprint, days[0].first), starts[0])
        for fingerprint, (days, hours) in counted.items()
    ]


def _hours(days: Sequence[ErrorDay], starts: range) -> dict[int, int]:
    hours = dict.fromkeys(starts, 0)
    for day in days:
        for hour, count in day.hours.items():
            moment = day_start(day.day) + hour * HOUR_MS
            if moment in hours:
                hours[moment] += count
    return hours


def _summary(days: Sequence[ErrorDay], hours: dict[int, int], first: int, start: int) -> ErrorSummary:
    kind: ErrorKind = days[-1].kind
    examples = dict.fromkeys(uuid for day in reversed(days) for uuid in day.examples)
    return ErrorSummary(
        fingerprint=kind.fingerprint,
        task=kind.task,
        type=kind.type,
        frame=kind.frame,
        message=next((day.text for day in reversed(days) if day.text), ""),
        count=sum(hours.values()),
        first_seen=first,
        last_seen=max(day.last for day in days),
        hours=tuple(hours.items()),
        examples=tuple(examples)[:EXAMPLES],
        new=first >= start,
    )
