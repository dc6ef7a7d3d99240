"""The timeline of a job for its pages: the texts and places of an SVG picture, and of the table behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_integration.web.times import local_time
from serverless_tasks.client.operations.story.picture import DAY, HOUR, MINUTE, SECOND, picture_of
from serverless_tasks.client.operations.story.spans import (
    ATTEMPT,
    DELAY,
    GROUP,
    MEMBER,
    PAUSE,
    QUEUE,
    spans_of,
)
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.record import AttemptMessages

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from django.utils.functional import _StrPromise

    from serverless_tasks.client.operations.story.picture import Bar, Mark, Picture, Row
    from serverless_tasks.client.operations.story.spans import Span
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.job.record import Record
    from serverless_tasks.engine.services import Services

# Pixels of the picture: a row has its words, and the bars below them.
ROW: Final = 42
BAR_TOP: Final = 20
AXIS: Final = 26
# Where a mark's text would run out of the picture on the right: it ends there instead.
_RIGHT: Final = 0.9
_UNITS: Final = (
    (DAY, gettext_lazy("%(count)s d")),
    (HOUR, gettext_lazy("%(count)s h")),
    (MINUTE, gettext_lazy("%(count)s min")),
    (SECOND, gettext_lazy("%(count)s s")),
)
_OUTCOMES: Final[dict[str, _StrPromise]] = {
    "pending": gettext_lazy("waiting"),
    "running": gettext_lazy("running"),
    "succeeded": gettext_lazy("succeeded"),
    "failed": gettext_lazy("failed"),
    "cancelled": gettext_lazy("cancelled"),
    "lost": gettext_lazy("worker lost"),
    "not run": gettext_lazy("not run"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnBar:
    """A bar as SVG has it: its place in percent of the width, and the class of its colour."""

    x: str
    width: str
    tone: str
    lasts: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnRow:
    """A row of the picture, and of the table.

    Attributes:
        top: where its words stand, in pixels.
        bar_top: where its bars stand.
        name: the span in words.
        start: when it began.
        end: when it ended, or "" while it lasts.
        lasted: how long.
        reason: why it ended without success, as whoever reads the page may know, or "".
        url: the page of a member, or "".
        bars: its bars.
    """

    top: int
    bar_top: int
    name: str
    start: str
    end: str
    lasted: str
    reason: str
    url: str
    bars: tuple[DrawnBar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnMark:
    """A mark of the axis; ``anchor`` says on which side of it its text stands."""

    x: str
    text: str
    anchor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A timeline for its template.

    Attributes:
        label: the picture in one sentence, for those who do not see it.
        height: the picture's, in pixels.
        axis: where the axis stands.
        axis_text: where its texts stand.
        rows: a row for each span.
        marks: the marks of the axis.
        left_out: how many spans in the middle are not shown.
        caption: the day and the time zone of all times of the table; "" where each time says its own.
    """

    label: str
    caption: str
    height: int
    axis: int
    axis_text: int
    rows: tuple[DrawnRow, ...]
    marks: tuple[DrawnMark, ...]
    left_out: int


def drawing_of(
    services: Services,
    record: Record,
    job: Message | None,
    *,
    reveal: bool,
    page_of: Callable[[str], str],
    sees: Callable[[Record], bool] = lambda member: True,
) -> Drawing | None:
    """Return the timeline of a job as its page draws it; None where there is nothing to draw.

    Args:
        services: the services to use.
        record: the job.
        job: what was submitted, where it is kept.
        reveal: whether the reasons that are not meant for users are shown.
        page_of: the URL of a member's page, of its id.
        sees: whether the page may tell of a member.

    Raises:
        AwsError: the store could not be asked.
    """
    picture = picture_of(spans_of(services, record, job, sees=sees), to_ms(services.clock.now()))
    if picture is None:
        return None
    reasons = _reasons(record, reveal=reveal)
    start, end = local_time(picture.start), local_time(picture.end)
    one_day = (start.date(), start.tzname()) == (end.date(), end.tzname())
    at = _time_text if one_day else exact_text
    rows = tuple(
        _row(
            number,
            row,
            reason=reasons.get(row.span.attempt or 0, "") if row.span.kind == ATTEMPT else "",
            url=page_of(row.span.uuid) if row.span.uuid is not None else "",
            at=at,
        )
        for number, row in enumerate(picture.rows)
    )
    axis = len(rows) * ROW + 4
    return Drawing(
        label=_label(picture),
        caption=f"{date_format(start, 'DATE_FORMAT')}, {start.tzname()}" if one_day else "",
        height=axis + AXIS,
        axis=axis,
        axis_text=axis + 18,
        rows=rows,
        marks=tuple(_mark(mark) for mark in picture.marks),
        left_out=picture.left_out,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedMessage:
    """A message of a task: its attempt, 0 where that is not known, when it was added, or "", and its text."""

    attempt: int
    at: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedMessages:
    """The messages of all attempts: the last of them, how many earlier ones were left out, and of how many attempts."""

    shown: Sequence[TimedMessage]
    left: int
    attempts: int


def timed_messages(record: Record, most: int) -> TimedMessages:
    """Return the messages of all of a job's attempts as a page shows them, ``most`` of them."""
    messages = record.messages_by_attempt
    if not messages and record.messages:
        unknown = (None,) * len(record.messages)
        messages = (AttemptMessages(attempt=record.attempt, texts=record.messages, times=unknown),)
    every = [
        (each.attempt, at, text) for each in messages for text, at in zip(each.texts, each.times, strict=True)
    ]
    shown = [
        TimedMessage(attempt=attempt, at="" if at is None else exact_text(at), text=text)
        for attempt, at, text in every[-most:]
    ]
    return TimedMessages(shown=shown, left=len(every) - len(shown), attempts=len(messages))


def exact_text(milliseconds: int) -> str:
    """A time in the site's time zone, which it names, to the millisecond, in the page's language."""
    moment = local_time(milliseconds)
    day = date_format(moment, "SHORT_DATE_FORMAT")
    return f"{day} {_time_text(milliseconds)} {moment.tzname() or ''}".rstrip()


def _time_text(milliseconds: int) -> str:
    return f"{local_time(milliseconds):%H:%M:%S}.{milliseconds % 1000:03d}"


def lasted_text(milliseconds: int) -> str:
    """A duration in the page's language, to the millisecond."""
    if milliseconds < SECOND:
        return _("%(count)s ms") % {"count": milliseconds}
    left, parts = milliseconds, []
    for size, text in _UNITS[:-1]:
        count, left = divmod(left, size)
        if count:
            parts.append(text % {"count": count})
    seconds = number_format(left / SECOND, decimal_pos=3, use_l10n=True)
    return " ".join([*parts, _("%(count)s s") % {"count": seconds}])


def _since_text(milliseconds: int) -> str:
    for size, text in _UNITS:
        if milliseconds >= size:
            count = milliseconds / size
            return text % {"count": number_format(int(count) if count.is_integer() else count, use_l10n=True)}
    return _("%(count)s ms") % {"count": milliseconds}


def _reasons(record: Record, *, reveal: bool) -> dict[int, str]:
    found = {}
    for attempt in record.history:
        error = attempt.failure.to_json(reveal=reveal)
        found[attempt.number] = ": ".join(filter(None, [error["type"], error["message"]]))
    return found


def _label(picture: Picture) -> str:
    return _("Timeline from %(start)s, %(lasted)s long. The table below it says the same in words.") % {
        "start": exact_text(picture.start),
        "lasted": lasted_text(picture.lasted),
    }


def _row(number: int, row: Row, *, reason: str, url: str, at: Callable[[int], str]) -> DrawnRow:
    span = row.span
    return DrawnRow(
        top=number * ROW + 14,
        bar_top=number * ROW + BAR_TOP,
        name=_name(span),
        start=at(span.start),
        end="" if span.end is None else at(span.end),
        lasted=lasted_text(row.lasted),
        reason=reason,
        url=url,
        bars=tuple(_bar(bar) for bar in row.bars),
    )


def _bar(bar: Bar) -> DrawnBar:
    return DrawnBar(
        x=_percent(bar.left), width=_percent(bar.width), tone=bar.tone.replace(" ", "-"), lasts=bar.lasts
    )


def _mark(mark: Mark) -> DrawnMark:
    return DrawnMark(
        x=_percent(mark.at),
        text=_since_text(mark.since),
        anchor="end" if mark.at > _RIGHT else "middle" if mark.at else "start",
    )


def _percent(part: float) -> str:
    return f"{100 * part:.3f}%"


def _name(span: Span) -> str:
    outcome = outcome_word(span.outcome or "")
    if span.kind == ATTEMPT:
        return _("Attempt %(number)s: %(outcome)s") % {"number": span.attempt, "outcome": outcome}
    if span.kind == MEMBER:
        return _("Member %(index)s: %(outcome)s") % {"index": span.index, "outcome": outcome}
    if span.kind == PAUSE:
        return _("Pause before attempt %(number)s") % {"number": span.attempt}
    if span.kind == GROUP:
        return _("All members: %(outcome)s") % {"outcome": outcome}
    return {DELAY: _("Held back until it was due"), QUEUE: _("In the queue")}[span.kind]


def outcome_word(outcome: str) -> str:
    """Return the word for how an attempt, a member or a group ended, or for its present status, inside of a sentence.

    One that is not known stands for itself.
    """
    return str(_OUTCOMES.get(outcome, outcome))
