"""Cron expressions in the six-field form of EventBridge Scheduler, and when they fire.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#cron-based
The libraries for cron (croniter, cronsim) read the five fields of Unix, without ``?``, ``W``, ``#`` and years together.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


class CronError(ValueError):
    """An expression that EventBridge Scheduler would not take; says which field, and what it takes."""


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    first: int
    last: int
    names: tuple[str, ...] = ()


_FIELDS = (
    _Field("minutes", 0, 59),
    _Field("hours", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 1, 7, _DAYS),
    _Field("year", 1970, 2199),
)


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression, read. The days are two texts, of which one is ``?``.

    Attributes:
        minutes: the minutes of an hour.
        hours: the hours of a day.
        month_days: the fourth word of which days of a month: a list of numbers, ``L`` (the last) or ``15W`` (the
            weekday nearest to the 15th).
        months: the months.
        week_days: the same of a week, from 1 for Sunday; ``6L`` is the last Friday, ``6#2`` the second.
        years: the years.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    month_days: str
    months: tuple[int, ...]
    week_days: str
    years: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> Cron:
        """Read an expression such as ``0 6 ? * MON-FRI *``.

        Raises:
            CronError: it has not six fields, or one of them cannot be read.
        """
        words = text.upper().split()
        if len(words) != len(_FIELDS):
            raise CronError(f"it has {len(words)} fields; expected six: {', '.join(f.name for f in _FIELDS)}")
        minutes, hours, month_days, months, week_days, years = words
        if (month_days == "?") == (week_days == "?"):
            raise CronError(
                f"the day of the month is {month_days!r} and the day of the week {week_days!r}; one of them, and only"
                " one, has to be '?'"
            )
        for field, word in ((_FIELDS[2], month_days), (_FIELDS[4], week_days)):
            if word != "?" and not _is_special(field, word):
                _values(field, word)
        return cls(
            _values(_FIELDS[0], minutes),
            _values(_FIELDS[1], hours),
            month_days,
            _values(_FIELDS[3], months),
            week_days,
            _values(_FIELDS[5], years),
        )

    def next(self, after: datetime, zone: tzinfo) -> datetime | None:
        """The first time at which it fires after a moment, in UTC; None when it never does again.

        What falls into the hour that a change to summer time leaves out is skipped; in the hour that comes twice it
        fires once, as EventBridge Scheduler does.
        """
        begin = after.astimezone(zone).date() - timedelta(days=1)
        for day in self._days(begin):
            for hour in self.hours:
                for minute in self.minutes:
                    here = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
                    there = here.astimezone(UTC)
                    if there > after and there.astimezone(zone).replace(tzinfo=None) == here.replace(
                        tzinfo=None
                    ):
                        return there
        return None

    def _days(self, begin: date) -> Iterator[date]:
        for year in self.years:
            for month in self.months:
                if (year, month) < (begin.year, begin.month):
                    continue
                for day in range(1, calendar.monthrange(year, month)[1] + 1):
                    candidate = date(year, month, day)
                    if candidate >= begin and self._fires_on(candidate):
                        yield candidate

    def _fires_on(self, day: date) -> bool:
        if self.week_days == "?":
            return self._fires_on_month_day(day)
        word, number = self.week_days, day.isoweekday() % 7 + 1
        if word == "L":
            return number == 7
        if word.endswith("L"):
            return number == _number(_FIELDS[4], word[:-1]) and _last(day) - day.day < 7
        if "#" in word:
            wanted, _, nth = word.partition("#")
            return number == _number(_FIELDS[4], wanted) and (day.day - 1) // 7 + 1 == int(nth)
        return number in _values(_FIELDS[4], word)

    def _fires_on_month_day(self, day: date) -> bool:
        word = self.month_days
        if word == "L":
            return day.day == _last(day)
        if word.endswith("W"):
            return day == _nearest_weekday(day.replace(day=1), int(word[:-1]))
        return day.day in _values(_FIELDS[2], word)


def _is_special(field: _Field, word: str) -> bool:
    """Return whether a word has one of the forms that only days can have.

    Raises:
        CronError: it has, and its numbers do not fit.
    """
    if word == "L":
        return True
    if field is _FIELDS[2] and word.endswith("W"):
        _number(field, word[:-1])
        return True
    if field is _FIELDS[4] and word.endswith("L"):
        _number(field, word[:-1])
        return True
    if field is _FIELDS[4] and "#" in word:
        day, _, nth = word.partition("#")
        _number(field, day)
        if nth not in ("1", "2", "3", "4", "5"):
            raise CronError(
                f"the day of the week is {word!r}; after '#' expected 1 to 5, the week of the month"
            )
        return True
    return False


def _values(field: _Field, text: str) -> tuple[int, ...]:
    """The numbers that a field names: ``*``, ``5``, ``1-5``, ``0/15``, ``MON-FRI``, and lists of them."""
    found: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        first, dash, last = span.partition("-")
        if span == "*":
            low, high = field.first, field.last
        elif dash:
            low, high = _number(field, first), _number(field, last)
        else:
            low = _number(field, first)
            high = field.last if slash else low
        if low > high:
            raise CronError(f"the {field.name} {part!r} begins after its end")
        if slash and not (step.isascii() and step.isdecimal() and 0 < int(step) <= field.last):
            raise CronError(f"the {field.name} {part!r} has no step; after '/' expected 1 to {field.last}")
        found.update(range(low, high + 1, int(step) if slash else 1))
    return tuple(sorted(found))


def _number(field: _Field, word: str) -> int:
    if word in field.names:
        return field.names.index(word) + field.first
    if not (word.isascii() and word.isdecimal() and field.first <= int(word) <= field.last):
        names = f" or {field.names[0]} to {field.names[-1]}" if field.names else ""
        raise CronError(f"the {field.name} is {word!r}; expected {field.first} to {field.last}{names}")
    return int(word)


def _last(day: date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


def _nearest_weekday(first: date, wanted: int) -> date | None:
    """The weekday nearest to a day of the month that begins so, within that month."""
    last = _last(first)
    if wanted > last:
        return None
    day = first.replace(day=wanted)
    if day.isoweekday() == 6:
        return day - timedelta(days=1) if wanted > 1 else day + timedelta(days=2)
    if day.isoweekday() == 7:
        return day + timedelta(days=1) if wanted < last else day - timedelta(days=2)
    return day
