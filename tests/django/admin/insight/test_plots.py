"""The geometry of plots: bars and lines over steps of time, axes, and the texts for those who do not see them."""

import re
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import translation

from django_integration.admin.insight.numbers import count_text, percent_text, seconds_text
from django_integration.admin.insight.plots import COUNT, SECONDS, Series, lines, spark, stacked
from django_integration.admin.insight.times import LABELS, Steps

HOUR = 3_600_000
MIDNIGHT = 1_769_817_600_000  # 2026-01-31T00:00Z


def hours(count: int, start: int = MIDNIGHT) -> list[int]:
    return [start + number * HOUR for number in range(count)]


def series(*values: float | None, name: str = "failed") -> Series:
    return Series(name=name, style=name, values=values)


@pytest.fixture
def vienna(settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Vienna"


class TestSteps:
    def test_a_week_is_shown_by_the_hour_and_a_month_by_the_day(self) -> None:
        assert not Steps.of(hours(7 * 24 + 1)).daily
        assert Steps.of(hours(30 * 24)).daily

    @pytest.mark.usefixtures("vienna")
    def test_days_are_those_of_the_sites_zone_whatever_their_length(self) -> None:
        # 2026-03-28T23:00Z is midnight in Vienna, where the 29th has 23 hours.
        start = int(datetime(2026, 3, 28, 23, tzinfo=ZoneInfo("UTC")).timestamp() * 1000)
        steps = Steps.of(hours(48, start), daily=True)
        assert steps.added_up([1] * 48) == [23, 24, 1]
        assert [each.isoformat() for each in steps.starts] == [
            "2026-03-29T00:00:00+01:00",
            "2026-03-30T00:00:00+02:00",
            "2026-03-31T00:00:00+02:00",
        ]

    def test_hours_are_added_up_to_themselves(self) -> None:
        assert Steps.of(hours(3)).added_up([1, 2, 3]) == [1, 2, 3]

    @pytest.mark.parametrize("count", [1, 2, 5, 24, 25, 48, 7 * 24 + 1, 8 * 24, 30 * 24, 90 * 24 + 1])
    def test_an_axis_has_a_few_labels_in_their_order(self, count: int) -> None:
        steps = Steps.of(hours(count))
        labels = steps.labels()
        assert 1 <= len(labels) <= LABELS
        places = [place for place, _ in labels]
        assert places == sorted(set(places))
        assert 0 <= places[0] <= places[-1] <= len(steps.starts)

    @pytest.mark.usefixtures("vienna")
    def test_labels_are_round_hours_of_the_sites_zone_and_days_at_midnight(self) -> None:
        labels = Steps.of(hours(24)).labels()
        assert [text for _, text in labels] == [
            "03:00",
            "06:00",
            "09:00",
            "12:00",
            "15:00",
            "18:00",
            "21:00",
            "1 Feb",
        ]
        assert labels[0][0] == 2

    @pytest.mark.usefixtures("vienna")
    def test_a_step_says_its_zone(self) -> None:
        assert Steps.of(hours(1)).text(0).endswith(", 01:00 CET")


class TestBars:
    def test_bars_lie_upon_each_other_in_the_order_of_the_series(self) -> None:
        plot = stacked("p", "Jobs", Steps.of(hours(2)), [series(1, 0), series(3, 2, name="succeeded")])
        assert [shape.path for shape in plot.shapes] == [
            "M0.07 1000V750h0.85V1000z",
            "M0.07 750V0h0.85V750zM1.07 1000V500h0.85V1000z",
        ]

    def test_many_bars_have_no_gaps(self) -> None:
        plot = stacked("p", "Jobs", Steps.of(hours(150)), [series(*[1.0] * 150)])
        assert plot.shapes[0].path.startswith("M0 1000V0h1V1000zM1 ")

    def test_nothing_at_all_is_drawn_as_nothing(self) -> None:
        plot = stacked("p", "Jobs", Steps.of(hours(2)), [series(0, 0)])
        assert plot.shapes[0].path == ""
        assert plot.rows == []
        assert plot.text == "failed: none."

    @pytest.mark.usefixtures("vienna")
    def test_the_summary_says_how_many_and_when_most(self) -> None:
        plot = stacked("p", "Jobs", Steps.of(hours(3)), [series(1, 1200, 0)])
        assert re.fullmatch(
            r"failed: 1,201 in all. At most 1,200 in an hour \(.*31.*2026, 02:00 CET\).", plot.text
        )

    def test_the_table_has_the_steps_with_values(self) -> None:
        plot = stacked("p", "Jobs", Steps.of(hours(3)), [series(0, 5, 0), series(0, 0, 2, name="lost")])
        assert [column.cells for column in plot.rows] == [("5", "0"), ("0", "2")]
        assert [column.text for column in plot.rows] == ["failed 5, lost 0", "failed 0, lost 2"]


class TestLines:
    def test_a_line_is_broken_where_there_is_no_value_and_one_value_is_a_point(self) -> None:
        plot = lines("p", "Duration", Steps.of(hours(4)), [series(4.0, 2.0, None, 1.0)])
        assert plot.shapes[0].path == "M0.5 0h0L1.5 500M3.5 750h0"

    def test_no_values_at_all(self) -> None:
        plot = lines("p", "Duration", Steps.of(hours(2)), [series(None, None)])
        assert plot.shapes[0].path == ""
        assert plot.text == "failed: none."

    def test_values_of_steps_are_not_added_up(self) -> None:
        plot = lines("p", "Duration", Steps.of(hours(3)), [series(4.0, None, 0.5)])
        assert plot.text == "failed: from 500 ms to 4 s."


class TestScale:
    @pytest.mark.parametrize(
        ("most", "labels"),
        [
            (0, ["0", "1"]),
            (1, ["0", "1"]),
            (3, ["0", "1", "2", "3"]),
            (9, ["0", "5", "10"]),
            (183, ["0", "50", "100", "150", "200"]),
            (4000, ["0", "1,000", "2,000", "3,000", "4,000"]),
        ],
    )
    def test_counts_have_whole_round_lines(self, most: int, labels: list[str]) -> None:
        plot = stacked("p", "Jobs", Steps.of(hours(1)), [series(most)], COUNT)
        assert [label.text for label in plot.up] == labels

    @pytest.mark.parametrize(
        ("most", "labels"),
        [
            (0.0, ["0 s", "500 ms", "1 s"]),
            (0.03, ["0 s", "10 ms", "20 ms", "30 ms"]),
            (3.9, ["0 s", "1 s", "2 s", "3 s", "4 s"]),
            (70.0, ["0 s", "20 s", "40 s", "60 s", "80 s"]),
            (200.0, ["0 s", "60 s", "2 min", "3 min", "4 min"]),
            (4000.0, ["0 s", "30 min", "60 min", "90 min"]),
            (900_000.0, ["0 s", "96 h", "192 h", "288 h"]),
        ],
    )
    def test_times_have_lines_at_minutes_and_hours(self, most: float, labels: list[str]) -> None:
        plot = lines("p", "Duration", Steps.of(hours(1)), [series(most)], SECONDS)
        assert [label.text for label in plot.up] == labels

    def test_labels_go_up_from_the_lower_edge(self) -> None:
        plot = stacked("p", "Jobs", Steps.of(hours(1)), [series(2)])
        assert [(label.at, label.text) for label in plot.up] == [("100%", "0"), ("50%", "1"), ("0%", "2")]


class TestSparks:
    def test_more_steps_than_fit_are_added_up_and_the_most_is_of_one_step(self) -> None:
        found = spark(Steps.of(hours(96)), [1.0] * 94 + [3.0, 0.0])
        assert found.width == 48
        assert found.most == "3"
        assert found.path.count("M") == 48
        assert "At most 3 in an hour" in found.text

    def test_nothing(self) -> None:
        found = spark(Steps.of(hours(2)), [0, 0])
        assert found.path == ""
        assert found.text == "Nothing in this time."


class TestNumbers:
    def test_they_are_written_as_the_language_does(self) -> None:
        with translation.override("de"):
            assert count_text(1234567) == "1.234.567"
            assert seconds_text(4.25) == "4,2 s"
            assert re.fullmatch(r"1,5\s%", percent_text(0.015))

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [
            (None, "-"),
            (0.0, "0 s"),
            (0.0042, "4.2 ms"),
            (0.42, "420 ms"),
            (0.9999, "1 s"),
            (9.96, "10 s"),
            (119.0, "119 s"),
            (150.0, "2.5 min"),
            (7200.0, "2 h"),
            (90_000.0, "25 h"),
        ],
    )
    def test_a_length_of_time_has_its_most_fitting_unit(self, seconds: float | None, text: str) -> None:
        assert seconds_text(seconds) == text

    @pytest.mark.parametrize(
        ("part", "text"), [(None, "-"), (0.0, "0%"), (0.004, "0.4%"), (0.25, "25%"), (1.0, "100%")]
    )
    def test_parts(self, part: float | None, text: str) -> None:
        assert percent_text(part) == text
