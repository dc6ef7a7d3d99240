"""Recurring schedules: ``schedule = cron("0 6 * * ? *", zone="Europe/Vienna")``, or ``rate(minutes=5)``.

The values are checked as EventBridge Scheduler would: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from serverless_tasks.errors import TaskDefinitionError

if TYPE_CHECKING:
    from datetime import tzinfo


@dataclass(frozen=True, slots=True)
class Schedule:
    """A recurring schedule; `cron` and `rate` make it.

    Attributes:
        expression: as EventBridge Scheduler takes it.
        zone: the time zone that a cron expression is read in.
    """

    expression: str
    zone: str = "UTC"

    def __str__(self) -> str:
        return f"{self.expression} {self.zone}" if self.expression.startswith("cron(") else self.expression

    def next(self, after: datetime, *, since: datetime | None = None) -> datetime | None:
        """The first time at which it is due after a moment, in UTC; None when it never is again.

        Args:
            after: the moment, with a time zone.
            since: what a rate counts from: the time at which the schedule was made.
        """
        kind, _, rest = self.expression.partition("(")
        if kind == "rate":
            number, unit = rest.removesuffix(")").split()
            period = timedelta(**{unit if unit.endswith("s") else f"{unit}s": int(number)})
            begin = after if since is None else since
            return begin.astimezone(UTC) + ((after - begin) // period + 1) * period
        from serverless_tasks.engine.definition.cron import Cron

        return Cron.parse(rest.removesuffix(")")).next(after, _zone(self.zone) or UTC)


def cron(expression: str, *, zone: str = "UTC") -> Schedule:
    """Times by the calendar.

    Args:
        expression: minutes, hours, day of the month, month, day of the week, year; one of the two days is ``?``.
        zone: a time zone of the IANA database, such as ``Europe/Vienna``; its summer time is followed.

    Raises:
        TaskDefinitionError: the expression or the zone cannot be read.
    """
    from serverless_tasks.engine.definition.cron import Cron, CronError

    try:
        Cron.parse(expression)
    except (CronError, AttributeError) as error:
        raise TaskDefinitionError(
            f"cron({expression!r}) cannot be read: {error}. Six o'clock every day is '0 6 * * ? *'."
        ) from None
    if _zone(zone) is None:
        raise TaskDefinitionError(
            f"cron(..., zone={zone!r}) is not a time zone; expected one of the IANA database, such as Europe/Vienna."
        )
    return Schedule(f"cron({' '.join(expression.split())})", zone)


def rate(*, minutes: int = 0, hours: int = 0, days: int = 0) -> Schedule:
    """Once in so many minutes, hours or days, counted from when the schedule is deployed.

    Raises:
        TaskDefinitionError: it is not one whole number above 0.
    """
    given = {"minute": minutes, "hour": hours, "day": days}
    (unit, number), *others = [(name, value) for name, value in given.items() if value != 0] or [
        ("minute", 0)
    ]
    if others or isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise TaskDefinitionError(
            f"rate(minutes={minutes!r}, hours={hours!r}, days={days!r}): expected one, as a whole number from 1."
        )
    return Schedule(f"rate({number} {unit}{'s' if number > 1 else ''})")


def _zone(name: str) -> tzinfo | None:
    """The time zone of a name; None when there is none. Where nothing is known of time zones, any name may be one."""
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        return None if available_timezones() else UTC
