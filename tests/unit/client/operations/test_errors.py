"""Kinds of failures, read from what was counted."""

from __future__ import annotations

from typing import Any

import pytest

from serverless_tasks.client.operations.errors import list_errors, read_error
from serverless_tasks.engine.statistics.errors import ErrorKind, Occurrences
from serverless_tasks.engine.statistics.fingerprint import kind_of
from serverless_tasks.engine.statistics.items import HOUR_MS
from serverless_tasks.engine.statistics.memory import MemoryStatistics
from serverless_tasks.engine.store.items import DAY_MS

NOON = 1_769_860_800_000  # 2026-01-31T12:00Z
SUM = kind_of("sum", "ValueError", "no 7")
MEAN = kind_of("mean", "ValueError", "no 7")


@pytest.fixture
def store() -> MemoryStatistics:
    return MemoryStatistics()


def add(store: MemoryStatistics, kind: ErrorKind, at: int, count: int = 1, **given: Any) -> None:
    uuid = f"0b0e64f7-7d0b-4d6c-8a3a-{at % 10**12:012d}"
    known: dict[str, Any] = {"first": at, "last": at, "text": "no 7", "text_of": uuid}
    store.add_errors(Occurrences(kind=kind, count=count, **(known | given)))


def test_the_most_frequent_come_first(store: MemoryStatistics) -> None:
    add(store, SUM, NOON)
    add(store, MEAN, NOON, 5)
    found = list_errors(store, since=NOON - HOUR_MS, until=NOON + 1)
    assert [(each.task, each.count) for each in found] == [("mean", 5), ("sum", 1)]


def test_those_of_one_task(store: MemoryStatistics) -> None:
    add(store, SUM, NOON)
    add(store, MEAN, NOON)
    assert [each.task for each in list_errors(store, since=NOON, until=NOON + 1, task="sum")] == ["sum"]


def test_hours_over_midnight_and_those_outside_are_told_apart(store: MemoryStatistics) -> None:
    midnight = NOON + DAY_MS // 2
    for hours, count in ((-30, 7), (-2, 1), (-1, 2), (0, 3), (1, 4), (2, 50)):
        add(store, SUM, midnight + hours * HOUR_MS, count)
    [error] = list_errors(store, since=midnight - HOUR_MS, until=midnight + 2 * HOUR_MS)
    assert error.count == 9
    assert error.hours == tuple(
        (midnight + hours * HOUR_MS, count) for hours, count in ((-1, 2), (0, 3), (1, 4))
    )
    assert error.first_seen == midnight - 30 * HOUR_MS
    assert error.new is False


def test_a_kind_of_other_hours_of_the_day_is_not_listed(store: MemoryStatistics) -> None:
    add(store, SUM, NOON)
    assert list_errors(store, since=NOON + HOUR_MS, until=NOON + 2 * HOUR_MS) == []
    assert read_error(store, SUM.fingerprint, since=NOON + HOUR_MS, until=NOON + 2 * HOUR_MS) is None


def test_one_kind_with_its_examples_the_latest_first(store: MemoryStatistics) -> None:
    for days in range(3):
        add(store, SUM, NOON + days * DAY_MS)
    error = read_error(store, SUM.fingerprint, since=NOON, until=NOON + 2 * DAY_MS + 1)
    assert error is not None
    assert (error.count, len(error.examples), error.new) == (3, 3, True)
    assert error.examples[0].endswith(f"{(NOON + 2 * DAY_MS) % 10**12:012d}")
    assert (error.first_seen, error.last_seen) == (NOON, NOON + 2 * DAY_MS)
    assert error.message == "no 7"
    document = error.to_json()
    assert document["hours"][0] == {"hour": "2026-01-31T12:00:00.000Z", "count": 1}
    assert len(document["hours"]) == 3


def test_an_unknown_fingerprint_is_none(store: MemoryStatistics) -> None:
    assert read_error(store, "nothing", since=NOON, until=NOON + 1) is None
