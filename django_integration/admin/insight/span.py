"""The time that a page is about: its query, and the links that keep or change it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from django.utils.timezone import get_current_timezone_name
from django.utils.translation import gettext, gettext_lazy

from django_integration.admin.search import NOT_A_TIME, field_value, read_moment
from django_integration.web.times import local_time
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.statistics.items import HOUR_MS, KEPT_DAYS, whole_hours
from serverless_tasks.engine.store.items import DAY_MS

if TYPE_CHECKING:
    from datetime import datetime

    from django.http import QueryDict
    from django.utils.functional import _StrPromise

RANGES: Final[dict[str, tuple[int, _StrPromise]]] = {
    "24h": (DAY_MS, gettext_lazy("Past 24 hours")),
    "7d": (7 * DAY_MS, gettext_lazy("Past 7 days")),
    "30d": (30 * DAY_MS, gettext_lazy("Past 30 days")),
    "90d": (90 * DAY_MS, gettext_lazy("Past 90 days")),
}
USUAL: Final = "24h"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A time, not longer than counts are kept.

    Attributes:
        since: its beginning, milliseconds since the epoch.
        until: its end, exclusive.
        kept_since: the earliest time whose counts are kept.
        chosen: which of `RANGES` it is, or "" where its ends were given.
        problems: what of the query could not be read.
    """

    since: int
    until: int
    kept_since: int
    chosen: str = ""
    problems: tuple[str, ...] = ()

    @classmethod
    def from_query(cls, query: QueryDict, now: float, usual: str = USUAL) -> Span:
        """Return the time in a request's query; the usual one where it names none, or none that can be.

        Args:
            query: ``since`` and ``until``, in milliseconds or ISO 8601 (without a zone: in the site's), or ``range``.
            now: the present, in seconds since the epoch.
            usual: which of `RANGES` is the usual one.
        """
        end = to_ms(now) + 1
        chosen = query.get("range", "")
        if chosen not in RANGES:
            chosen = usual
        kept_since = end - KEPT_DAYS * DAY_MS
        whole = cls(since=end - RANGES[chosen][0], until=end, kept_since=kept_since, chosen=chosen)
        given = {name: query.get(name, "").strip() for name in ("since", "until")}
        if not any(given.values()):
            return whole
        problems = []
        times = {name: read_moment(text) for name, text in given.items() if text}
        for name, time in times.items():
            if time is None:
                problems.append(NOT_A_TIME % {"text": given[name]})
        until = min(times.get("until") or end, end)
        since = max(times.get("since") or whole.since, kept_since)
        if not problems and since >= until:
            problems.append(gettext("This time ends before it begins, or no counts are kept of it."))
        if problems:
            return replace(whole, problems=tuple(problems))
        return cls(since=since, until=until, kept_since=kept_since)

    @property
    def first(self) -> int:
        """The beginning of the first hour that is counted."""
        return whole_hours(self.since, self.until)[0]

    @property
    def end(self) -> int:
        """The end of the last hour that is counted."""
        return whole_hours(self.since, self.until)[-1] + HOUR_MS

    @property
    def begins(self) -> datetime:
        """The beginning of the first hour, in the site's zone."""
        return local_time(self.first)

    @property
    def ends(self) -> datetime:
        """The end of the time, in the site's zone; the last hour may go on."""
        return local_time(self.until) if self.chosen else local_time(self.end)

    @property
    def before_is_kept(self) -> bool:
        """Whether the counts of as long a time before are still kept."""
        return self.since - (self.until - self.since) >= self.kept_since

    @property
    def zone(self) -> str:
        """The name of the site's zone."""
        return get_current_timezone_name()

    @property
    def since_field(self) -> str:
        """The beginning as an input element of HTML takes it."""
        return field_value(str(self.since))

    @property
    def until_field(self) -> str:
        """The end as an input element of HTML takes it."""
        return field_value(str(self.until))

    def query(self, **given: str) -> str:
        """Return the query of a link that keeps the time.

        Args:
            given: what else the link says; what is "" is left out.
        """
        return "?" + urlencode(self._own() | {name: value for name, value in given.items() if value})

    def jobs_query(self, **given: str) -> str:
        """Return the query of a link to the list of jobs that ended in this time; see `query`."""
        time = {"time": "finished", "since": str(self.first), "until": str(self.end)}
        return "?" + urlencode({name: value for name, value in given.items() if value} | time)

    def ranges(self, **given: str) -> list[tuple[str, str, bool]]:
        """Return the usual times: the word for each, the link to it, and whether it is this one."""
        kept = {name: value for name, value in given.items() if value}
        return [
            (str(word), "?" + urlencode({"range": name} | kept), name == self.chosen)
            for name, (_, word) in RANGES.items()
        ]

    def longest(self, **given: str) -> str:
        """Return the link to the longest of the usual times, or "" where it is this one."""
        _, link, chosen = self.ranges(**given)[-1]
        return "" if chosen else link

    def _own(self) -> dict[str, str]:
        if self.chosen:
            return {"range": self.chosen}  # pages differ in their usual one
        return {"since": str(self.since), "until": str(self.until)}
