"""Costs from what workers count of jobs that run, beside the model, and beside row 10 of `make bench`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from unittest import mock
from zlib import compress

import pytest

from benchmarks import deployment
from benchmarks.measure import Case
from benchmarks.null_aws.client import null_aws
from benchmarks.rows.costs import PLAIN, SIZES, Cost
from benchmarks.rows.warm_batch import TASKS
from lambda_handlers import worker
from serverless_tasks import Task
from serverless_tasks.client.operations.cost.costs import TaskCost, costs_of, counted_usage, submitted_usage
from serverless_tasks.client.operations.cost.model import Usage, Workload, dollars, usage_of
from serverless_tasks.client.operations.cost.prices import US_EAST_1
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.job.encoding import encode
from serverless_tasks.engine.store.items import LEVEL
from serverless_tasks.params import StringParameter
from serverless_tasks.workflow import group
from tests.support.billing import consumed
from tests.support.clock import FakeClock

JOBS = 10
clock = FakeClock()


class Text(Task):
    name = "text"
    inputs = {"text": StringParameter()}

    def run(self, text: str) -> None:
        clock.move(0.5)


class Fails(Task):
    name = "fails"

    def run(self) -> None:
        raise ValueError("no")


class Twice(Task):
    name = "twice"
    retries = 1

    def run(self) -> None:
        if self.execution.attempt == 1:
            self.retry(after=0)


class Parent(Task):
    name = "parent"

    def run(self) -> None:
        Text.options(on_commit=False).submit_many([{"text": "x"} for _ in range(3)])
        Text.submit(text="y")


@pytest.fixture
def site(site: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The site with statistics, in a function of 512 MB, whose DynamoDB tells what it bills."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
    for task in (Text, Fails, Twice, Parent):
        site.services.registry.add(task)
    session.client("scheduler").create_schedule_group(Name="group")
    site.services.config = replace(
        site.services.config,
        statistics=True,
        schedule_group="group",
        scheduler_role="arn:aws:iam::123456789012:role/scheduler",
    )
    clock.move(site.services.clock.now() - clock.now())
    site.services.clock = clock
    with consumed():
        yield site
    session.meter(None)


@pytest.fixture
def run(site: Any) -> Callable[..., None]:
    def run(submit: Callable[[], object], batches: int = 1) -> None:
        submit()
        for _ in range(batches):
            assert site.deliver(worker.handler) == []

    return run


def cost_of(site: Any, task: str) -> TaskCost:
    site.services.statistics.flush(last=True)
    now = site.services.clock.ms
    [found] = costs_of(
        site.services.statistics_store, [task], US_EAST_1, since=now - 86_400_000, until=now + 1
    ).tasks
    return found


def counted(site: Any, task: str, jobs: int = JOBS) -> Usage:
    """What a job has asked for; what counting itself took is left out."""
    total = cost_of(site, task).total
    total = replace(total, calls={**total.calls, "statistics_write_units": 0.0})
    return (counted_usage(total) + submitted_usage(total)).times(1 / jobs)


def agrees(usage: Usage, workload: Workload) -> None:
    expected = usage_of(workload)
    for name in ("sqs", "writes", "s3_puts", "s3_gets", "invocations", "schedules"):
        assert getattr(usage, name) == pytest.approx(getattr(expected, name)), name


class TestCountsAgreeWithTheModel:
    @pytest.mark.parametrize("owner", ["7", None])
    @pytest.mark.parametrize("size", [10, 10_000, 100_000])
    @pytest.mark.parametrize("track", [True, False])
    def test_jobs(self, site: Any, run: Any, size: int, track: bool, owner: str | None) -> None:
        task = Text.options(owner=owner, track=track)
        run(lambda: [task.submit(text="x" * size) for _ in range(JOBS)])
        workload = Workload(jobs=1, inputs=size + 11, track=track, owner=owner is not None)
        agrees(counted(site, "text"), workload)

    def test_jobs_whose_inputs_are_compressed(self, site: Any, run: Any) -> None:
        site.services.config = replace(site.services.config, compress_inputs=True)
        text = "".join(f"{number} and " for number in range(2_000))
        run(lambda: [Text.options(owner="7").submit(text=text) for _ in range(JOBS)])
        packed = len(compress(encode({"text": text}).encode(), LEVEL)) / (len(text) + 11)
        agrees(counted(site, "text"), Workload(jobs=1, inputs=len(text) + 11, compressed=packed))
        assert counted(site, "text").writes < 12

    def test_jobs_that_fail(self, site: Any, run: Any) -> None:
        run(lambda: [Fails.options(owner="7").submit() for _ in range(JOBS)])
        agrees(counted(site, "fails"), Workload(jobs=1, inputs=2, failures=1, traceback=500))

    def test_jobs_that_are_run_twice(self, site: Any, run: Any) -> None:
        run(lambda: [Twice.options(owner="7").submit() for _ in range(JOBS)], batches=2)
        agrees(counted(site, "twice"), Workload(jobs=1, inputs=2, retries=1, traceback=500))

    def test_members_of_a_group_without_what_is_the_groups_own(self, site: Any, run: Any) -> None:
        members = group(Text.signature(text="x") for _ in range(50)).options(owner="7")
        run(members.submit, batches=5)
        usage = counted(site, "text", 50)
        expected = usage_of(Workload(jobs=1, inputs=12, group=50, seconds=0.5))
        assert usage.sqs == pytest.approx(expected.sqs - 3 / 50)
        assert usage.writes == pytest.approx(expected.writes, abs=6 / 50)

    def test_the_time_of_the_function(self, site: Any, run: Any) -> None:
        run(lambda: [Text.submit(text="x") for _ in range(JOBS)])
        cost = cost_of(site, "text")
        assert cost.total.gb_seconds == pytest.approx(JOBS * 0.5 * 512 / 1024)
        assert cost.time == pytest.approx(2.5 * US_EAST_1.lambda_gb_second)


class TestRow10:
    @pytest.mark.parametrize("size", SIZES.values())
    @pytest.mark.parametrize(("kind", "track"), [("tracked", True), ("untracked", False)])
    def test_counts_agree_without_a_fault(
        self, site: Any, run: Any, size: int, kind: str, track: bool
    ) -> None:
        run(lambda: [Text.options(owner="7", track=track).submit(text="x" * size) for _ in range(JOBS)])
        usage = counted(site, "text")
        with null_aws() as aws:
            environment = deployment.environment(aws, TASKS) | PLAIN
            told = Case(("benchmarks.cases.costs", kind, "text", str(size)), environment).run()
        row = Cost.of(told, deletes=1 / JOBS, updates=0)
        assert usage.writes == row.units
        ours = sum(dollars(usage, US_EAST_1)[name] for name in ("SQS", "DynamoDB", "S3"))
        assert ours * 1_000_000 == pytest.approx(row.dollars, rel=0.01)


class TestEachCallIsCountedOnce:
    def test_what_a_task_submits_is_the_cost_of_what_it_submits(self, site: Any, run: Any) -> None:
        run(Parent.submit)
        assert len(site.event()["Records"]) == 4
        agrees(counted(site, "parent", 1), Workload(jobs=1, inputs=2, owner=False, batch=1))

    def test_a_job_that_is_due_late_is_sent_by_the_scheduler(self, site: Any, message: Any) -> None:
        created = site.services.clock.ms - 7_200_000
        expires = created + 7_200_000 + 345_600_000 + 86_400_000
        site.put(replace(message("text", text="x"), created=created, expires=expires).encode())
        site.deliver(worker.handler)
        assert counted(site, "text", 1).schedules == 1

    def test_the_time_of_an_arm64_function_has_its_own_price(
        self, site: Any, run: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with mock.patch("os.uname", return_value=mock.Mock(machine="aarch64")):
            site.services.statistics  # noqa: B018 - it is made
        run(lambda: Text.submit(text="x"))
        cost = cost_of(site, "text")
        assert cost.total.calls["arm_gb_seconds"] == cost.total.gb_seconds > 0
        assert cost.time == pytest.approx(cost.total.gb_seconds * US_EAST_1.lambda_gb_second_arm)
        assert cost.running["Lambda"] == pytest.approx(cost.time + US_EAST_1.lambda_requests / 1e6)
