"""Totals, hours and the pace of a task, read from what was counted."""

from __future__ import annotations

from typing import Any

import pytest

from serverless_tasks.client.operations.statistics import (
    ENOUGH,
    Pace,
    all_statistics,
    known_tasks,
    pace_of,
    task_statistics,
)
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.definition.registry import Registry
from serverless_tasks.engine.services import Services
from serverless_tasks.engine.statistics.counts import Counts
from serverless_tasks.engine.statistics.histogram import Histogram, bucket_of
from serverless_tasks.engine.statistics.items import HOUR_MS, hour_of
from serverless_tasks.engine.statistics.memory import MemoryStatistics
from tests.unit.handlers.tasks import Quiet, Sum

NOON = 1_769_860_800_000  # 2026-01-31T12:00Z


@pytest.fixture
def store() -> MemoryStatistics:
    return MemoryStatistics()


def add(store: MemoryStatistics, at: int, task: str = "sum", **counts: float) -> None:
    store.add(task, hour_of(at), 0, counts)


def lasting(seconds: float, count: int = ENOUGH, slow: float = 0.0) -> Counts:
    """Counts of attempts of which a tenth are slow."""
    buckets = {bucket_of(seconds): count}
    if slow:
        buckets[bucket_of(slow)] = count // 9
    return Counts(duration=Histogram(buckets))


class TestOneTask:
    def test_whole_hours_of_the_time_are_added_up(self, store: MemoryStatistics) -> None:
        for hours in range(-6, 3):
            add(store, NOON + hours * HOUR_MS, succeeded=1)
        found = task_statistics(store, "sum", since=NOON + 5, until=NOON + HOUR_MS + 1)
        assert (found.since, found.until) == (NOON, NOON + 2 * HOUR_MS)
        assert [hour.start for hour in found.hours] == [NOON, NOON + HOUR_MS]
        assert (found.total.succeeded, found.before.succeeded) == (2, 2)

    def test_the_end_is_exclusive(self, store: MemoryStatistics) -> None:
        add(store, NOON, succeeded=1)
        found = task_statistics(store, "sum", since=NOON - HOUR_MS, until=NOON)
        assert (found.total.succeeded, len(found.hours)) == (0, 1)

    def test_hours_without_counts_are_there(self, store: MemoryStatistics) -> None:
        add(store, NOON, failed=2)
        found = task_statistics(store, "sum", since=NOON - 2 * HOUR_MS, until=NOON + 1)
        assert [hour.counts.failed for hour in found.hours] == [0, 0, 2]
        assert found.to_json()["hours"] == [{"hour": "2026-01-31T12:00:00.000Z", **found.total.to_json()}]

    def test_the_json(self, store: MemoryStatistics) -> None:
        add(store, NOON, succeeded=3, failed=1, seconds=1.5, gb_seconds=0.75, wu=8, d16=4)
        document = task_statistics(store, "sum", since=NOON, until=NOON + 1).to_json()
        assert document["task"] == "sum"
        assert document["pace"] == "unknown"
        total = document["total"]
        assert (total["succeeded"], total["failed"], total["gb_seconds"]) == (3, 1, 0.75)
        assert total["calls"] == {"dynamodb_write_units": 8.0}
        assert total["duration"]["count"] == 4
        assert 0.075 <= total["duration"]["p50"] <= 0.1
        assert total["queue_wait"]["p95"] is None


def test_tasks_of_which_nothing_was_counted_are_left_out(store: MemoryStatistics) -> None:
    add(store, NOON, "sum", succeeded=1)
    add(store, NOON - HOUR_MS, "before", succeeded=1)
    add(store, NOON - 9 * HOUR_MS, "long-ago", succeeded=1)
    found = all_statistics(store, ["sum", "before", "long-ago", "never"], since=NOON, until=NOON + 1)
    assert [each.task for each in found] == ["sum", "before"]


def test_the_failure_rate_is_of_those_that_ran_to_an_end() -> None:
    assert Counts(succeeded=3, failed=1, cancelled=6).failure_rate == 0.25
    assert Counts(cancelled=6).failure_rate is None


def test_known_tasks_are_those_whose_code_is_here() -> None:
    registry = Registry()
    for task in (Sum, Quiet):
        registry.add(task)
    assert known_tasks(Services(Config(), backend="immediate", registry=registry)) == ["quiet", "sum"]


class TestPace:
    @pytest.mark.parametrize(
        ("now", "before", "expected"),
        [
            (lasting(1.0), lasting(1.0), Pace.STEADY),
            (lasting(1.0), lasting(0.7), Pace.SLOWER),
            (lasting(0.7), lasting(1.0), Pace.FASTER),
            (lasting(1.0, slow=9.0), lasting(1.0, slow=3.0), Pace.SLOWER),
            (lasting(1.0, slow=3.0), lasting(1.0, slow=9.0), Pace.FASTER),
            (lasting(1.0, ENOUGH - 1), lasting(0.1), Pace.UNKNOWN),
            (lasting(1.0), lasting(0.1, ENOUGH - 1), Pace.UNKNOWN),
            (lasting(0.006), lasting(0.002), Pace.STEADY),  # four milliseconds
            (Counts(), Counts(), Pace.UNKNOWN),
        ],
    )
    def test_rule(self, now: Counts, before: Counts, expected: Pace) -> None:
        assert pace_of(now, before) is expected


def test_counts_are_added_up_by_every_attribute() -> None:
    whole: dict[str, Any] = {
        **dict.fromkeys(("submitted", "succeeded", "failed", "retried", "cancelled", "lost"), 2),
        "seconds": 1.5,
        "gb_seconds": 0.5,
        "duration": Histogram({3: 1}),
        "queue_wait": Histogram({4: 1}),
        "calls": {"sqs_requests": 1.0},
    }
    one = Counts(**whole)
    both = one + one
    assert (both.submitted, both.lost, both.seconds, both.gb_seconds) == (4, 4, 3.0, 1.0)
    assert (both.duration.buckets, both.queue_wait.buckets) == ({3: 2}, {4: 2})
    assert both.calls == {"sqs_requests": 2.0}
    assert one + Counts() == one
