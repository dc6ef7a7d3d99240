"""Parameters that several commands take."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.errors import ConfigurationError

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Stack = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Use this CloudFormation stack's outputs."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done without doing it.")]
Since = Annotated[
    str,
    typer.Option(metavar="WHEN", help="Since a date (UTC), or so long ago: 2026-01-31, 7d, 12h, 90m."),
]

_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


def moment(option: str, given: str, now: float) -> int:
    """Return the time that a date, or an age, stands for, in milliseconds since the epoch.

    Args:
        option: the option, for the error.
        given: ``7d``, ``12h``, ``90m``, or a date in ISO 8601, which is read as UTC.
        now: the present, seconds since the epoch.

    Raises:
        ConfigurationError: it is neither, or lies in the future.
    """
    found = _moment(given, now)
    if found is None or found.timestamp() > now:
        raise ConfigurationError(
            f"{option} {given!r}: give how long ago in days, hours or minutes, such as 7d, 12h or 90m, or a date in the"
            " past such as 2026-01-31 or 2026-01-31T08:00:00, which is read as UTC."
        )
    return to_ms(found.timestamp())


def _moment(given: str, now: float) -> datetime | None:
    if age := re.fullmatch(r"(\d{1,5})([dhm])", given):
        return datetime.fromtimestamp(now, UTC) - timedelta(**{_UNITS[age[2]]: int(age[1])})
    try:
        found = datetime.fromisoformat(given)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
