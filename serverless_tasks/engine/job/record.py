"""The record: what is known of a job, as every user sees it, made from the stored items in this one place."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from serverless_tasks.engine.job.message import Message

PENDING: Final = "pending"
RUNNING: Final = "running"
SUCCEEDED: Final = "succeeded"
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"
ENDED: Final = frozenset({SUCCEEDED, FAILED, CANCELLED})

NEUTRAL_MESSAGE = "The task failed. The people who run this site can see why."


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The reason why an attempt ended without success.

    Attributes:
        type: the exception's class name.
        message: its text.
        public: whether the text is meant for the person who submitted the task.
        traceback: the traceback, for operators, or "".
        path: the exception class's dotted path, kept with the attempt alone, or "".
        fingerprint: the name of its kind, under which equal failures of a task are counted, or "".
    """

    type: str
    message: str
    public: bool = True
    traceback: str = ""
    path: str = ""
    fingerprint: str = ""

    def to_json(self, *, reveal: bool = False) -> dict[str, str]:
        """The record's ``error``; ``reveal`` shows what only operators and developers should read."""
        return {"type": self.type, "message": self.message if self.public or reveal else NEUTRAL_MESSAGE}


TASK_CANCELLED: Final = Failure(type="TaskCancelled", message="The task was cancelled.")
EXPIRED: Final = Failure(type="Expired", message="The job was not delivered in time.")
SKIPPED: Final = Failure(
    type="Skipped", message="The schedule fired while an earlier run of the task had not ended."
)
WORKER_LOST: Final = Failure(type="WorkerLost", message="The worker that ran the task was lost.")
NOT_RUN_AGAIN: Final = Failure(
    type=WORKER_LOST.type, message="The worker that ran the task was lost, and the task was not run again."
)


SKIPPED_STEP: Final = Failure(
    type="Skipped", message="A step before it in the chain did not succeed, so that it was not run."
)
GROUP_STOPPED: Final = Failure(type=TASK_CANCELLED.type, message="Its group was cancelled before it began.")
NEVER_SENT: Final = Failure(
    type="Incomplete", message="The group was not submitted whole: this member was never sent."
)
PAST_DEADLINE: Final = Failure(
    type="Expired", message="The deadline of its group was over, and it had not begun."
)


def no_such_task(name: str, builds: str = "") -> Failure:
    """The reason why a job waits whose task the deployed worker does not have; ``builds``: see `Message.builds`."""
    return Failure(
        type="UnknownTask",
        message=(
            f"The deployed worker has no task named {name!r}{builds}: deploy the code that defines it, and name its"
            " module. Until then the message is tried again."
        ),
        public=False,
    )


def tasks_not_loaded(error: BaseException) -> Failure:
    """The reason why a job waits whose worker cannot import what defines its tasks, or set Django up."""
    return Failure(
        type="TasksNotLoaded",
        message=(
            f"The deployed worker cannot load its tasks: {type(error).__name__}: {str(error).removesuffix('.')}."
            " Deploy code that can be imported. Until then the message is tried again."
        ),
        public=False,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedAttempt:
    """One attempt that ended without success, for ``explain``; times in milliseconds since the epoch.

    ``due`` is when the next attempt was to be made; None where there was to be none, or a version before wrote it.
    """

    number: int
    started: int
    ended: int
    failure: Failure
    request_id: str = ""
    due: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptMessages:
    """The messages of one attempt, in order.

    Attributes:
        attempt: its number, or 0 where nobody recorded which one it was.
        texts: the messages.
        times: when each was added, in milliseconds since the epoch; None where a version before wrote it.
    """

    attempt: int
    texts: tuple[str, ...]
    times: tuple[int | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """The members of a group or a chain, counted by how they ended; those that wait and run are not told apart."""

    total: int
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0

    @property
    def ended(self) -> int:
        """How many have ended."""
        return self.succeeded + self.failed + self.cancelled

    def to_json(self) -> dict[str, int]:
        """The record's ``members``."""
        return {
            "total": self.total,
            "ended": self.ended,
            "succeeded": self.succeeded,
            "failed": self.failed,
            "cancelled": self.cancelled,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A job's state at one moment; times in milliseconds since the epoch.

    ``owner``, ``run_at`` (when a job that waits is due), ``attempted`` (when the present attempt began), ``lease``
    (until when it holds the job), ``token`` and ``seq`` (which attempt last wrote the state, and which of its writes
    that was), ``request_id``, ``history`` and ``uncertain`` (whether it may never have been sent, and nobody has begun
    it) are for operators and are not in `to_json`. ``returned``, why a worker has sent a job that waits back to its
    queue, is there with ``reveal``. ``members`` is there for groups and chains, and ``group``, the id of such a job,
    for their members. ``retry_of`` is the id of the ended job that this one repeats, and ``retried_as`` those of the
    jobs that have repeated this one, oldest first. ``queue`` and ``tenant`` are what it was submitted with; "" and None
    where a version before wrote the state. ``fingerprint`` names the kind of a final failure, or is "". ``due`` is when
    a job that was submitted with a delay was due, once it has started; later than its start, it is that of a retry.
    ``messages_by_attempt`` are the messages of all attempts, where they were read: of the last one they are
    ``messages``, which `to_json` serves. ``build`` is the id of the code that ran the last attempt, or "" where nobody
    has said it.
    """

    uuid: str
    task: str
    status: str = PENDING
    owner: str | None = None
    progress: int | float = 0
    target: int | float | None = None
    outputs: dict[str, Any] = field(default_factory=dict)
    messages: tuple[str, ...] = ()
    failure: Failure | None = None
    attempt: int = 0
    created: int = 0
    run_at: int | None = None
    started: int | None = None
    attempted: int | None = None
    finished: int | None = None
    cancel_requested: bool = False
    token: str = ""
    seq: int = 0
    request_id: str = ""
    history: tuple[EndedAttempt, ...] = ()
    lease: int | None = None
    uncertain: bool = False
    returned: Failure | None = None
    members: Members | None = None
    group: str | None = None
    queue: str = ""
    tenant: str | None = None
    retry_of: str | None = None
    retried_as: tuple[str, ...] = ()
    fingerprint: str = ""
    due: int | None = None
    messages_by_attempt: tuple[AttemptMessages, ...] = ()
    build: str = ""

    @classmethod
    def of(cls, message: Message, **known: Any) -> Record:
        """Return the record of a message's job: pending, or as what else is known says."""
        return cls(
            uuid=message.uuid,
            task=message.task,
            owner=message.owner,
            created=message.created,
            group=message.group,
            queue=message.queue,
            tenant=message.tenant,
            retry_of=message.retry_of,
            **known,
        )

    def __repr__(self) -> str:
        return f"<Record {self.uuid} {self.task} {self.status}>"

    @property
    def ended(self) -> bool:
        """True if the status is a terminal one."""
        return self.status in ENDED

    @property
    def error(self) -> dict[str, str] | None:
        """The error as a browser may see it: ``{"type", "message"}``, or None."""
        return self.failure.to_json() if self.failure else None

    def to_json(self, *, reveal: bool = False) -> dict[str, Any]:
        """The record as every interface serves it.

        Args:
            reveal: show the text of errors that are not meant for users (operators, and under ``DEBUG``).
        """
        body: dict[str, Any] = {
            "uuid": self.uuid,
            "task": self.task,
            "status": self.status,
            "progress": self.progress,
            "target": self.target,
            "outputs": self.outputs,
            "messages": list(self.messages),
            "error": self.failure.to_json(reveal=reveal) if self.failure else None,
            "attempt": self.attempt,
            "created": iso(self.created),
            "started": iso(self.started),
            "finished": iso(self.finished),
        }
        if self.cancel_requested and not self.ended:
            body["cancel_requested"] = True
        if self.members is not None:
            body["members"] = self.members.to_json()
        if self.group is not None:
            body["group"] = self.group
        if self.retry_of is not None:
            body["retry_of"] = self.retry_of
        if self.retried_as:
            body["retried_as"] = list(self.retried_as)
        if self.build:
            body["build"] = self.build
        if reveal and self.returned is not None:
            body["returned"] = self.returned.to_json(reveal=True)
        return body


def iso(milliseconds: int | None) -> str | None:
    """A time as ISO 8601 in UTC, or None."""
    if milliseconds is None:
        return None
    return (
        datetime.fromtimestamp(milliseconds / 1000, UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )
