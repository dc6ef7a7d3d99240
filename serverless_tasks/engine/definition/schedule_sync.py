"""The changes that make the schedules of a stack those that its tasks declare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from serverless_tasks.engine.definition.recurring import recurring_schedules
from serverless_tasks.errors import TaskDefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from serverless_tasks.engine.definition.recurring import Recurring
    from serverless_tasks.engine.definition.registry import Registry

ENABLED: Final = "ENABLED"
CREATE: Final = "create"
UPDATE: Final = "update"
DELETE: Final = "delete"
KEEP: Final = "keep"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """A schedule that is there.

    Attributes:
        name: what EventBridge Scheduler calls it.
        state: ``ENABLED``, or ``DISABLED`` by hand.
        since: when it was made.
        settings: the rest of it, in the scheduler's own words.
    """

    name: str
    state: str
    since: datetime
    settings: dict[str, Any]

    @property
    def task(self) -> str:
        """The name of the task that it belongs to, or did."""
        return str(self.settings.get("Description") or self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleChange:
    """A change to one schedule.

    Attributes:
        action: ``create``, ``update``, ``delete`` or ``keep``.
        name: what EventBridge Scheduler calls it.
        task: the task's name.
        declared: what the task declares; None of one that is to go.
        deployed: what is there; None of one that is to come.
        wanted: how it is to be, in the scheduler's own words.
    """

    action: str
    name: str
    task: str
    declared: Recurring | None = None
    deployed: Deployed | None = None
    wanted: dict[str, Any] | None = None

    @property
    def state(self) -> str:
        """``enabled``, ``disabled``, or ``missing`` where nothing is deployed."""
        return "missing" if self.deployed is None else self.deployed.state.lower()

    def next(self, now: datetime) -> datetime | None:
        """Return the next firing as deployed, in UTC; None when there is none that can be computed here."""
        if self.declared is None or self.deployed is None or self.deployed.state != ENABLED:
            return None
        if self.action != KEEP:
            return None
        return self.declared.schedule.next(now, since=self.deployed.since)


class ScheduleStore(Protocol):
    """The schedule group of a stack."""

    def deployed(self) -> list[Deployed]:
        """The schedules of tasks that are there."""

    def wanted(self, recurring: Recurring) -> dict[str, Any]:
        """Return a declared schedule as EventBridge Scheduler's parameters."""

    def create(self, name: str, wanted: dict[str, Any]) -> None:
        """Make a schedule."""

    def update(self, name: str, wanted: dict[str, Any], state: str) -> None:
        """Write a schedule anew."""

    def delete(self, name: str) -> None:
        """Delete a schedule."""


def plan(registry: Registry, group: ScheduleStore) -> list[ScheduleChange]:
    """Return the changes to make, by task name, without making them.

    Raises:
        TaskDefinitionError: the ``schedule_inputs`` of a task do not fit it, or two schedules have one name.
        ConfigurationError: a setting is missing.
        AwsError: the scheduler could not be asked.
    """
    declared = recurring_schedules(registry)
    _check_names(declared)
    there = {deployed.name: deployed for deployed in group.deployed()}
    changes = [_change(each, there.pop(each.name, None), group.wanted(each)) for each in declared]
    changes += [
        ScheduleChange(action=DELETE, name=each.name, task=each.task, deployed=each)
        for each in there.values()
    ]
    return sorted(changes, key=lambda change: (change.task, change.name))


def apply(changes: Iterable[ScheduleChange], group: ScheduleStore) -> None:
    """Do what a plan says. Cut short, it is finished by the next plan.

    Raises:
        AwsError: a change could not be made; those before it are.
    """
    for change in changes:
        if change.action == DELETE:
            group.delete(change.name)
        elif change.wanted is not None and change.action == CREATE:
            group.create(change.name, change.wanted)
        elif change.wanted is not None and change.deployed is not None and change.action == UPDATE:
            group.update(change.name, change.wanted, change.deployed.state)


def _change(declared: Recurring, deployed: Deployed | None, wanted: dict[str, Any]) -> ScheduleChange:
    action = CREATE if deployed is None else KEEP if deployed.settings == wanted else UPDATE
    return ScheduleChange(
        action=action,
        name=declared.name,
        task=declared.task,
        declared=declared,
        deployed=deployed,
        wanted=wanted,
    )


def _check_names(declared: Sequence[Recurring]) -> None:
    tasks: dict[str, str] = {}
    for each in declared:
        if tasks.setdefault(each.name, each.task) != each.task:
            raise TaskDefinitionError(
                f"The schedules of {tasks[each.name]!r} and {each.task!r} are both called {each.name}; rename a task."
            )
