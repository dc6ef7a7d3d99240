"""Kinds of failures as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from serverless_tasks.cli.insight.forms import sparkline
from serverless_tasks.cli.output import visible
from serverless_tasks.cli.tables import details_grid
from serverless_tasks.cli.times import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from serverless_tasks.client.operations.errors import ErrorSummary


def errors_table(found: Sequence[ErrorSummary]) -> RenderableType:
    """Kinds of failures, the most frequent first."""
    if not found:
        return Text("No task failed in this time.")
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("count", justify="right", no_wrap=True)
    table.add_column("by the hour", no_wrap=True)
    table.add_column("error", overflow="fold")
    for each in found:
        new = Text("  new", style="red") if each.new else Text()
        head = Text(each.fingerprint, style="bold") + new
        lines = [
            head,
            Text(visible(f"{each.task}: {each.type}")),
            *([Text(visible(each.message), style="red")] if each.message else []),
            Text(f"last {shown(each.last_seen)}", style="dim"),
        ]
        counts = sparkline([count for _, count in each.hours])
        table.add_row(f"{each.count:,}", counts, Text("\n").join(lines))
    kinds = "1 kind of failure" if len(found) == 1 else f"{len(found)} kinds of failures"
    return Group(table, Text(f"{kinds}, {sum(each.count for each in found):,} in all."))


def error_picture(found: ErrorSummary) -> RenderableType:
    """One kind of failure, with its examples."""
    rows = details_grid()
    rows.add_row("fingerprint", found.fingerprint)
    rows.add_row("task", Text(visible(found.task)))
    rows.add_row("error", Text(visible(found.type), style="red"))
    if found.frame:
        rows.add_row("in", Text(visible(found.frame)))
    if found.message:
        rows.add_row("message", Text(visible(found.message), style="red"))
    rows.add_row("count", f"{found.count:,}")
    rows.add_row("first seen", shown(found.first_seen))
    rows.add_row("last seen", shown(found.last_seen))
    rows.add_row("by the hour", sparkline([count for _, count in found.hours], 60))
    if found.examples:
        rows.add_row("examples", "\n".join(found.examples))
    rows.add_row("all jobs", Text(f"serverless-tasks jobs --fingerprint {found.fingerprint}"))
    return rows
