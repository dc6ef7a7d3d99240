"""Costs as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from serverless_tasks.cli.insight.forms import figures_table, sparkline
from serverless_tasks.cli.output import visible
from serverless_tasks.cli.tables import details_grid
from serverless_tasks.cli.times import shown
from serverless_tasks.engine.job.record import iso

if TYPE_CHECKING:
    from rich.console import RenderableType

    from serverless_tasks.client.operations.cost.costs import Costs
    from serverless_tasks.client.operations.cost.sample import CostSample

# Owners or tenants that are shown; --json has all of the sample.
MOST = 25
_MILLION = 1_000_000
NOTHING = "Nothing was counted in this time."
_SAID = (
    "Running is counted by the workers; submissions are reckoned from the messages, and logs from the number of"
    " attempts. Not included: reads of status, storage, data transfer, polls of empty queues, direct invokes, alarms,"
    " what tasks themselves log or call."
)


def costs_table(costs: Costs) -> RenderableType:
    """The tasks, a line each, and all together."""
    if not costs.tasks:
        return Text(NOTHING)
    table = figures_table("task", "jobs", "cost", "a million", "share")
    table.add_column("by the day", no_wrap=True)
    for each in costs.tasks:
        days = list(each.by_day.values())
        line = (money(each.dollars), _millions(each.a_job), f"{costs.share(each.dollars):.1%}")
        table.add_row(Text(visible(each.task)), f"{each.jobs:,}", *line, sparkline(days, 10))
    total = costs.dollars / costs.jobs if costs.jobs else None
    table.add_row("together", f"{costs.jobs:,}", money(costs.dollars), _millions(total), "", style="bold")
    services = ", ".join(f"{name} {money(each)}" for name, each in costs.by_service.items() if each)
    return Group(table, Text(), Text(f"By service: {services}."), *_notes(costs))


def task_picture(costs: Costs) -> RenderableType:
    """One task: its cost by service and by day."""
    [each] = costs.tasks
    head = details_grid()
    head.add_row("task", Text(visible(each.task)))
    head.add_row("from", shown(costs.since))
    head.add_row("to", shown(costs.until))
    head.add_row("cost", Text(f"{money(each.dollars)} for {each.jobs:,} jobs that ended", style="bold"))
    if each.a_job is not None:
        head.add_row("a million", money(each.a_job * _MILLION))
    services = figures_table("service", "submitting", "running", "cost", "share")
    for name, cost in each.by_service.items():
        parts = (each.submitting[name], each.running[name], cost)
        if cost:
            services.add_row(name, *map(money, parts), f"{costs.share(cost):.1%}")
    sums = (sum(each.submitting.values()), sum(each.running.values()), each.dollars)
    services.add_row("together", *map(money, sums), "", style="bold")
    days = figures_table("day (UTC)", "cost")
    for day, cost in each.by_day.items():
        days.add_row(str(iso(day))[:10], money(cost))
    return Group(head, Text(), services, Text(), days, *_notes(costs))


def sample_table(costs: Costs, sample: CostSample) -> RenderableType:
    """Owners or tenants, the dearest first; everything in it is an estimate."""
    if not costs.tasks:
        return Text(NOTHING)
    table = figures_table(sample.by, "jobs", "cost", "a million", "share", "sampled")
    for each in sample.shares[:MOST]:
        name = Text("(none)", style="dim") if each.name is None else Text(visible(each.name))
        line = (money(each.dollars), _millions(each.dollars / each.jobs if each.jobs else None))
        share = f"{costs.share(each.dollars):.1%}"
        table.add_row(name, f"{each.jobs:,.0f}", *line, share, f"{each.seen:,}")
    rest = sample.shares[MOST:]
    if rest:
        cost, jobs = sum(each.dollars for each in rest), sum(each.jobs for each in rest)
        seen = f"{sum(each.seen for each in rest):,}"
        share = f"{costs.share(cost):.1%}"
        table.add_row(Text(f"{len(rest):,} more", style="dim"), f"{jobs:,.0f}", money(cost), "", share, seen)
    if sample.unknown:
        share = f"{costs.share(sample.unknown):.1%}"
        table.add_row(Text("not known", style="dim"), "", money(sample.unknown), "", share, "0")
    table.add_row("together", f"{costs.jobs:,}", money(costs.dollars), "", "", "", style="bold")
    return Group(table, Text(), *_sample_notes(costs, sample), *_notes(costs))


def money(dollars: float) -> str:
    """Return dollars to the cent, and small sums to two figures."""
    if not dollars:
        return "$0"
    if dollars < 0.000_05:
        return "<$0.0001"
    places = 2 if dollars >= 0.995 else 3 if dollars >= 0.0095 else 4
    return f"${dollars:,.{places}f}"


def _sample_notes(costs: Costs, sample: CostSample) -> list[Text]:
    notes = [
        Text(f"ESTIMATED from a sample of {sample.looked_at:,} of about {costs.jobs:,} jobs.", style="bold")
    ]
    if sample.oldest is not None and sample.newest is not None:
        notes.append(Text(f"They were submitted from {shown(sample.oldest)} to {shown(sample.newest)}."))
    if any(each.seen < 10 for each in sample.shares):
        notes.append(Text("Of those with few jobs in it, the sample says little."))
    return notes


def _notes(costs: Costs) -> list[Text]:
    prices = costs.prices
    place = f", with those of {costs.prices_from}" if costs.prices_from else ""
    listed = f"List prices of {prices.region} of {prices.date}{place}, without free tiers and discounts;"
    lines = ["", f"{listed} --prices sets others."]
    if costs.elsewhere:
        lines.append(f"The stack is in {costs.region}: give its prices with --region and --prices.")
    return [*map(Text, lines), Text(_SAID)]


def _millions(a_job: float | None) -> str:
    return "-" if a_job is None else money(a_job * _MILLION)
