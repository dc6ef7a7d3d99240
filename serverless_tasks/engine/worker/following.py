"""A member of a unique task whose place another job has: it ends as that one does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from serverless_tasks.engine.job.record import Failure

if TYPE_CHECKING:
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.job.record import Record
    from serverless_tasks.engine.store.base import Store

# Seconds before it is looked again at the job that has the place: at first, and at most.
_SOONEST: Final = 5.0
_LATEST: Final = 900.0
# Seconds for which nothing may be known of that job: the time between its place and its item.
_UNKNOWN: Final = 900.0
# Seconds after which its message is sent anew each time: a queue gives one up after a hundred deliveries.
SENT_ANEW: Final = 43_200.0

WAITS: Final = Failure(
    type="Waiting",
    message="A job of the same task and inputs is not over yet: this one ends as that one does.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What a job does that follows another.

    Attributes:
        pause: seconds until it is to look again, or None.
        ended: the other job, as whose end this one's is recorded; None: it runs as any job.
    """

    pause: float | None = None
    ended: Record | None = None


def course_of(message: Message, store: Store, now: float) -> Course:
    """Return what a job is to do that follows another.

    Args:
        message: the job.
        store: where both are kept.
        now: the present, seconds since the epoch.

    Raises:
        AwsError: the store could not be asked; the message must come back.
    """
    assert message.follows is not None, "who asks has a job that follows another"
    records = store.read_many([message.uuid, message.follows], whole=False)
    own, other = records.get(message.uuid), records.get(message.follows)
    if own is not None and own.ended:
        return Course()
    if other is not None and other.ended:
        return Course(ended=store.read(message.follows) or other)
    age = now - message.created / 1000
    if other is None and (age > _UNKNOWN or store.deleted(message.follows)):
        return Course()
    return Course(pause=min(_LATEST, max(_SOONEST, age)))
