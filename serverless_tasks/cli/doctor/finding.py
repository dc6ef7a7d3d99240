"""`Finding`: one line of the page, and `Findings`, which gathers those of a section."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from serverless_tasks.errors import ServerlessTasksError

if TYPE_CHECKING:
    from collections.abc import Iterator


class Level(StrEnum):
    """The kinds of findings."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"
    UNSEEN = "not seen"
    """It could not be looked at; the finding says why."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the page.

    Attributes:
        level: how bad it is.
        text: what was found.
        cure: what to do about it; "" where there is nothing to do.
    """

    level: Level
    text: str
    cure: str = ""

    def to_json(self) -> dict[str, Any]:
        """The finding for programs."""
        return {"level": str(self.level), "text": self.text, "cure": self.cure}


@dataclass(slots=True)
class Findings:
    """The findings of a section, in their order.

    Attributes:
        section: its name.
        lines: the findings.
    """

    section: str
    lines: list[Finding] = field(default_factory=list)

    def ok(self, text: str) -> None:
        """Note what is in order."""
        self.lines.append(Finding(Level.OK, text))

    def warn(self, text: str, cure: str = "") -> None:
        """Note what may do harm."""
        self.lines.append(Finding(Level.WARNING, text, cure))

    def fail(self, text: str, cure: str = "") -> None:
        """Note what does not work."""
        self.lines.append(Finding(Level.ERROR, text, cure))

    def unseen(self, text: str, cure: str = "") -> None:
        """Note what could not be looked at, and why."""
        self.lines.append(Finding(Level.UNSEEN, text, cure))

    @property
    def has_errors(self) -> bool:
        """True if something does not work."""
        return self.count(Level.ERROR) > 0

    def count(self, level: Level) -> int:
        """Return how many findings are of a level."""
        return sum(line.level is level for line in self.lines)

    @contextmanager
    def look(self, what: str, cure: str = "") -> Iterator[None]:
        """Look at something whose reading may fail: the reason becomes a finding, and the next look is taken.

        Args:
            what: what is looked at, such as "The queues".
            cure: what to do where it cannot be seen.
        """
        try:
            yield
        except ServerlessTasksError as error:
            self.unseen(f"{what} could not be looked at: {error}", cure)
        except Exception as error:  # noqa: BLE001 - code of the project's own, which may raise anything
            self.fail(f"{what} could not be looked at: {type(error).__name__}: {error}", cure)
