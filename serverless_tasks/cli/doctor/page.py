"""The page for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from serverless_tasks.cli.doctor.finding import Level
from serverless_tasks.cli.output import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from serverless_tasks.cli.doctor.finding import Findings

_STYLES: Final = {Level.OK: "green", Level.WARNING: "yellow", Level.ERROR: "bold red", Level.UNSEEN: "dim"}


def picture(sections: Sequence[Findings]) -> Table:
    """Return the sections as a table: what was found, and below it the cure."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    page = Table.grid()
    for section in sections:
        lines = Table.grid(padding=(0, 2))
        lines.add_column(no_wrap=True)
        lines.add_column(overflow="fold")
        for line in section.lines:
            lines.add_row(Text(str(line.level), style=_STYLES[line.level]), visible(line.text))
            if line.cure:
                lines.add_row("", Text(visible(line.cure), style="italic"))
        page.add_row(Text(section.section.capitalize(), style="bold"))
        page.add_row(Padding(lines, (0, 0, 1, 2)))
    page.add_row(summary(sections))
    return page


def summary(sections: Sequence[Findings]) -> str:
    """Return how many findings of each kind there are, in a sentence."""
    errors, warnings, unseen = (
        sum(section.count(level) for section in sections)
        for level in (Level.ERROR, Level.WARNING, Level.UNSEEN)
    )
    parts = [f"{errors} {'error' if errors == 1 else 'errors'}"]
    parts.append(f"{warnings} {'warning' if warnings == 1 else 'warnings'}")
    if unseen:
        parts.append(f"{unseen} not seen")
    return ", ".join(parts) + "."


def as_document(sections: Sequence[Findings]) -> dict[str, Any]:
    """The page for programs."""
    found: dict[str, Any] = {
        section.section: [line.to_json() for line in section.lines] for section in sections
    }
    return found | {
        "errors": sum(section.count(Level.ERROR) for section in sections),
        "warnings": sum(section.count(Level.WARNING) for section in sections),
    }
