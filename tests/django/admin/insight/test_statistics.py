"""The admin's pages of statistics: what they show of all tasks and of one, and what they ask of the table."""

import re
from collections import Counter
from typing import Any
from unittest import mock
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from django_integration.admin.insight import statistics
from serverless_tasks.client.operations.statistics import ENOUGH, known_tasks
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.services import current_services
from serverless_tasks.engine.statistics.histogram import bucket_of
from serverless_tasks.engine.statistics.items import DAY_MS, HOUR_MS, hour_of
from serverless_tasks.errors import AwsError
from tests.django.admin.test_admin import LIST, staff, text

OVERVIEW = f"{LIST}statistics/"
TASK = f"{OVERVIEW}task/?task=sum"
REFUSED = AwsError("dynamodb.Query", "AccessDenied", "not yours", applied=False)


def add(task: str = "sum", before: int = 0, **counts: float) -> None:
    """Count what a task did, some time before now."""
    services = current_services()
    at = to_ms(services.clock.now()) - before
    services.statistics_store.add(task, hour_of(at), 0, counts or {"submitted": 1, "succeeded": 1})


def lasting(seconds: float, count: int = ENOUGH) -> dict[str, float]:
    return {f"d{bucket_of(seconds)}": count}


@pytest.mark.parametrize("page", [OVERVIEW, TASK])
class TestBoth:
    def test_they_are_for_those_who_may_view_jobs(self, db: None, page: str) -> None:
        assert staff("nobody").get(page).status_code == 403
        assert Client().get(page).status_code == 302

    def test_where_nothing_was_counted_they_say_how_statistics_are_switched_on(
        self, reader: Client, page: str
    ) -> None:
        said = text(reader.get(page))
        assert "Nothing was counted" in said
        assert "statistics are off" in said
        assert "Statistics=true" in said

    def test_they_say_what_counting_can_lose(self, reader: Client, page: str) -> None:
        add()
        said = text(reader.get(page))
        assert "What a process has gathered when it is killed is lost" in said
        assert "statistics are off" not in said

    def test_a_table_that_cannot_be_read(self, reader: Client, page: str) -> None:
        with (
            mock.patch.object(statistics, "all_statistics", side_effect=REFUSED),
            mock.patch.object(statistics, "task_statistics", side_effect=REFUSED),
        ):
            assert "The statistics could not be read." in text(reader.get(page))

    def test_nothing_is_styled_inline(self, reader: Client, page: str) -> None:
        add()
        source = reader.get(page).content.decode()
        assert "style=" not in source
        assert "<script>" not in source

    def test_a_site_that_runs_its_tasks_itself(self, reader: Client, settings: Any, page: str) -> None:
        settings.SERVERLESS_TASKS = {"BACKEND": "immediate"}
        assert "such jobs are not counted" in text(reader.get(page))


class TestAllTasks:
    def test_a_line_has_the_counts_and_percentiles_of_a_task(self, reader: Client) -> None:
        counts = {"submitted": 1500, "succeeded": 1452, "failed": 48, "cancelled": 1, "retried": 3, "lost": 2}
        add(**counts, gb_seconds=12.34, **lasting(0.4), q5=7)
        [row] = reader.get(OVERVIEW).context["rows"]
        assert row["task"] == "sum"
        assert row["counts"] == [
            ("submitted", "1,500"),
            ("succeeded", "1,452"),
            ("failed", "48"),
            ("cancelled", "1"),
            ("retried", "3"),
            ("lost", "2"),
        ]
        assert row["rate"] == "3.2%"
        assert row["gb_seconds"] == "12.3"
        [durations, waits] = row["times"]
        assert [percent for percent, _ in durations] == [50, 95, 99]
        assert all(re.fullmatch(r"[34]\d\d ms", time) for _, time in durations)
        assert all(re.fullmatch(r"[34]\.\d ms", time) for _, time in waits)

    def test_the_busiest_come_first_and_all_are_added_up(self, reader: Client) -> None:
        add("fails", failed=1)
        add("sum", succeeded=5)
        add("resize", submitted=1)
        page = reader.get(OVERVIEW)
        assert [row["task"] for row in page.context["rows"]] == ["sum", "fails", "resize"]
        assert dict(page.context["total"]["counts"]) == {
            "submitted": "1",
            "succeeded": "5",
            "failed": "1",
            "cancelled": "0",
            "retried": "0",
            "lost": "0",
        }
        [column] = page.context["plot"].rows
        assert column.text == "Failed 1, Cancelled 0, Succeeded 5"

    @pytest.mark.parametrize(
        ("now", "before", "word"),
        [(2.0, 1.0, "Slower"), (1.0, 2.0, "Faster"), (1.0, 1.0, "Steady"), (1.0, None, "Too few to compare")],
    )
    def test_a_word_says_whether_a_task_is_getting_slower(
        self, reader: Client, now: float, before: float | None, word: str
    ) -> None:
        add(**lasting(now))
        if before is not None:
            add(before=30 * HOUR_MS, **lasting(before))
        assert re.search(rf"\bsum {word} Jobs of sum\b", text(reader.get(OVERVIEW)))

    def test_a_line_leads_to_the_task_and_to_its_jobs_in_this_time(self, reader: Client) -> None:
        add()
        page = reader.get(f"{OVERVIEW}?range=7d")
        source = page.content.decode().replace("&amp;", "&")
        assert f'href="{OVERVIEW}task/?range=7d&task=sum"' in source
        [link] = re.findall(rf'href="({re.escape(LIST)}\?task=sum[^"]*)"', source)
        span = page.context["span"]
        assert parse_qs(urlsplit(link).query) == {
            "task": ["sum"],
            "time": ["finished"],
            "since": [str(span.first)],
            "until": [str(span.end)],
        }
        assert f'href="{LIST}errors/?range=7d"' in source

    @pytest.mark.parametrize("query", ["", "?range=90d"])
    def test_it_costs_a_query_a_task_and_now_and_then_the_manifest(
        self, reader: Client, calls: Counter[str], query: str
    ) -> None:
        add()
        calls.clear()
        reader.get(OVERVIEW + query)
        names = known_tasks(current_services())
        assert calls == {"Query": len(names), "GetItem": 1}
        calls.clear()
        reader.get(OVERVIEW + query)
        assert calls == {"Query": len(names)}

    @pytest.mark.parametrize(
        ("query", "daily"), [("", False), ("?range=7d", False), ("?range=30d", True), ("?range=90d", True)]
    )
    def test_a_plot_is_by_the_hour_or_the_day(self, reader: Client, query: str, daily: bool) -> None:
        add()
        assert reader.get(OVERVIEW + query).context["plot"].daily is daily


class TestATask:
    def test_it_has_a_plot_of_outcomes_of_durations_and_of_waits(self, reader: Client) -> None:
        add(succeeded=3, failed=1, **lasting(1.0), q0=2)
        add(before=2 * HOUR_MS, cancelled=2)
        page = reader.get(TASK)
        plots = page.context["plots"]
        assert [plot.name for plot in plots] == ["outcomes", "duration", "queue-wait"]
        assert [[shape.name for shape in plot.shapes] for plot in plots] == [
            ["Failed", "Cancelled", "Succeeded"],
            ["p50", "p95"],
            ["p50", "p95"],
        ]
        assert [column.cells for column in plots[0].rows] == [("0", "2", "0"), ("1", "0", "3")]
        assert len(plots[1].rows) == len(plots[2].rows) == 1
        source = page.content.decode()
        assert source.count('role="img"') == 3
        assert source.count("<desc ") == 3
        assert source.count("<summary>As a table") == 3

    def test_it_is_compared_with_the_time_before(self, reader: Client) -> None:
        add(succeeded=150, failed=50, **lasting(10.0))
        add(before=30 * HOUR_MS, succeeded=100, **lasting(1.0))
        page = reader.get(TASK)
        compared = {word: figures for word, *figures in page.context["compared"]}
        assert compared["Succeeded"] == ["150", "100", "+50%"]
        assert compared["Failed"] == ["50", "0", ""]
        assert compared["Failed, of those that succeeded or failed"] == ["25%", "0%", ""]
        assert compared["Duration p50"][2] == "+900%"
        assert compared["Queue wait p99"] == ["-", "-", ""]
        said = text(page)
        assert re.search(r"It is getting slower\. Duration now: p50 8\.\d s, p95 9\.\d s\.", said)
        assert re.search(r"In the time before: p50 8\d\d ms, p95 9\d\d ms\.", said)

    def test_with_few_attempts_it_does_not_say(self, reader: Client) -> None:
        add(**lasting(1.0, 5))
        said = text(reader.get(TASK))
        assert "There were too few attempts" in said
        assert "Duration now" not in said

    @pytest.mark.parametrize(
        ("first", "last", "complete"),
        [(30, 0, True), (90, 0, False), (40, 10, True), (80, 40, False)],
    )
    def test_it_says_where_the_time_before_is_not_kept(
        self, reader: Client, first: int, last: int, complete: bool
    ) -> None:
        now = to_ms(current_services().clock.now())
        add(before=first * DAY_MS - HOUR_MS)
        said = text(reader.get(f"{TASK}&since={now - first * DAY_MS}&until={now - last * DAY_MS}"))
        assert "Compared with as long a time before" in said
        assert ("those of the time before are not complete" not in said) is complete

    def test_without_a_task_it_leads_to_all(self, reader: Client) -> None:
        answer = reader.get(f"{OVERVIEW}task/")
        assert (answer.status_code, answer["Location"]) == (302, OVERVIEW)

    def test_a_task_that_did_nothing_leads_to_a_longer_time(self, reader: Client) -> None:
        add(before=20 * DAY_MS)
        page = reader.get(f"{TASK}&range=7d")
        assert "Nothing was counted of sum in this time" in text(page)
        assert parse_qs(page.context["longest"].removeprefix("?")) == {"range": ["90d"], "task": ["sum"]}

    def test_a_name_is_text(self, reader: Client) -> None:
        page = reader.get(f"{OVERVIEW}task/?task=<b>x</b>")
        assert "<b>x</b>" not in page.content.decode()

    def test_it_costs_one_query(self, reader: Client, calls: Counter[str]) -> None:
        add()
        calls.clear()
        reader.get(f"{TASK}&range=30d")
        assert calls == {"Query": 1}

    def test_it_leads_to_its_jobs_and_errors(self, reader: Client) -> None:
        add()
        source = reader.get(f"{TASK}&range=7d").content.decode().replace("&amp;", "&")
        assert f'href="{LIST}?task=sum&time=finished&since=' in source
        assert f'href="{LIST}errors/?range=7d&task=sum"' in source
        assert f'href="{OVERVIEW}?range=7d"' in source


def test_in_german_a_duration_is_that_of_a_job_and_numbers_are_written_so(
    reader: Client, settings: Any
) -> None:
    settings.LANGUAGE_CODE = "de"
    add(succeeded=1500, **lasting(4.0))
    said = text(reader.get(TASK))
    assert "Dauer p95" in said
    assert "Zeitspanne" not in said
    assert "1.500" in said
    assert re.search(r"3,\d s", said)
