"""Every call that a caller, a worker or a dead-letter handler makes fails in every way, one at a time.

`make test` takes of like faults one, and of a long story's calls and faults every third or eighth pair; ``CHAOS=long``
takes all but those that are another one by a different name.
"""

from __future__ import annotations

import pytest

from serverless_tasks.engine.job.record import CANCELLED, SUCCEEDED, Record
from tests.chaos.audit import Violation
from tests.chaos.conftest import LONG
from tests.chaos.faults import BATCHES, Call, Fault, Kind
from tests.chaos.scenarios import Scenario
from tests.chaos.stories import STORIES
from tests.chaos.tasks import TASKS
from tests.chaos.world import World

KILLS = (Kind.KILLED_BEFORE, Kind.KILLED_AFTER)
# A process that is killed makes no other try.
EVERY = tuple(
    Fault(0, kind, lasting) for kind in Kind for lasting in (False, True) if not (lasting and kind in KILLS)
)
# Lasting, a fault reaches the library; once, it is botocore's own retry (or the sender's) that copes with it.
LONG_STORY = 19
VERY_LONG_STORY = 37
SOME = (
    Fault(0, Kind.THROTTLED),
    Fault(0, Kind.ANSWER_LOST),
    Fault(0, Kind.REFUSED, lasting=True),
    Fault(0, Kind.ERROR_APPLIED, lasting=True),
    Fault(0, Kind.LOST, lasting=True),
    Fault(0, Kind.THROTTLED, lasting=True),
    Fault(0, Kind.PART),
    Fault(0, Kind.KILLED_BEFORE),
    Fault(0, Kind.KILLED_AFTER),
)


@pytest.mark.parametrize("fault", EVERY if LONG else SOME, ids=str)
@pytest.mark.parametrize("scenario", STORIES, ids=lambda scenario: scenario.name)
def test_nothing_is_lost_or_done_twice(aws: None, scenario: Scenario, fault: Fault) -> None:
    for call in calls_of(scenario):
        if fits(fault, call) and not is_another(fault, call) and (LONG or tells(scenario, fault, call)):
            fail_at(scenario, call, fault)


@pytest.mark.parametrize("scenario", STORIES, ids=lambda scenario: scenario.name)
def test_without_faults_each_job_is_run_as_often_as_it_must(aws: None, scenario: Scenario) -> None:
    world, _ = tell(scenario)
    assert sum(map(len, world.audit.runs.values())) == scenario.runs


def fail_at(scenario: Scenario, call: Call, fault: Fault) -> None:
    """Tell a story with a fault at one of its calls."""
    here = Fault(call.number, fault.kind, fault.lasting)
    try:
        tell(scenario, here)
    except Violation as error:
        raise Violation(f"call {call.number} ({call.operation}) is {here}:\n{error}") from None


def fits(fault: Fault, call: Call) -> bool:
    """Whether the call can meet such a fault."""
    return fault.kind != Kind.PART or call.operation in BATCHES


def is_another(fault: Fault, call: Call) -> bool:
    """Whether a fault of a worker's call is another fault by a different name.

    A caller is told whether its job was sent for sure. A worker has nobody to tell: a call that was not applied was not
    applied. Being killed before a call is being killed after the one before it.
    """
    alike = (fault.lasting and fault.kind in (Kind.REFUSED, Kind.LOST)) or fault.kind == Kind.KILLED_BEFORE
    return call.process != "site" and alike


def tells(scenario: Scenario, fault: Fault, call: Call) -> bool:
    """Whether a fault of a call tells what no other does."""
    if scenario.novel and call.operation not in scenario.novel:
        return False
    if scenario is not STORIES[0] and call.operation in ("ReceiveMessage", "DeleteMessageBatch"):
        return bool(scenario.novel)  # the poller's own calls are alike in all
    # Of a long story every third pair, each fault at other calls: `make test` has fifteen minutes for everything.
    calls = len(calls_of(scenario))
    stride = 1 if calls < LONG_STORY else 3 if calls < VERY_LONG_STORY else 8
    return (call.number + SOME.index(fault)) % stride == 0


_calls: dict[str, list[Call]] = {}


def calls_of(scenario: Scenario) -> list[Call]:
    """The calls that a scenario makes when nothing fails."""
    if scenario.name not in _calls:
        world, _ = tell(scenario)
        assert all(call.process for call in world.network.calls)
        _calls[scenario.name] = world.network.calls
    return _calls[scenario.name]


def tell(scenario: Scenario, *faults: Fault) -> tuple[World, dict[str, Record | None]]:
    """Tell a story, with faults; drain what it leaves, and see what came of it."""
    with World(TASKS, list(faults)).running() as world:
        scenario.act(world)
        world.drain()
        records = world.verify()
        for job in world.submitted:
            record = records[job.uuid]
            if job.error is None and record is not None:
                check(scenario, world, record, faults)
        world.audit.verify()
        return world, records


def check(scenario: Scenario, world: World, record: Record, faults: tuple[Fault, ...]) -> None:
    complain = world.audit.complain
    ends = scenario.ends
    if world.cancels.get(record.uuid) is not None:
        ends |= {CANCELLED, SUCCEEDED}  # whoever cancelled was not told that it worked
    if record.status not in ends:
        complain(record.uuid, f"ended {record.status} ({record.failure}), not {sorted(ends)}")
    costly = any(fault.lasting or fault.kind in KILLS for fault in faults)
    runs = len(world.audit.runs[record.uuid])
    if runs > scenario.most:
        complain(record.uuid, f"{runs} runs")
    if not costly and runs > max(1, scenario.runs):
        complain(record.uuid, f"a fault that botocore copes with cost a run: {runs} runs")
