"""What people do with groups and chains, each small enough to fail at every call."""

from __future__ import annotations

from typing import Any

from serverless_tasks.engine.job.place import member_id
from serverless_tasks.engine.job.record import CANCELLED, FAILED, SUCCEEDED
from serverless_tasks.workflow import Group, chain, group, results
from tests.chaos.scenarios import Scenario
from tests.chaos.tasks import HUGE, Gather, Retried, Steps, Unique
from tests.chaos.world import World

GATHER = Gather.signature(runs=results["run"])


def steps(*plans: str, **options: Any) -> list[Any]:
    return [Steps.options(**options).signature(plan={"*": plan}) for plan in plans]


def followed(*plans: str, on: str = "success", **options: Any) -> Group:
    return group(steps(*plans, **options)).then(GATHER, on=on)


def _group(world: World) -> None:
    world.submit_group(followed("", "", ""))


def _surely(world: World) -> None:
    world.submit_group_surely(followed("", ""))


def _failing(world: World) -> None:
    world.submit_group(followed("", "fail", on="end"))


def _failing_alone(world: World) -> None:
    world.submit_group(followed("fail", ""))


def _retried(world: World) -> None:
    members = [Retried.signature(plan={"1": "break", "*": "tell"}), *steps("")]
    world.submit_group(group(members).then(GATHER))


def _empty(world: World) -> None:
    world.submit_group(group([]).then(GATHER))


def _chain(world: World) -> None:
    world.submit_group(chain(steps("", "tell", "")))


def _broken_chain(world: World) -> None:
    world.submit_group(chain(steps("", "fail", "")))


def _nested(world: World) -> None:
    world.submit_group(group(group(steps("", "")), chain(steps("", ""))).then(Steps.signature(plan={})))


def _continued_by_a_group(world: World) -> None:
    world.submit_group(followed("", "").then(group(steps("", ""))))


def _large(world: World) -> None:
    """The plan and the inputs of what follows lie in the bucket."""
    world.submit_group(group(steps("")).then(Steps.signature(plan={}, filler="y" * HUGE)))


def _cancelled(world: World) -> None:
    job = world.submit_group(followed("", "", delay=600))
    if job.error is None:
        world.cancel(job.uuid)


def _cancelled_while_it_runs(world: World) -> None:
    """A member cancels the group that it is in; the other has not begun."""
    job = world.submit_group(group([*steps("cancel_group tell listen"), *steps("", delay=600)]).then(GATHER))
    world.cancels.setdefault(job.uuid, None)


def _stopped_by_a_failure(world: World) -> None:
    members = [*steps("fail"), *steps("", "", delay=600)]
    world.submit_group(group(members, cancel_on_failure=True).then(GATHER))


def _member_cancelled(world: World) -> None:
    job = world.submit_group(followed("", "", on="end", delay=600))
    if job.error is None:
        world.cancel(member_id(job.uuid, 0))


def _dead_letters(world: World) -> None:
    world.submit_group(followed("", "", on="end"))
    world.release()


def _swept(world: World) -> None:
    """The messages of two members are lost: the deadline sees it."""
    world.submit_group(followed("", "", "", on="end"))
    queue = world.queues["default"]
    queue.messages = queue.messages[:1]


def _late(world: World) -> None:
    """A member runs past the deadline of its group, and is lost there."""
    members = [Steps.signature(plan={"1": "tell overrun", "*": ""}), *steps("")]
    world.submit_group(group(members, deadline=60).then(GATHER, on="end"))


def _member_deleted(world: World) -> None:
    job = world.submit_group(group([*steps(""), *steps("", delay=600)]).then(GATHER, on="end"))
    world.drain(within=500)
    member = member_id(job.uuid, 0)
    record = world.read(member)
    if job.error is None and record is not None and record.ended:
        world.delete(member)


def _deleted(world: World) -> None:
    job = world.submit_group(group(steps("", "")))
    bodies = [held.body for held in world.queues["default"].messages]
    world.drain(within=60)
    record = world.read(job.uuid)
    if job.error is None and record is not None and record.ended:
        world.delete(job.uuid)
        world.deleted |= {member_id(job.uuid, index) for index in range(2)}
        for body in bodies:
            world.queues["default"].send(body)


def _unique(world: World) -> None:
    """Of two members with the same inputs one follows the other."""
    same = Unique.signature(plan={})
    world.submit_group(group(same, same))


ANY = frozenset({SUCCEEDED, FAILED, CANCELLED})
GROUPS = (
    Scenario("a group and what follows", _group, runs=4),
    Scenario("a group, submitted until it is sure", _surely, runs=3),
    Scenario("a group with a failing member, followed in any case", _failing, frozenset({FAILED}), runs=3),
    Scenario("a group with a failing member", _failing_alone, frozenset({FAILED}), runs=2),
    Scenario("a group with a member that is retried", _retried, failures=1, runs=4),
    Scenario("an empty group", _empty, runs=1),
    Scenario("a chain", _chain, runs=3),
    Scenario("a chain that breaks", _broken_chain, frozenset({FAILED}), failures=1, runs=2),
    Scenario("a group of a group and a chain", _nested, runs=5),
    Scenario("a group that a chain with a group follows", _continued_by_a_group, runs=5),
    Scenario("a group whose plan is in the bucket", _large, runs=2),
    Scenario("a cancelled group", _cancelled, frozenset({CANCELLED}), runs=0),
    Scenario("a group that its own member cancels", _cancelled_while_it_runs, frozenset({CANCELLED}), runs=1),
    Scenario("a group that a failure stops", _stopped_by_a_failure, frozenset({FAILED}), runs=1),
    Scenario("a group with a cancelled member", _member_cancelled, ANY, runs=2),
    Scenario("a group of dead letters", _dead_letters, frozenset({FAILED}), runs=1),
    Scenario("a group whose messages are lost", _swept, frozenset({FAILED}), runs=2),
    Scenario("a group with a member that outruns the deadline", _late, ANY, runs=2),
    Scenario("a group with a deleted member", _member_deleted, ANY, runs=3),
    Scenario("a deleted group, delivered late", _deleted, runs=2),
    Scenario("a group with two unique members of the same inputs", _unique, runs=1),
)
