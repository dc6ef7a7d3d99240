"""One noisy tenant does not starve the others: SQS's fair queues, which go by the message group that a tenant becomes.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html
"""

from __future__ import annotations

import json
from statistics import mean

import pytest

from serverless_tasks import TaskClient
from serverless_tasks.testing import MovableClock
from tests.chaos.faults import Fault, Kind
from tests.chaos.queues import Queue
from tests.chaos.tasks import TASKS, Retried, Steps
from tests.chaos.world import World

WORKERS = 50
SECONDS = 2
NOISY = 3000
QUIET = ("b", "c", "d")
NOTHING = {"plan": {}}


def test_quiet_tenants_do_not_wait_behind_a_noisy_one(aws: None) -> None:
    with World(TASKS).running() as world:
        dwelt = _work_off(world, tenants=True)
    assert max(dwelt[tenant] for tenant in QUIET) < 10
    assert dwelt["noisy"] > 30


def test_without_tenants_they_wait(aws: None) -> None:
    with World(TASKS).running() as world:
        dwelt = _work_off(world, tenants=False)
    assert min(dwelt[tenant] for tenant in QUIET) > 60


def _work_off(world: World, *, tenants: bool) -> dict[str, float]:
    """Submit a backlog and then a trickle, and work it off; the mean seconds that each tenant's jobs waited."""
    queue = world.queues["default"]
    _submit(world, "noisy", NOISY, tenants)
    waited: dict[str, list[float]] = {tenant: [] for tenant in ("noisy", *QUIET)}
    busy: list[tuple[float, str]] = []
    while queue.messages:
        now = world.clock.now()
        for _, receipt in [done for done in busy if done[0] <= now]:
            queue.delete(receipt)
        busy = [done for done in busy if done[0] > now]
        for held in queue.receive(WORKERS - len(busy)):
            waited[json.loads(held.body)["owner"]].append(now - held.sent)
            busy.append((now + SECONDS, held.receipt))
        if now - world.clock.start in (10, 20, 30):
            for tenant in QUIET:
                _submit(world, tenant, 5, tenants)
        world.clock.move(1)
    return {tenant: mean(seconds) for tenant, seconds in waited.items()}


def _submit(world: World, tenant: str, jobs: int, tenants: bool) -> None:
    """In bulk, as a caller does; the ``job`` items are not of interest here."""
    sender = world.services().queue
    options = {"tenant": tenant} if tenants else {}
    messages = [world.message(Steps, NOTHING, owner=tenant, **options) for _ in range(jobs)]
    assert not any(sender.send(messages))


@pytest.mark.parametrize("jobs", [1, 12])
def test_each_submitted_message_is_of_its_tenants_group(aws: None, jobs: int) -> None:
    with World(TASKS).running() as world:
        world.submit(Steps, *[NOTHING] * jobs, tenant="them")
        assert _groups(world) == ["them"] * jobs


def test_a_retry_is_of_its_tenants_group(aws: None) -> None:
    with World(TASKS).running() as world:
        world.submit(Retried, {"plan": {"1": "fail", "2": "soon"}}, tenant="them")
        groups = set()
        while world.queues["default"].messages:
            groups |= set(_groups(world))
            world.drain(within=0)
            world.clock.move(1)
        assert groups == {"them"}
        assert len(world.audit.runs.popitem()[1]) == 3


def test_a_delayed_job_is_of_its_tenants_group_near_or_far(aws: None) -> None:
    with World(TASKS).running() as world:
        world.submit(Steps, NOTHING, tenant="them", delay=600)
        world.submit(Steps, NOTHING, tenant="them", delay=86_400)
        assert _groups(world) == ["them"]
        world.clock.move(86_400)
        world.scheduler.fire(world.clock.now())
        assert _groups(world) == ["them", "them"]


def test_a_retry_past_what_sqs_holds_back_is_of_its_tenants_group(aws: None) -> None:
    with World(TASKS).running() as world:
        world.submit(Retried, {"plan": {"1": "later"}}, tenant="them")
        world.deliver(world.queues["default"])
        assert _groups(world) == []
        world.clock.move(7201)
        world.scheduler.fire(world.clock.now())
        assert _groups(world) == ["them"]


def test_an_ended_job_that_is_submitted_again_is_of_its_tenants_group(aws: None) -> None:
    with World(TASKS).running() as world:
        (job,) = world.submit(Steps, {"plan": {"*": "fail"}}, tenant="them")
        world.drain()
        with world.process("site") as services:
            TaskClient(services=services).retry(job.uuid)
        assert _groups(world) == ["them"]


def test_a_send_that_is_tried_again_is_of_its_tenants_group(aws: None) -> None:
    with World(TASKS, [Fault(0, Kind.THROTTLED)]).running() as world:
        world.submit(Steps, NOTHING, tenant="them")
        assert _groups(world) == ["them"]


def test_a_tenant_with_a_share_of_what_is_in_flight_is_noisy() -> None:
    """The simulated queue itself: quiet groups first, and of several noisy ones the one with less in flight."""
    queue = Queue("jobs", MovableClock())
    for group, messages in (("a", 60), ("b", 40), ("c", 2)):
        for _ in range(messages):
            queue.send("", group=group)
    first = [held.group for held in queue.receive(100)]
    assert first.count("c") == 2
    assert first[:30] == ["a"] * 30  # until then nobody is noisy
    assert first.count("b") >= 30


def _groups(world: World) -> list[str | None]:
    return [held.group for held in world.queues["default"].messages]
