"""The model of costs, beside what is counted of jobs that run and what row 10 of `make bench` counts."""

from __future__ import annotations

import io
import json
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from benchmarks import deployment
from benchmarks.cases.people import records
from benchmarks.cases.tasks import People
from benchmarks.measure import Case
from benchmarks.null_aws.client import null_aws
from benchmarks.rows.costs import PLAIN, PRICES, SIZES, Cost
from benchmarks.rows.warm_batch import TASKS
from lambda_handlers import telemetry, worker
from serverless_tasks import Task
from serverless_tasks.client.operations.cost.model import Usage, Workload, dollars, usage_of
from serverless_tasks.client.operations.cost.prices import US_EAST_1
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.job.encoding import encode
from serverless_tasks.params import StringParameter
from serverless_tasks.workflow import group
from tests.support.billing import CHUNK, billed
from tests.support.clock import FakeClock

JOBS = 10


class Text(Task):
    name = "text"
    inputs = {"text": StringParameter()}

    def run(self, text: str) -> None:
        return None


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


@pytest.fixture
def counted(site: Any) -> Callable[..., Counter[str]]:
    """Submit jobs and have them run; counts what is billed, what Lambda asks of SQS included."""
    for task in (Text, Fails, Twice, People):
        site.services.registry.add(task)
    session.client("scheduler").create_schedule_group(Name="group")
    role = "arn:aws:iam::123456789012:role/scheduler"
    site.services.config = replace(site.services.config, schedule_group="group", scheduler_role=role)
    site.services.clock = FakeClock(site.services.clock.now())

    def count(submit: Callable[[], object], batches: int = 1) -> Counter[str]:
        with billed() as counts:
            submit()
            for _ in range(batches):
                assert site.deliver(worker.handler) == []
                sizes = [len(message["Body"]) for message in site.delivered]
                assert len(sizes) == JOBS
                counts["sqs"] += math.ceil(sum(sizes) / CHUNK) + 1  # received and deleted
        return counts

    return count


def of_jobs(workload: Workload, jobs: int = JOBS) -> Usage:
    return usage_of(replace(workload, seconds=0.1)).times(jobs)


def agrees(workload: Workload, counts: Counter[str], jobs: int = JOBS) -> None:
    usage = of_jobs(workload, jobs)
    assert (usage.writes, usage.sqs) == pytest.approx((counts["writes"], counts["sqs"]))


@pytest.mark.parametrize("owner", ["7", None])
@pytest.mark.parametrize("size", [10, 10_000])
@pytest.mark.parametrize("track", [True, False])
def test_jobs(counted: Any, size: int, track: bool, owner: str | None) -> None:
    task = Text.options(owner=owner, track=track)
    counts = counted(lambda: [task.submit(text="x" * size) for _ in range(JOBS)])
    agrees(Workload(jobs=1, inputs=size + 11, track=track, owner=owner is not None), counts)


def test_jobs_whose_inputs_are_compressed(counted: Any, site: Any) -> None:
    site.services.config = replace(site.services.config, compress_inputs=True)
    people = records(10_000)
    size = len(encode({"people": people}).encode())
    counts = counted(lambda: [People.options(owner="7").submit(people=people) for _ in range(JOBS)])
    assert counts["writes"] == 7 * JOBS
    agrees(Workload(jobs=1, inputs=size, compressed=0.25), counts)


def test_jobs_of_several_requests_of_sqs(counted: Any) -> None:
    counts = counted(lambda: [Text.submit(text="x" * 100_000) for _ in range(JOBS)])
    agrees(Workload(jobs=1, inputs=100_011, owner=False), counts)


def test_jobs_that_fail(counted: Any) -> None:
    counts = counted(lambda: [Fails.options(owner="7").submit() for _ in range(JOBS)])
    agrees(Workload(jobs=1, inputs=2, failures=1, traceback=500), counts)


def test_jobs_that_are_run_twice(counted: Any) -> None:
    counts = counted(lambda: [Twice.options(owner="7").submit() for _ in range(JOBS)], batches=2)
    agrees(Workload(jobs=1, inputs=2, retries=1, traceback=500), counts)


@pytest.mark.parametrize("total", [10, 50, 200])
def test_members_of_a_group(counted: Any, total: int) -> None:
    members = group(Text.signature(text="x") for _ in range(total)).options(owner="7")
    counts = counted(members.submit, batches=total // JOBS)
    counts["sqs"] += 3  # the message that sees to the group at its deadline
    workload = Workload(jobs=1, inputs=12, group=total)
    agrees(workload, counts, total)
    usage = of_jobs(workload, total)
    assert usage.schedules == pytest.approx(counts["schedules"])
    # The clock stands still, so that the process looks at the group's mark once.
    reads = usage_of(replace(workload, seconds=0)).times(total).reads
    assert reads == pytest.approx(counts["half reads"] / 2)


def test_logs(site: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    lines = io.StringIO()
    monkeypatch.setattr(telemetry.logger.registered_handler, "stream", lines)
    site.services.registry.add(Text)
    Text.submit_many([{"text": "x"} for _ in range(JOBS)])
    capsys.readouterr()
    site.deliver(worker.handler)
    events = [*lines.getvalue().splitlines(), *capsys.readouterr().out.splitlines()]
    # 26 bytes for each event (https://aws.amazon.com/cloudwatch/pricing/), and Lambda's own three lines.
    logged = sum(len(event) + 26 for event in events) + 450
    assert len(events) == JOBS + 1
    assert of_jobs(Workload(jobs=1)).logs == pytest.approx(logged, rel=0.25)


def test_row_10_of_the_benchmarks() -> None:
    with null_aws() as aws:
        environment = deployment.environment(aws, TASKS) | PLAIN
        for kind, track in (("tracked", True), ("untracked", False)):
            for size in SIZES.values():
                told = Case(("benchmarks.cases.costs", kind, "text", str(size)), environment).run()
                cost = Cost.of(told, deletes=1 / JOBS, updates=0)
                usage = usage_of(Workload(jobs=1, inputs=size + 11, track=track))
                assert usage.writes == cost.units, (kind, size)
                billed_of = dollars(usage, US_EAST_1)
                ours = sum(billed_of[name] for name in ("SQS", "DynamoDB", "S3"))
                assert ours * 1_000_000 == pytest.approx(cost.dollars, rel=0.01), (kind, size)


def test_row_10_has_the_same_prices() -> None:
    assert {
        "sqs": US_EAST_1.sqs_requests,
        "units": US_EAST_1.dynamodb_writes,
        "half reads": US_EAST_1.dynamodb_reads / 2,
        "s3_puts": US_EAST_1.s3_puts,
        "s3_gets": US_EAST_1.s3_gets,
    } == PRICES


def test_the_functions_own_time() -> None:
    workload = Workload(jobs=1, seconds=2, memory=512, batch=10)
    usage = usage_of(workload)
    assert usage.invocations == 0.1
    assert usage.gb_seconds == pytest.approx(1.0, rel=0.02)
    assert usage_of(Workload(jobs=1, seconds=2, memory=1024, retries=1)).gb_seconds == pytest.approx(
        4, rel=0.02
    )
    arm, x86 = (dollars(usage_of(replace(workload, arm=arm)), US_EAST_1)["Lambda"] for arm in (True, False))
    assert 0.79 < arm / x86 < 0.82


def test_everything_that_is_used_has_a_price() -> None:
    for name in (
        "sqs",
        "writes",
        "reads",
        "s3_puts",
        "s3_gets",
        "invocations",
        "gb_seconds",
        "logs",
        "schedules",
    ):
        assert sum(dollars(Usage(**{name: 1e6}), US_EAST_1).values()) > 0, name
    assert json.dumps(dollars(Usage(), US_EAST_1))
