"""Times as a person gives them on the command line, and as they are shown there."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.record import iso
from serverless_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from serverless_tasks.errors import ServerlessTasksError

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


def moment(given: str, now: float, option: str) -> int:
    """Return the time that a text stands for, in milliseconds since the epoch.

    Args:
        given: a time of the day, ``10:00`` or ``10:00:30``, which was last or is now; an age, ``45s``, ``30m``, ``2h``,
            ``7d`` or ``2w``; or a date or a time in ISO 8601, in the local zone unless it names one.
        now: the present, in seconds since the epoch.
        option: the option that it was given with, for the error.

    Raises:
        ConfigurationError: it is none of these.
    """
    if age := re.fullmatch(r"(\d{1,6})([smhdw])", given):
        return to_ms(now - int(age[1]) * _UNITS[age[2]])
    try:
        if re.fullmatch(r"\d{1,2}:\d\d(:\d\d)?", given):
            return _last(time.fromisoformat(given.zfill(5 if given.count(":") == 1 else 8)), now)
        return to_ms(datetime.fromisoformat(given).astimezone().timestamp())
    except (ValueError, OverflowError, OSError):
        raise ConfigurationError(
            f"{option} {given!r}: give a time of the day such as 10:00, an age such as 45s, 30m, 2h or 7d, or a date or"
            " a time such as 2026-01-31 or 2026-01-31T08:00:00+01:00."
        ) from None


def span(since: str, until: str | None, now: float) -> dict[str, int]:
    """Return the time of ``--since`` and ``--until``, as the arguments ``since`` and ``until`` of what is asked.

    Raises:
        ConfigurationError: one of them cannot be read, or the time ends before it begins.
    """
    begins = moment(since, now, "--since")
    ends = to_ms(now) + 1 if until is None else moment(until, now, "--until")
    if begins >= ends:
        raise ConfigurationError(
            f"--since {since!r}{'' if until is None else f' --until {until!r}'}: the time ends before it begins."
        )
    return {"since": begins, "until": ends}


def zoned(given: str, option: str, error: type[ServerlessTasksError]) -> datetime:
    """Return a time that may be to come, which has to name its zone.

    Args:
        given: a time in ISO 8601.
        option: the option that it was given with, for the error.
        error: the error of what is no such time.
    """
    try:
        at = datetime.fromisoformat(given)
    except ValueError:
        at = None
    if at is None or at.utcoffset() is None:
        raise error(
            f"{option} is {given!r}; expected a time in ISO 8601 with an offset or Z, such as"
            " 2030-01-31T08:00:00+01:00."
        )
    return at


def _last(clock: time, now: float) -> int:
    today = datetime.fromtimestamp(now).astimezone().date()
    at = datetime.combine(today, clock).astimezone()
    if at.timestamp() > now:
        at = datetime.combine(today - timedelta(days=1), clock).astimezone()
    return to_ms(at.timestamp())


def shown(milliseconds: int) -> str:
    """Return a time in the local zone, with its zone: ``2026-01-31 08:00:00 CET``."""
    return f"{datetime.fromtimestamp(milliseconds / 1000).astimezone():%Y-%m-%d %H:%M:%S %Z}"


def shown_short(milliseconds: int | None) -> str:
    """Return a time in the local zone, without its year; "" for none."""
    if milliseconds is None:
        return ""
    return f"{datetime.fromtimestamp(milliseconds / 1000).astimezone():%m-%d %H:%M:%S}"


def time_of_day(milliseconds: int) -> str:
    """Return a time in UTC, to the millisecond."""
    return str(iso(milliseconds)).replace("T", " ").replace("Z", " UTC")


def age(seconds: float) -> str:
    """Return an age in its largest unit: ``4 d``, ``2 h``, ``10 min``, ``42 s``."""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def length(seconds: float | None) -> str:
    """Return a length of time in few characters: ``0.21s``, ``4.2s``, ``42s``, ``3m05s``, ``2h10m``, ``4d01h``."""
    if seconds is None:
        return ""
    if seconds < 9.95:
        return f"{seconds:.2f}s" if seconds < 0.995 else f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    minutes = whole // 60
    return (
        f"{minutes // 60}h{minutes % 60:02}m"
        if minutes < 2880
        else f"{minutes // 1440}d{minutes // 60 % 24:02}h"
    )
