"""A job's timeline for a terminal: its picture as bars, and the messages of all its attempts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.segment import Segment
from rich.style import Style
from rich.table import Table
from rich.text import Text

from serverless_tasks.cli.output import visible
from serverless_tasks.cli.times import time_of_day
from serverless_tasks.client.operations.story.picture import DAY, HOUR, MINUTE, SECOND
from serverless_tasks.client.operations.story.spans import ATTEMPT, DELAY, GROUP, MEMBER, PAUSE, QUEUE
from serverless_tasks.client.timeline import LOST, NOT_RUN
from serverless_tasks.engine.job.record import CANCELLED, FAILED, RUNNING, SUCCEEDED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console, ConsoleOptions, RenderResult

    from serverless_tasks.client.operations.story.picture import Picture, Row
    from serverless_tasks.engine.job.record import AttemptMessages

COLOURS: Final = {
    SUCCEEDED: "green",
    FAILED: "red",
    CANCELLED: "yellow",
    RUNNING: "cyan",
    LOST: "red",
    NOT_RUN: "red",
}
_WAITING: Final = "waiting"
_NARROWEST: Final = 20


def lasted_text(milliseconds: int) -> str:
    """A duration in words, to the millisecond."""
    if milliseconds < SECOND:
        return f"{milliseconds} ms"
    days, left = divmod(milliseconds, DAY)
    hours, left = divmod(left, HOUR)
    minutes, left = divmod(left, MINUTE)
    parts = [f"{count} {unit}" for count, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if count]
    return " ".join([*parts, f"{left / SECOND:.3f} s"])


def since_text(milliseconds: int) -> str:
    """The time since the start of a picture, as a mark of its axis says it."""
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s")):
        if milliseconds >= size:
            return f"{milliseconds / size:g} {unit}"
    return f"{milliseconds} ms"


class TimelineBars:
    """The picture of a timeline as bars of the terminal's width: a line for each span, and the axis below.

    Args:
        picture: its geometry.
    """

    def __init__(self, picture: Picture) -> None:
        self._picture = picture

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the lines."""
        rows = [(_label(row), lasted_text(row.lasted), row) for row in self._picture.rows]
        left = max(len(label) for label, _, _ in rows)
        right = max(len(lasted) for _, lasted, _ in rows)
        width = options.max_width - left - right - 4
        narrow = width < _NARROWEST  # then each bar has a line of its own, below its words
        if narrow:
            width, left = options.max_width, -2
        plain = not options.encoding.startswith("utf")
        for number, (label, lasted, row) in enumerate(rows):
            if self._picture.left_out and number == self._picture.left_out_at:
                yield from _line(f"... {self._picture.left_out} more", "dim")
            if narrow:
                yield from _line(f"{label}  {lasted}")
                yield from _bar(row, width, plain=plain)
                yield Segment.line()
            else:
                yield Segment(f"{label:<{left}}  ")
                yield from _bar(row, width, plain=plain)
                yield from _line(f"  {lasted:>{right}}")
        yield from _line(" " * (left + 2) + self._axis(width), "dim")

    def _axis(self, width: int) -> str:
        axis = ""
        for mark in self._picture.marks:
            text = f"|{since_text(mark.since)}"
            place = round(mark.at * (width - 1))
            if place >= len(axis) + (1 if axis else 0) and place + len(text) <= width:
                axis = axis.ljust(place) + text
        return axis


def messages_table(messages: Sequence[AttemptMessages]) -> Table:
    """The messages of all attempts, with their times."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("at", no_wrap=True)
    table.add_column("attempt", justify="right")
    table.add_column("message", overflow="fold")
    for each in messages:
        for text, at in zip(each.texts, each.times, strict=True):
            attempt = str(each.attempt) if each.attempt else "?"
            table.add_row("" if at is None else time_of_day(at), attempt, Text(visible(text)))
    return table


def _label(row: Row) -> str:
    span = row.span
    if span.kind == ATTEMPT:
        return f"attempt {span.attempt} {span.outcome}"
    if span.kind == MEMBER:
        return f"member {span.index} {span.outcome}"
    names = {DELAY: "until due", QUEUE: "in the queue", PAUSE: "pause", GROUP: f"group {span.outcome}"}
    return names[span.kind]


def _bar(row: Row, width: int, *, plain: bool) -> Iterator[Segment]:
    """Draw a row's bars: what waits thin, what runs thick; one that lasts ends with an arrow."""
    cells: list[tuple[str, str]] = [(" ", "")] * width
    for bar in row.bars:
        first = min(width - 1, int(bar.left * width))
        last = max(first + 1, min(width, round(bar.right * width)))
        waits = bar.tone == _WAITING
        sign = ("-" if plain else "╌") if waits else ("#" if plain else "█")
        colour = "dim" if waits else COLOURS.get(bar.tone, "")
        cells[first:last] = [(sign, colour)] * (last - first)
        if bar.lasts:
            cells[last - 1] = (">" if plain else "▶", colour)
    for sign, colour in cells:
        yield Segment(sign, Style.parse(colour) if colour else None)


def _line(text: str, style: str = "") -> Iterator[Segment]:
    yield Segment(text, Style.parse(style) if style else None)
    yield Segment.line()
