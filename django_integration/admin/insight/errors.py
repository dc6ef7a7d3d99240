"""The admin's pages about errors: which kinds of failures occurred, and one kind with its examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext

from django_integration.admin.insight.numbers import count_text
from django_integration.admin.insight.plots import Series, spark, stacked
from django_integration.admin.insight.span import Span
from django_integration.admin.insight.times import Steps
from django_integration.admin.views import JobViews, Section
from django_integration.web.times import local_time
from serverless_tasks.client.operations.errors import list_errors, read_error
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import AwsError, ConfigurationError

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse
    from django.urls import URLPattern

    from serverless_tasks.client.operations.errors import ErrorSummary

# Kinds that the page lists; a process tells 100 apart in an hour.
MOST = 200


def urls(admin: JobViews) -> list[URLPattern]:
    """Return the pages' patterns."""
    views = ErrorViews(admin)
    return [
        views.path("errors/", views.errors, "errors"),
        views.path("errors/<slug:fingerprint>/", views.error, "error"),
    ]


class ErrorViews(Section):
    """The pages about errors, for those who may see jobs."""

    def errors(self, request: HttpRequest) -> HttpResponse:
        """The kinds of failures of a time, the most frequent first."""
        self.require("view", request)
        services = current_services()
        task = request.GET.get("task", "").strip()
        span = Span.from_query(request.GET, services.clock.now())
        context = {"span": span, "task": task, "ranges": span.ranges(task=task)}
        title = gettext("What fails")
        try:
            found = list_errors(services.statistics_store, since=span.since, until=span.until)
        except (AwsError, ConfigurationError) as error:
            return self.page(request, "errors", title, {**context, "problem": str(error)})
        shown = [each for each in found if not task or each.task == task]
        failures = sum(each.count for each in shown)
        context |= {
            "tasks": sorted({*(each.task for each in found), *([task] if task else [])}),
            "rows": [self._row(each, span) for each in shown[:MOST]],
            "kinds": len(shown),
            "left": max(0, len(shown) - MOST),
            "failures": failures,
            "failures_text": count_text(failures),
            "new": sum(each.new for each in shown),
            "in_process": services.backend_kind.in_process,
            "elsewhere": span.query() if task and not shown and found else "",
        }
        return self.page(request, "errors", title, context)

    def error(self, request: HttpRequest, fingerprint: str) -> HttpResponse:
        """One kind of failure: its trend, examples, and the way to all of its jobs."""
        self.require("view", request)
        services = current_services()
        span = Span.from_query(request.GET, services.clock.now())
        context: dict[str, Any] = {
            "span": span,
            "fingerprint": fingerprint,
            "ranges": span.ranges(),
            "longest": span.longest(),
        }
        title = gettext("Failures of one kind")
        try:
            found = read_error(services.statistics_store, fingerprint, since=span.since, until=span.until)
        except (AwsError, ConfigurationError) as error:
            return self.page(request, "error", title, {**context, "problem": str(error)})
        if found is None:
            return self.page(request, "error", title, context)
        steps = Steps.of([hour for hour, _ in found.hours])
        values = steps.added_up([count for _, count in found.hours])
        series = Series(name=gettext("Failures"), style="failed", values=values)
        trend = gettext("Failures by the day") if steps.daily else gettext("Failures by the hour")
        context |= self._row(found, span) | {"plot": stacked("trend", trend, steps, [series])}
        return self.page(request, "error", f"{found.task}: {found.type}", context)

    def _row(self, found: ErrorSummary, span: Span) -> dict[str, Any]:
        steps = Steps.of([hour for hour, _ in found.hours], daily=False)
        jobs = span.jobs_query(status="failed", task=found.task, fingerprint=found.fingerprint)
        return {
            "error": found,
            "count": count_text(found.count),
            "first": local_time(found.first_seen),
            "last": local_time(found.last_seen),
            "spark": spark(steps, [count for _, count in found.hours]),
            "here": span.query(),
            "query": jobs,
            "jobs": self.url("changelist") + jobs,
            "only": self.url("errors") + span.query(task=found.task),
            "statistics": self.url("task_statistics") + span.query(task=found.task),
        }
