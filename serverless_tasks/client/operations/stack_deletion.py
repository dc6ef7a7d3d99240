"""The deletion of a stack: what would be lost with it, what stays, and what stands in its way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from serverless_tasks.client.job_filter import JobFilter
from serverless_tasks.client.search import known_names, search_jobs
from serverless_tasks.engine.aws.sqs.queue_metrics import DEAD_LETTERS
from serverless_tasks.engine.aws.stacks import attachments, deletion_policies, describe, resources_of
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.job.record import RUNNING
from serverless_tasks.engine.services import Services
from serverless_tasks.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from serverless_tasks.engine.aws.stacks import Attachment, Resource, StackState

# Running jobs that are looked for: one is enough to refuse, and some are worth a number.
_RUNNING: Final = 100
_UNREADABLE: Final = (
    "Whether the deployed template keeps the table and the bucket cannot be told: it is not JSON."
)
# A stack that was never whole, or whose deletion has begun: its queues are not there to be asked.
_NOT_WHOLE: Final = (
    *("REVIEW_IN_PROGRESS", "CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"),
    "DELETE_FAILED",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """The jobs and schedules that are gone once the stack is; numbers of messages are approximate, as SQS gives them.

    Attributes:
        waiting: messages that no worker has taken.
        in_flight: messages that a worker has taken, or that are hidden until they come again.
        delayed: messages that SQS holds back.
        dead_letters: messages that the dead-letter function has not settled yet.
        scheduled: jobs that wait in EventBridge Scheduler.
        running: jobs whose record says that they run, direct invokes among them.
        schedules: recurring schedules; a deployment and `schedules sync` make them again.
        unknown: what could not be asked, in sentences.
    """

    waiting: int = 0
    in_flight: int = 0
    delayed: int = 0
    dead_letters: int = 0
    scheduled: int = 0
    running: int = 0
    schedules: int = 0
    unknown: tuple[str, ...] = ()

    @property
    def jobs(self) -> bool:
        """True if jobs are, or may be, among them."""
        counted = self.waiting, self.in_flight, self.delayed, self.dead_letters, self.scheduled, self.running
        return any(counted) or bool(self.unknown)

    def to_json(self) -> dict[str, Any]:
        """The losses for programs."""
        return {
            "waiting": self.waiting,
            "in_flight": self.in_flight,
            "delayed": self.delayed,
            "dead_letters": self.dead_letters,
            "scheduled": self.scheduled,
            "running": self.running,
            "schedules": self.schedules,
            "unknown": list(self.unknown),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class StackDeletion:
    """What the deletion of a stack would do.

    Attributes:
        stack: the stack.
        losses: jobs and schedules that are lost.
        kept: parameters with which a new stack goes on with the table and the bucket that stay.
        removed: the table or bucket that the deployed template does not keep.
        attached: who else holds policies of the stack, which CloudFormation then cannot delete.
    """

    stack: StackState
    losses: Losses
    kept: dict[str, str]
    removed: tuple[str, ...]
    attached: tuple[Attachment, ...]

    def to_json(self) -> dict[str, Any]:
        """The deletion for programs."""
        return {
            "stack": self.stack.name,
            "lost": self.losses.to_json(),
            "kept": self.kept,
            "removed": list(self.removed),
            "attached": [
                {"policy": each.policy, "arn": each.arn, "kind": each.kind, "holder": each.holder}
                for each in self.attached
            ],
        }


def plan_deletion(name: str) -> StackDeletion:
    """Look at what the deletion of a stack would do, without changing anything.

    Args:
        name: the stack's name.

    Raises:
        ConfigurationError: it is a stack of something else.
        AwsError: there is no such stack, or CloudFormation or IAM could not be asked.
    """
    stack = describe(name)
    resources = resources_of(stack.id)
    losses = Losses()
    data = {"ExistingTableName": "", "ExistingBucketName": ""}
    if stack.status not in _NOT_WHOLE:
        config = Config.from_outputs(name, stack.outputs)
        losses = _losses(Services(config))
        data = {"ExistingTableName": config.table, "ExistingBucketName": config.bucket}
    elif stack.outputs.get("TableName"):
        data = {
            "ExistingTableName": stack.outputs["TableName"],
            "ExistingBucketName": stack.outputs.get("PayloadBucketName", ""),
        }
    removed = _removed(stack, resources)
    if removed is None:
        losses = replace(losses, unknown=(*losses.unknown, _UNREADABLE))
        removed = ()
    return StackDeletion(
        stack=stack,
        losses=losses,
        kept={key: value for key, value in data.items() if value and value not in removed},
        removed=removed,
        attached=tuple(attachments(resources)),
    )


def _removed(stack: StackState, resources: Sequence[Resource]) -> tuple[str, ...] | None:
    """Tables and buckets that the deployed template lets go, unlike ours; None if it cannot be read."""
    data = [each for each in resources if each.type in ("AWS::DynamoDB::Table", "AWS::S3::Bucket")]
    policies = deletion_policies(stack.id) if data else {}
    if policies is None:
        return None
    return tuple(
        each.physical for each in data if not policies.get(each.logical, "Delete").startswith("Retain")
    )


def _losses(services: Services) -> Losses:
    unknown: list[str] = []
    waiting = in_flight = delayed = dead_letters = 0
    for depth in services.queue_metrics.read():
        if depth.queue == DEAD_LETTERS:
            dead_letters = depth.waiting + depth.running + depth.delayed
            continue
        waiting += depth.waiting
        in_flight += depth.running
        delayed += depth.delayed
    return Losses(
        waiting=waiting,
        in_flight=in_flight,
        delayed=delayed,
        dead_letters=dead_letters,
        scheduled=_asked(lambda: _scheduled(services), "How many jobs are scheduled", unknown),
        running=_asked(lambda: _running(services), "How many jobs run", unknown),
        schedules=_asked(
            lambda: len(services.schedule_group.deployed()), "How many schedules there are", unknown
        ),
        unknown=tuple(unknown),
    )


def _scheduled(services: Services) -> int:
    counts = services.schedules.waiting()
    return sum(counts.by_queue.values()) + counts.other


def _running(services: Services) -> int:
    page = search_jobs(services.store, JobFilter(status=RUNNING), limit=_RUNNING, names=known_names(services))
    return len(page.records)


def _asked(count: Callable[[], int], what: str, unknown: list[str]) -> int:
    try:
        return count()
    except AwsError as error:
        unknown.append(f"{what} is not known: {error}")
        return 0
