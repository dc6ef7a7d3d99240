"""Statistics of tasks as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from serverless_tasks.cli.insight.forms import figures_table, seconds, sparkline
from serverless_tasks.cli.output import visible
from serverless_tasks.cli.tables import details_grid
from serverless_tasks.cli.times import shown
from serverless_tasks.client.operations.statistics import Pace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from serverless_tasks.client.operations.statistics import TaskStatistics
    from serverless_tasks.engine.statistics.counts import Counts

_PACES = {Pace.SLOWER: "red", Pace.FASTER: "green", Pace.STEADY: "", Pace.UNKNOWN: "dim"}


def statistics_table(found: Sequence[TaskStatistics]) -> RenderableType:
    """Several tasks, a line each."""
    if not found:
        return Text("Nothing was counted in this time.")
    table = figures_table("task", "ended", "failed", "p50", "p95", "wait p95")
    table.add_column("ended by the hour", no_wrap=True)
    for each in found:
        total = each.total
        table.add_row(
            _named(each),
            f"{total.ended:,}",
            _part(total.failure_rate),
            seconds(total.duration.percentile(50)),
            seconds(total.duration.percentile(95)),
            seconds(total.queue_wait.percentile(95)),
            sparkline([hour.counts.ended for hour in each.hours], 18),
        )
    return table


def statistics_picture(found: TaskStatistics) -> RenderableType:
    """One task, and the time before."""
    rows = details_grid()
    rows.add_row("task", Text(visible(found.task)))
    rows.add_row("from", shown(found.since))
    rows.add_row("to", shown(found.until))
    rows.add_row("pace", Text(_pace(found), style=_PACES[found.pace]))
    table = figures_table("", "now", "before")
    table.add_column("by the hour", no_wrap=True)
    hours = [hour.counts for hour in found.hours]
    for name in ("submitted", "succeeded", "failed", "retried", "cancelled", "lost"):
        now, before = getattr(found.total, name), getattr(found.before, name)
        line = sparkline([getattr(counts, name) for counts in hours], 40)
        table.add_row(name, f"{now:,}", f"{before:,}", line)
    for label, histogram in (("duration", "duration"), ("queue wait", "queue_wait")):
        for percent in (50, 95, 99):
            now, before = (
                getattr(counts, histogram).percentile(percent) for counts in (found.total, found.before)
            )
            line = sparkline([getattr(counts, histogram).percentile(percent) for counts in hours], 40)
            table.add_row(f"{label} p{percent}", seconds(now), seconds(before), line)
    gb = [f"{counts.gb_seconds:,.1f}" for counts in (found.total, found.before)]
    table.add_row("GB-seconds", *gb, sparkline([counts.gb_seconds for counts in hours], 40))
    return Group(rows, Text(), table)


def _named(found: TaskStatistics) -> Text:
    name = Text(visible(found.task))
    return name + Text(f" {found.pace.value}", style="red") if found.pace == Pace.SLOWER else name


def _part(rate: float | None) -> Text:
    if rate is None:
        return Text("-")
    return Text(f"{rate:.1%}", style="red" if rate else "")


def _pace(found: TaskStatistics) -> str:
    if found.pace == Pace.UNKNOWN:
        return "too few attempts to compare with the time before"
    now, before = (_medians(counts) for counts in (found.total, found.before))
    return f"{found.pace.value}: {now} now, {before} before"


def _medians(counts: Counts) -> str:
    return f"p50 {seconds(counts.duration.percentile(50))}, p95 {seconds(counts.duration.percentile(95))}"
