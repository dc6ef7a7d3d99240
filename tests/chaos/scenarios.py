"""What people do with jobs, each small enough to fail at every call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.job.record import CANCELLED, FAILED, SUCCEEDED
from tests.chaos.tasks import HUGE, Hurried, Once, Retried, Steps, Unique
from tests.chaos.world import World


@dataclass(frozen=True)
class Scenario:
    """One story.

    Attributes:
        act: tells it; afterwards the queues are drained.
        ends: how its jobs may end when they were sent.
        failures: how many attempts of a job end in an exception that is recorded, whatever else fails.
        runs: how often tasks begin when nothing fails.
        most: how often a job's task may begin at most, whatever fails.
        novel: the operations whose faults no other scenario shows, where the short profile leaves out the rest.
    """

    name: str
    act: Callable[[World], None]
    ends: frozenset[str] = frozenset({SUCCEEDED})
    failures: int = 0
    runs: int = 1
    most: int = 5
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


def _much_later(world: World) -> None:
    world.submit(Steps, {"plan": {}}, delay=86_400, tenant="them")


def _asks_again(world: World) -> None:
    world.submit(Retried, {"plan": {"1": "tell soon", "2": "later", "*": "tell"}})


def _only_once(world: World) -> None:
    world.submit(Once, {"plan": {"*": "tell"}})


def _by_key(world: World) -> None:
    """One click, sent again until it is accepted, and once more afterwards."""
    first = world.submit_until_accepted(Steps, {"plan": {}}, idempotency_key="click", owner="ada")
    world.drain()
    again = world.submit_until_accepted(Steps, {"plan": {}}, idempotency_key="click", owner="ada")
    if first != again:
        world.audit.complain(first, f"the same key gave {again} as well")
    _at_most(world, 1)


def _unique(world: World) -> None:
    """Two callers at once, and a third when the first job has ended."""
    first = world.submit_until_accepted(Unique, {"plan": {}})
    second = world.submit_until_accepted(Unique, {"plan": {}})
    if first != second:
        world.audit.complain(first, f"two live jobs: {second} as well")
    world.drain()
    third = world.submit_until_accepted(Unique, {"plan": {}})
    if third == first:
        world.audit.complain(first, "the lock of a job that has ended was not taken over")
    _at_most(world, 2)


def _at_most(world: World, jobs: int) -> None:
    found = [uuid for uuid in world.table.partitions() if "#" not in uuid]
    if len(found) > jobs:
        world.audit.complain(found[0], f"{len(found)} jobs where there may be {jobs}: {found}")


def _dead_letter(world: World) -> None:
    """A job that is never delivered to a worker."""
    world.submit(Steps, {"plan": {}})
    world.release()


def _untracked(world: World) -> None:
    job = world.submit_surely(Retried, {"plan": {"1": "tell break", "*": "tell"}}, track=False)
    world.drain()
    if "job" in world.audit.items(job.uuid):
        world.audit.complain(job.uuid, "an untracked job's item was kept")


def _untracked_dead_letter(world: World) -> None:
    world.submit(Steps, {"plan": {}}, track=False)
    world.release()


def _untracked_cancelled(world: World) -> None:
    """A job that its handle cancels before it is known."""
    (job,) = world.submit(Steps, {"plan": {}}, delay=60, track=False)
    for held in world.queues["default"].messages:
        if job.error is None:
            world.cancel(job.uuid, message=Message.decode(held.body))


def _deleted(world: World) -> None:
    """A job that is deleted after its end, and delivered once more after that."""
    (job,) = world.submit(Steps, {"plan": {"*": "tell huge"}, "filler": "y" * HUGE})
    bodies = [held.body for held in world.queues["default"].messages]
    world.drain()
    if job.error is None:
        world.delete(job.uuid)
        for body in bodies:
            world.queues["default"].send(body)


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
        novel=("SendMessageBatch", "BatchWriteItem"),
    ),
    Scenario("a delayed job", _delayed),
    Scenario("a job of tomorrow", _much_later),
    Scenario("a task that asks to be run again", _asks_again, failures=2, runs=3),
    Scenario("a task that must not run twice", _only_once, frozenset({SUCCEEDED, FAILED}), most=1),
    Scenario("a submit with a key, repeated", _by_key),
    Scenario("a unique task", _unique, runs=2),
    Scenario("a dead letter", _dead_letter, frozenset({FAILED}), runs=0),
    Scenario("deleted, and delivered late", _deleted),
    Scenario("an untracked job that is retried", _untracked, failures=1, runs=2),
    Scenario("an untracked job's dead letter", _untracked_dead_letter, frozenset({FAILED}), runs=0),
    Scenario(
        "an untracked job, cancelled while it waits", _untracked_cancelled, frozenset({CANCELLED}), runs=0
    ),
)
