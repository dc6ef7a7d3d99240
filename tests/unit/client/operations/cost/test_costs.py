"""Costs from counts, and who has caused them, as a sample of jobs tells."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any
from unittest import mock

import pytest

from serverless_tasks.client.operations.cost import sample
from serverless_tasks.client.operations.cost.costs import Costs, costs_of, region_of
from serverless_tasks.client.operations.cost.prices import US_EAST_1, prices_of
from serverless_tasks.client.operations.cost.sample import CostSample, sample_costs
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.job.options import JobOptions
from serverless_tasks.engine.job.progress import Snapshot
from serverless_tasks.engine.services import Services
from serverless_tasks.engine.statistics.items import HOUR_MS, hour_of
from serverless_tasks.engine.statistics.memory import MemoryStatistics
from serverless_tasks.engine.store.items import DAY_MS
from serverless_tasks.engine.store.memory import MemoryStore
from tests.support.clock import FakeClock

NOON = 1_769_860_800_000  # 2026-01-31T12:00Z
COUNTS = {
    "succeeded": 4,
    "submitted": 4,
    "wu": 8,
    "own": 1,
    "ru": 2,
    "sqs": 10,
    "lam": 4,
    "s3p": 1,
    "s3g": 3,
    "sch": 1,
    "sub_wu": 12,
    "sub_sqs": 4,
    "sub_s3p": 2,
    "sub_sch": 5,
    "gb_seconds": 2.0,
    "d16": 4,
}


@pytest.fixture
def store() -> MemoryStatistics:
    return MemoryStatistics()


def add(store: MemoryStatistics, at: int = NOON, task: str = "sum", **counts: float) -> None:
    store.add(task, hour_of(at), 0, counts)


def read(
    store: MemoryStatistics, *tasks: str, since: int = NOON, until: int = NOON + 1, **given: Any
) -> Costs:
    return costs_of(store, tasks or ("sum",), US_EAST_1, since=since, until=until, **given)


class TestByTask:
    def test_every_count_has_its_price(self, store: MemoryStatistics) -> None:
        add(store, **COUNTS)
        [found] = read(store).tasks
        million = {name: round(each * 1e6, 6) for name, each in found.running.items()}
        assert million == {
            "Lambda": round(4 * 0.20 + 2 * 16.6667, 6),
            "SQS": 10 * 0.40,
            "DynamoDB": 9 * 0.625 + 2 * 0.125,
            "S3": 5.00 + 3 * 0.40,
            "CloudWatch Logs": (4 * 270 + 4 * 1000) * 0.50 / 1000,
            "EventBridge Scheduler": 1.0,
        }
        assert {name: round(each * 1e6, 6) for name, each in found.submitting.items() if each} == {
            "SQS": 4 * 0.40,
            "DynamoDB": 12 * 0.625,
            "S3": 10.0,
            "EventBridge Scheduler": 5.0,
        }
        assert found.dollars == pytest.approx(sum(found.running.values()) + sum(found.submitting.values()))
        assert found.a_job == pytest.approx(found.dollars / 4)
        assert found.time == pytest.approx(2 * US_EAST_1.lambda_gb_second)

    def test_the_time_of_arm64_functions_is_cheaper(self, store: MemoryStatistics) -> None:
        add(store, gb_seconds=3.0, arm=1.0)
        [found] = read(store).tasks
        price = 2 * US_EAST_1.lambda_gb_second + US_EAST_1.lambda_gb_second_arm
        assert found.time == found.running["Lambda"] == pytest.approx(price)

    def test_outside_of_lambda_nothing_is_reckoned_for_logs(self, store: MemoryStatistics) -> None:
        add(store, succeeded=4, wu=8, d16=4)
        [found] = read(store).tasks
        assert found.running["CloudWatch Logs"] == 0

    def test_the_dearest_task_is_first_and_one_without_counts_is_left_out(
        self, store: MemoryStatistics
    ) -> None:
        add(store, task="cheap", succeeded=1, wu=1)
        add(store, task="dear", succeeded=1, wu=9)
        found = read(store, "cheap", "dear", "none")
        assert [each.task for each in found.tasks] == ["dear", "cheap"]
        assert found.share(found.tasks[0].dollars) == pytest.approx(0.9)
        assert (found.jobs, found.by_service["DynamoDB"]) == (2, pytest.approx(10 * 0.625e-6))

    def test_days_and_hours_add_up_to_the_whole(self, store: MemoryStatistics) -> None:
        for hours in (-30, -3, 0):
            add(store, NOON + hours * HOUR_MS, **COUNTS)
        [found] = read(store, since=NOON - 2 * DAY_MS).tasks
        assert sum(found.by_day.values()) == pytest.approx(found.dollars)
        assert [each > 0 for each in found.by_day.values()] == [False, True, True]
        assert found.by_day[NOON // DAY_MS * DAY_MS] == pytest.approx(found.dollars * 2 / 3)
        outside = read(store, since=NOON - 2 * HOUR_MS)
        assert outside.dollars == pytest.approx(found.dollars / 3)

    def test_a_task_whose_jobs_have_not_ended_has_no_cost_a_job(self, store: MemoryStatistics) -> None:
        add(store, retried=1, wu=2)
        [found] = read(store).tasks
        assert (found.jobs, found.a_job) == (0, None)

    def test_prices_of_ones_own(self, store: MemoryStatistics) -> None:
        add(store, wu=1_000_000)
        prices = prices_of(None, {"dynamodb_writes": 2})
        found = costs_of(store, ["sum"], prices, since=NOON, until=NOON + 1, prices_from="mine.toml")
        assert (found.dollars, found.to_json()["prices_from"]) == (2.0, "mine.toml")

    def test_another_region_than_that_of_the_prices(self, store: MemoryStatistics) -> None:
        assert read(store, region="eu-central-1").elsewhere
        assert not read(store, region="us-east-1").elsewhere
        assert not read(store).elsewhere
        assert region_of(Services(Config(), backend="immediate")) is None

    def test_the_json(self, store: MemoryStatistics) -> None:
        add(store, **COUNTS)
        document = json.loads(json.dumps(read(store).to_json()))
        assert document["since"] == "2026-01-31T12:00:00.000Z"
        assert document["prices"]["region"] == "us-east-1"
        [task] = document["tasks"]
        assert (task["task"], task["jobs"], task["gb_seconds"]) == ("sum", 4, 2.0)
        assert task["days"] == [{"day": "2026-01-31", "dollars": pytest.approx(document["dollars"])}]
        assert task["calls"]["submit_write_units"] == 12


class Shop:
    """Jobs that have run, and what was counted of them."""

    def __init__(self) -> None:
        self.clock = FakeClock(NOON / 1000)
        self.store = MemoryStore(self.clock)
        self.statistics = MemoryStatistics()
        self.number = 0

    def run(self, task: str, tenant: str | None, seconds: float = 1.0, owner: str | None = None) -> None:
        self.number += 1
        created = self.clock.ms
        message = Message(
            uuid=f"00000000-0000-4000-8000-{self.number:012d}",
            task=task,
            owner=owner,
            created=created,
            expires=created + 4 * DAY_MS,
            options=JobOptions(tenant=tenant),
        )
        self.store.put_jobs([message])
        token = f"{self.number:032x}"
        claim = self.store.claim(message, token=token, lease=created + HOUR_MS, request_id="")
        self.clock.move(seconds)
        self.store.succeed(message.uuid, claim, Snapshot(0, None, 0), {})
        self.statistics.add(task, hour_of(created), 0, {"submitted": 1})
        counts = {"succeeded": 1, "wu": 2, "lam": 1, "gb_seconds": seconds, "d16": 1}
        self.statistics.add(task, hour_of(self.clock.ms), 0, counts)

    def costs(self, *tasks: str) -> Costs:
        return costs_of(
            self.statistics, tasks, US_EAST_1, since=self.clock.ms - 7 * DAY_MS, until=self.clock.ms + 1
        )


@pytest.fixture
def shop() -> Shop:
    return Shop()


def shares(sample: CostSample) -> dict[str | None, float]:
    whole = sum(each.dollars for each in sample.shares)
    return {each.name: each.dollars / whole for each in sample.shares}


class TestSample:
    def test_all_of_few_jobs(self, shop: Shop) -> None:
        for _ in range(3):
            shop.run("sum", "acme", seconds=2.0, owner="7")
            shop.run("sum", None, seconds=1.0, owner="8")
        costs = shop.costs("sum")
        sample = sample_costs(shop.store, costs, "tenant")
        assert (sample.looked_at, sample.unknown) == (6, 0)
        assert [(each.name, each.jobs, each.seen) for each in sample.shares] == [("acme", 3, 3), (None, 3, 3)]
        assert sum(each.dollars for each in sample.shares) == pytest.approx(costs.dollars)
        # Both share equally what a job costs, and by their seconds what the function's time does.
        [cost] = costs.tasks
        acme = cost.time * 2 / 3 + (cost.dollars - cost.time) / 2
        assert sample.shares[0].dollars == pytest.approx(acme)
        assert {each.name for each in sample_costs(shop.store, costs, "owner").shares} == {"7", "8"}
        assert sample.oldest == NOON

    def test_a_burst_at_the_end_does_not_hide_the_days_before(self, shop: Shop) -> None:
        for _ in range(20):
            for tenant in ("acme", "bolt"):
                shop.run("sum", tenant)
            shop.clock.move(6 * 3600)
        for _ in range(40):
            shop.run("sum", "flood")
        costs = shop.costs("sum")
        sample = sample_costs(shop.store, costs, "tenant", jobs=20, places=10)
        assert sample.looked_at <= 20
        assert shares(sample)["flood"] == pytest.approx(0.5, abs=0.15)
        assert shares(sample)["acme"] == pytest.approx(0.25, abs=0.1)

    def test_a_rare_and_dear_task_is_in_it(self, shop: Shop) -> None:
        shop.run("dear", "acme", seconds=500.0)
        for _ in range(60):
            shop.run("cheap", "bolt", seconds=0.01)
        sample = sample_costs(shop.store, shop.costs("cheap", "dear"), "tenant", jobs=20, places=10)
        assert shares(sample)["acme"] > 0.9
        assert sample.shares[0].name == "acme"

    def test_no_more_jobs_are_looked_at_however_many_there_are(self, shop: Shop) -> None:
        for number in range(300):
            shop.run(f"task-{number % 5}", "acme", seconds=0.1)
            shop.clock.move(600)
        costs = shop.costs(*(f"task-{number}" for number in range(5)))
        looked: Counter[str] = Counter()
        search = sample.search_jobs

        def counted(*given: Any, **options: Any) -> Any:
            page = search(*given, **options)
            looked["jobs"] += page.looked_at
            looked["pages"] += 1
            return page

        with mock.patch.object(sample, "search_jobs", counted):
            sample_costs(shop.store, costs, "owner", jobs=50, places=10)
        assert looked["jobs"] <= 50
        assert looked["pages"] <= 15

    def test_of_very_many_tasks_the_cheapest_are_not_known(self, shop: Shop) -> None:
        for number in range(5):
            shop.run(f"task-{number}", "acme", seconds=10.0 - number)
        costs = shop.costs(*(f"task-{number}" for number in range(5)))
        sample = sample_costs(shop.store, costs, "tenant", places=3)
        assert sample.unknown == pytest.approx(sum(each.dollars for each in costs.tasks[3:]))
        assert sample.to_json()["unknown_dollars"] == sample.unknown

    def test_jobs_that_nobody_has_begun_have_cost_nothing_yet(self, shop: Shop) -> None:
        shop.run("sum", "acme")
        waiting = Message(
            uuid="11111111-0000-4000-8000-000000000000",
            task="sum",
            created=shop.clock.ms,
            expires=shop.clock.ms + DAY_MS,
            options=JobOptions(tenant="waits"),
        )
        shop.store.put_jobs([waiting])
        assert set(shares(sample_costs(shop.store, shop.costs("sum"), "tenant"))) == {"acme"}

    def test_jobs_that_are_gone(self, shop: Shop) -> None:
        shop.run("sum", "acme")
        costs = shop.costs("sum")
        sample = sample_costs(MemoryStore(shop.clock), costs, "tenant")
        assert (sample.shares, sample.looked_at, sample.oldest) == ((), 0, None)
        assert sample.unknown == pytest.approx(costs.dollars)
