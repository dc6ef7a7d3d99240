"""Plots as plain geometry, which ``plot.html`` and ``spark.html`` draw as SVG: bars and lines over time.

A plot's area is as wide as there are steps of time, and 1000 high, its origin above; it is stretched to the room that a
page has. Labels are placed in percent of it and are not stretched. Time runs from left to right in all languages.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext

from django_integration.admin.insight.numbers import count_text, seconds_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from django_integration.admin.insight.times import Steps

HEIGHT: Final = 1000
# Grid lines of the vertical axis, the lowest left out.
LINES: Final = 4
# Steps up to which bars have gaps between them: of more, the gaps are all that one sees.
GAPS: Final = 100
GAP: Final = 0.15
# Bars of a sparkline.
SPARKS: Final = 48
# Colours for series that have none of their own, by the number of the series: classes of the style sheet.
STYLES: Final = ("first", "second", "third", "fourth", "fifth", "sixth")
_CLOCK: Final = (60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400, 172_800)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """The unit of a plot's values.

    Attributes:
        text: a value as it is read.
        whole: whether values are whole numbers, so that no grid line is between two.
        clock: whether they are seconds, whose grid lines are at minutes and hours.
        sums: whether values of several steps can be added up.
    """

    text: Callable[[float], str]
    whole: bool = False
    clock: bool = False
    sums: bool = True


COUNT: Final = Unit(text=count_text, whole=True)
SECONDS: Final = Unit(text=seconds_text, clock=True, sums=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One series of values, a value for each step of time.

    Attributes:
        name: a word for it.
        style: its colour: the class ``st-plot-<style>`` of the style sheet, such as a status or one of `STYLES`.
        values: its values; None where there is none.
    """

    name: str
    style: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A series as it is drawn.

    Attributes:
        name: a word for it.
        style: its colour.
        path: the path of its bars or of its line.
    """

    name: str
    style: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A label of an axis.

    Attributes:
        at: its place from the left, or from above: ``12.5%``.
        text: the label.
        minor: whether narrow screens do without it.
    """

    at: str
    text: str
    minor: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """All values of one step.

    Attributes:
        at: its place from the left, in steps.
        when: the step, in words.
        text: its values, in words.
        cells: the same for a table.
        empty: whether it has none.
    """

    at: int
    when: str
    text: str
    cells: tuple[str, ...]
    empty: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A plot with its table.

    Attributes:
        name: a name for it that is an id in the page.
        title: what it shows.
        text: a summary of what can be seen.
        kind: ``bars`` or ``lines``.
        width: the steps of time.
        shapes: the series, as they are drawn.
        across: labels of the horizontal axis.
        up: labels of the vertical axis, at its grid lines.
        columns: the steps with their values.
        daily: whether a step is a day rather than an hour.
        zone: the time zone of the steps.
    """

    name: str
    title: str
    text: str
    kind: str
    width: int
    shapes: tuple[Shape, ...]
    across: tuple[Label, ...]
    up: tuple[Label, ...]
    columns: tuple[Column, ...]
    daily: bool
    zone: str

    @property
    def rows(self) -> list[Column]:
        """The steps that have values."""
        return [column for column in self.columns if not column.empty]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spark:
    """A small plot within a line of a table.

    Attributes:
        text: what it shows, for those who do not see it.
        width: its bars.
        path: the path of its bars.
        most: the greatest value, in words.
    """

    text: str
    width: int
    path: str
    most: str


def stacked(name: str, title: str, steps: Steps, series: Sequence[Series], unit: Unit = COUNT) -> Plot:
    """Return a plot of bars, one for each step, in which the series lie upon each other in their order."""
    bases = [0.0] * len(steps.starts)
    values = [[value or 0.0 for value in each.values] for each in series]
    top, up = _scale(max((sum(column) for column in zip(*values, strict=True)), default=0.0), unit)
    gap = GAP if len(bases) <= GAPS else 0.0
    shapes = []
    for each, numbers in zip(series, values, strict=True):
        path = "".join(
            _bar(at, base, value, top, gap)
            for at, (base, value) in enumerate(zip(bases, numbers, strict=True))
            if value
        )
        bases = [base + value for base, value in zip(bases, numbers, strict=True)]
        shapes.append(Shape(name=each.name, style=each.style, path=path))
    return _plot(name, title, "bars", steps, series, unit, shapes, up)


def lines(name: str, title: str, steps: Steps, series: Sequence[Series], unit: Unit = SECONDS) -> Plot:
    """Return a plot of lines, which are broken where a series has no value."""
    most = max((value for each in series for value in each.values if value is not None), default=0.0)
    top, up = _scale(most, unit)
    shapes = [
        Shape(name=each.name, style=each.style, path="".join(_line(each.values, top))) for each in series
    ]
    return _plot(name, title, "lines", steps, series, unit, shapes, up)


def spark(steps: Steps, values: Sequence[float], unit: Unit = COUNT) -> Spark:
    """Return a sparkline of bars; more steps than fit are added up by several."""
    size = max(1, math.ceil(len(values) / SPARKS))
    bars = [sum(values[start : start + size]) for start in range(0, len(values), size)]
    top = max(bars, default=0.0) or 1.0
    most = max(values, default=0.0)
    text = _most_text(steps, values, unit) if most else gettext("Nothing in this time.")
    path = "".join(_bar(at, 0.0, value, top, GAP) for at, value in enumerate(bars) if value)
    return Spark(text=text, width=len(bars), path=path, most=unit.text(most))


def _plot(
    name: str,
    title: str,
    kind: str,
    steps: Steps,
    series: Sequence[Series],
    unit: Unit,
    shapes: Sequence[Shape],
    up: Sequence[Label],
) -> Plot:
    columns = []
    for at in range(len(steps.starts)):
        found = [each.values[at] for each in series]
        cells = tuple("-" if value is None else unit.text(value) for value in found)
        said = ", ".join(f"{each.name} {cell}" for each, cell in zip(series, cells, strict=True))
        columns.append(
            Column(
                at=at, when=steps.text(at), text=said, cells=cells, empty=not any(value for value in found)
            )
        )
    return Plot(
        name=name,
        title=title,
        text=" ".join(_series_text(each, steps, unit) for each in series),
        kind=kind,
        width=len(steps.starts),
        shapes=tuple(shapes),
        across=tuple(
            Label(at=_percent(at / len(steps.starts)), text=text, minor=number % 2 == 1)
            for number, (at, text) in enumerate(steps.labels())
        ),
        up=tuple(up),
        columns=tuple(columns),
        daily=steps.daily,
        zone=steps.zone,
    )


def _series_text(series: Series, steps: Steps, unit: Unit) -> str:
    known = [value for value in series.values if value is not None]
    if not any(known):
        return gettext("%(name)s: none.") % {"name": series.name}
    if not unit.sums:
        parts = {"name": series.name, "least": unit.text(min(known)), "most": unit.text(max(known))}
        return gettext("%(name)s: from %(least)s to %(most)s.") % parts
    most = _most_text(steps, [value or 0.0 for value in series.values], unit)
    parts = {"name": series.name, "total": unit.text(sum(known)), "most": most}
    return gettext("%(name)s: %(total)s in all. %(most)s") % parts


def _most_text(steps: Steps, values: Sequence[float], unit: Unit) -> str:
    at = max(range(len(values)), key=values.__getitem__)
    parts = {"most": unit.text(values[at]), "when": steps.text(at)}
    if steps.daily:
        return gettext("At most %(most)s in a day (%(when)s).") % parts
    return gettext("At most %(most)s in an hour (%(when)s).") % parts


def _scale(most: float, unit: Unit) -> tuple[float, list[Label]]:
    """Return the value at the upper edge, and the labels of the vertical axis."""
    most = most or 1.0
    size = _round_up(most / LINES, unit)
    count = max(1, math.ceil(most / size - 1e-9))
    top = size * count
    return top, [
        Label(at=_percent(1 - number / count), text=unit.text(number * size)) for number in range(count + 1)
    ]


def _round_up(size: float, unit: Unit) -> float:
    """Return the first round number that is not less."""
    if unit.clock and size > 20:
        return float(
            next((each for each in _CLOCK if each >= size), math.ceil(size / _CLOCK[-1]) * _CLOCK[-1])
        )
    if unit.clock and size > 10:
        return 20.0
    if unit.whole and size < 1:
        return 1.0
    power = 10.0 ** math.floor(math.log10(size))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= size * (1 - 1e-9))


def _bar(at: int, base: float, value: float, top: float, gap: float) -> str:
    lower, upper = HEIGHT * (1 - base / top), HEIGHT * (1 - (base + value) / top)
    return f"M{_number(at + gap / 2)} {_number(lower)}V{_number(upper)}h{_number(1 - gap)}V{_number(lower)}z"


def _line(values: Sequence[float | None], top: float) -> Iterator[str]:
    before = False
    for at, value in enumerate(values):
        if value is not None:
            # A length of nothing is drawn as a point.
            yield f"{'L' if before else 'M'}{_number(at + 0.5)} {_number(HEIGHT * (1 - value / top))}" + (
                "" if before else "h0"
            )
        before = value is not None


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _percent(part: float) -> str:
    return f"{_number(part * 100)}%"
