"""The spans of a job's timeline: how long it waited, ran, and paused before each retry; of a group its members."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from serverless_tasks.client.timeline import LOST, NOT_RUN, milliseconds_of, timeline
from serverless_tasks.engine.job.record import CANCELLED, ENDED, FAILED, PENDING, iso

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from serverless_tasks.client.members import MembersPage
    from serverless_tasks.client.timeline import Event
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.job.record import Record
    from serverless_tasks.engine.services import Services

DELAY: Final = "delay"
QUEUE: Final = "queue"
ATTEMPT: Final = "attempt"
PAUSE: Final = "pause"
GROUP: Final = "group"
MEMBER: Final = "member"
# The members of a group that are told of: so many that did not succeed, and so many from either end.
NAMED: Final = 10
ENDS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A part of a job's life; times in milliseconds since the epoch.

    Attributes:
        kind: ``delay``, until it was due; ``queue``, until a worker began it; ``attempt``; ``pause``, until the next
            attempt was due; of a group ``group``, from the first member to the last, and ``member``.
        start: when it began.
        end: when it ended; None while it lasts.
        outcome: of an attempt, a member or a group: how it ended, or its present status.
        attempt: the number of the attempt, or of the one before which the job waits.
        index: the index of a member.
        uuid: a member's id.
        task: a member's task.
        began: when a worker began a member, None where none has: until then it waits.
    """

    kind: str
    start: int
    end: int | None
    outcome: str | None = None
    attempt: int | None = None
    index: int | None = None
    uuid: str | None = None
    task: str | None = None
    began: int | None = None

    def lasted(self, now: int) -> int:
        """Return its milliseconds, up to now while it lasts."""
        return max(0, (now if self.end is None else self.end) - self.start)

    def to_json(self, now: int) -> dict[str, Any]:
        """Return the span as JSON."""
        body: dict[str, Any] = {"span": self.kind, "from": iso(self.start), "until": iso(self.end)}
        body["seconds"] = self.lasted(now) / 1000
        if self.began is not None:
            body["began"] = iso(self.began)
        for name in ("outcome", "attempt", "index", "uuid", "task"):
            if (value := getattr(self, name)) is not None:
                body[name] = value
        return body


def spans_of(
    services: Services,
    record: Record,
    job: Message | None,
    *,
    sees: Callable[[Record], bool] = lambda member: True,
) -> list[Span]:
    """Return the spans of a job; of a group those of some of its members, which are read.

    Args:
        services: the services to use.
        record: the job.
        job: what was submitted, where it is kept.
        sees: whether a member is told of.

    Raises:
        AwsError: the store could not be asked.
    """
    if record.members is None:
        return spans(record, job)
    members = {
        index: member for page in _pages(services, record) for index, member in _of_page(page) if sees(member)
    }
    began = [record.created, *(member.started for member in members.values() if member.started is not None)]
    whole = Span(kind=GROUP, start=min(began), end=record.finished, outcome=record.status)
    return [whole, *(_member(index, member) for index, member in sorted(members.items()))]


def spans(record: Record, job: Message | None) -> list[Span]:
    """Return the spans of a job that is no group, in their order.

    Of attempts that a version before has recorded it is not known when the next one was due: until that began, all is
    pause.

    Args:
        record: the job.
        job: what was submitted, where it is kept: it says for when.
    """
    found: list[Span] = []
    end = record.finished if record.ended else None
    free: int | None = record.created
    due = job.run_at if job is not None else None
    waits = DELAY
    for event in _attempts(record):
        assert event.attempt is not None, "an attempt has a number"
        start, stop = milliseconds_of(event.at), milliseconds_of(event.ended)
        if start is None:  # nobody recorded when
            continue
        if free is not None:
            found += _waiting(waits, free, due, start, event.attempt)
        if stop is None and (record.ended or event.attempt < record.attempt or record.status == PENDING):
            stop = record.lease or end
        found.append(Span(kind=ATTEMPT, start=start, end=stop, outcome=event.outcome, attempt=event.attempt))
        free, due = stop, _due_after(record, event.attempt)
        waits = QUEUE if event.outcome in (LOST, NOT_RUN) else PAUSE
    if record.status == PENDING and record.run_at is not None:
        due = record.run_at
    if free is not None and (record.status == PENDING or (end is not None and end > free)):
        found += _waiting(waits, free, due, end, record.attempt + 1)
    return found


def _attempts(record: Record) -> Iterable[Event]:
    return (event for event in timeline(record) if event.event == ATTEMPT)


def _due_after(record: Record, attempt: int) -> int | None:
    return next((each.due for each in reversed(record.history) if each.number == attempt), None)


def _waiting(kind: str, start: int, due: int | None, end: int | None, attempt: int) -> list[Span]:
    """Return what lies before an attempt: the time until it is due, and the time in the queue.

    Args:
        kind: what the time until then is.
        start: since when the job waits.
        due: when it is due; None where nobody recorded that.
        end: when the attempt began, or the job ended; None while it waits.
        attempt: the attempt's number.
    """
    if due is None:
        due = start if kind != PAUSE else end
    if due is None:
        return [Span(kind=kind, start=start, end=None, attempt=attempt)]
    held = due if end is None else min(due, end)
    found = []
    if held > start:
        found.append(Span(kind=kind if kind != QUEUE else DELAY, start=start, end=held, attempt=attempt))
    if end is None or end > max(held, start):
        found.append(Span(kind=QUEUE, start=max(held, start), end=end, attempt=attempt))
    return found


def _pages(services: Services, record: Record) -> list[MembersPage]:
    """Return the pages of the members that are told of: some that did not succeed, the first and the last ones."""
    from serverless_tasks.client.members import members_page

    members = record.members
    assert members is not None, "the record is a group's"
    pages = []
    for status, count in ((FAILED, members.failed), (CANCELLED, members.cancelled)):
        if count:
            pages.append(members_page(services.store, record.uuid, status=status, limit=NAMED, whole=False))
    ends = sorted({*range(min(2 * ENDS, members.total)), *range(max(0, members.total - ENDS), members.total)})
    pages.append(members_page(services.store, record.uuid, among=ends, whole=False))
    return pages


def _of_page(page: MembersPage) -> Sequence[tuple[int, Record]]:
    return list(zip(page.indices, page.records, strict=True))


def _member(index: int, member: Record) -> Span:
    return Span(
        kind=MEMBER,
        start=member.created,
        end=member.finished if member.status in ENDED else None,
        outcome=member.status,
        index=index,
        uuid=member.uuid,
        task=member.task,
        began=member.started,
    )
