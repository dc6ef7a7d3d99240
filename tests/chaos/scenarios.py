"""What people do with jobs, each small enough to fail at every call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

from serverless_tasks.record import CANCELLED, FAILED, SUCCEEDED
from tests.chaos.tasks import HUGE, Hurried, Retried, Steps
from tests.chaos.world import World


@dataclass(frozen=True)
class Scenario:
    """One story.

    Attributes:
        act: tells it; afterwards the queues are drained.
        ends: how its jobs may end when they were sent.
        failures: how many attempts of a job end in an exception that is recorded, whatever else fails.
        runs: how often tasks begin when nothing fails.
        novel: the operations whose faults no other scenario shows, where the short profile leaves out the rest.
    """

    name: str
    act: Callable[[World], None]
    ends: frozenset[str] = frozenset({SUCCEEDED})
    failures: int = 0
    runs: int = 1
    novel: tuple[str, ...] = ()


def _plain(world: World) -> None:
    world.submit(Steps, {"plan": {}})


def _surely(world: World) -> None:
    world.submit_surely(Steps, {"plan": {}})


def _progress(world: World) -> None:
    world.submit(Steps, {"plan": {"*": "tell tell tell"}})


def _large(world: World) -> None:
    world.submit(Steps, {"plan": {"*": "large"}})


def _huge(world: World) -> None:
    world.submit(Steps, {"plan": {"*": "tell huge"}, "filler": "y" * HUGE})


def _fail(world: World) -> None:
    world.submit(Steps, {"plan": {"*": "tell fail"}})


def _retry(world: World) -> None:
    world.submit(Retried, {"plan": {"1": "tell break", "2": "break", "*": "tell"}})


def _retry_in_vain(world: World) -> None:
    world.submit(Retried, {"plan": {"*": "fail"}})


def _time_out(world: World) -> None:
    world.submit(Hurried, {"plan": {"*": "hang"}})


def _cancel_pending(world: World) -> None:
    (job,) = world.submit(Steps, {"plan": {}}, delay=60)
    if job.error is None:
        world.cancel(job.uuid)


def _cancel_running(world: World) -> None:
    world.submit(Steps, {"plan": {"*": "tell cancel tell listen tell"}})


def _duplicate(world: World) -> None:
    world.submit(Steps, {"plan": {"*": "tell duplicate tell"}})


def _overrun(world: World) -> None:
    world.submit(Steps, {"plan": {"1": "tell overrun tell", "*": "tell"}})


def _overrun_and_fail(world: World) -> None:
    world.submit(Retried, {"plan": {"1": "tell overrun fail", "*": "tell"}})


def _batch(world: World) -> None:
    """Good jobs beside one that fails, one that nobody can read, and one of a task that is not deployed."""
    world.submit(Steps, {"plan": {}}, {"plan": {"*": "fail"}}, {"plan": {"*": "tell"}})
    body = f"not a job of ours: {uuid4()}"
    world.unreadable.append(body)
    world.queues["default"].send(body)


def _bulk(world: World) -> None:
    world.submit(Steps, *({"plan": {}} for _ in range(12)))


def _delayed(world: World) -> None:
    world.submit(Steps, {"plan": {}}, delay=600)


SCENARIOS = (
    Scenario("one job", _plain),
    Scenario("one job, submitted until it is sure", _surely),
    Scenario("progress and messages", _progress),
    Scenario("outputs in an item", _large),
    Scenario("inputs and outputs in the bucket", _huge),
    Scenario("a failing task", _fail, frozenset({FAILED}), failures=1),
    Scenario("a task that fails twice and then succeeds", _retry, failures=2, runs=3),
    Scenario("a task that fails at every attempt", _retry_in_vain, frozenset({FAILED}), failures=3, runs=3),
    Scenario("a task that runs too long", _time_out, frozenset({FAILED}), failures=1),
    Scenario("cancelled while it waits", _cancel_pending, frozenset({CANCELLED}), runs=0),
    Scenario("cancelled while it runs", _cancel_running, frozenset({CANCELLED})),
    Scenario("delivered twice while it runs", _duplicate),
    Scenario("a worker that wakes after its lease", _overrun, runs=2),
    Scenario("a worker that wakes after its lease and fails", _overrun_and_fail, runs=2),
    Scenario("a batch with bad ones", _batch, frozenset({SUCCEEDED, FAILED}), runs=3),
    Scenario(
        "twelve jobs at once",
        _bulk,
        runs=12,
        novel=("SendMessageBatch", "BatchWriteItem", "DeleteMessageBatch"),
    ),
    Scenario("a delayed job", _delayed),
)
