"""The picture of a timeline in a terminal."""

import io
from collections.abc import Sequence

import pytest
from rich.console import Console

from serverless_tasks.cli.pictures.timeline import TimelineBars, lasted_text, messages_table, since_text
from serverless_tasks.client.operations.story.picture import picture_of
from serverless_tasks.client.operations.story.spans import Span
from serverless_tasks.engine.job.record import AttemptMessages

RETRIED = [
    Span(kind="queue", start=0, end=2_000, attempt=1),
    Span(kind="attempt", start=2_000, end=3_000, outcome="failed", attempt=1),
    Span(kind="pause", start=3_000, end=8_000, attempt=2),
    Span(kind="attempt", start=8_000, end=None, outcome="running", attempt=2),
]


def drawn(spans: Sequence[Span], now: int = 10_000, width: int = 66, encoding: str = "utf-8") -> list[str]:
    """The lines that a terminal shows."""
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=file, width=width, no_color=True)
    picture = picture_of(spans, now)
    assert picture is not None
    console.print(TimelineBars(picture))
    file.seek(0)
    return file.read().splitlines()


def test_bars_stand_where_their_times_are() -> None:
    assert drawn(RETRIED) == [
        "in the queue       ╌╌╌╌╌╌╌╌                                2.000 s",
        "attempt 1 failed          ████                             1.000 s",
        "pause                         ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌          5.000 s",
        "attempt 2 running                                ███████▶  2.000 s",
        "                   |0 ms  |2 s    |4 s   |6 s    |8 s",
    ]


def test_a_terminal_without_unicode_gets_letters() -> None:
    lines = drawn(RETRIED, encoding="ascii")
    assert "----" in lines[0]
    assert "####" in lines[1]
    assert lines[3].rstrip().split()[3].endswith(">")


def test_in_a_narrow_terminal_each_bar_has_a_line_of_its_own() -> None:
    lines = drawn(RETRIED, width=30)
    assert lines[:2] == ["in the queue  2.000 s", "╌╌╌╌╌╌" + 24 * " "]
    assert lines[-1] == "|0 ms |2 s  |4 s |6 s  |8 s"
    assert len(lines) == 2 * len(RETRIED) + 1
    assert all(len(line) <= 30 for line in lines)


def test_what_is_left_out_is_said() -> None:
    spans = [Span(kind="attempt", start=n, end=n + 1, attempt=n, outcome="failed") for n in range(60)]
    assert "... 20 more" in drawn(spans)[8]


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (1_234, "1.234 s"),
        (61_001, "1 min 1.001 s"),
        (3_600_000, "1 h 0.000 s"),
        (90_061_007, "1 d 1 h 1 min 1.007 s"),
    ],
)
def test_durations_are_to_the_millisecond(milliseconds: int, text: str) -> None:
    assert lasted_text(milliseconds) == text


@pytest.mark.parametrize(
    ("milliseconds", "text"), [(0, "0 ms"), (500, "500 ms"), (90_000, "1.5 min"), (172_800_000, "2 d")]
)
def test_marks_are_short(milliseconds: int, text: str) -> None:
    assert since_text(milliseconds) == text


def test_messages_of_all_attempts_have_their_times() -> None:
    console = Console(file=io.StringIO(), width=100)
    console.print(
        messages_table(
            [
                AttemptMessages(attempt=0, texts=("of before",), times=(None,)),
                AttemptMessages(attempt=2, texts=("half \x1b[2J way",), times=(1_500,)),
            ]
        )
    )
    assert isinstance(console.file, io.StringIO)
    lines = [line.rstrip() for line in console.file.getvalue().splitlines()]
    assert lines[1].split() == ["?", "of", "before"]
    assert lines[2] == "1970-01-01 00:00:01.500 UTC        2  half \\x1b[2J way"
