"""When a task runs by itself: what is taken, and when it is due."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest

from serverless_tasks import Task, cron, rate
from serverless_tasks.engine.definition.schedule import Schedule
from serverless_tasks.errors import TaskDefinitionError


def times(schedule: Schedule, after: str, count: int = 3) -> list[str]:
    moment = datetime.fromisoformat(after).replace(tzinfo=UTC)
    found = []
    for _ in range(count):
        following = schedule.next(moment)
        if following is None:
            break
        found.append(f"{following:%Y-%m-%d %H:%M}")
        moment = following
    return found


@pytest.mark.parametrize(
    ("expression", "due"),
    [
        ("0 6 * * ? *", ["2026-01-01 06:00", "2026-01-02 06:00", "2026-01-03 06:00"]),
        ("0/20 8-9 * * ? *", ["2026-01-01 08:00", "2026-01-01 08:20", "2026-01-01 08:40"]),
        ("*/30 0 * * ? *", ["2026-01-01 00:30", "2026-01-02 00:00", "2026-01-02 00:30"]),
        ("10-30/10 0 1 * ? *", ["2026-01-01 00:10", "2026-01-01 00:20", "2026-01-01 00:30"]),
        ("0 8 ? * MON-FRI *", ["2026-01-01 08:00", "2026-01-02 08:00", "2026-01-05 08:00"]),
        ("0 8 ? * 1,7 *", ["2026-01-03 08:00", "2026-01-04 08:00", "2026-01-10 08:00"]),
        ("0 8 1 jan,Jul ? *", ["2026-01-01 08:00", "2026-07-01 08:00", "2027-01-01 08:00"]),
        ("0 9 L * ? *", ["2026-01-31 09:00", "2026-02-28 09:00", "2026-03-31 09:00"]),
        ("0 9 1W * ? *", ["2026-01-01 09:00", "2026-02-02 09:00", "2026-03-02 09:00"]),
        ("0 9 31W * ? *", ["2026-01-30 09:00", "2026-03-31 09:00", "2026-05-29 09:00"]),
        ("0 9 15W AUG ? *", ["2026-08-14 09:00", "2027-08-16 09:00", "2028-08-15 09:00"]),
        ("0 10 ? * 6L 2026-2027", ["2026-01-30 10:00", "2026-02-27 10:00", "2026-03-27 10:00"]),
        ("0 0 ? * TUE#2 *", ["2026-01-13 00:00", "2026-02-10 00:00", "2026-03-10 00:00"]),
        ("0 0 ? * 1#5 *", ["2026-03-29 00:00", "2026-05-31 00:00", "2026-08-30 00:00"]),
        ("0 0 ? * L *", ["2026-01-03 00:00", "2026-01-10 00:00", "2026-01-17 00:00"]),
        ("0 0 29 2 ? *", ["2028-02-29 00:00", "2032-02-29 00:00", "2036-02-29 00:00"]),
        ("59 23 31 12 ? 2026", ["2026-12-31 23:59"]),
        ("0 0 30 2 ? *", []),
        ("0 0 1 1 ? 2025", []),
    ],
)
def test_a_cron_expression_is_due_when_eventbridge_says(expression: str, due: list[str]) -> None:
    assert times(cron(expression), "2026-01-01 00:00") == due


def test_a_time_of_a_zone_follows_its_summer_time() -> None:
    vienna = cron("0 6 * * ? *", zone="Europe/Vienna")

    assert times(vienna, "2026-03-28 00:00", 2) == ["2026-03-28 05:00", "2026-03-29 04:00"]
    assert times(vienna, "2026-10-24 12:00", 2) == ["2026-10-25 05:00", "2026-10-26 05:00"]


def test_an_hour_that_is_left_out_is_skipped_and_one_that_comes_twice_counts_once() -> None:
    vienna = cron("30 2 * * ? *", zone="Europe/Vienna")

    assert times(vienna, "2026-03-28 00:00") == ["2026-03-28 01:30", "2026-03-30 00:30", "2026-03-31 00:30"]
    assert times(vienna, "2026-10-24 12:00") == ["2026-10-25 00:30", "2026-10-26 01:30", "2026-10-27 01:30"]


def test_times_are_in_order_across_midnight_of_another_zone() -> None:
    schedule = cron("*/15 * * * ? *", zone="Pacific/Auckland")
    moment, found = datetime(2026, 4, 3, tzinfo=UTC), []
    for _ in range(600):
        moment = schedule.next(moment) or moment
        found.append(moment)
    assert all(before < after for before, after in pairwise(found))


def test_a_rate_counts_from_when_it_was_made() -> None:
    made, now = datetime(2026, 1, 1, 0, 10, tzinfo=UTC), datetime(2026, 1, 1, 3, 10, tzinfo=UTC)

    assert rate(hours=1).next(now, since=made) == datetime(2026, 1, 1, 4, 10, tzinfo=UTC)
    assert rate(minutes=5).next(now) == datetime(2026, 1, 1, 3, 15, tzinfo=UTC)
    assert rate(days=2).next(now, since=made) == datetime(2026, 1, 3, 0, 10, tzinfo=UTC)


def test_expressions_are_written_as_the_scheduler_takes_them() -> None:
    assert cron("0  6 * * ?  *") == Schedule("cron(0 6 * * ? *)", "UTC")
    assert rate(minutes=1).expression == "rate(1 minute)"
    assert rate(days=7).expression == "rate(7 days)"


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("0 6 * * ?", "it has 5 fields; expected six: minutes, hours"),
        ("", "it has 0 fields"),
        ("0 6 * * * *", "one of them, and only one, has to be '?'"),
        ("0 6 ? * ? *", "one of them, and only one"),
        ("60 6 * * ? *", "the minutes is '60'; expected 0 to 59"),
        ("0 24 * * ? *", "the hours is '24'"),
        ("-1 6 * * ? *", "the minutes is ''"),
        ("٣ 6 * * ? *", "the minutes is"),
        ("0/0 6 * * ? *", "has no step; after '/' expected 1 to 59"),
        ("0/ 6 * * ? *", "has no step"),
        ("0 6 32 * ? *", "the day of the month is '32'"),
        ("0 6 0W * ? *", "the day of the month is '0'"),
        ("0 6 LW * ? *", "the day of the month is 'L'"),
        ("0 6 ? 13 2 *", "the month is '13'; expected 1 to 12 or JAN to DEC"),
        ("0 6 ? * 8 *", "the day of the week is '8'; expected 1 to 7 or SUN to SAT"),
        ("0 6 ? * 0 *", "the day of the week is '0'"),
        ("0 6 ? * MON#6 *", "after '#' expected 1 to 5"),
        ("0 6 ? * FRI-MON *", "begins after its end"),
        ("0 6 * * ? 1969", "the year is '1969'; expected 1970 to 2199"),
        (5, "cannot be read"),
    ],
)
def test_what_the_scheduler_would_refuse_is_refused_with_the_field(expression: str, reason: str) -> None:
    with pytest.raises(TaskDefinitionError) as raised:
        cron(expression)

    assert reason in str(raised.value)
    assert repr(expression) in str(raised.value)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../UTC", "Europe", None, "europe/vienna "])
def test_a_zone_that_nobody_knows_is_refused(zone: str) -> None:
    with pytest.raises(TaskDefinitionError, match="is not a time zone"):
        cron("0 6 * * ? *", zone=zone)


@pytest.mark.parametrize(
    "given", [{}, {"minutes": 0}, {"minutes": -5}, {"minutes": 1, "hours": 1}, {"hours": 1.5}, {"days": True}]
)
def test_a_rate_is_one_whole_number(given: dict[str, int]) -> None:
    with pytest.raises(TaskDefinitionError, match="expected one, as a whole number from 1"):
        rate(**given)


def test_a_class_takes_a_schedule_and_nothing_like_one() -> None:
    with pytest.raises(TaskDefinitionError, match=r"Nightly has schedule = '0 6 \* \* \? \*'; expected cron"):
        type("Nightly", (Task,), {"schedule": "0 6 * * ? *", "__qualname__": "Nightly"})
    with pytest.raises(TaskDefinitionError, match="overlap = 'queue'; expected 'skip' or 'allow'"):
        type("Nightly", (Task,), {"schedule": rate(hours=1), "overlap": "queue"})


def test_its_text_names_the_zone_of_a_cron() -> None:
    assert str(cron("0 8 * * ? *")) == "cron(0 8 * * ? *) UTC"
    assert str(cron("0 8 * * ? *", zone="Europe/Vienna")) == "cron(0 8 * * ? *) Europe/Vienna"
    assert str(rate(minutes=5)) == "rate(5 minutes)"
