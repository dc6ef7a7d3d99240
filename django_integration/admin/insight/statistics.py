"""The admin's pages about statistics: all tasks of a time, and one task in plots, compared with the time before."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any, Final

from django.utils.translation import gettext, gettext_lazy, pgettext, pgettext_lazy

from django_integration.admin.insight.numbers import count_text, decimal_text, percent_text, seconds_text
from django_integration.admin.insight.plots import Plot, Series, lines, spark, stacked
from django_integration.admin.insight.span import Span
from django_integration.admin.insight.times import Steps
from django_integration.admin.views import JobViews, Section
from serverless_tasks.client.operations.statistics import (
    ENOUGH,
    Pace,
    all_statistics,
    known_tasks,
    task_statistics,
)
from serverless_tasks.engine.services import current_services
from serverless_tasks.engine.statistics.counts import Counts
from serverless_tasks.errors import AwsError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from django.http import HttpRequest, HttpResponse
    from django.urls import URLPattern
    from django.utils.functional import _StrPromise

    from serverless_tasks.client.operations.statistics import TaskStatistics
    from serverless_tasks.engine.statistics.histogram import Histogram

COUNTED: Final[dict[str, _StrPromise]] = {
    "submitted": gettext_lazy("Submitted"),
    "succeeded": gettext_lazy("Succeeded"),
    "failed": gettext_lazy("Failed"),
    "cancelled": gettext_lazy("Cancelled"),
    "retried": pgettext_lazy("attempts", "Retried"),
    "lost": pgettext_lazy("attempts", "Worker lost"),
}
# From the bottom of a bar: few failures are seen there, and not on top of many successes.
OUTCOMES: Final = ("failed", "cancelled", "succeeded")
PERCENTS: Final = (50, 95, 99)
# In a plot: the last one is the matter of few jobs of an hour.
PLOTTED: Final = ((50, "first"), (95, "second"))


def urls(admin: JobViews) -> list[URLPattern]:
    """Return the pages' patterns."""
    views = StatisticsViews(admin)
    return [
        views.path("statistics/", views.statistics, "statistics"),
        views.path("statistics/task/", views.task, "task_statistics"),
    ]


class StatisticsViews(Section):
    """The pages about statistics, for those who may see jobs."""

    def statistics(self, request: HttpRequest) -> HttpResponse:
        """All tasks of a time: what became of their jobs, and how long they took and waited."""
        self.require("view", request)
        services = current_services()
        span = Span.from_query(request.GET, services.clock.now())
        context: dict[str, Any] = {"span": span, "ranges": span.ranges()}
        title = gettext("Statistics")
        try:
            found = all_statistics(
                services.statistics_store, known_tasks(services), since=span.since, until=span.until
            )
        except (AwsError, ConfigurationError) as error:
            return self.page(request, "statistics", title, {**context, "problem": str(error)})
        found.sort(key=lambda each: (-each.total.ended, each.task))
        context |= {
            "rows": [_row(each, span) for each in found],
            "in_process": services.backend_kind.in_process,
            "longest": span.longest(),
            "enough": ENOUGH,
        }
        if found:
            hours = [reduce(add, each) for each in zip(*map(_hours, found), strict=True)]
            steps = Steps.of([hour.start for hour in found[0].hours])
            context |= {
                "total": _figures(reduce(add, (each.total for each in found))),
                "plot": _outcomes(gettext("Jobs of all tasks that ended"), steps, steps.added_up(hours)),
            }
        return self.page(request, "statistics", title, context)

    def task(self, request: HttpRequest) -> HttpResponse:
        """One task: plots by the hour or the day, the time before, and whether it is getting slower."""
        self.require("view", request)
        task = request.GET.get("task", "").strip()
        if not task:
            return self.to("statistics")
        services = current_services()
        span = Span.from_query(request.GET, services.clock.now())
        context = {"span": span, "task": task, "ranges": span.ranges(task=task), "overview": span.query()}
        try:
            found = task_statistics(services.statistics_store, task, since=span.since, until=span.until)
        except (AwsError, ConfigurationError) as error:
            return self.page(request, "task_statistics", task, {**context, "problem": str(error)})
        context |= {
            "in_process": services.backend_kind.in_process,
            "jobs": span.jobs_query(task=task),
            "errors": span.query(task=task),
            "longest": span.longest(task=task),
            "enough": ENOUGH,
        }
        if found.seen:
            steps = Steps.of([hour.start for hour in found.hours])
            context |= {
                "pace": found.pace.value,
                "medians": _medians(found),
                "compared": _compared(found.total, found.before),
                "plots": _plots(steps, steps.added_up(_hours(found))),
            }
        return self.page(request, "task_statistics", task, context)


def _hours(found: TaskStatistics) -> list[Counts]:
    return [hour.counts for hour in found.hours]


def _row(found: TaskStatistics, span: Span) -> dict[str, Any]:
    steps = Steps.of([hour.start for hour in found.hours], daily=False)
    return _figures(found.total) | {
        "task": found.task,
        "pace": found.pace.value,
        "slower": found.pace == Pace.SLOWER,
        "here": span.query(task=found.task),
        "jobs": span.jobs_query(task=found.task),
        "spark": spark(steps, [hour.counts.ended for hour in found.hours]),
    }


def _figures(total: Counts) -> dict[str, Any]:
    return {
        "counts": [(name, count_text(getattr(total, name))) for name in COUNTED],
        "rate": percent_text(total.failure_rate),
        "failing": bool(total.failed),
        "times": [
            [(percent, seconds_text(histogram.percentile(percent))) for percent in PERCENTS]
            for histogram in (total.duration, total.queue_wait)
        ],
        "gb_seconds": decimal_text(total.gb_seconds, 1),
    }


def _medians(found: TaskStatistics) -> dict[str, str]:
    return {
        f"{when}{percent}": seconds_text(counts.duration.percentile(percent))
        for when, counts in (("now", found.total), ("before", found.before))
        for percent in (50, 95)
    }


def _compared(now: Counts, before: Counts) -> list[tuple[str, str, str, str]]:
    """Return the figures of a time and of the time before: what each is, both, and by how much it has changed."""
    rows = [
        _compared_figure(str(word), getattr(now, name), getattr(before, name), count_text)
        for name, word in COUNTED.items()
    ]
    rates = [percent_text(each.failure_rate) for each in (now, before)]
    rows.append((gettext("Failed, of those that succeeded or failed"), rates[0], rates[1], ""))
    for name, label in (
        ("duration", gettext("Duration p%(percent)d")),
        ("queue_wait", gettext("Queue wait p%(percent)d")),
    ):
        for percent in PERCENTS:
            later, earlier = (getattr(each, name).percentile(percent) for each in (now, before))
            rows.append(_compared_figure(label % {"percent": percent}, later, earlier, seconds_text))
    rows.append(_compared_figure(gettext("GB-seconds"), now.gb_seconds, before.gb_seconds, decimal_text))
    return rows


def _compared_figure(
    word: str, now: float | None, before: float | None, text: Callable[[Any], str]
) -> tuple[str, str, str, str]:
    """Return a figure's word, its values, and by how much it has changed in percent, where that can be said."""
    change = ""
    if now is not None and before:
        part = round(now / before - 1, 2)
        sign = "+" if part > 0 else "-" if part < 0 else ""
        change = sign + percent_text(abs(part), 0)
    later, earlier = ("-" if each is None else text(each) for each in (now, before))
    return word, later, earlier, change


def _plots(steps: Steps, counts: Sequence[Counts]) -> list[Plot]:
    waits = [each.queue_wait for each in counts]
    return [
        _outcomes(gettext("Jobs that ended"), steps, counts),
        _percentiles("duration", pgettext("jobs", "Duration"), steps, [each.duration for each in counts]),
        _percentiles("queue-wait", gettext("Queue wait"), steps, waits),
    ]


def _outcomes(title: str, steps: Steps, counts: Sequence[Counts]) -> Plot:
    series = [
        Series(name=str(COUNTED[name]), style=name, values=[getattr(each, name) for each in counts])
        for name in OUTCOMES
    ]
    return stacked("outcomes", title, steps, series)


def _percentiles(name: str, title: str, steps: Steps, histograms: Sequence[Histogram]) -> Plot:
    series = [
        Series(name=f"p{percent}", style=style, values=[each.percentile(percent) for each in histograms])
        for percent, style in PLOTTED
    ]
    return lines(name, title, steps, series)
