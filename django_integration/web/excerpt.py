"""Excerpts of what a job has said and returned, for pages: the beginning of long values, the end of many messages."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# view.js and docs.js clip by the same numbers.
MOST_CHARACTERS: Final = 4_000
MOST_LINES: Final = 100
MOST_VALUES: Final = 50
MOST_MESSAGES: Final = 200
MOST_FAILED: Final = 20


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A value with a name, as text.

    Attributes:
        name: the name.
        text: a text as it is, anything else as indented JSON; clipped where it is long.
        left: how many characters were left out.
    """

    name: str
    text: str
    left: int


@dataclass(frozen=True, slots=True)
class Excerpts:
    """Values with names: the first of them, and how many were left out."""

    shown: Sequence[Excerpt]
    left: int


@dataclass(frozen=True, slots=True)
class Messages:
    """A job's messages: the last of them, and how many earlier ones were left out."""

    shown: Sequence[str]
    left: int


@dataclass(frozen=True, slots=True)
class FailedMember:
    """A failed member of a group.

    Attributes:
        index: its number in the group.
        uuid: the job's id.
        task: the task's name.
        message: why it failed, as callers may see it.
    """

    index: int
    uuid: str
    task: str
    message: str


@dataclass(frozen=True, slots=True)
class FailedMembers:
    """A group's failed members: the first of them, and how many were left out."""

    shown: Sequence[FailedMember]
    left: int


def excerpts(values: Mapping[str, Any]) -> Excerpts:
    """Return values as a page shows them."""
    shown = [_excerpt(name, value) for name, value in list(values.items())[:MOST_VALUES]]
    return Excerpts(shown, len(values) - len(shown))


def last_messages(messages: Sequence[str]) -> Messages:
    """Return messages as a page shows them."""
    shown = messages[-MOST_MESSAGES:]
    return Messages(shown, len(messages) - len(shown))


def _excerpt(name: str, value: Any) -> Excerpt:
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    clipped = "\n".join(text[:MOST_CHARACTERS].split("\n")[:MOST_LINES])
    return Excerpt(name, clipped, len(text) - len(clipped))
