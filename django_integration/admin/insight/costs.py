"""The admin's page about costs: by task, and by owner and tenant as a sample tells them."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Final

from django.utils.formats import date_format
from django.utils.translation import gettext, gettext_lazy

from django_integration.admin.insight.numbers import count_text, money_text, percent_text
from django_integration.admin.insight.plots import STYLES, Plot, Series, Unit, spark, stacked
from django_integration.admin.insight.span import Span
from django_integration.admin.insight.times import Steps
from django_integration.admin.rows import owner_names
from django_integration.admin.views import JobViews, Section
from django_integration.web.times import local_time
from serverless_tasks.client.operations.cost.costs import added, costs_of, region_of
from serverless_tasks.client.operations.cost.prices import chosen_prices
from serverless_tasks.client.operations.cost.sample import OWNER, TENANT, sample_costs
from serverless_tasks.client.operations.statistics import known_tasks
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import AwsError, ConfigurationError

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse
    from django.urls import URLPattern
    from django.utils.functional import _StrPromise

    from serverless_tasks.client.operations.cost.costs import Costs, TaskCost
    from serverless_tasks.client.operations.cost.prices import Prices
    from serverless_tasks.client.operations.cost.sample import CostSample, Share
    from serverless_tasks.engine.services import Services

TASK: Final = "task"
BY: Final[dict[str, _StrPromise]] = {
    TASK: gettext_lazy("By task"),
    OWNER: gettext_lazy("By owner"),
    TENANT: gettext_lazy("By tenant"),
}
USUAL: Final = "7d"
# Owners or tenants that the page lists.
MOST: Final = 25
# Hours of a time of which a plot shows hours; of more it shows days.
HOURS: Final = 48
MILLION: Final = 1_000_000
MONEY: Final = Unit(text=money_text)


def urls(admin: JobViews) -> list[URLPattern]:
    """Return the page's pattern."""
    views = CostViews(admin)
    return [views.path("costs/", views.costs, "costs")]


class CostViews(Section):
    """The page about costs, for those who may see jobs."""

    def costs(self, request: HttpRequest) -> HttpResponse:
        """The costs of a time, of all tasks or of one."""
        self.require("view", request)
        services = current_services()
        task = request.GET.get("task", "").strip()
        by = request.GET.get("by", TASK)
        by = by if by in BY else TASK
        span = Span.from_query(request.GET, services.clock.now(), USUAL)
        kept = {"task": task, "by": "" if by == TASK else by}
        tasks = sorted({*known_tasks(services), *([task] if task else [])})
        context: dict[str, Any] = {
            "span": span,
            "ranges": span.ranges(**kept),
            "task": task,
            "tasks": tasks,
            "by": by,
            "choices": [
                (str(word), span.query(task=task, by="" if name == TASK else name), name == by)
                for name, word in BY.items()
            ],
            "in_process": services.backend_kind.in_process,
            "longest": span.longest(**kept),
        }
        title = gettext("Costs")
        try:
            found = _costs(services, [task] if task else tasks, span)
            context |= self._shown(found, span, by, task)
            if by != TASK and found.tasks:
                context |= self._sampled(found, sample_costs(services.store, found, by))
        except (AwsError, ConfigurationError) as error:
            return self.page(request, "costs", title, {**context, "problem": str(error)})
        return self.page(request, "costs", title, context)

    def _shown(self, found: Costs, span: Span, by: str, task: str) -> dict[str, Any]:
        if not found.tasks:
            return {}
        context: dict[str, Any] = {
            "total": money_text(found.dollars),
            "jobs": count_text(found.jobs),
            "a_million": _millions(found.dollars, found.jobs),
            "prices": found.prices,
            "price_date": _price_date(found.prices),
            "prices_from": found.prices_from,
            "elsewhere": found.region if found.elsewhere else "",
            "plot": _plot(found),
        }
        if by == TASK and not task:
            context["rows"] = [self._row(found, each, span) for each in found.tasks]
        if by == TASK:
            context["services"] = _services(found)
        if task:
            context["statistics"] = self.url("task_statistics") + span.query(task=task)
        return context

    def _row(self, found: Costs, each: TaskCost, span: Span) -> dict[str, Any]:
        steps = Steps.of([hour.start for hour in each.hours], daily=len(each.hours) > HOURS)
        values = steps.added_up([sum(cost.values()) for cost in each.by_hour])
        return {
            "name": each.task,
            "here": span.query(task=each.task),
            "jobs": count_text(each.jobs),
            "cost": money_text(each.dollars),
            "a_million": _millions(each.dollars, each.jobs),
            "share": percent_text(found.share(each.dollars)),
            "spark": spark(steps, values, MONEY),
        }

    def _sampled(self, found: Costs, sample: CostSample) -> dict[str, Any]:
        shown, rest = sample.shares[:MOST], sample.shares[MOST:]
        names = owner_names(each.name for each in shown) if sample.by == OWNER else {}
        return {
            "sample": sample,
            "looked_at": count_text(sample.looked_at),
            "oldest": None if sample.oldest is None else local_time(sample.oldest),
            "newest": None if sample.newest is None else local_time(sample.newest),
            "shares": [_share(found, each, names) for each in shown],
            "rest": _together(found, rest) if rest else None,
            "unknown": _line(found, sample.unknown) if sample.unknown else None,
            "thin": any(each.seen < 10 for each in shown),
        }


def _costs(services: Services, tasks: list[str], span: Span) -> Costs:
    prices, place = chosen_prices(None, None, services.config.prices)
    return costs_of(
        services.statistics_store,
        tasks,
        prices,
        since=span.since,
        until=span.until,
        prices_from=place,
        region=region_of(services),
    )


def _plot(found: Costs) -> Plot:
    """Return the costs by day, or by hour, in the services that have any."""
    hours = [hour.start for hour in found.tasks[0].hours]
    steps = Steps.of(hours, daily=len(hours) > HOURS)
    by_hour = [added(parts) for parts in zip(*(each.by_hour for each in found.tasks), strict=True)]
    series = [
        Series(name=name, style=style, values=steps.added_up([hour[name] for hour in by_hour]))
        for (name, cost), style in zip(found.by_service.items(), STYLES, strict=True)
        if cost
    ]
    title = gettext("Cost by the day") if steps.daily else gettext("Cost by the hour")
    return stacked("cost", title, steps, series, MONEY)


def _services(found: Costs) -> list[dict[str, Any]]:
    submitting = added(each.submitting for each in found.tasks)
    running = added(each.running for each in found.tasks)
    return [
        {"name": name, "submitting": money_text(submitting[name]), "running": money_text(running[name])}
        | _line(found, cost)
        for name, cost in found.by_service.items()
        if cost
    ]


def _share(found: Costs, each: Share, names: dict[str, str]) -> dict[str, Any]:
    return _line(found, each.dollars) | {
        "name": names.get(each.name or "", each.name or ""),
        "jobs": count_text(each.jobs),
        "a_million": _millions(each.dollars, each.jobs),
        "seen": count_text(each.seen),
    }


def _together(found: Costs, rest: tuple[Share, ...]) -> dict[str, Any]:
    return _line(found, sum(each.dollars for each in rest)) | {
        "number": len(rest),
        "jobs": count_text(sum(each.jobs for each in rest)),
        "seen": count_text(sum(each.seen for each in rest)),
    }


def _line(found: Costs, cost: float) -> dict[str, Any]:
    return {"cost": money_text(cost), "share": percent_text(found.share(cost))}


def _millions(cost: float, jobs: float) -> str:
    return money_text(cost / jobs * MILLION) if jobs else "-"


def _price_date(prices: Prices) -> str:
    try:
        return date_format(date.fromisoformat(prices.date), "DATE_FORMAT")
    except ValueError:
        return prices.date  # an operator's own text
