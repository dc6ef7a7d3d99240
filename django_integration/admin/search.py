"""The search in the list of jobs: the page's query string, its filter, and the links that change one part of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from django.utils.formats import number_format
from django.utils.timezone import get_current_timezone
from django.utils.translation import gettext, gettext_lazy, pgettext_lazy

from django_integration.templatetags.job_pages import moment_text, status_word
from django_integration.web.times import local_time
from serverless_tasks.client.job_filter import STATUSES, TIMES, JobFilter
from serverless_tasks.client.search import GROUPS
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.job_id import uuid_in
from serverless_tasks.engine.store.items import WAITING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from django.http import QueryDict
    from django.utils.functional import _StrPromise

PERIODS: Final = {
    1: gettext_lazy("Past 24 hours"),
    7: gettext_lazy("Past 7 days"),
    30: gettext_lazy("Past 30 days"),
}
USUAL_PERIOD: Final = 7
DAY: Final = 86_400
TIME_WORDS: Final[dict[str, _StrPromise]] = {
    "submitted": pgettext_lazy("time of a job", "submitted"),
    "started": pgettext_lazy("time of a job", "started"),
    "finished": pgettext_lazy("time of a job", "finished"),
}
SUBMITTED: Final = "submitted"
NOT_A_TIME: Final = gettext_lazy("“%(text)s” is not a time; write it as 2026-01-31T08:00:00.")
# The beginning of an id in the search box; pages show eight digits. What is shorter may be an owner.
_SHORT_ID: Final = re.compile(r"[0-9a-f]{6,8}|[0-9a-f]{8}-[0-9a-f-]{0,27}", re.IGNORECASE)
_LENGTH: Final = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(s|min|m|h|d)?\s*")
_UNITS: Final = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": DAY}
_MILLISECONDS: Final = re.compile(r"[0-9]{12,14}")


@dataclass(frozen=True, slots=True)
class Choice:
    """One link of a filter, in the shape that ``admin/filter.html`` shows."""

    display: str
    query_string: str
    selected: bool


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter of the sidebar."""

    title: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A search for jobs: the page's query, each part as a person or a link has given it, "" where it has not.

    Attributes:
        q: the search box: a job's id, the beginning of one, or an owner.
        task: tasks' names.
        status: one of `STATUSES`.
        owner: an owner's user name or key.
        tenant: a tenant.
        queue: a queue.
        error_type: the class name of an error.
        fingerprint: the kind of an error.
        group: the id of a group.
        time: which time of a job the two next ones are about, one of `TIMES`.
        since: the earliest time.
        until: the first time that is too late.
        longer_than: the shortest duration that is too short.
        days: how far back, one of `PERIODS`, unless a time is given.
        cursor: where the page goes on.
    """

    q: str = ""
    task: tuple[str, ...] = ()
    status: str = ""
    owner: str = ""
    tenant: str = ""
    queue: str = ""
    error_type: str = ""
    fingerprint: str = ""
    group: str = ""
    time: str = SUBMITTED
    since: str = ""
    until: str = ""
    longer_than: str = ""
    days: int = USUAL_PERIOD
    cursor: str = ""

    @classmethod
    def from_query(cls, query: QueryDict) -> Search:
        """The search in a request's query; a status, a time or a period that the page does not know is as none."""
        given: dict[str, Any] = {each.name: query.get(each.name, "").strip() for each in fields(cls)}
        given["task"] = tuple(dict.fromkeys(name for name in query.getlist("task") if name))
        given["days"] = int(given["days"]) if given["days"] in map(str, PERIODS) else USUAL_PERIOD
        if given["status"] not in STATUSES:
            given["status"] = ""
        if given["time"] not in TIMES:
            given["time"] = SUBMITTED
        return cls(**given)

    def job_filter(self, owner: str | None, now: float) -> tuple[JobFilter, list[str]]:
        """Return the filter that the search stands for, and what of it could not be read.

        Args:
            owner: the key of the owner that is looked for, or None.
            now: the present, in seconds since the epoch.
        """
        problems: list[str] = []

        def read[T](text: str, reader: Callable[[str], T | None], problem: str) -> T | None:
            value = reader(text) if text else None
            if text and value is None:
                problems.append(problem % {"text": text})
            return value

        since = read(self.since, read_moment, str(NOT_A_TIME))
        until = read(self.until, read_moment, str(NOT_A_TIME))
        longer_than = read(
            self.longer_than,
            _seconds,
            gettext("“%(text)s” is not a duration; write it as 90, 90s, 5min or 2h."),
        )
        group = read(self.group, uuid_in, gettext("“%(text)s” is not the id of a group."))
        if since is None and until is None and not self.id_prefix and not self.group:
            since = to_ms(now - self.days * DAY)
        return JobFilter(
            tasks=self.task,
            status=self.status or None,
            owner=owner,
            tenant=self.tenant or None,
            queue=self.queue or None,
            error_type=self.error_type or None,
            fingerprint=self.fingerprint or None,
            group=group,
            time=self.time,
            since=since or 0,
            until=until,
            longer_than=longer_than,
            id_prefix=self.id_prefix,
        ), problems

    @property
    def id_prefix(self) -> str:
        """The beginning of an id that the search box has, or ""."""
        return self.q.lower() if _SHORT_ID.fullmatch(self.q) else ""

    @property
    def narrowed(self) -> bool:
        """True if the search leaves anything out, beside what is older."""
        return bool(self.status) or self.detailed or bool(self.task)

    @property
    def detailed(self) -> bool:
        """True if the search has what is asked for in a field rather than by a link."""
        return any(value for name, value in self._given() if name not in ("task", "status", "days", "cursor"))

    @property
    def whole_time(self) -> bool:
        """True if no period restricts the search."""
        return bool(self.since or self.until or self.id_prefix or self.group) or self.days == max(PERIODS)

    @property
    def query_string(self) -> str:
        """The search as a link's query; what is usual is not said."""
        return "?" + urlencode(list(self._given()))

    @property
    def kept(self) -> list[tuple[str, str]]:
        """What a form of the search box keeps of the search."""
        return [(name, value) for name, value in self._given() if name not in ("q", "cursor")]

    @property
    def links(self) -> list[tuple[str, str]]:
        """What a form of the fields keeps of the search: what is chosen by a link."""
        return [(name, value) for name, value in self._given() if name in ("q", "task", "status", "days")]

    @property
    def first_page(self) -> str:
        """The link to the newest jobs."""
        return replace(self, cursor="").query_string

    @property
    def longest(self) -> str:
        """The link to the longest time that jobs are kept."""
        return replace(self, days=max(PERIODS), cursor="").query_string

    @property
    def as_owner(self) -> str:
        """The link to the jobs of the owner whom the search box names."""
        return replace(self, q="", owner=self.q, cursor="").query_string

    def going_on(self, cursor: str) -> str:
        """The link to the next page."""
        return replace(self, cursor=cursor).query_string

    def filters(self, tasks: Iterable[str]) -> list[Filter]:
        """The filters of the sidebar.

        Args:
            tasks: the names to choose from; those that are looked for are among the choices in any case.
        """
        first = replace(self, cursor="")
        every = gettext("All")
        names = sorted({*tasks, *GROUPS, *self.task})
        statuses = [
            Choice(
                status_text(status) if status else every,
                replace(first, status=status).query_string,
                status == self.status,
            )
            for status in ("", *STATUSES)
        ]
        periods = [
            Choice(
                str(display),
                replace(first, days=days, since="", until="").query_string,
                days == self.days and not (self.since or self.until),
            )
            for days, display in PERIODS.items()
        ]
        chosen = [
            Choice(name or every, replace(first, task=task).query_string, task == self.task)
            for name in ("", *names)
            for task in [(name,) if name else ()]
        ]
        return [
            Filter(gettext("status"), tuple(statuses)),
            Filter(gettext("time"), tuple(periods)),
            Filter(gettext("task"), tuple(chosen)),
        ]

    def _given(self) -> Iterator[tuple[str, str]]:
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name == "task":
                yield from (("task", name) for name in value)
            elif value != each.default:
                yield each.name, str(value)


def described(filters: JobFilter) -> list[tuple[str, str]]:
    """Return a filter in words: what each part is called, and what it is."""
    time = str(TIME_WORDS[filters.time])
    seconds = filters.longer_than
    parts = [
        (gettext("Status"), status_text(filters.status) if filters.status else ""),
        (gettext("Task"), ", ".join(filters.tasks)),
        (gettext("Owner"), filters.owner or ""),
        (gettext("Tenant"), filters.tenant or ""),
        (gettext("Queue"), filters.queue or ""),
        (gettext("Error"), filters.error_type or ""),
        (gettext("Kind of error"), filters.fingerprint or ""),
        (gettext("Group"), filters.group or ""),
        (gettext("Since (%(time)s)") % {"time": time}, _text_of(filters.since or None)),
        (gettext("Before (%(time)s)") % {"time": time}, _text_of(filters.until)),
        (
            gettext("Ran longer than"),
            "" if seconds is None else gettext("%(count)s s") % {"count": number_format(f"{seconds:.10g}")},
        ),
        (gettext("Id begins with"), filters.id_prefix),
    ]
    return [(label, value) for label, value in parts if value]


def status_text(status: str) -> str:
    """Return the word for a status that one can filter by."""
    return gettext("Waiting long") if status == WAITING else status_word(status)


def field_value(text: str) -> str:
    """Return a time of the query as an input element of HTML takes it: in the site's zone, without one."""
    milliseconds = read_moment(text) if text else None
    if milliseconds is None:
        return ""
    return local_time(milliseconds).replace(tzinfo=None).isoformat(timespec="seconds")


def _text_of(milliseconds: int | None) -> str:
    return "" if milliseconds is None else moment_text(local_time(milliseconds))


def read_moment(text: str) -> int | None:
    """Return a time in milliseconds since the epoch; one without a zone is in the site's.

    None: it is none, or no date of the site's calendar.
    """
    if _MILLISECONDS.fullmatch(text):
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=get_current_timezone())
        milliseconds = to_ms(moment.timestamp())
        local_time(milliseconds)
    except (ValueError, OverflowError):
        return None
    return milliseconds


def _seconds(text: str) -> float | None:
    matched = _LENGTH.fullmatch(text)
    return None if matched is None else float(matched[1]) * _UNITS[matched[2] or ""]
