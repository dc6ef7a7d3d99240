"""A job as the admin's pages show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.utils.formats import number_format
from django.utils.translation import gettext

from django_integration.web.times import local_time
from serverless_tasks.client import job_filter
from serverless_tasks.engine.job.record import PENDING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from serverless_tasks.engine.job.record import Record

# The digits of an id that a list shows.
SHORT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the list.

    Attributes:
        record: the job's record.
        owner: its owner as a person knows them.
        percent: how far it is, from 0 to 100; None when it does not say.
        created: when it was submitted.
        finished: when it ended, or None.
        seconds: how long it has run, or None when it has not begun.
        waited: how long it waited before, in seconds, or None when it has not begun.
        due: when it may be run, where it waits for that, or None.
    """

    record: Record
    owner: str
    percent: int | None
    created: datetime
    finished: datetime | None
    seconds: float | None
    waited: float | None
    due: datetime | None

    @property
    def short_id(self) -> str:
        """The beginning of the job's id."""
        return self.record.uuid[:SHORT]

    @property
    def ran(self) -> str:
        """The run's duration, in words."""
        return "" if self.seconds is None else duration(self.seconds)

    @property
    def wait(self) -> str:
        """How long it waited for its first run, in words."""
        return "" if self.waited is None else duration(self.waited)

    @property
    def reason(self) -> str:
        """Why it did not succeed, or waits; "" where there is nothing to say."""
        failure = self.record.failure or self.record.returned
        if failure is None:
            return ""
        return f"{failure.type}: {failure.message}" if failure.message else failure.type

    @property
    def live(self) -> bool:
        """True while the job may still change."""
        return not self.record.ended


def rows(records: Sequence[Record], now: float) -> list[Row]:
    """The lines of a list of records.

    Args:
        records: the jobs.
        now: the present, in seconds since the epoch.
    """
    names = owner_names(record.owner for record in records)
    return [
        Row(
            record=record,
            owner=names.get(record.owner or "", record.owner or ""),
            percent=percent(record),
            created=local_time(record.created),
            finished=None if record.finished is None else local_time(record.finished),
            seconds=job_filter.duration(record, now),
            waited=job_filter.queue_wait(record),
            due=local_time(record.run_at) if record.status == PENDING and record.run_at is not None else None,
        )
        for record in records
    ]


def owner_names(owners: Iterable[str | None]) -> dict[str, str]:
    """Owner -> user name, for the owners who are users of this site: one query."""
    model: Any = get_user_model()
    keys = {}
    for owner in {owner for owner in owners if owner}:
        try:
            keys[model._meta.pk.to_python(owner)] = owner
        except (ValidationError, ValueError, TypeError):
            continue  # an owner of another service, or of a site with other users
    if not keys:
        return {}
    found = model._default_manager.in_bulk(list(keys))
    return {keys[key]: f"{user.get_username()} ({keys[key]})" for key, user in found.items() if key in keys}


def percent(record: Record) -> int | None:
    """Return the progress of a job from 0 to 100, or None when it has no target."""
    if record.status == "succeeded":
        return 100
    if not record.target or record.target < 0:
        return None
    return max(0, min(100, int(100 * record.progress / record.target)))


def duration(seconds: float) -> str:
    """A length of time in its two largest units: ``4.2 s``, ``3 min 5 s``, ``2 h 10 min``, ``4 d 1 h``.

    Its texts are those of ``page.js``.
    """
    minutes, rest = divmod(int(seconds), 60)
    if not minutes:
        shown = number_format(f"{seconds:.1f}", 1) if seconds < 10 else rest
        return gettext("%(seconds)s s") % {"seconds": shown}
    if minutes < 60:
        return gettext("%(minutes)s min %(seconds)s s") % {"minutes": minutes, "seconds": rest}
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return gettext("%(hours)s h %(minutes)s min") % {"hours": hours, "minutes": minutes}
    days = number_format(hours // 24, force_grouping=True)
    return gettext("%(days)s d %(hours)s h") % {"days": days, "hours": hours % 24}
