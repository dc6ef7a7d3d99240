"""The contract of the stores of statistics, in memory and in the table."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from serverless_tasks.engine.aws import session
from serverless_tasks.engine.aws.dynamodb.items import TableItems
from serverless_tasks.engine.aws.dynamodb.statistics import TableStatistics
from serverless_tasks.engine.statistics.base import StatisticsStore
from serverless_tasks.engine.statistics.errors import ErrorKind, Occurrences
from serverless_tasks.engine.statistics.fingerprint import kind_of
from serverless_tasks.engine.statistics.items import HOUR_MS
from serverless_tasks.engine.statistics.memory import MemoryStatistics
from serverless_tasks.engine.store.items import DAY_MS

NINE = 1_769_850_000_000  # 2026-01-31T09:00Z
ONE, TWO = "0b0e64f7-7d0b-4d6c-8a3a-1f5f3d8f1c10", "0b0e64f7-7d0b-4d6c-8a3a-1f5f3d8f1c11"


@pytest.fixture(params=["memory", "table"])
def statistics(request: pytest.FixtureRequest) -> StatisticsStore:
    if request.param == "memory":
        return MemoryStatistics()
    config = request.getfixturevalue("config")
    client = session.client("dynamodb")
    return TableStatistics(
        TableItems(client, config.table, request.getfixturevalue("clock")), config.table, lambda: client
    )


@pytest.fixture
def kind() -> ErrorKind:
    return kind_of(f"sum-{uuid4()}", "ValueError", "no 7 of 'these'")


def occurrences(kind: ErrorKind, uuid: str = ONE, at: int = NINE, **given: Any) -> Occurrences:
    known: dict[str, Any] = {
        "count": 1,
        "first": at,
        "last": at,
        "text": "no 7",
        "text_of": uuid,
    }
    return Occurrences(kind=kind, **(known | given))


class TestCounts:
    def test_counts_of_shards_are_added_up_by_the_hour(self, statistics: StatisticsStore) -> None:
        task = f"task-{uuid4()}"
        statistics.add(task, "2026-01-31T08", 0, {"succeeded": 2, "d3": 2, "seconds": 0.25, "wu": 4})
        statistics.add(task, "2026-01-31T08", 1, {"succeeded": 1, "failed": 1, "d3": 1, "d40": 1})
        statistics.add(task, "2026-01-31T08", 1, {"succeeded": 1, "seconds": 0.5, "wu": 2.5})
        statistics.add(task, "2026-01-31T09", 3, {"retried": 1, "lost": 1, "q0": 1})
        hours = statistics.hours(task, "2026-01-31T08", "2026-01-31T10")
        assert list(hours) == ["2026-01-31T08", "2026-01-31T09"]
        eight, nine = hours.values()
        assert (eight.succeeded, eight.failed, eight.seconds) == (4, 1, 0.75)
        assert eight.duration.buckets == {3: 3, 40: 1}
        assert eight.calls == {"dynamodb_write_units": 6.5}
        assert (nine.retried, nine.lost, nine.queue_wait.buckets) == (1, 1, {0: 1})

    def test_a_range_has_its_first_hour_and_not_its_last(self, statistics: StatisticsStore) -> None:
        task = f"task-{uuid4()}"
        for hour in ("07", "08", "09", "10"):
            statistics.add(task, f"2026-01-31T{hour}", 2, {"succeeded": 1})
        assert list(statistics.hours(task, "2026-01-31T08", "2026-01-31T10")) == [
            "2026-01-31T08",
            "2026-01-31T09",
        ]

    def test_tasks_are_apart(self, statistics: StatisticsStore) -> None:
        task = f"task-{uuid4()}"
        statistics.add(f"{task}.more", "2026-01-31T08", 0, {"succeeded": 1})
        assert statistics.hours(task, "2026-01-31T00", "2026-02-01T00") == {}

    def test_attributes_of_later_code_are_passed_over(self, statistics: StatisticsStore) -> None:
        task = f"task-{uuid4()}"
        statistics.add(task, "2026-01-31T08", 0, {"succeeded": 1, "dreams": 3, "zz": 1})
        [counts] = statistics.hours(task, "2026-01-31T08", "2026-01-31T09").values()
        assert counts.succeeded == 1


class TestErrors:
    def test_failures_of_a_kind_are_counted_by_the_hour(
        self, statistics: StatisticsStore, kind: ErrorKind
    ) -> None:
        statistics.add_errors(occurrences(kind))
        statistics.add_errors(occurrences(kind, TWO, NINE + 60_000, count=5, last=NINE + 90_000, slot=1))
        statistics.add_errors(occurrences(kind, TWO, NINE + HOUR_MS))
        [day] = statistics.error(kind.fingerprint, ["2026-01-30", "2026-01-31"])
        assert (day.day, day.hours, day.count) == ("2026-01-31", {9: 6, 10: 1}, 7)
        assert (day.first, day.last) == (NINE, NINE + HOUR_MS)
        assert (day.kind.task, day.kind.type, day.text) == (kind.task, "ValueError", "no 7")
        assert set(day.examples) == {ONE, TWO}
        assert kind.fingerprint in {each.kind.fingerprint for each in statistics.errors(["2026-01-31"])}

    def test_a_kind_is_new_once(self, statistics: StatisticsStore, kind: ErrorKind) -> None:
        told = [
            statistics.add_errors(occurrences(kind, at=NINE + days * DAY_MS))[1]
            for days in (0, 0, 1, 60, 120)
        ]
        assert told == [True, False, False, False, False]
        assert statistics.first_seen([kind.fingerprint, "unknown"]) == {kind.fingerprint: NINE}

    def test_a_kind_that_did_not_occur_for_90_days_is_new_again(
        self, statistics: StatisticsStore, kind: ErrorKind
    ) -> None:
        statistics.add_errors(occurrences(kind))
        assert statistics.add_errors(occurrences(kind, at=NINE + 91 * DAY_MS))[1] is True

    def test_a_day_keeps_three_examples_at_most(self, statistics: StatisticsStore, kind: ErrorKind) -> None:
        ids = [str(uuid4()) for _ in range(12)]
        for number, uuid in enumerate(ids):
            statistics.add_errors(occurrences(kind, uuid, slot=number % 3))
        [day] = statistics.error(kind.fingerprint, ["2026-01-31"])
        assert day.examples == tuple(ids[:3])

    def test_failures_without_an_example_are_counted(
        self, statistics: StatisticsStore, kind: ErrorKind
    ) -> None:
        statistics.add_errors(occurrences(kind, text="", text_of=""))
        [day] = statistics.error(kind.fingerprint, ["2026-01-31"])
        assert (day.count, day.examples, day.text) == (1, (), "")

    @pytest.mark.parametrize("moment", [NINE, NINE - 9 * HOUR_MS + 10_000])
    def test_what_is_kept_of_a_deleted_job_goes(
        self, statistics: StatisticsStore, kind: ErrorKind, moment: int
    ) -> None:
        statistics.add_errors(occurrences(kind, ONE, moment, text="my name is x"))
        statistics.add_errors(occurrences(kind, TWO, moment, slot=1))
        # The job's own state may say that it ended a moment earlier than it was counted.
        statistics.forget(kind.fingerprint, ONE, moment - 20_000)
        [day] = statistics.error(kind.fingerprint, ["2026-01-30", "2026-01-31"])
        assert (day.examples, day.text, day.count) == ((TWO,), "", 2)
        statistics.forget(kind.fingerprint, TWO, moment)
        statistics.forget("unknown", TWO, moment)
        [day] = statistics.error(kind.fingerprint, ["2026-01-30", "2026-01-31"])
        assert day.examples == ()

    def test_another_job_s_example_stays(self, statistics: StatisticsStore, kind: ErrorKind) -> None:
        statistics.add_errors(occurrences(kind, ONE))
        statistics.forget(kind.fingerprint, TWO, NINE)
        [day] = statistics.error(kind.fingerprint, ["2026-01-31"])
        assert (day.examples, day.text) == ((ONE,), "no 7")
