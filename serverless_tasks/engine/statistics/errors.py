"""Errors by their kind: how often final failures of one fingerprint occurred, and examples of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorKind:
    """The kind of a final failure: equal ones have one fingerprint.

    Attributes:
        fingerprint: a stable name of it.
        task: the task's name.
        type: the exception's class name.
        frame: the innermost function of the project's own code, ``module.function``, or "".
        pattern: the message with its numbers, ids and quoted texts folded.
    """

    fingerprint: str
    task: str
    type: str
    frame: str = ""
    pattern: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrences:
    """Failures of one kind that a process has gathered, of one hour, to be added to what is kept of their day.

    Attributes:
        kind: what they have in common.
        count: how many there were.
        first: when the first of them occurred, milliseconds since the epoch.
        last: when the last did.
        text: the message of an example, its secrets masked, or "" for none.
        text_of: the id of the job whose message it is, or "".
        uuid: the id of the job that failed last.
    """

    kind: ErrorKind
    count: int
    first: int
    last: int
    text: str = ""
    text_of: str = ""
    uuid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorDay:
    """Failures of one kind on one day (UTC).

    Attributes:
        kind: what they have in common; its pattern is "".
        day: such as ``2026-01-31``.
        hours: the hour (0 to 23) -> how many there were.
        first: when the first of the day occurred, milliseconds since the epoch.
        last: when the last did.
        text: the message of an example, or "" when its job was deleted.
        examples: the ids of up to three jobs, the latest first.
    """

    kind: ErrorKind
    day: str
    hours: Mapping[int, int] = field(default_factory=dict)
    first: int = 0
    last: int = 0
    text: str = ""
    examples: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """The number of failures."""
        return sum(self.hours.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class NewError:
    """A kind of failure that has not occurred before, or not for 90 days; the argument of `ON_NEW_ERROR`'s callable.

    Attributes:
        fingerprint: its name; ``serverless-tasks errors FINGERPRINT`` tells more.
        task: the task's name.
        type: the exception's class name.
        message: the message, the run's secrets masked; it may say what only operators should read.
        pattern: the message with its numbers, ids and quoted texts folded, for wherever texts are kept for long.
        frame: the innermost function of the project's own code, ``module.function``, or "".
        uuid: the id of the job that failed.
        seen: when it failed, milliseconds since the epoch.
    """

    fingerprint: str
    task: str
    type: str
    message: str
    pattern: str
    frame: str
    uuid: str
    seen: int
