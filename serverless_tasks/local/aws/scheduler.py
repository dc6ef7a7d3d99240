"""EventBridge Scheduler on a laptop: moto keeps schedules and never fires them, so this does."""

from __future__ import annotations

import json
import logging
import re
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self
from zoneinfo import ZoneInfo

from serverless_tasks.engine.definition.recurring import SCHEDULED_TIME
from serverless_tasks.engine.definition.schedule import Schedule, cron
from serverless_tasks.engine.job.clock import Clock
from serverless_tasks.errors import TaskDefinitionError
from serverless_tasks.local.aws.client import local_client

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__name__)

GROUP = "local"
ROLE = "arn:aws:iam::123456789012:role/local-scheduler"
"""moto asks no role for anything; a schedule has to name one all the same."""

_PERIOD = 1.0
_AT = re.compile(r"at\((?P<moment>[^)]+)\)")


@dataclass(frozen=True, slots=True)
class _Due:
    """The next firing of a schedule, or never when ``moment`` is None; computed from ``expression``."""

    expression: tuple[str, str]
    moment: datetime | None
    since: datetime


class LocalScheduler:
    """Fires the schedules of one group: each message goes to its queue, with the scheduled time in its place.

    What came due while nobody looked fires once, as soon as somebody does.

    Args:
        endpoint: the local server's URL.
        group: the group of the schedules.
        clock: the time.
    """

    def __init__(self, endpoint: str, group: str = GROUP, clock: Clock | None = None) -> None:
        self._scheduler = local_client("scheduler", endpoint)
        self._sqs = local_client("sqs", endpoint)
        self._group = group
        self._clock = clock or Clock()
        self._due: dict[str, _Due] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="local-scheduler", daemon=True)

    def fire_due(self) -> int:
        """Fire what is due now; returns how many schedules did."""
        now = datetime.fromtimestamp(self._clock.now(), UTC)
        pages = self._scheduler.get_paginator("list_schedules").paginate(
            GroupName=self._group, State="ENABLED"
        )
        there = {each["Name"] for page in pages for each in page["Schedules"]}
        self._due = {name: due for name, due in self._due.items() if name in there}
        return sum(self._fire_if_due(name, now) for name in sorted(there))

    def __enter__(self) -> Self:
        """Look once a second from now on."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Look no more."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._clock.wait(self._stop, _PERIOD):
            try:
                self.fire_due()
            except Exception:  # one schedule that cannot be fired must not keep the others from it
                log.warning("The local scheduler failed and continues.", exc_info=True)

    def _fire_if_due(self, name: str, now: datetime) -> bool:
        schedule = self._scheduler.get_schedule(GroupName=self._group, Name=name)
        expression = (schedule["ScheduleExpression"], schedule.get("ScheduleExpressionTimezone") or "UTC")
        due = self._due.get(name)
        if due is None or due.expression != expression:
            due = self._due[name] = _Due(expression, _first(*expression, now), now)
        if due.moment is None or due.moment > now:
            return False
        again = None if _AT.fullmatch(expression[0]) else Schedule(*expression).next(now, since=due.since)
        self._due[name] = _Due(expression, again, due.since)
        self._send(schedule["Target"], due.moment)
        if again is None and schedule.get("ActionAfterCompletion") == "DELETE":
            self._scheduler.delete_schedule(GroupName=self._group, Name=name)
        return True

    def _send(self, target: Mapping[str, Any], moment: datetime) -> None:
        text = target["Input"].replace(SCHEDULED_TIME, f"{moment:%Y-%m-%dT%H:%M:%SZ}")
        if ":aws-sdk:" in target["Arn"]:
            self._sqs.send_message(**json.loads(text))
            return
        url = self._sqs.get_queue_url(QueueName=target["Arn"].rsplit(":", 1)[-1])["QueueUrl"]
        self._sqs.send_message(QueueUrl=url, MessageBody=text)


def _first(expression: str, zone: str, now: datetime) -> datetime | None:
    """Return the first firing of a newly seen schedule; a one-time one is due even when it is past."""
    if once := _AT.fullmatch(expression):
        return datetime.fromisoformat(once["moment"]).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    try:
        if expression.startswith("cron("):
            cron(expression[5:-1], zone=zone)
        return Schedule(expression, zone).next(now, since=now)
    except (TaskDefinitionError, ValueError, TypeError):
        log.warning("The local scheduler cannot read the schedule %s in %s.", expression, zone)
        return None
