"""The items of statistics and errors in the table: their keys and attributes.

``stats#<task>``, ``<hour>#<shard>``: counts of a task's hour, numbers that are only ever added to.
``errors#<day>``, ``<fingerprint>``: counts of failures of one kind on a day, and nothing of a job.
``errors#<day>``, ``<fingerprint>#e``: examples of them, which say something of jobs.
``error#<fingerprint>``, ``error``: when the kind first occurred, and nothing of a job.
All have a TTL of 90 days but for the examples, which do not outlive the jobs that they are about.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from serverless_tasks.engine.statistics.errors import ErrorDay, ErrorKind
from serverless_tasks.engine.store.items import DAY_MS, INLINE_TYPE, clipped, day_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from serverless_tasks.engine.statistics.errors import Occurrences

KEPT_DAYS: Final = 90
# The state of a job is kept for 29 days after its last claim, and with it goes the way to delete what is about the job.
EXAMPLE_DAYS: Final = 28
SHARDS: Final = 4
HOUR_MS: Final = 3_600_000
# The sort key of when a kind of failure first occurred.
FIRST: Final = "error"
# The ending of the sort key of a day's examples, and the attributes that hold their ids.
EXAMPLE: Final = "#e"
EXAMPLES: Final = ("x1", "x2", "x3")
# Bytes, so that an item stays within the 1 KB of one write unit.
LONGEST_TEXT: Final = 240
LONGEST_FRAME: Final = 120


def hour_of(milliseconds: int) -> str:
    """Return the UTC hour of a time, as keys name it."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H")


def hour_start(hour: str) -> int:
    """Return when an hour begins, milliseconds since the epoch."""
    return int(datetime.strptime(hour, "%Y-%m-%dT%H").replace(tzinfo=UTC).timestamp() * 1000)


def whole_hours(since: int, until: int) -> range:
    """Return when the UTC hours of a time begin, at least one, in milliseconds since the epoch.

    Args:
        since: milliseconds since the epoch, inclusive.
        until: milliseconds, exclusive.
    """
    return range(since // HOUR_MS * HOUR_MS, max(since + 1, until), HOUR_MS)


def days_between(since: int, until: int) -> list[str]:
    """Return the UTC days of a time, the earliest first.

    Args:
        since: milliseconds since the epoch, inclusive.
        until: milliseconds, exclusive.
    """
    days = range(since // DAY_MS, max(since, until - 1) // DAY_MS + 1)
    return [day_of(day * DAY_MS) for day in days]


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


def example_key(fingerprint: str) -> str:
    """Return the sort key of the examples of a kind of failure."""
    return f"{fingerprint}{EXAMPLE}"


def example_until(milliseconds: int) -> int:
    """Return the ``ttl`` of the examples of what occurred then."""
    return (milliseconds + EXAMPLE_DAYS * DAY_MS) // 1000


def example_fields(occurrences: Occurrences) -> dict[str, str]:
    """Return the attributes of an example, each of which is set unless it is there; none without an example."""
    if not occurrences.text_of:
        return {}
    return {
        "text": clipped(occurrences.text, LONGEST_TEXT),
        "text_of": occurrences.text_of,
        EXAMPLES[occurrences.slot]: occurrences.text_of,
    }


def forgotten(item: dict[str, Any], uuid: str) -> list[str]:
    """Return the attributes of a day's examples that say something of a job."""
    named = [name for name in (*EXAMPLES, "text_of") if item.get(name) == uuid]
    return [*named, "text"] if "text_of" in named else named


def error_days(items: Iterable[dict[str, Any]]) -> list[ErrorDay]:
    """Read the items of days, those of counts and those of examples."""
    counted, examples = [], {}
    for item in items:
        if item["sk"].endswith(EXAMPLE):
            examples[item["pk"], item["sk"]] = item
        else:
            counted.append(item)
    return [_error_day(item, examples.get((item["pk"], example_key(item["sk"])), {})) for item in counted]


def _error_day(item: dict[str, Any], example: dict[str, Any]) -> ErrorDay:
    kind = ErrorKind(
        fingerprint=item["sk"],
        task=item.get("task", ""),
        type=item.get("type", ""),
        frame=item.get("frame", ""),
    )
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
        text=example.get("text", ""),
        examples=tuple(dict.fromkeys(example[name] for name in EXAMPLES if name in example)),
    )


def forget_days(failed: int) -> list[str]:
    """Return the days among which a job that failed may be: the worker counted it a moment before or after."""
    return days_between(failed - 600_000, failed + 600_000)
