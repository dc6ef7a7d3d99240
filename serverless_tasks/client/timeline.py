"""A job's timeline: what is known of every attempt."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from serverless_tasks.engine.job.record import (
    FAILED,
    NOT_RUN_AGAIN,
    PENDING,
    RUNNING,
    WORKER_LOST,
    EndedAttempt,
    iso,
)

if TYPE_CHECKING:
    from serverless_tasks.engine.job.record import Record

LOST = "lost"
NOT_RUN = "not run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened to a job; times in ISO 8601.

    Attributes:
        event: ``created``, ``attempt`` or the job's present status.
        at: when, or when it began; None where nobody recorded it.
        ended: for an attempt: when it ended.
        attempt: its number, from 1.
        outcome: how it ended: ``failed``, ``lost`` (its worker gave no word), ``not run`` (workers had been
            lost before, so that it was only to say so), ``succeeded``, ``running``...
        type: the error's type.
        reason: the error's text.
        request_id: Lambda's request id, to find its log by.
        traceback: where it was raised.
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

    def to_json(self) -> dict[str, Any]:
        """Return the event as JSON."""
        return {name: value for name, value in asdict(self).items() if value is not None or name == "at"}


def timeline(record: Record) -> list[Event]:
    """Return the events of a job, in order: its creation, its attempts, and its status."""
    attempts = [_attempt(record, number) for number in range(1, record.attempt + 1)]
    return [Event(event="created", at=iso(record.created)), *attempts, _state(record)]


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
            reason=failure.message,
            request_id=ended.request_id or None,
            traceback=failure.traceback or None,
        )
    started = iso(record.attempted) if number == record.attempt else None
    # A worker that records a failure records its attempt first: without that, others have settled the job.
    if number < record.attempt or record.status in (PENDING, FAILED):
        return Event(event="attempt", at=started, attempt=number, outcome=LOST)
    return Event(
        event="attempt",
        at=started,
        ended=iso(record.finished),
        attempt=number,
        outcome=record.status,
        request_id=record.request_id or None,
    )


def _outcome(record: Record, ended: EndedAttempt) -> str:
    if ended.failure.type == WORKER_LOST.type:
        return NOT_RUN if ended.failure.message == NOT_RUN_AGAIN.message else LOST
    return record.status if ended.number == record.attempt and record.ended else FAILED


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
