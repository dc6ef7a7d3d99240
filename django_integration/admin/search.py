"""The search in the list of jobs: the page's query string, and the links that change one part of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from serverless_tasks.engine.job.record import CANCELLED, FAILED, PENDING, RUNNING, SUCCEEDED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

STATUSES = (PENDING, RUNNING, SUCCEEDED, FAILED, CANCELLED)
PERIODS = {1: "Past 24 hours", 7: "Past 7 days", 30: "Past 30 days"}
USUAL_PERIOD = 7
# The names of groups and chains that have been given none.
GROUPS = ("chain", "group")


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
    """A search for jobs; a value that the page does not know counts as absent.

    Attributes:
        task: a task's name, or "".
        owner: an owner, or "".
        status: one of `STATUSES`, or "".
        days: how far back, one of `PERIODS`.
        cursor: where the page goes on, or "".
    """

    task: str = ""
    owner: str = ""
    status: str = ""
    days: int = USUAL_PERIOD
    cursor: str = ""

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> Search:
        """The search in a request's query."""
        status, days = query.get("status", ""), query.get("days", "")
        return cls(
            task=query.get("task", ""),
            owner=query.get("owner", "").strip(),
            status=status if status in STATUSES else "",
            days=int(days) if days in map(str, PERIODS) else USUAL_PERIOD,
            cursor=query.get("cursor", ""),
        )

    @property
    def narrowed(self) -> bool:
        """True if the search leaves anything out."""
        return bool(self.task or self.owner or self.status)

    @property
    def query_string(self) -> str:
        """The search as a link's query; what is usual is not said."""
        said: dict[str, str] = {
            "task": self.task,
            "owner": self.owner,
            "status": self.status,
            "days": "" if self.days == USUAL_PERIOD else str(self.days),
            "cursor": self.cursor,
        }
        return "?" + urlencode({name: value for name, value in said.items() if value})

    @property
    def first_page(self) -> str:
        """The link to the newest jobs."""
        return replace(self, cursor="").query_string

    @property
    def longest(self) -> str:
        """The link to the longest time that jobs are kept."""
        return replace(self, days=max(PERIODS), cursor="").query_string

    def going_on(self, cursor: str) -> str:
        """The link to the next page."""
        return replace(self, cursor=cursor).query_string

    def filters(self, tasks: Iterable[str]) -> list[Filter]:
        """The filters of the sidebar.

        Args:
            tasks: the names to choose from; the one that is looked for is among the choices in any case.
        """
        first = replace(self, cursor="")
        names = sorted({*tasks, *GROUPS, *([self.task] if self.task else [])})
        statuses = [("All", ""), *((status.capitalize(), status) for status in STATUSES)]
        return [
            Filter(
                "status",
                tuple(
                    Choice(display, replace(first, status=status).query_string, status == self.status)
                    for display, status in statuses
                ),
            ),
            Filter(
                "time",
                tuple(
                    Choice(display, replace(first, days=days).query_string, days == self.days)
                    for days, display in PERIODS.items()
                ),
            ),
            Filter(
                "task",
                tuple(
                    Choice(name or "All", replace(first, task=name).query_string, name == self.task)
                    for name in ("", *names)
                ),
            ),
        ]
