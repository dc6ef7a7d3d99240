"""The recurring schedules as an operator sees them: state, last run and next run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from serverless_tasks.engine.definition.schedule_sync import KEEP, plan
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.message import scheduled_job_id

if TYPE_CHECKING:
    from serverless_tasks.engine.definition.schedule import Schedule
    from serverless_tasks.engine.definition.schedule_sync import ScheduleChange
    from serverless_tasks.engine.job.record import Record
    from serverless_tasks.engine.services import Services

# How far back a run is looked for, the nearest first: a firing is found by its time.
_BACK: Final = (timedelta(hours=1), timedelta(days=1), timedelta(days=8), timedelta(days=30))
# Firings whose jobs are looked for, and jobs of a task among which the last run of a rate is.
_FIRINGS: Final = 3
_JOBS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleState:
    """A schedule, deployed or declared.

    Attributes:
        name: what EventBridge Scheduler calls it.
        task: the task's name.
        expression: when it fires, as EventBridge Scheduler takes it.
        zone: the time zone of a cron expression.
        state: ``enabled``, ``disabled`` or ``missing``.
        in_step: whether it is deployed as the task declares it.
        next: the next firing; None where it cannot be told.
        last: the job of the last firing that is known, or None.
    """

    name: str
    task: str
    expression: str
    zone: str
    state: str
    in_step: bool
    next: datetime | None = None
    last: Record | None = None


def read_schedules(services: Services) -> list[ScheduleState]:
    """Return the schedules that are declared or deployed, by task.

    Raises:
        TaskDefinitionError: the ``schedule_inputs`` of a task do not fit it.
        ConfigurationError: a setting is missing.
        AwsError: the scheduler or the table could not be asked.
    """
    now = datetime.fromtimestamp(services.clock.now(), UTC)
    changes = plan(services.registry, services.schedule_group)
    last = _last_runs(services, changes, now)
    return [
        ScheduleState(
            name=change.name,
            task=change.task,
            expression=_setting(change, "ScheduleExpression"),
            zone=_setting(change, "ScheduleExpressionTimezone"),
            state=change.state,
            in_step=change.action == KEEP,
            next=change.next(now),
            last=last.get(change.name),
        )
        for change in changes
    ]


def _last_runs(services: Services, changes: list[ScheduleChange], now: datetime) -> dict[str, Record]:
    """Return schedule -> the job of its last firing: of cron expressions found by the times, in one read."""
    ids: dict[str, list[str]] = {}
    found: dict[str, Record] = {}
    for change in changes:
        if change.declared is None or change.deployed is None:
            continue
        schedule = change.declared.schedule
        if schedule.expression.startswith("cron("):
            firings = _firings(schedule, now)
            ids[change.name] = [scheduled_job_id(change.name, to_ms(at.timestamp())) for at in firings]
        elif (run := _last_of_rate(services, change, now)) is not None:
            found[change.name] = run
    records = services.store.read_many([uuid for each in ids.values() for uuid in each], whole=False)
    for name, uuids in ids.items():
        if (run := next((records[uuid] for uuid in uuids if uuid in records), None)) is not None:
            found[name] = run
    return found


def _firings(schedule: Schedule, now: datetime) -> list[datetime]:
    """Return the last times at which a cron expression fired, the latest first."""
    for back in _BACK:
        times: list[datetime] = []
        at = schedule.next(now - back)
        while at is not None and at <= now:
            times.append(at)
            at = schedule.next(at)
        if len(times) >= _FIRINGS or back == _BACK[-1]:
            return times[: -_FIRINGS - 1 : -1]
    return []


def _last_of_rate(services: Services, change: ScheduleChange, now: datetime) -> Record | None:
    """Return the last run of a rate, whose times the scheduler counts from a moment of its own."""
    assert change.declared is not None, "asked of declared schedules"
    assert change.deployed is not None, "asked of deployed schedules"
    first = change.declared.schedule.next(now, since=change.deployed.since)
    period = timedelta() if first is None else (change.declared.schedule.next(first) or first) - first
    since = now - max(timedelta(days=1), 2 * period)
    page = services.store.list_tasks([change.task], limit=_JOBS, since=to_ms(since.timestamp()), whole=False)
    return next(
        (each for each in page.records if each.uuid == scheduled_job_id(change.name, each.created)), None
    )


def _setting(change: ScheduleChange, name: str) -> str:
    if change.declared is not None:
        schedule = change.declared.schedule
        return schedule.expression if name == "ScheduleExpression" else schedule.zone
    return str(change.deployed.settings[name]) if change.deployed else ""
