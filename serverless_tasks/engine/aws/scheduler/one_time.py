"""EventBridge Scheduler: it sends what is due later than SQS can hold a message back.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/what-is-scheduler.html
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from serverless_tasks.engine.aws.scheduler.targets import Targets
from serverless_tasks.engine.aws.session import call
from serverless_tasks.engine.aws.tries import tries
from serverless_tasks.engine.definition.recurring import without_placeholders
from serverless_tasks.engine.job.encoding import encode
from serverless_tasks.errors import AwsError, unsent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from serverless_tasks.engine.config import Config
    from serverless_tasks.engine.job.clock import Clock
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.errors import ServerlessTasksError

    # A job's id, and the parameters of CreateSchedule.
    type _Prepared = tuple[str, dict[str, Any]]

THREADS = 8
# Schedules that one call lists, and calls of one count.
PAGE = 100
PAGES = 10
_PREFIX = "job-"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledCounts:
    """The jobs that wait in the scheduler until they are due.

    Attributes:
        by_queue: queue name -> how many will be sent to it.
        other: how many have a tenant: the listing does not tell their queue.
        more: whether there are more than were counted.
    """

    by_queue: Mapping[str, int]
    other: int = 0
    more: bool = False


def job_schedule_name(uuid: str, run_at: int) -> str:
    """The name of the schedule that sends a job at a time.

    With the time, so that a retry of a job does not meet the schedule that has just sent the job.

    Args:
        uuid: the job's id.
        run_at: when it is due, milliseconds since the epoch; rounded up, for a schedule knows whole seconds.
    """
    return f"{_PREFIX}{uuid}-{_due(run_at)}"


def _due(run_at: int) -> int:
    return -(-run_at // 1000)


class Schedules:
    """One-time schedules, each of which sends one message and is gone.

    Args:
        client: a scheduler client whose own retries are off: a call that may have been applied must be known as such.
        config: the group, the role, and where the queues are.
        clock: the time between tries.
    """

    def __init__(self, client: Any, config: Config, clock: Clock) -> None:
        self._client = client
        self._config = config
        self._clock = clock

    def prepare(self, messages: Sequence[Message]) -> list[_Prepared]:
        """The parameters that create a schedule for each message, after its job's id.

        Raises:
            ConfigurationError: a setting is missing, or a queue has no URL.
        """
        return [(message.uuid, self._parameters(message)) for message in messages]

    def create(self, prepared: Sequence[_Prepared]) -> list[ServerlessTasksError | None]:
        """Create schedules, one call for each: there is no call for several.

        Returns:
            For each None, or the error that says why there is (or perhaps is) none.
        """
        if len(prepared) < 2:
            return [self._create(each) for each in prepared]
        with ThreadPoolExecutor(THREADS, thread_name_prefix="schedules") as pool:
            return list(pool.map(self._create, prepared))

    def delete(self, uuid: str, run_at: int) -> None:
        """Delete the schedule of a job; one that is not there counts as deleted.

        Args:
            uuid: the job's id.
            run_at: when it is due, milliseconds since the epoch.

        Raises:
            ConfigurationError: no group is configured.
            AwsError: it could not be deleted.
        """
        name, group = job_schedule_name(uuid, run_at), self._config.require("schedule_group")
        try:
            call(self._client.delete_schedule, Name=name, GroupName=group)
        except AwsError as error:
            if error.code != "ResourceNotFoundException":
                raise

    def waiting(self) -> ScheduledCounts:
        """Count the one-time schedules of the group: a call for each hundred, and `PAGES` calls at most.

        Raises:
            ConfigurationError: no group is configured.
            AwsError: the scheduler could not be asked.
        """
        group = self._config.require("schedule_group")
        names = {url.rsplit("/", 1)[-1]: name for name, url in self._config.queue_urls.items()}
        by_queue = dict.fromkeys(self._config.queue_urls, 0)
        other = 0
        more: dict[str, str] = {}
        for _ in range(PAGES):
            page = call(
                self._client.list_schedules, GroupName=group, NamePrefix=_PREFIX, MaxResults=PAGE, **more
            )
            for found in page["Schedules"]:
                queue = names.get(found.get("Target", {}).get("Arn", "").rsplit(":", 1)[-1])
                if queue is None:
                    other += 1
                else:
                    by_queue[queue] += 1
            if not page.get("NextToken"):
                return ScheduledCounts(by_queue=by_queue, other=other)
            more = {"NextToken": page["NextToken"]}
        return ScheduledCounts(by_queue=by_queue, other=other, more=True)

    def _create(self, prepared: _Prepared) -> ServerlessTasksError | None:
        uuid, parameters = prepared
        uncertain = False
        reason = ""
        for _ in tries(self._clock):
            try:
                call(self._client.create_schedule, **parameters)
            except AwsError as error:
                # The name holds the job and its time: what is there already is this very schedule.
                if error.code == "ConflictException":
                    return None
                uncertain, reason = uncertain or error.applied, str(error)
            else:
                return None
        return unsent(uuid, reason, uncertain=uncertain)

    def _parameters(self, message: Message) -> dict[str, Any]:
        assert message.run_at is not None, "only what is due later is scheduled"
        due = _due(message.run_at)
        return {
            "Name": job_schedule_name(message.uuid, message.run_at),
            "GroupName": self._config.require("schedule_group"),
            "ScheduleExpression": f"at({datetime.fromtimestamp(due, UTC):%Y-%m-%dT%H:%M:%S})",
            "ScheduleExpressionTimezone": "UTC",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "ActionAfterCompletion": "DELETE",
            "Target": self._target(message),
        }

    def _target(self, message: Message) -> dict[str, Any]:
        targets = Targets(self._config, self._client.meta.region_name)
        body = without_placeholders(message.encode())
        if message.options.tenant is None:
            return targets.queue(message.queue, body)
        # The target "a queue" takes a message group for FIFO queues alone; the call itself takes it for any.
        url = self._config.queue_url(message.queue)
        return targets.send_message(
            encode({"QueueUrl": url, "MessageBody": body, "MessageGroupId": message.options.tenant})
        )
