"""The items of statistics and errors in the table: their keys and attributes.

``stats#<task>``, ``<hour>#<shard>``: counts of a task's hour, numbers that are only ever added to.
``errors#<day>``, ``<fingerprint>``: failures of one kind on a day.
``error#<fingerprint>``, ``error``: when the kind first occurred, and nothing of a job.
All have a TTL of 90 days.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from serverless_tasks.engine.statistics.errors import ErrorDay, ErrorKind
from serverless_tasks.engine.store.items import INLINE_TYPE, clipped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serverless_tasks.engine.statistics.errors import Occurrences

KEPT_DAYS: Final = 90
SHARDS: Final = 4
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
# The sort key of when a kind of failure first occurred.
FIRST: Final = "error"
# Examples of a day: two that are set once, wherever an id falls, and the latest.
KEPT_EXAMPLES: Final = ("x1", "x2")
LATEST: Final = "x3"
# Bytes, so that an item stays within the 1 KB of one write unit.
LONGEST_TEXT: Final = 240
LONGEST_FRAME: Final = 120


def hour_of(milliseconds: int) -> str:
    """Return the UTC hour of a time, as keys name it."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H")


def hour_start(hour: str) -> int:
    """Return when an hour begins, milliseconds since the epoch."""
    return int(datetime.strptime(hour, "%Y-%m-%dT%H").replace(tzinfo=UTC).timestamp() * 1000)


def days_between(since: int, until: int) -> list[str]:
    """Return the UTC days of a time, the earliest first.

    Args:
        since: milliseconds since the epoch, inclusive.
        until: milliseconds, exclusive.
    """
    return list(_days(since, until))


def _days(since: int, until: int) -> Iterator[str]:
    day = datetime.fromtimestamp(since / 1000, UTC).date()
    last = datetime.fromtimestamp(max(since, until - 1) / 1000, UTC).date()
    while day <= last:
        yield day.isoformat()
        day += timedelta(days=1)


def day_start(day: str) -> int:
    """Return when a day begins, milliseconds since the epoch."""
    return hour_start(f"{day}T00")


def hours_key(task: str) -> str:
    """Return the key under which the hours of a task lie."""
    return f"stats#{task}"


def errors_key(day: str) -> str:
    """Return the key under which the kinds of failures of a day lie."""
    return f"errors#{day}"


def first_key(fingerprint: str) -> str:
    """Return the key of when a kind of failure first occurred."""
    return f"error#{fingerprint}"


def kept_until(milliseconds: int) -> int:
    """Return the ``ttl`` (seconds since the epoch) of what occurred then."""
    return (milliseconds + KEPT_DAYS * DAY_MS) // 1000


def hour_attribute(milliseconds: int) -> str:
    """Return the attribute in which the failures of a time's hour are counted."""
    return f"h{hour_of(milliseconds)[-2:]}"


def kind_fields(kind: ErrorKind) -> dict[str, Any]:
    """Return a kind of failure as attributes, its pattern left out, which is the message all but for its numbers."""
    return {
        "task": kind.task,
        "type": clipped(kind.type, INLINE_TYPE),
        "frame": clipped(kind.frame, LONGEST_FRAME),
    }


def example_fields(occurrences: Occurrences) -> tuple[dict[str, str], dict[str, str]]:
    """Return the attributes of a day's examples: those to set anew, and those to set unless they are there."""
    anew: dict[str, str] = {}
    unless: dict[str, str] = {}
    if occurrences.uuid:
        anew[LATEST] = occurrences.uuid
    if occurrences.text_of:
        unless |= {"text": clipped(occurrences.text, LONGEST_TEXT), "text_of": occurrences.text_of}
        slot = KEPT_EXAMPLES[int(occurrences.text_of[-1], 16) % len(KEPT_EXAMPLES)]
        unless[slot] = occurrences.text_of
    return anew, unless


def forgotten(item: dict[str, Any], uuid: str) -> list[str]:
    """Return the attributes of a day's item that say something of a job."""
    named = [name for name in (*KEPT_EXAMPLES, LATEST, "text_of") if item.get(name) == uuid]
    return [*named, "text"] if "text_of" in named else named


def error_day(item: dict[str, Any]) -> ErrorDay:
    """Read the item of a kind of failure's day."""
    kind = ErrorKind(
        fingerprint=item["sk"],
        task=item.get("task", ""),
        type=item.get("type", ""),
        frame=item.get("frame", ""),
    )
    examples = [item[name] for name in (LATEST, *KEPT_EXAMPLES) if name in item]
    return ErrorDay(
        kind=kind,
        day=item["pk"].partition("#")[2],
        hours={
            int(name[1:]): int(count)
            for name, count in item.items()
            if name.startswith("h") and name[1:].isdecimal()
        },
        first=item.get("first", 0),
        last=item.get("last", 0),
        text=item.get("text", ""),
        examples=tuple(dict.fromkeys(examples)),
    )


def forget_days(failed: int) -> list[str]:
    """Return the days among which a job that failed may be: the worker counted it a moment before or after."""
    return days_between(failed - 600_000, failed + 600_000)
