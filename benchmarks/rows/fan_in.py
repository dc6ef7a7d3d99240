"""Row 13: members of a group beside plain jobs, and beside the parts of Celery's chord on SQS and DynamoDB."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any, Final

from benchmarks import deployment
from benchmarks.cases.fan_in import CHORD, GROUP, RECORDS, TOTAL
from benchmarks.measure import Case, Comparison, Spread, compare, steps
from benchmarks.null_aws.client import null_aws
from benchmarks.rows.warm_batch import LATENCY, TASKS
from serverless_tasks.engine.aws.dynamodb.expressions import to_dynamodb
from serverless_tasks.engine.job.message import OPEN, Message
from serverless_tasks.engine.job.plan import Plan
from serverless_tasks.engine.store.groups import group_state
from serverless_tasks.local.environment import process_environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.null_aws.client import NullAws

ROUNDS: Final = 3
# Of ten members each, after one that is not counted: the last of them fills the item that counts two hundred.
BATCHES: Final = 20
WARM: Final = 1
# What a member may add to a batch: its count, and a look a second at whether the group was cancelled.
MORE_CALLS: Final = 2
GROUPS: Final = 300
SIZE: Final = 10
CRASHES: Final = GROUPS * SIZE // 100
SEED: Final = 1
# The whole environment of groups whose AWS is in memory: nobody listens there.
IN_MEMORY: Final = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "POWERTOOLS_LOG_LEVEL": "CRITICAL",
    "SERVERLESS_TASKS_MODULES": "benchmarks.crashes.tasks",
    "SERVERLESS_TASKS_TABLE": "tasks",
    "SERVERLESS_TASKS_QUEUE_URLS": '{"default": "http://127.0.0.1:9/123456789012/tasks-default"}',
    "SERVERLESS_TASKS_DEAD_LETTER_QUEUE_URL": "http://127.0.0.1:9/123456789012/dead",
    "SERVERLESS_TASKS_SCHEDULE_GROUP": "tasks",
    "SERVERLESS_TASKS_SCHEDULER_ROLE": "arn:aws:iam::123456789012:role/scheduler",
}


def measure() -> list[Comparison]:
    """Time and calls of a member, and what became of what follows the groups where workers die."""
    return [*_members(), _calls(), *_crashes()]


def _members() -> list[Comparison]:
    with null_aws(LATENCY) as aws:
        environment = deployment.environment(aws, TASKS)
        cases = {
            name: steps(f"fan_in:{name}", BATCHES, environment, warm=WARM)
            for name in ("members", "jobs", "chord")
        }
        told = [{name: _run(aws, case) for name, case in cases.items()} for _ in range(ROUNDS)]
    members, jobs, chord = ([each[name] for each in told] for name in ("members", "jobs", "chord"))
    measure = "a member of a group, 5 ms a call, a task of 20 ms, wall"
    return [
        compare(13, measure, "wall", members, jobs, named="a plain job", goal=1.05, per=RECORDS),
        _more_calls(members, jobs),
        compare(13, measure, "wall", members, chord, named="a part of Celery's chord", goal=1.0, per=RECORDS),
    ]


def _run(aws: NullAws, case: Case) -> dict[str, Any]:
    """Run a case with the group as it is when it was submitted; tells the calls of a batch as well."""
    now = 1_790_000_000_000
    message = Message(uuid=GROUP, task="group", created=now, expires=2 * now, workflow=OPEN)
    state = group_state(message, Plan(total=TOTAL), now=now, deadline=2 * now)
    aws.holds([to_dynamodb(state)])
    aws.counts()
    told = case.run()
    calls = sum(counted[0] for counted in aws.counts().values())
    return {**told, "calls": calls / (BATCHES + WARM)}


def _more_calls(members: Sequence[Mapping[str, float]], jobs: Sequence[Mapping[str, float]]) -> Comparison:
    ours, plain = (statistics.median(told["calls"] for told in side) for side in (members, jobs))
    return Comparison(
        13,
        "calls of a batch of ten members",
        f"{ours:.1f}",
        f"of ten plain jobs: {plain:.1f}",
        Spread.of([ours / plain]),
        f"<= {MORE_CALLS} more",
        ours - plain <= MORE_CALLS,
    )


def _calls() -> Comparison:
    """All calls of one group, from its submission to the end of what follows it."""
    ours, theirs = (_deaths(side, 1, CHORD, 0)["calls"] / CHORD for side in ("ours", "celery"))
    ratio = ours / theirs
    return Comparison(
        13,
        f"calls of a group of {CHORD}, a member, all in all",
        f"{ours:.1f}",
        f"Celery's chord: {theirs:.1f}",
        Spread.of([ratio]),
        "< 1",
        ratio < 1,
    )


def _crashes() -> list[Comparison]:
    """What became of many small groups where one worker in a hundred tasks dies at a call."""
    ours = _deaths("ours", GROUPS, SIZE, CRASHES)
    peers = {"task_acks_late": "celery", "its defaults": "celery-early"}
    return [
        Comparison(
            13,
            f"what follows {GROUPS} groups of {SIZE}, {CRASHES} workers die",
            _fates(ours),
            f"Celery's chord, {named}: {_fates(_deaths(side, GROUPS, SIZE, CRASHES))}",
            None,
            "none early or lost",
            ours["early"] == ours["lost"] == 0,
        )
        for named, side in peers.items()
    ]


def _deaths(side: str, groups: int, size: int, crashes: int) -> dict[str, Any]:
    case = Case(
        ("benchmarks.crashes", side, str(groups), str(size), str(crashes), str(SEED)),
        process_environment(IN_MEMORY),
    )
    return case.run()


def _fates(told: Mapping[str, int]) -> str:
    return f"{told['early']} early, {told['twice']} twice, {told['lost']} lost"
