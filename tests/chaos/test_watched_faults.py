"""Workers that count what they do and look at what is paused: no fault of these calls is a job's.

The stories of `test_single_faults`, and every fault at each call that is made for statistics and for pauses alone.
"""

from __future__ import annotations

import pytest

from serverless_tasks.engine.job.record import Record
from tests.chaos.audit import Violation
from tests.chaos.conftest import LONG
from tests.chaos.dynamodb import WATCHING
from tests.chaos.faults import Call, Fault, Kind
from tests.chaos.scenarios import SCENARIOS, Scenario
from tests.chaos.tasks import TASKS
from tests.chaos.test_single_faults import EVERY, KILLS, SOME, check
from tests.chaos.world import World

# Milliseconds: one pause before botocore's second try.
LATE = 1_000


@pytest.mark.parametrize("fault", EVERY if LONG else SOME, ids=str)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_no_fault_of_watching_is_a_jobs(aws: None, scenario: Scenario, fault: Fault) -> None:
    calls, records = calls_of(scenario)
    for call in calls:
        if fault.kind == Kind.PART or not call.about.startswith(WATCHING):
            continue
        try:
            now = tell(scenario, Fault(call.number, fault.kind, fault.lasting))[1]
            if fault.kind not in KILLS:
                compare(scenario, now, records)
        except Violation as error:
            raise Violation(
                f"call {call.number} ({call.operation} of {call.about}) is {fault}:\n{error}"
            ) from None


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_each_story_is_watched(aws: None, scenario: Scenario) -> None:
    calls, _ = calls_of(scenario)
    about = {call.about.partition("#")[0] for call in calls}
    assert "stats" in about
    assert not scenario.runs or "control" in about


_told: dict[str, tuple[list[Call], list[Record | None]]] = {}


def calls_of(scenario: Scenario) -> tuple[list[Call], list[Record | None]]:
    """The calls that a scenario makes when nothing fails, and what comes of its jobs."""
    if scenario.name not in _told:
        world, records = tell(scenario)
        _told[scenario.name] = world.network.calls, records
    return _told[scenario.name]


def compare(scenario: Scenario, now: list[Record | None], before: list[Record | None]) -> None:
    """See that each job ends as it does without the fault, in the same attempt, and hardly later."""
    for record, usual in zip(now, before, strict=True):
        if record is None or usual is None or record.finished is None or usual.finished is None:
            assert (record is None) == (usual is None)
            continue
        if (record.status, record.attempt) != (usual.status, usual.attempt):
            raise Violation(f"{record}, and not {usual}")
        late = (record.finished - record.created) - (usual.finished - usual.created)
        # The pauses between attempts are of chance.
        if late > LATE and not scenario.failures:
            raise Violation(f"it ends {late} ms later")


def tell(scenario: Scenario, *faults: Fault) -> tuple[World, list[Record | None]]:
    """Tell a story to workers that watch, with faults; drain what it leaves, and see what came of it."""
    with World(TASKS, list(faults), watched=True).running() as world:
        scenario.act(world)
        world.drain()
        records = world.verify()
        for job in world.submitted:
            record = records[job.uuid]
            if job.error is None and record is not None:
                check(scenario, world, record, faults)
        world.audit.verify()
        return world, [records[job.uuid] for job in world.submitted]
