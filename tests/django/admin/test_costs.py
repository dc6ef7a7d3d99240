"""The admin's page of costs: what it shows, of which time, and for whom."""

import re
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.test.utils import override_settings

from serverless_tasks.client.operations.cost import sample
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.services import current_services
from serverless_tasks.engine.statistics.items import HOUR_MS, hour_of
from serverless_tasks.engine.worker.outcome import Disposition
from serverless_tasks.errors import AwsError
from tests.django.admin.test_admin import LIST, staff, text
from tests.django.shop.background import SumNumbers

COSTS = LIST + "costs/"


def count(hours_ago: int = 0, task: str = "sum", **counts: float) -> None:
    services = current_services()
    at = to_ms(services.clock.now()) - hours_ago * HOUR_MS
    services.statistics_store.add(task, hour_of(at), 0, counts)


def run(tenant: str, owner: str | None = None) -> None:
    """Run a job, and count it as a worker would."""
    services = current_services()
    handle = SumNumbers.options(tenant=tenant, owner=owner, on_commit=False).submit(numbers=[1])
    message = services.store.job(handle.uuid)
    assert message is not None
    done = services.runner.execute(message, deadline=services.clock.now() + 300, request_id="r")
    assert done.disposition == Disposition.DECIDED
    count(submitted=1, succeeded=1, wu=2_000_000)


def shown(client: Client, query: str = "", **headers: Any) -> str:
    answer = client.get(COSTS + query, headers=headers)
    assert answer.status_code == 200
    return text(answer)


class TestWho:
    def test_it_is_for_those_who_may_view_jobs(self, db: None) -> None:
        assert staff("nobody").get(COSTS).status_code == 403
        assert Client().get(COSTS).status_code == 302

    def test_the_list_and_the_statistics_lead_to_it(self, reader: Client) -> None:
        count(succeeded=1, wu=1)
        for page in ("", "statistics/", "statistics/task/?task=sum&range=30d"):
            assert f'href="{COSTS}' in reader.get(LIST + page).content.decode()
        found = reader.get(LIST + "statistics/task/?task=sum&range=30d").content.decode()
        [link] = re.findall(rf'href="{COSTS}([^"]*)"', found)
        assert "task=sum" in link
        assert "range=30d" in link


class TestByTask:
    def test_tasks_with_shares_total_and_prices(self, reader: Client) -> None:
        count(30, succeeded=1000, wu=2_000_000, sub_wu=1_000_000, gb_seconds=60_000)
        count(1, task="fails", failed=500, wu=1_000_000)
        page = shown(reader)
        assert "All tasks cost $3.50 in this time." in page
        assert "sum $2.88 82% 1,000 $2,875.00" in page
        assert "fails $0.625 18% 500 $1,250.00" in page
        assert "List prices of us-east-1 of Nov. 27, 2026" in page
        assert "DynamoDB $0.625 $1.88 $2.50 71%" in page
        assert "Not included: reads of status" in page

    def test_one_task(self, reader: Client) -> None:
        count(30, succeeded=1000, wu=1_000_000)
        count(1, task="fails", failed=500, wu=1_000_000)
        page = shown(reader, "?task=sum")
        assert "sum cost $0.625 in this time." in page
        assert "500" not in page.split("Cost by the day")[0]

    def test_the_week_is_the_usual_time_and_links_keep_another(self, reader: Client) -> None:
        count(100, succeeded=1, wu=1_000_000)
        assert "cost $0.625" in shown(reader)
        assert "Nothing was counted in this time." in shown(reader, "?range=24h")
        page = reader.get(COSTS + "?range=30d").content.decode()
        assert 'href="?range=30d&amp;task=sum"' in page
        assert 'href="?range=30d&amp;by=tenant"' in page

    def test_nothing_was_counted(self, reader: Client) -> None:
        page = shown(reader)
        assert "Nothing was counted in this time." in page
        assert "Statistics=true" in page

    def test_what_a_task_is_called_is_text(self, reader: Client) -> None:
        name = "<script>alert(1)</script>"
        count(task=name, succeeded=1, wu=1)
        answer = reader.get(COSTS, {"task": name})
        assert "<script>alert" not in answer.content.decode()


class TestBySample:
    def test_tenants_are_estimated_and_it_says_so(self, reader: Client) -> None:
        for tenant in ("acme", "acme", "bolt"):
            run(tenant)
        page = shown(reader, "?by=tenant")
        assert "Estimated from a sample of 3 of about 3 jobs." in page
        assert "acme $2.50 67% 2" in page
        assert "bolt $1.25 33% 1" in page
        assert "Submitted:" in page

    def test_owners_have_their_names(self, reader: Client) -> None:
        user = User.objects.create_user("grace")
        run("acme", owner=str(user.pk))
        run("acme")
        page = shown(reader, "?by=owner")
        assert f"grace ({user.pk}) $1.25 50% 1" in page
        assert "None $1.25 50% 1" in page

    def test_no_job_is_looked_at_for_costs_by_task(self, reader: Client) -> None:
        run("acme")
        with mock.patch.object(sample, "search_jobs", side_effect=AssertionError):
            shown(reader)
            shown(reader, "?by=something")


class TestPrices:
    def test_those_of_the_setting(self, reader: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        services = current_services()
        prices = {"dynamodb_writes": 2, "date": "as agreed"}
        monkeypatch.setattr(services, "config", replace(services.config, prices=prices))
        count(succeeded=1, wu=1_000_000)
        page = shown(reader)
        assert "All tasks cost $2.00" in page
        assert "of as agreed" in page
        assert "Some are replaced by SERVERLESS_TASKS['PRICES']" in page.replace("&#x27;", "'")

    def test_what_cannot_be_read_is_said(self, reader: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        services = current_services()
        monkeypatch.setattr(services, "config", replace(services.config, prices="/none.toml"))
        page = shown(reader)
        assert "The costs could not be read. The prices in /none.toml cannot be read" in page

    def test_the_table_cannot_be_read(self, reader: Client) -> None:
        error = AwsError("dynamodb.query", "ThrottlingException", "slow down", applied=False)
        with mock.patch.object(type(current_services().statistics_store), "hours", side_effect=error):
            assert "The costs could not be read." in shown(reader)

    def test_the_stack_is_in_another_region(self, reader: Client) -> None:
        count(succeeded=1, wu=1)
        assert "whose prices may be others" not in shown(reader)
        with mock.patch("django_integration.admin.insight.costs.region_of", return_value="eu-west-1"):
            assert "The stack is in eu-west-1, whose prices may be others." in shown(reader)


@override_settings(LANGUAGE_CODE="de")
def test_in_german(reader: Client) -> None:
    count(succeeded=1000, wu=2_000_000)
    page = shown(reader)
    assert "Alle Aufgaben haben in diesem Zeitraum 1,25 $ gekostet." in page
    assert "Listenpreise von us-east-1 vom 27. November 2026" in page
