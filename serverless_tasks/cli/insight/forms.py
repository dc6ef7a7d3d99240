"""Sparklines, durations and times."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.table import Table

from serverless_tasks.engine.job.record import iso

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
    if value < 120:
        return f"{value:.1f} s"
    return f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.1f} h"


def grid() -> Table:
    """A grid of names and what they are."""
    made = Table.grid(padding=(0, 2))
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    return made


def time_text(milliseconds: int) -> str:
    """Return a time to the second, in UTC."""
    text = iso(milliseconds) or ""
    return text.replace("T", " ").partition(".")[0] + " UTC"
