"""Sparklines, durations and tables of figures."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.table import Table

from serverless_tasks.cli.times import length

if TYPE_CHECKING:
    from collections.abc import Sequence

_BARS = "▁▂▃▄▅▆▇█"
_NOTHING = "·"
WIDTH = 24


def sparkline(values: Sequence[float | None], width: int = WIDTH) -> str:
    """Return values as bars of eight heights, the highest of which is the greatest; a dot for none.

    Args:
        values: in their order; more than fit are drawn by the greatest of several.
        width: the most characters.
    """
    size = max(1, math.ceil(len(values) / width))
    parts = [values[start : start + size] for start in range(0, len(values), size)]
    tops = [max((value for value in part if value), default=0) for part in parts]
    highest = max(tops, default=0)
    return "".join(
        _BARS[max(0, math.ceil(top / highest * len(_BARS)) - 1)] if top else _NOTHING for top in tops
    )


def seconds(value: float | None) -> str:
    """Return a duration in words of at most 7 characters."""
    if value is None:
        return "-"
    if value < 1:
        return f"{value * 1000:.0f} ms" if value >= 0.01 else f"{value * 1000:.1f} ms"
    return length(value)


def figures_table(name: str, *figures: str) -> Table:
    """Return a table with a column of names and columns of figures."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(name, overflow="fold")
    for figure in figures:
        table.add_column(figure, justify="right", no_wrap=True)
    return table
