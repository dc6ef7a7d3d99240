"""Listings of jobs: the places in them, the cursors that name these, and what an index tells of a job by itself."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from serverless_tasks.errors import InvalidCursor

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

# What the indexes are sorted by: milliseconds since the epoch, and the uuid.
_LAST: Final = 9_999_999_999_999
_POSITION: Final = re.compile(r"[0-9]{13}#[0-9a-f-]{36}")


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexFilter:
    """Which of the jobs that an index lists are wanted, by what it tells of them: others are not read.

    Attributes:
        tasks: the tasks' names; none for all.
        owner: whose jobs; None for everybody's.
        id_prefix: the beginning of the job's id.
        since: the earliest submission, milliseconds since the epoch.
        until: the first submission that is too late; None for none.
    """

    tasks: tuple[str, ...] = ()
    owner: str | None = None
    id_prefix: str = ""
    since: int = 0
    until: int | None = None

    def fits(self, item: Mapping[str, Any]) -> bool:
        """Return whether the item of an index is wanted."""
        return (
            (not self.tasks or item["task"] in self.tasks)
            and self.owner in (None, item.get("owner"))
            and str(item["pk"]).startswith(self.id_prefix)
            and self.since <= item["created"]
            and (self.until is None or item["created"] < self.until)
        )


def cursor_at(position: str) -> str:
    """Return the cursor of what comes after a place in a listing."""
    return base64.urlsafe_b64encode(position.encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> str:
    """Return the place that a cursor stands for.

    Raises:
        InvalidCursor: it is none of a listing.
    """
    try:
        position = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except ValueError:
        position = ""
    if not _POSITION.fullmatch(position):
        raise InvalidCursor(f"The cursor {cursor[:100]!r} was not returned by a listing.")
    return position


def place_at(moment: int) -> str:
    """Return the place in a listing before everything of a time, milliseconds since the epoch, and of later ones."""
    return f"{min(max(moment, 0), _LAST):013d}"


def moment_of(position: str) -> int:
    """Return the time of a place in a listing, milliseconds since the epoch."""
    return int(position.split("#", maxsplit=1)[0])


def uuid_of(position: str) -> str:
    """Return the job at a place in a listing."""
    return position.split("#")[1]


def page_of(positions: Iterable[str], limit: int, cursor: str | None) -> tuple[list[str], str | None]:
    """Return the newest of some places, from those after a cursor, and the cursor of the next page.

    Raises:
        InvalidCursor: the cursor is none of a listing.
    """
    before = read_cursor(cursor) if cursor is not None else "~"
    after = sorted((position for position in positions if position < before), reverse=True)
    page = after[:limit]
    return page, cursor_at(page[-1]) if len(after) > limit else None
