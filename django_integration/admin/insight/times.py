"""Steps of time of a plot: hours or days in the site's zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, Protocol, Self

from django.utils.dateformat import format as format_time
from django.utils.formats import date_format
from django.utils.timezone import get_current_timezone_name
from django.utils.translation import gettext, pgettext

from django_integration.web.times import local_time

if TYPE_CHECKING:
    from collections.abc import Sequence

# Hours up to which a plot shows hours; of more, it shows days.
HOURS: Final = 8 * 24
# Labels of the horizontal axis.
LABELS: Final = 9
_HOUR_LABELS: Final = (1, 2, 3, 6, 12, 24)
_DAY_LABELS: Final = (1, 2, 7, 14, 28)


class _Addable(Protocol):
    def __add__(self, other: Self, /) -> Self: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """The hours or days of a plot.

    Attributes:
        starts: when each begins, in the site's zone.
        daily: whether they are days.
        places: of each hour, the number of the step that it is in.
    """

    starts: tuple[datetime, ...]
    daily: bool
    places: tuple[int, ...]

    @classmethod
    def of(cls, hours: Sequence[int], *, daily: bool | None = None) -> Steps:
        """Return the steps of hours: of many, days.

        Args:
            hours: when each begins, milliseconds since the epoch, the earliest first.
            daily: whether they are to be days; None for the usual.
        """
        starts = [local_time(hour) for hour in hours]
        if not (len(starts) > HOURS if daily is None else daily):
            return cls(starts=tuple(starts), daily=False, places=tuple(range(len(starts))))
        days: dict[object, int] = {}
        places = tuple(days.setdefault(start.date(), len(days)) for start in starts)
        first = {place: start for start, place in reversed(list(zip(starts, places, strict=True)))}
        return cls(starts=tuple(first[place] for place in range(len(days))), daily=True, places=places)

    @property
    def zone(self) -> str:
        """The name of the site's zone."""
        return get_current_timezone_name()

    def added_up[T: _Addable](self, values: Sequence[T]) -> list[T]:
        """Return the values of hours, those of each step added up."""
        found: list[T] = []
        for place, value in zip(self.places, values, strict=True):
            if place == len(found):
                found.append(value)
            else:
                found[place] = found[place] + value
        return found

    def text(self, place: int) -> str:
        """Return a step in words: its day, or its day and hour."""
        start = self.starts[place]
        day = date_format(start, "DATE_FORMAT")
        if self.daily:
            return day
        parts = {"date": day, "time": format_time(start, "H:i T")}
        return gettext("%(date)s, %(time)s") % parts

    def labels(self) -> list[tuple[float, str]]:
        """Return the labels of the axis, and where each is, in steps from the left."""
        if self.daily:
            each = next((each for each in _DAY_LABELS if len(self.starts) / each <= LABELS), _DAY_LABELS[-1])
            # The last day is labelled: it is the one that one looks for.
            last = len(self.starts) - 1
            return [(at + 0.5, _day(self.starts[at])) for at in range(last % each, last + 1, each)]
        each = next((each for each in _HOUR_LABELS if len(self.starts) / each <= LABELS), 24)
        return [
            (at, _day(start) if start.hour == 0 else format_time(start, "H:i"))
            for at, start in enumerate(self.starts)
            if start.hour % each == 0
        ]


def _day(start: datetime) -> str:
    return format_time(start, pgettext("format of a day without its year", "j M"))
