"""Several faults in one story, drawn from a seed; a failure names the seed that repeats it.

``CHAOS=long`` draws more; ``CHAOS_SEED`` draws one.
"""

from __future__ import annotations

import os
import random

import pytest

from serverless_tasks.engine.job.record import Record
from tests.chaos.audit import Violation
from tests.chaos.conftest import LONG
from tests.chaos.faults import Fault, Kind
from tests.chaos.scenarios import Scenario
from tests.chaos.stories import STORIES
from tests.chaos.tasks import TASKS
from tests.chaos.test_single_faults import calls_of
from tests.chaos.world import World

SEEDS = [int(os.environ["CHAOS_SEED"])] if "CHAOS_SEED" in os.environ else range(500 if LONG else 60)
KINDS = [kind for kind in Kind if kind != Kind.PART]


@pytest.mark.parametrize("block", range(10))
def test_nothing_is_lost_whatever_comes_together(aws: None, block: int) -> None:
    for seed in SEEDS[block::10]:
        try:
            tell_seed(seed)
        except Violation as error:
            raise Violation(f"repeat it with CHAOS_SEED={seed}:\n{error}") from None


def tell_seed(seed: int) -> None:
    """Tell a story with the faults that a seed draws."""
    draw = random.Random(seed)
    scenario = draw.choice(STORIES)
    faults = _draw(draw, scenario)
    try:
        with World(TASKS, faults, seed).running() as world:
            scenario.act(world)
            for _ in range(draw.randrange(3)):
                _disturb(world, draw)
            world.drain()
            for record in world.verify().values():
                _check(scenario, world, record)
            world.audit.verify()
    except Violation as error:
        story = "".join(f"\n  at call {fault.at}: {fault}" for fault in faults)
        raise Violation(f"{scenario.name}{story}\n{error}") from None


def _draw(draw: random.Random, scenario: Scenario) -> list[Fault]:
    calls = len(calls_of(scenario)) + 4
    return [
        Fault(
            draw.randrange(calls),
            draw.choice(KINDS),
            lasting=draw.random() < 0.5,
            seconds=draw.choice((0, 0, 0, 5, 60, 1500)),
        )
        for _ in range(draw.randint(2, 5))
    ]


def _disturb(world: World, draw: random.Random) -> None:
    """What a queue may do of its own: deliver twice, in another order, late."""
    queue = world.queues["default"]
    if not queue.messages:
        return
    held = draw.choice(queue.messages)
    match draw.randrange(4):
        case 0:
            queue.duplicate(held)
            world.deliver(queue)
        case 1:
            draw.shuffle(queue.messages)
        case 2:
            queue.send(held.body, group=held.group)
        case _:
            world.clock.move(draw.choice((1, 130, 3600)))


def _check(scenario: Scenario, world: World, record: Record | None) -> None:
    if record is None:
        return
    runs = len(world.audit.runs[record.uuid])
    # The first run, its retries, four lost ones; a release that fails adds to neither.
    if scenario.most < 5 and runs > scenario.most:
        world.audit.complain(record.uuid, f"{runs} runs of a task that must not run twice")
    ended_by_itself = record.failure is not None and record.failure.type in ("TaskError", "RuntimeError")
    if (
        ended_by_itself
        and not scenario.failures
        and "fail" not in scenario.name
        and "bad" not in scenario.name
    ):
        world.audit.complain(record.uuid, f"failed with {record.failure}")
