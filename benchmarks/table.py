"""The table as Markdown, as docs/performance.md shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.measure import Comparison

_HEAD = ("#", "measure", "ours", "compared with", "ratio (from, to)", "goal", "met")


def table(lines: Sequence[Comparison]) -> str:
    """The lines as a table."""
    rows = [_HEAD, tuple("-" for _ in _HEAD), *(_cells(line) for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    rows[1] = tuple("-" * width for width in widths)
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    )


def _cells(line: Comparison) -> tuple[str, ...]:
    ratio = line.ratio
    spread = "" if ratio is None else f"{_figure(ratio.median)} ({_figure(ratio.low)}, {_figure(ratio.high)})"
    met = "" if line.met is None else "yes" if line.met else "no"
    return str(line.row), line.measure, line.ours, line.peer, spread, line.goal, met


def _figure(value: float) -> str:
    return f"{value:.2f}" if value >= 0.01 else f"{value:.5f}"
