"""The cost of the run's jobs, reckoned from their records, and what is not in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from infra.smoke.checks import GROUP, MEMBERS, SUM
from infra.smoke.tasks import LoseWorker, Square, Tick, Total
from serverless_tasks.client.operations.cost.estimate import estimate_of
from serverless_tasks.client.operations.cost.model import Workload
from serverless_tasks.client.operations.cost.prices import US_EAST_1

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.smoke.stack import Stack
    from infra.smoke.step import Script
    from serverless_tasks.engine.job.record import Record

NOT_INCLUDED: Final = (
    "Not in the cost: alarms and the dashboard for as long as they stood (less than a cent an hour), polls of empty"
    " queues, storage, traces, the upload of the artefact, and what this test itself read."
)
# Dollars that a run costs at most, with all that is not in the bill.
AT_MOST: Final = 0.05


def cost(stack: Stack) -> Script:
    """Reckon what the jobs of the run have cost by list price."""
    yield
    tasks = [SUM, GROUP, *(task.name for task in (LoseWorker, Square, Tick, Total))]
    records = list(stack.client.list(tasks=tasks))
    total = dollars(records)
    there = "" if stack.region == US_EAST_1.region else f", though the stack is in {stack.region}"
    return f"${total:.5f} for {len(records)} jobs at list prices of {US_EAST_1.region} of {US_EAST_1.date}{there}"


def dollars(records: Iterable[Record]) -> float:
    """Return what jobs have cost: each as a batch of its own, which is the most."""
    return sum(estimate_of(_workload(record), US_EAST_1).a_month for record in records)


def _workload(record: Record) -> Workload:
    ran = ((record.finished or 0) - record.started) / 1000 if record.started and record.finished else 0.0
    return Workload(
        jobs=1,
        seconds=max(0.0, ran),
        batch=1,
        retries=max(0, record.attempt - 1),
        group=MEMBERS if record.group else 0,
        owner=False,
    )
