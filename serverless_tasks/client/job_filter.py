"""The filter of a search for jobs, and the times that it asks of a record."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from serverless_tasks.engine.job.job_id import uuid_in
from serverless_tasks.engine.job.record import CANCELLED, EXPIRED, FAILED, PENDING, RUNNING, SUCCEEDED
from serverless_tasks.engine.store.items import INLINE_TYPE, WAITING, clipped
from serverless_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serverless_tasks.engine.job.record import Failure, Record

STATUSES: Final = (PENDING, RUNNING, SUCCEEDED, FAILED, CANCELLED, WAITING)
# Which time of a record `since` and `until` are about: the name of the filter's value -> the record's attribute.
TIMES: Final = {"submitted": "created", "started": "started", "finished": "finished"}

# The values of a filter in JSON that are not texts.
_KINDS: Final[dict[str, type | tuple[type, ...]]] = {
    "tasks": list,
    "since": int,
    "until": int,
    "longer_than": (int, float),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """The filter of a search for jobs. What is not given does not restrict it.

    Attributes:
        tasks: names of tasks.
        status: ``pending``, ``running``, ``succeeded``, ``failed``, ``cancelled``, or ``waiting``: sent back by a
            worker that lacks its task, or pausing before a retry.
        owner: whose jobs.
        tenant: the tenant that they were submitted for.
        queue: the queue that they were submitted to.
        error_type: the class name of the error that they ended with.
        fingerprint: the name of the kind of that error.
        group: the group or the chain that they are members of.
        time: which time ``since`` and ``until`` are about: ``submitted``, ``started`` or ``finished``.
        since: the earliest time, milliseconds since the epoch.
        until: the first time that is too late, milliseconds since the epoch.
        longer_than: the duration that theirs exceeds, in seconds.
        id_prefix: the beginning of the job's id.

    Raises:
        ConfigurationError: a value is none that this filter has.
    """

    tasks: tuple[str, ...] = ()
    status: str | None = None
    owner: str | None = None
    tenant: str | None = None
    queue: str | None = None
    error_type: str | None = None
    fingerprint: str | None = None
    group: str | None = None
    time: str = "submitted"
    since: int = 0
    until: int | None = None
    longer_than: float | None = None
    id_prefix: str = ""

    def __post_init__(self) -> None:
        if self.status is not None and self.status not in STATUSES:
            raise ConfigurationError(
                f"No job has the status {self.status!r}; name one of {', '.join(STATUSES)}."
            )
        if self.time not in TIMES:
            raise ConfigurationError(f"No time of a job is {self.time!r}; name one of {', '.join(TIMES)}.")

    def fits(self, record: Record, now: float) -> bool:
        """Return whether a job matches.

        Args:
            record: the job.
            now: the present, in seconds since the epoch.
        """
        return (
            (not self.tasks or record.task in self.tasks)
            and self._has_status(record)
            and self.owner in (None, record.owner)
            and self.tenant in (None, record.tenant)
            and self.queue in (None, record.queue)
            and self._has_error(record.failure)
            and self.fingerprint in (None, record.fingerprint)
            and self.group in (None, record.group)
            and self._in_time(record)
            and (self.longer_than is None or (duration(record, now) or 0.0) > self.longer_than)
            and record.uuid.startswith(self.uuid or self.id_prefix.lower())
        )

    @property
    def uuid(self) -> str | None:
        """The job's id, where it is given whole; else None."""
        return uuid_in(self.id_prefix)

    def to_json(self) -> dict[str, Any]:
        """Return the filter as JSON, what is not given left out."""
        return {
            each.name: list(value) if isinstance(value, tuple) else value
            for each in fields(self)
            if (value := getattr(self, each.name)) != each.default
        }

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> JobFilter:
        """Read what `to_json` gave.

        Raises:
            ConfigurationError: a name or a value is none that a filter has.
        """
        known = {each.name: each for each in fields(cls)}
        for name, value in given.items():
            if name not in known:
                raise ConfigurationError(f"A filter of jobs has no {name!r}; it has {', '.join(known)}.")
            if value is not None and not _is_a(value, _KINDS.get(name, str)):
                raise ConfigurationError(f"The filter {name!r} of jobs cannot be {value!r}.")
        read: dict[str, Any] = {
            name: tuple(value) if name == "tasks" else value
            for name, value in given.items()
            if value is not None
        }
        return cls(**read)

    def _has_status(self, record: Record) -> bool:
        if self.status == WAITING:
            return is_waiting(record)
        return self.status in (None, record.status)

    def _has_error(self, failure: Failure | None) -> bool:
        if self.error_type is None:
            return True
        # The state keeps the beginning of a long name.
        return failure is not None and failure.type in (
            self.error_type,
            clipped(self.error_type, INLINE_TYPE),
        )

    def _in_time(self, record: Record) -> bool:
        if not self.since and self.until is None:
            return True
        moment: int | None = getattr(record, TIMES[self.time])
        return moment is not None and moment >= self.since and (self.until is None or moment < self.until)


def is_waiting(record: Record) -> bool:
    """Return whether a job waits for longer than for its turn: for a worker that has its task, or for a retry.

    One that was not delivered in time is among them, as long as nobody has recorded that: it reads as failed.
    """
    if record.status != PENDING:
        return record.failure is EXPIRED  # the constant itself: one that was recorded is another object
    return record.returned is not None or (record.attempt > 0 and record.run_at is not None)


def duration(record: Record, now: float) -> float | None:
    """Return the seconds from a job's first start to its end, or until now; None when it has not started.

    Args:
        record: the job.
        now: the present, in seconds since the epoch.
    """
    if record.started is None:
        return None
    end = now * 1000 if record.finished is None else record.finished
    return max(0.0, end - record.started) / 1000


def queue_wait(record: Record) -> float | None:
    """Return the seconds from when a job was due, or submitted, to its first start; None when it has not started."""
    if record.started is None:
        return None
    delayed = record.due is not None and record.due <= record.started
    since = record.due if delayed and record.due is not None else record.created
    return max(0, record.started - since) / 1000


def _is_a(value: Any, kind: type | tuple[type, ...]) -> bool:
    if isinstance(value, list):
        return kind is list and all(isinstance(each, str) for each in value)
    return isinstance(value, kind) and not isinstance(value, bool)
