"""Dead letters: the bodies that no worker could run, and where they are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PREFIX = "dead-letters/"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A kept dead letter.

    Attributes:
        id: ``jobs/<uuid>`` for a job that was settled, ``undecodable/<message id>`` for a body that is no job, or only
            says that it is a schedule's.
        reason: why it could not be run.
        task: the job's task, or "".
        queue: the queue that it was in, or "".
        deliveries: how often SQS had handed it out.
        sent: when it was sent, milliseconds since the epoch; 0 when that is not known.
        kept: when it was kept, milliseconds since the epoch.
    """

    id: str
    reason: str = ""
    task: str = ""
    queue: str = ""
    deliveries: int = 0
    sent: int = 0
    kept: int = 0

    @property
    def is_job(self) -> bool:
        """True if it is a job, whose record says that it has failed."""
        return self.id.startswith("jobs/")


class DeadLetterStore(Protocol):
    """The store of kept dead letters."""

    def keep(self, letter: DeadLetter, body: str) -> None:
        """Keep a letter; one that is there already is replaced by itself."""

    def all(self, *, before: int | None = None) -> Iterator[DeadLetter]:
        """The letters, or those that were kept before a moment, milliseconds since the epoch."""

    def page(self, limit: int, after: str = "") -> tuple[list[DeadLetter], str]:
        """Up to ``limit`` letters by their ids, those after one of them, and the id to go on after, or ""."""

    def find(self, id: str) -> DeadLetter | None:
        """A letter, or None."""

    def body(self, id: str) -> str:
        """A letter's body."""

    def remove(self, ids: Sequence[str]) -> None:
        """Throw letters away; one that is not there counts as thrown away."""


def dead_letter_key(id: str) -> str:
    """Return the key of a dead letter in the bucket."""
    return PREFIX + id


def job_letter(uuid: str) -> str:
    """The id of a job's letter."""
    return f"jobs/{uuid}"


def undecodable_letter(message_id: str) -> str:
    """The id of the letter of a body that is no job."""
    return f"undecodable/{message_id}"
