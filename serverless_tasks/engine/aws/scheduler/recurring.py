"""The recurring schedules of a stack's group in EventBridge Scheduler: listed, written and deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serverless_tasks.engine.aws.scheduler.targets import Targets
from serverless_tasks.engine.aws.session import call
from serverless_tasks.engine.definition.recurring import PREFIX
from serverless_tasks.engine.definition.schedule_sync import Deployed

if TYPE_CHECKING:
    from serverless_tasks.engine.config import Config
    from serverless_tasks.engine.definition.recurring import Recurring

# What a schedule is compared by: what is written here, and no more, for the service adds members of its own.
_COMPARED = (
    "ScheduleExpression",
    "ScheduleExpressionTimezone",
    "FlexibleTimeWindow",
    "Description",
    "Target",
)


class ScheduleGroup:
    """The group's schedules whose names begin as those of tasks do.

    Args:
        client: a scheduler client.
        config: the group, the role, and where the queues are.
    """

    def __init__(self, client: Any, config: Config) -> None:
        self._client = client
        self._config = config

    def deployed(self) -> list[Deployed]:
        """The schedules that are there.

        Raises:
            ConfigurationError: no group is set.
            AwsError: the scheduler could not be asked.
        """
        group = self._config.require("schedule_group")
        names: list[str] = []
        more: dict[str, str] = {}
        while True:
            page = call(self._client.list_schedules, GroupName=group, NamePrefix=PREFIX, **more)
            names += [found["Name"] for found in page["Schedules"]]
            if not page.get("NextToken"):
                break
            more = {"NextToken": page["NextToken"]}
        return [_read(call(self._client.get_schedule, GroupName=group, Name=name)) for name in names]

    def wanted(self, recurring: Recurring) -> dict[str, Any]:
        """Return a declared schedule as EventBridge Scheduler's parameters.

        Raises:
            ConfigurationError: a setting is missing, or the queue has no URL.
        """
        targets = Targets(self._config, self._client.meta.region_name)
        return {
            "ScheduleExpression": recurring.schedule.expression,
            "ScheduleExpressionTimezone": recurring.schedule.zone,
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Description": recurring.task,
            "Target": targets.queue(recurring.queue, recurring.body),
        }

    def create(self, name: str, parameters: dict[str, Any]) -> None:
        """Make a schedule.

        Raises:
            AwsError: it could not be made.
        """
        call(self._client.create_schedule, Name=name, GroupName=self._group, **parameters)

    def update(self, name: str, parameters: dict[str, Any], state: str) -> None:
        """Write a schedule anew; one that was disabled by hand stays so.

        Raises:
            AwsError: it could not be written.
        """
        call(self._client.update_schedule, Name=name, GroupName=self._group, State=state, **parameters)

    def delete(self, name: str) -> None:
        """Delete a schedule.

        Raises:
            AwsError: it could not be deleted.
        """
        call(self._client.delete_schedule, Name=name, GroupName=self._group)

    @property
    def _group(self) -> str:
        group: str = self._config.require("schedule_group")
        return group


def _read(found: dict[str, Any]) -> Deployed:
    settings = {name: found.get(name) for name in _COMPARED}
    target = found["Target"]
    settings["Target"] = {
        name: target.get(name) for name in ("Arn", "Input", "RoleArn", "DeadLetterConfig", "RetryPolicy")
    }
    return Deployed(
        name=found["Name"],
        state=found["State"],
        since=found["CreationDate"],
        settings=settings,
    )
