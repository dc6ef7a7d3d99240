"""A service that is away for hours costs time, and no job."""

from __future__ import annotations

import pytest

from serverless_tasks.engine.job.record import FAILED, SUCCEEDED
from tests.chaos.conftest import LONG
from tests.chaos.faults import Call, Fault, Kind
from tests.chaos.tasks import HUGE, TASKS, Retried
from tests.chaos.world import World

HOURS = 6 * 3600
KINDS = (Kind.THROTTLED, Kind.REFUSED, Kind.ANSWER_LOST) if LONG else (Kind.THROTTLED,)
PLAN = {"plan": {"1": "tell break", "*": "tell huge"}, "filler": "y" * HUGE}


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_job_outlives_an_outage_of_hours(aws: None, kind: Kind) -> None:
    for call in _calls():
        with World(TASKS, [Fault(call.number, kind, lasting=True, seconds=HOURS)]).running() as world:
            (job,) = world.submit(Retried, PLAN)
            assert job.error is None
            world.drain()
            record = world.verify()[job.uuid]
            assert record is not None
            failure = record.failure and record.failure.type
            # A run whose end cannot be recorded counts as a lost one, and those have a limit.
            ends = [(SUCCEEDED, None), (FAILED, "WorkerLost")]
            assert (record.status, failure) in ends[: 1 + (call.operation == "PutObject")], call


def test_an_outage_is_waited_out_with_ever_fewer_deliveries(aws: None) -> None:
    first = _calls()[0]
    with World(TASKS, [Fault(first.number, Kind.REFUSED, lasting=True, seconds=HOURS)]).running() as world:
        world.submit(Retried, PLAN)
        world.drain()
        receives = [call for call in world.network.calls if call.operation == "ReceiveMessage"]
        assert len(receives) < 40


def _calls() -> list[Call]:
    """The calls of the worker to the table and the bucket."""
    with World(TASKS).running() as world:
        world.submit(Retried, PLAN)
        world.drain()
        calls = [call for call in world.network.calls if call.process == "worker"]
        of_table = [call for call in calls if call.service == "dynamodb"]
        return [of_table[0], of_table[-1], *(call for call in calls if call.service == "s3")]
