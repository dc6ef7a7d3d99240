"""The geometry of a timeline's picture, for whoever draws it: as SVG on a page, or as text in a terminal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from serverless_tasks.client.operations.story.spans import GROUP, MEMBER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serverless_tasks.client.operations.story.spans import Span

SECOND: Final = 1000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
# The rows of a picture: of a job with many attempts the first and the last ones.
MOST_ROWS: Final = 40
FIRST_ROWS: Final = 8
# The least width of a bar that can still be seen, as a part of the whole.
LEAST: Final = 0.004
MOST_MARKS: Final = 5
_STEPS: Final = (
    *(factor * power for power in (1, 10, 100) for factor in (1, 2, 5)),
    *(SECOND * seconds for seconds in (1, 2, 5, 10, 15, 30)),
    *(MINUTE * minutes for minutes in (1, 2, 5, 10, 15, 30)),
    *(HOUR * hours for hours in (1, 2, 3, 6, 12)),
    *(DAY * days for days in (1, 2, 5, 10, 20)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A bar of a row, from left to right in parts of the whole width, 0 to 1.

    Attributes:
        kind: see `Span`.
        tone: the outcome of what it stands for, or ``waiting``.
        left: where it begins.
        right: where it ends, wide enough to be seen.
        lasts: whether it has not ended.
    """

    kind: str
    tone: str
    left: float
    right: float
    lasts: bool = False

    @property
    def width(self) -> float:
        """Its width."""
        return self.right - self.left


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of the picture: a span, how many milliseconds it lasted, and its bars."""

    span: Span
    lasted: int
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark of the time axis: where it stands, 0 to 1, and the milliseconds since the start."""

    at: float
    since: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A timeline as it is drawn; times in milliseconds since the epoch.

    Attributes:
        start: the left edge.
        end: the right edge.
        rows: a row for each span, in order.
        marks: the marks of the time axis.
        left_out: how many spans in the middle have no row.
        left_out_at: the row before which they would stand.
    """

    start: int
    end: int
    rows: tuple[Row, ...]
    marks: tuple[Mark, ...]
    left_out: int = 0
    left_out_at: int = 0

    @property
    def lasted(self) -> int:
        """The milliseconds from edge to edge."""
        return self.end - self.start


def picture_of(spans: Sequence[Span], now: int) -> Picture | None:
    """Return the picture of spans; None where there is none.

    Args:
        spans: the spans, in order.
        now: the present, in milliseconds since the epoch: what lasts is drawn until then.
    """
    if not spans:
        return None
    start = min(span.start for span in spans)
    end = max([start, *(now if span.end is None else span.end for span in spans)])
    shown, left_out = list(spans), max(0, len(spans) - MOST_ROWS)
    if left_out:
        shown[FIRST_ROWS : FIRST_ROWS + left_out] = []
    return Picture(
        start=start,
        end=end,
        rows=tuple(_row(span, start, end, now) for span in shown),
        marks=_marks(end - start),
        left_out=left_out,
        left_out_at=FIRST_ROWS,
    )


def _row(span: Span, start: int, end: int, now: int) -> Row:
    until = max(span.start, now if span.end is None else span.end)
    tone = span.outcome or "waiting"
    parts = [(span.start, until, tone)]
    if span.kind == MEMBER:  # it waits in its queue, and then it runs
        begins = until if span.began is None else min(max(span.began, span.start), until)
        waited = span.began is None
        parts = [(span.start, begins, tone if waited and span.end is not None else "waiting")]
        if not waited:
            parts.append((begins, until, tone))
    bars = []
    for since, to, shade in parts:
        if to > since or len(parts) == 1 or shade != "waiting":
            left, right = _place(since, to, start, end)
            lasts = span.end is None and to == until and span.kind != GROUP
            bars.append(Bar(kind=span.kind, tone=shade, left=left, right=right, lasts=lasts))
    return Row(span=span, lasted=span.lasted(now), bars=tuple(bars))


def _place(since: int, to: int, start: int, end: int) -> tuple[float, float]:
    """Return where a bar begins and ends: within the picture, and at least as wide as can be seen."""
    whole = max(1, end - start)
    left = min((since - start) / whole, 1 - LEAST)
    return left, min(1.0, max((to - start) / whole, left + LEAST))


def _marks(lasted: int) -> tuple[Mark, ...]:
    if lasted <= 0:
        return (Mark(0.0, 0),)
    step = next((step for step in _STEPS if lasted / step <= MOST_MARKS), None)
    if step is None:
        step = -(-lasted // (MOST_MARKS * DAY)) * DAY
    return tuple(Mark(since / lasted, since) for since in range(0, lasted + 1, step))
