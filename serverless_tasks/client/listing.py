"""Going through jobs from Python: `TaskClient.list`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from serverless_tasks.client.job_filter import JobFilter
from serverless_tasks.client.search import by_all_names, known_names, search_jobs
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serverless_tasks.engine.job.record import Record
    from serverless_tasks.engine.services import Services

PAGE: Final = 100
_TIMES: Final = ("since", "until")


def list_jobs(services: Services, filters: dict[str, Any], limit: int | None) -> Iterator[Record]:
    """Yield the jobs that match, page by page; see `TaskClient.list`.

    Args:
        services: the services to use.
        filters: attributes of `JobFilter`; ``task`` is one class or name, and times are datetimes.
        limit: how many at most; None for all.

    Raises:
        ConfigurationError: a filter, or its value, is none that there is.
    """
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise ConfigurationError(f"limit={limit!r}: expected a whole number from 1, or None for all.")
    return _pages(services, by_all_names(services, _filter(filters)), limit)


def _filter(given: dict[str, Any]) -> JobFilter:
    read = {name: value for name, value in given.items() if value is not None}
    for name in _TIMES:
        if name in read:
            moment = read[name]
            if not isinstance(moment, datetime) or moment.utcoffset() is None:
                raise ConfigurationError(f"{name}={moment!r}: expected a datetime with a time zone.")
            read[name] = to_ms(moment.timestamp())
    if (task := read.pop("task", None)) is not None:
        read["tasks"] = [task]
    if (tasks := read.get("tasks")) is not None:
        read["tasks"] = [each if isinstance(each, str) else each.name for each in tasks]
    return JobFilter.from_json(read)


def _pages(services: Services, filters: JobFilter, limit: int | None) -> Iterator[Record]:
    names, cursor, left = known_names(services), None, limit
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        page = search_jobs(services.store, filters, limit=size, cursor=cursor, names=names)
        yield from page.records
        if (cursor := page.cursor) is None:
            return
        left = None if left is None else left - len(page.records)
