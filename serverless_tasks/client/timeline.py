"""A job's timeline: what is known of every attempt, and of the jobs that it goes with."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from serverless_tasks.engine.job.record import (
    CANCELLED,
    ENDED,
    FAILED,
    NOT_RUN_AGAIN,
    PENDING,
    RUNNING,
    WORKER_LOST,
    EndedAttempt,
    iso,
)

if TYPE_CHECKING:
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.job.record import Record
    from serverless_tasks.engine.services import Services

# What stands before the place in the reason of an attempt after which the next one goes on from there. It is for that
# attempt, and nothing that people are shown.
GOES_ON = "; the next attempt goes on: "
# The members that did not succeed of which a group's timeline tells.
NAMED = 20
LOST = "lost"
NOT_RUN = "not run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened to a job; times in ISO 8601.

    Attributes:
        event: ``created``, ``attempt`` or the job's present status; of a group also ``members``, how many have ended,
            ``member``, the first ones that did not succeed, and ``continuation``, the job that follows it; of a member
            ``member of``, its group, of a job that comes after another ``after``, and of one that ends as the job does
            which has the place of its unique task ``follows``.
        at: when, or when it began; None where nobody recorded it.
        ended: for an attempt: when it ended.
        attempt: its number, from 1.
        outcome: how it ended: ``failed``, ``lost`` (its worker gave no word), ``not run`` (workers had been
            lost before, so that it was only to say so), ``succeeded``, ``running``...
        type: the error's type.
        reason: the error's text.
        request_id: Lambda's request id, to find its log by.
        traceback: where it was raised.
        uuid: the other job that the event is about.
        index: the index of a member in its group.
    """

    event: str
    at: str | None
    ended: str | None = None
    attempt: int | None = None
    outcome: str | None = None
    type: str | None = None
    reason: str | None = None
    request_id: str | None = None
    traceback: str | None = None
    uuid: str | None = None
    index: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the event as JSON."""
        return {name: value for name, value in asdict(self).items() if value is not None or name == "at"}


def milliseconds_of(text: str | None) -> int | None:
    """Return the time of an event in milliseconds since the epoch."""
    return None if text is None else round(datetime.fromisoformat(text).timestamp() * 1000)


def timeline(record: Record) -> list[Event]:
    """Return the events of a job, in order: its creation, its attempts, and its status."""
    attempts = [_attempt(record, number) for number in range(1, record.attempt + 1)]
    return [Event(event="created", at=iso(record.created)), *attempts, _state(record)]


def messages_json(record: Record) -> list[dict[str, Any]]:
    """Return the messages of all attempts as JSON, each with its attempt and its time, as far as they were recorded."""
    return [
        {"attempt": each.attempt or None, "at": iso(at), "message": text}
        for each in record.messages_by_attempt
        for text, at in zip(each.texts, each.times, strict=True)
    ]


def timeline_of(services: Services, record: Record, job: Message | None) -> list[Event]:
    """Return the events of a job, with those of the jobs that it goes with: a group's members, or its own place.

    Args:
        services: the services to use.
        record: the job.
        job: what was submitted, where it is kept.

    Raises:
        AwsError: the store could not be asked.
    """
    created, *others = timeline(record)
    origin = [] if job is None else _origin(job)
    if record.members is not None:
        return [created, *origin, *_of_group(services, record), others[-1]]
    return [created, *origin, *others]


def _origin(job: Message) -> list[Event]:
    """The group that a job is a member of, what came before it, and the job whose end is its own."""
    found = []
    if job.member is not None:
        place = job.member
        text = f"{'step' if place.chain else 'member'} {place.index} of {place.total}"
        found.append(Event(event="member of", at=None, uuid=place.group, index=place.index, reason=text))
    if job.previous is not None:
        found.append(Event(event="after", at=None, uuid=job.previous))
    if job.follows is not None:
        found.append(Event(event="follows", at=None, uuid=job.follows))
    return found


def _of_group(services: Services, record: Record) -> list[Event]:
    from serverless_tasks.client.members import members_page

    members, events = record.members, []
    assert members is not None, "the record is a group's"
    counts = {name: count for name, count in members.to_json().items() if name in ENDED and count}
    text = ", ".join(f"{count} {name}" for name, count in counts.items())
    said = f"{members.ended} of {members.total} have ended" + (f": {text}" if text else "")
    events.append(Event(event="members", at=None, reason=said))
    left = NAMED
    for status in (FAILED, CANCELLED):
        if left and status in counts:
            page = members_page(services.store, record.uuid, status=status, limit=left, whole=False)
            left -= len(page.records)
            events += [_member(*member) for member in zip(page.indices, page.records, strict=True)]
    if "continuation" in record.outputs:
        events.append(_continuation(services, record.outputs["continuation"]))
    return events


def _continuation(services: Services, uuid: str) -> Event:
    following = services.store.read(uuid, whole=False)
    if following is None:
        return Event(event="continuation", at=None, uuid=uuid)
    return Event(event="continuation", at=iso(following.created), uuid=uuid, outcome=following.status)


def _member(index: int, member: Record) -> Event:
    failure = member.failure
    return Event(
        event="member",
        at=iso(member.finished),
        uuid=member.uuid,
        index=index,
        outcome=member.status,
        type=failure.type if failure else None,
        reason=failure.message if failure else None,
    )


def _attempt(record: Record, number: int) -> Event:
    ended = next((attempt for attempt in reversed(record.history) if attempt.number == number), None)
    if ended is not None:
        failure = ended.failure
        return Event(
            event="attempt",
            at=iso(ended.started),
            ended=iso(ended.ended),
            attempt=number,
            outcome=_outcome(record, ended),
            type=failure.type,
            reason=failure.message.partition(GOES_ON)[0],
            request_id=ended.request_id or None,
            traceback=failure.traceback or None,
        )
    if number < record.attempt:
        return Event(event="attempt", at=None, attempt=number, outcome=LOST)
    # A worker that records a failure records its attempt first: without that, others have settled the job.
    lost = record.status in (PENDING, FAILED)
    return Event(
        event="attempt",
        at=iso(record.attempted),
        ended=None if lost else iso(record.finished),
        attempt=number,
        outcome=LOST if lost else record.status,
        request_id=record.request_id or None,
    )


def _outcome(record: Record, ended: EndedAttempt) -> str:
    if ended.failure.type == WORKER_LOST.type:
        return NOT_RUN if ended.failure.message == NOT_RUN_AGAIN.message else LOST
    is_last = ended.number == record.attempt and ended.due is None  # after which no other one was to be made
    return record.status if is_last and record.ended else FAILED


def _state(record: Record) -> Event:
    failure = record.failure
    text = "asked to stop" if record.status == RUNNING and record.cancel_requested else None
    if record.status == PENDING and record.run_at is not None:
        text = f"due {iso(record.run_at)}"
    if record.returned is not None:
        return Event(event=record.status, at=None, type=record.returned.type, reason=record.returned.message)
    return Event(
        event=record.status,
        at=iso(record.finished),
        type=failure.type if failure else None,
        reason=failure.message if failure else text,
    )
