"""The admin's pages of what fails: what they show, where they lead, and what they ask of the table."""

import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from unittest import mock
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import pytest
from django.test import Client

from django_integration.admin.insight import errors
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.services import current_services
from serverless_tasks.engine.statistics.errors import ErrorKind, Occurrences
from serverless_tasks.engine.statistics.items import DAY_MS, HOUR_MS, hour_of, hour_start
from serverless_tasks.errors import AwsError
from tests.django.admin.test_admin import LIST, staff, submit, text
from tests.django.shop.background import Fails

ERRORS = f"{LIST}errors/"
DOWN = ErrorKind(fingerprint="0123456789ab", task="fails", type="GatewayDown", frame="shop.background.pay")
GONE = ErrorKind(fingerprint="ba9876543210", task="sum", type="ValueError")
REFUSED = AwsError("dynamodb.Query", "AccessDenied", "not yours", applied=False)
UUID_OF_DOWN = "0b9f7a52-6a1c-4a3e-9c53-1d2f3a4b5c60"


@pytest.fixture
def counting(settings: Any) -> None:
    """A worker that tells failures by their kind."""
    settings.SERVERLESS_TASKS = settings.SERVERLESS_TASKS | {"STATISTICS": True}


def now() -> int:
    return to_ms(current_services().clock.now())


def add(kind: ErrorKind = DOWN, count: int = 1, before: int = 0, **given: Any) -> None:
    """Count failures, some time before now."""
    at = now() - before
    known: dict[str, Any] = {"text": "refused after 7 ms", "text_of": UUID_OF_DOWN}
    current_services().statistics_store.add_errors(
        Occurrences(kind=kind, count=count, first=at, last=at, **(known | given))
    )


def links(page: Any, beginning: str) -> list[str]:
    found = re.findall(rf'href="({re.escape(beginning)}[^"]*)"', page.content.decode())
    return [link.replace("&amp;", "&") for link in found]


class TestPermissions:
    @pytest.mark.parametrize("page", ["errors/", "errors/0123456789ab/"])
    def test_a_page_is_for_those_who_may_view_jobs(self, db: None, page: str) -> None:
        assert staff("nobody").get(LIST + page).status_code == 403
        assert Client().get(LIST + page).status_code == 302

    @pytest.mark.parametrize(("permission", "action"), [("change", "retry"), ("delete", "delete")])
    def test_what_one_may_do_is_offered(self, db: None, permission: str, action: str) -> None:
        add()
        page = staff("able", "view", permission).get(f"{ERRORS}0123456789ab/").content.decode()
        assert re.findall(r'name="action" value="(\w+)"', page) == [action]

    def test_a_reader_is_offered_nothing(self, reader: Client) -> None:
        add()
        assert "<button" not in reader.get(f"{ERRORS}0123456789ab/").content.decode().partition("st-job")[2]


class TestTheList:
    def test_it_has_the_kinds_the_most_frequent_first(self, reader: Client) -> None:
        add(GONE, 1, text="no 7")
        add(DOWN, 1200, before=HOUR_MS)
        page = reader.get(ERRORS)
        said = text(page)
        assert re.search(
            r"1,200 GatewayDown New refused after 7 ms fails Function: shop\.background\.pay", said
        )
        assert said.index("GatewayDown") < said.index("ValueError")
        assert "2 kinds of failures 1,201 failed jobs 2 new kinds" in said
        assert "at most 1,200 in an hour" in said

    def test_only_a_kind_that_is_new_is_marked(self, reader: Client) -> None:
        add(before=2 * DAY_MS)
        add()
        assert not re.search(r"GatewayDown New", text(reader.get(ERRORS)))
        assert re.search(r"GatewayDown New", text(reader.get(f"{ERRORS}?range=7d")))

    def test_a_time_is_in_the_sites_zone_and_its_hours_are_whole(self, reader: Client, settings: Any) -> None:
        settings.TIME_ZONE = "Asia/Tokyo"
        add(before=5 * HOUR_MS)
        hour = hour_start(hour_of(now() - 5 * HOUR_MS))
        local = datetime.fromtimestamp(hour / 1000 + 9 * 3600, UTC).replace(tzinfo=None)
        asked = f"?since={local.isoformat()}&until={local.replace(second=1).isoformat()}"
        page = reader.get(ERRORS + asked)
        assert [row["error"].count for row in page.context["rows"]] == [1]
        span = page.context["span"]
        assert (span.first, span.end) == (hour, hour + HOUR_MS)
        assert f'value="{local.isoformat()}"' in page.content.decode()
        assert "JST" in text(page)

    @pytest.mark.parametrize(
        ("query", "problem"),
        [
            ("?since=yesterday", "“yesterday” is not a time"),
            ("?since=2030-01-02&until=2030-01-01", "ends before it begins"),
            ("?until=2001-01-01", "ends before it begins, or no counts are kept of it"),
        ],
    )
    def test_a_time_that_is_none_is_told_and_the_usual_one_shown(
        self, reader: Client, query: str, problem: str
    ) -> None:
        add()
        page = reader.get(ERRORS + query)
        assert problem in text(page)
        assert len(page.context["rows"]) == 1

    def test_a_task_is_chosen_among_those_that_failed(self, reader: Client) -> None:
        add()
        add(GONE)
        page = reader.get(f"{ERRORS}?task=sum&range=7d")
        assert [row["error"].task for row in page.context["rows"]] == ["sum"]
        assert page.context["tasks"] == ["fails", "sum"]
        assert f"{ERRORS}0123456789ab/" not in page.content.decode()
        [longer] = [link for _, link, _ in page.context["ranges"] if "30d" in link]
        assert parse_qs(longer.removeprefix("?")) == {"range": ["30d"], "task": ["sum"]}

    def test_a_task_without_failures_leads_to_the_others(self, reader: Client) -> None:
        add()
        assert "No job of sum failed in this time. Other tasks did." in text(reader.get(f"{ERRORS}?task=sum"))

    def test_where_nothing_failed_it_says_how_statistics_are_switched_on(self, reader: Client) -> None:
        said = text(reader.get(ERRORS))
        assert "No job failed in this time." in said
        assert "Statistics=true" in said
        assert "SERVERLESS_TASKS_STATISTICS" in said

    def test_rarer_kinds_than_fit_are_counted(self, reader: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(errors, "MOST", 1)
        add(count=2)
        add(GONE)
        page = reader.get(ERRORS)
        assert len(page.context["rows"]) == 1
        assert "1 rarer kind is not shown" in text(page)
        assert "2 kinds of failures 3 failed jobs" in text(page)

    def test_a_message_is_text(self, reader: Client) -> None:
        add(text="<script>alert(1)</script>")
        for page in (ERRORS, f"{ERRORS}0123456789ab/"):
            assert "<script>alert" not in reader.get(page).content.decode()

    @pytest.mark.parametrize(("query", "days"), [("", 2), ("?range=7d", 8), ("?range=90d", 91)])
    def test_it_costs_a_query_a_day_and_one_read_of_all_kinds(
        self, reader: Client, calls: Counter[str], query: str, days: int
    ) -> None:
        for number in range(20):
            add(ErrorKind(fingerprint=f"{number:012d}", task="sum", type="ValueError"))
        calls.clear()
        assert len(reader.get(ERRORS + query).context["rows"]) == 20
        assert calls["Query"] <= days
        assert calls["BatchGetItem"] == 1
        assert set(calls) == {"Query", "BatchGetItem"}

    def test_a_time_longer_than_counts_are_kept_is_cut(self, reader: Client, calls: Counter[str]) -> None:
        assert reader.get(f"{ERRORS}?since=1970-01-02").status_code == 200
        assert calls["Query"] <= 91

    @pytest.mark.parametrize("page", ["", "0123456789ab/"])
    def test_a_table_that_cannot_be_read(self, reader: Client, page: str) -> None:
        with (
            mock.patch.object(errors, "list_errors", side_effect=REFUSED),
            mock.patch.object(errors, "read_error", side_effect=REFUSED),
        ):
            assert "The errors could not be read." in text(reader.get(ERRORS + page))


class TestAKind:
    def test_it_has_its_trend_with_a_table_behind(self, reader: Client) -> None:
        add(count=3)
        add(count=2, before=3 * HOUR_MS)
        page = reader.get(f"{ERRORS}0123456789ab/")
        assert "GatewayDown : refused after 7 ms" in text(page)
        plot = page.context["plot"]
        assert [column.cells for column in plot.rows] == [("2",), ("3",)]
        source = page.content.decode()
        assert 'role="img" aria-labelledby="trend-title trend-text"' in source
        assert re.search(r'<desc id="trend-text">Failures: 5 in all\. At most 3 in an hour', source)
        assert source.count('<th scope="row">') == 2
        assert "style=" not in source.partition('id="content"')[2]

    def test_a_month_is_shown_by_the_day(self, reader: Client) -> None:
        add(before=20 * DAY_MS)
        page = reader.get(f"{ERRORS}0123456789ab/?range=30d")
        assert "Failures by the day" in text(page)
        assert page.context["plot"].width in (30, 31, 32)

    def test_examples_lead_to_their_jobs(self, reader: Client) -> None:
        add()
        page = reader.get(f"{ERRORS}0123456789ab/")
        assert links(page, f"{LIST}{UUID_OF_DOWN}") == [f"{LIST}{UUID_OF_DOWN}/"]

    def test_it_leads_to_the_list_of_its_jobs_in_whole_hours(self, reader: Client) -> None:
        add()
        page = reader.get(f"{ERRORS}0123456789ab/")
        [link, again] = links(page, f"{LIST}?")
        assert link == again
        asked = parse_qs(urlsplit(link).query)
        span = page.context["span"]
        assert asked == {
            "status": ["failed"],
            "task": ["fails"],
            "fingerprint": ["0123456789ab"],
            "time": ["finished"],
            "since": [str(span.first)],
            "until": [str(span.end)],
        }

    def test_one_that_did_not_occur_leads_to_a_longer_time(self, reader: Client) -> None:
        add(before=3 * DAY_MS)
        page = reader.get(f"{ERRORS}0123456789ab/")
        assert "No failure of the kind 0123456789ab was counted in this time. Show the past 90 days" in text(
            page
        )
        assert "0123456789ab" not in text(reader.get(f"{ERRORS}ba9876543210/"))
        assert "Show the past 90 days" not in text(reader.get(f"{ERRORS}ba9876543210/?range=90d"))

    def test_it_costs_three_reads(self, reader: Client, calls: Counter[str]) -> None:
        add()
        calls.clear()
        reader.get(f"{ERRORS}0123456789ab/?range=30d")
        assert calls == {"BatchGetItem": 3}

    @pytest.mark.usefixtures("counting")
    @pytest.mark.parametrize("action", ["retry", "delete"])
    def test_the_actions_ask_about_all_jobs_of_the_kind(
        self, operator: Client, work: Callable[[], int], action: str
    ) -> None:
        uuid = submit(Fails)
        work()
        record = current_services().store.read(uuid)
        assert record is not None
        fingerprint = record.fingerprint or ""
        assert fingerprint
        kind = ErrorKind(fingerprint=fingerprint, task="fails", type="ValueError")
        add(kind, text_of=uuid)
        page = operator.get(f"{ERRORS}{fingerprint}/")
        given = {"query": page.context["query"], "select_across": "1", "action": action}
        source = page.content.decode().replace("&amp;", "&")
        assert f'name="query" value="{given["query"]}"' in source
        assert 'name="select_across" value="1"' in source
        assert f'name="action" value="{action}"' in source
        question = operator.post(f"{LIST}act/", given)
        assert question.status_code == 200
        assert question.context["count"] == 1
        assert current_services().store.read(uuid) is not None

    @pytest.mark.usefixtures("counting")
    def test_a_failed_job_leads_to_its_kind(self, reader: Client, work: Callable[[], int]) -> None:
        uuid = submit(Fails)
        work()
        record = current_services().store.read(uuid)
        assert record is not None
        for page in (LIST, f"{LIST}{uuid}/"):
            assert links(reader.get(page), ERRORS + str(record.fingerprint)) == [
                f"{ERRORS}{record.fingerprint}/?range=30d"
            ]


def test_an_example_is_deleted_with_its_job(reader: Client) -> None:
    uuid = str(UUID(int=uuid4().int))
    add(text_of=uuid)
    current_services().statistics_store.forget("0123456789ab", uuid, now())
    page = reader.get(f"{ERRORS}0123456789ab/")
    assert "No examples are left: their jobs were deleted, or it is too long ago." in text(page)
    assert "refused after" not in text(page)


def test_the_list_of_jobs_leads_to_the_pages(reader: Client) -> None:
    page = reader.get(LIST)
    assert links(page, ERRORS) == [ERRORS]
    assert links(page, f"{LIST}statistics/") == [f"{LIST}statistics/"]
