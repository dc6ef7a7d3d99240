"""What a job asks of AWS: a model of its calls, units and time, for costs before anything is deployed.

Tests hold it to what is counted of jobs that run. It leaves out what is not a job's own: storage, the transfer of data,
alarms and dashboards, cold starts, readers of status (a poll is a read unit or less) and schedules.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

from serverless_tasks.engine.statistics.submission import SENT, requests_of
from serverless_tasks.engine.store.items import UNCOMPRESSED
from serverless_tasks.engine.store.payloads import INLINE_INPUTS, UNTRACKED_INPUTS

if TYPE_CHECKING:
    from serverless_tasks.client.operations.cost.prices import Prices

_KB: Final = 1024
_MB: Final = 1024 * 1024
# Bytes of a message and of a job's item beside the inputs, and of what an owner adds to the item.
_MESSAGE: Final = 300
_ITEM: Final = 210
_OWNER: Final = 30
# Seconds of the worker beside the task's own, for the calls of each job: some milliseconds each.
_OVERHEAD: Final = 0.02
# Bytes that are logged of each attempt, and of each batch by Lambda's own lines and the metrics.
LOGGED_ATTEMPT: Final = 270
LOGGED_BATCH: Final = 1_000
# Bytes of how an attempt ended without success, beside its traceback.
_END: Final = 300
# Seconds for which a member that has ended waits for others of its batch, to be counted with them, at most.
_UNCOUNTED: Final = 1.0
# Write units of a group, beside the counts of its members: state, job and what lists it, a shard that is full, end.
_GROUP: Final = 6
# Read units of a group.
_GROUP_READS: Final = 2.5
# Requests of SQS for the message that sees to a group at its deadline: received, hidden, deleted.
_DEADLINE: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What is to be run.

    Attributes:
        jobs: jobs a month.
        inputs: bytes of the inputs of each, as JSON.
        seconds: how long the task runs.
        memory: MB of the worker function.
        batch: jobs in each batch that a worker is given.
        retries: further attempts a job, 0.01 for one of a hundred jobs that is run twice.
        failures: the share of jobs that fail in the end.
        traceback: bytes of the traceback of a failed attempt.
        group: members of each group that the jobs are in; 0 where they are in none.
        track: whether jobs are stored from their submission on.
        owner: whether they have an owner, who can list them.
        updates: writes of progress a job; the worker makes one a second at most.
        arm: whether the function is an arm64 one.
        compressed: the part of inputs past 1 kB that compressing leaves; 1 where they are stored as they are.
    """

    jobs: float
    inputs: int = 100
    seconds: float = 1.0
    memory: int = 512
    batch: float = 10
    retries: float = 0.0
    failures: float = 0.0
    traceback: int = 1_500
    group: int = 0
    track: bool = True
    owner: bool = True
    updates: float = 0.0
    arm: bool = False
    compressed: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a job asks for, on average.

    Attributes:
        sqs: requests of SQS.
        writes: write units of DynamoDB.
        reads: read units.
        s3_puts: PUTs of S3.
        s3_gets: GETs.
        invocations: invocations of Lambda.
        gb_seconds: GB-seconds of Lambda.
        arm_gb_seconds: of these, those of arm64 functions.
        logs: bytes of logs.
        schedules: invocations of EventBridge Scheduler.
    """

    sqs: float = 0.0
    writes: float = 0.0
    reads: float = 0.0
    s3_puts: float = 0.0
    s3_gets: float = 0.0
    invocations: float = 0.0
    gb_seconds: float = 0.0
    arm_gb_seconds: float = 0.0
    logs: float = 0.0
    schedules: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        """Both together."""
        return Usage(**{name: getattr(self, name) + getattr(other, name) for name in _USES})

    def times(self, factor: float) -> Usage:
        """So many times as much."""
        return Usage(**{name: getattr(self, name) * factor for name in _USES})


_USES: Final = [each.name for each in fields(Usage)]


def usage_of(workload: Workload) -> Usage:
    """Return what a job of a workload asks for, on average."""
    usage = _submitted(workload) + _delivered(workload).times(1 + workload.retries)
    usage += Usage(writes=workload.updates)
    usage += _failed_attempt(workload).times(workload.retries) + _failed(workload).times(workload.failures)
    return usage + _member(workload) if workload.group else usage


def time_dollars(usage: Usage, prices: Prices) -> float:
    """Return what the GB-seconds of a usage cost."""
    x86 = usage.gb_seconds - usage.arm_gb_seconds
    return x86 * prices.lambda_gb_second + usage.arm_gb_seconds * prices.lambda_gb_second_arm


def dollars(usage: Usage, prices: Prices) -> dict[str, float]:
    """Return what a usage costs, by service."""
    million = 1_000_000
    return {
        "Lambda": usage.invocations * prices.lambda_requests / million + time_dollars(usage, prices),
        "SQS": usage.sqs * prices.sqs_requests / million,
        "DynamoDB": (usage.writes * prices.dynamodb_writes + usage.reads * prices.dynamodb_reads) / million,
        "S3": (usage.s3_puts * prices.s3_puts + usage.s3_gets * prices.s3_gets) / million,
        "CloudWatch Logs": usage.logs * prices.logs_gb / 1e9,
        "EventBridge Scheduler": usage.schedules * prices.scheduler_invocations / million,
    }


def _offloaded(workload: Workload) -> bool:
    return workload.inputs > (INLINE_INPUTS if workload.track else UNTRACKED_INPUTS)


def _carried(workload: Workload) -> int:
    return _MESSAGE if _offloaded(workload) else _MESSAGE + workload.inputs


def _submitted(workload: Workload) -> Usage:
    """The message, and the job's item with what the indexes hold of it."""
    at_once = SENT if workload.group else 1
    writes = 0
    if workload.track:
        listed = 1 + (workload.owner and not workload.group)
        item = _ITEM + _kept_inputs(workload) + (_OWNER if workload.owner else 0)
        writes = math.ceil(item / _KB) + listed
    return Usage(
        sqs=_requests(_carried(workload), at_once), writes=writes, s3_puts=float(_offloaded(workload))
    )


def _kept_inputs(workload: Workload) -> float:
    """Bytes of the inputs in the job's item."""
    if _offloaded(workload):
        return 0
    return workload.inputs * (workload.compressed if workload.inputs > UNCOMPRESSED else 1)


def _delivered(workload: Workload) -> Usage:
    """A delivery that claims the job, runs it and records its end; what is a batch's is shared."""
    shared = 1 / workload.batch
    gb_seconds = (workload.seconds + _OVERHEAD) * workload.memory / _KB
    return Usage(
        # Received, hidden for as long as the run may last, deleted.
        sqs=_requests(_carried(workload), workload.batch) + 2 * shared,
        writes=2,
        s3_gets=float(_offloaded(workload)),
        invocations=shared,
        gb_seconds=gb_seconds,
        arm_gb_seconds=gb_seconds * workload.arm,
        logs=LOGGED_ATTEMPT + LOGGED_BATCH * shared,
    )


def _failed_attempt(workload: Workload) -> Usage:
    """How it ended, and the message of the next one."""
    return Usage(writes=_ended(workload), sqs=_requests(_carried(workload), 1))


def _failed(workload: Workload) -> Usage:
    """How the last attempt ended, and the index in which failed jobs are found."""
    return Usage(writes=_ended(workload) + 1)


def _ended(workload: Workload) -> int:
    return math.ceil((_END + workload.traceback) / _KB)


def _member(workload: Workload) -> Usage:
    """The count of a member, shared by those of a batch, and its part of the group's own items."""
    share = 1 / workload.group
    together = min(workload.batch, workload.group)
    if workload.seconds:
        together = min(together, max(1.0, _UNCOUNTED / workload.seconds))
    return Usage(
        writes=1 / together + (_GROUP - (not workload.owner)) * share,
        # A process looks once a second at whether the group was cancelled.
        reads=_GROUP_READS * share + 0.5 * min(1.0, workload.seconds),
        sqs=_DEADLINE * share,
        schedules=share,
        invocations=share,
        logs=LOGGED_BATCH * share,
    )


def _requests(size: int, at_once: float) -> float:
    """Requests that a message is billed for, of calls that carry so many, and one MiB at most."""
    carried = min(at_once, max(1, _MB // size))
    return requests_of(size * carried) / carried
