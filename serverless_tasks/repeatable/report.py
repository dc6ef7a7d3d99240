"""The report of what happened twice, for people to read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serverless_tasks.repeatable.write import Write


@dataclass(frozen=True, slots=True)
class Repeated:
    """A write that happened more often than in one undisturbed run.

    Attributes:
        write: the write; its text is the operation and the line of the task's code.
        after: what went before: ``the whole run`` or the write after which the worker was lost.
        reason: ``done twice``, or ``other values`` where it overwrote what the first run had written.
    """

    write: Write
    after: str
    reason: str = "done twice"

    def __str__(self) -> str:
        return f"{self.write} ({self.reason}; the worker was lost after {self.after})"


@dataclass(frozen=True, slots=True)
class Report:
    """The report of `check_repeatable`.

    Attributes:
        task: the task's name.
        inputs: what it ran with.
        writes: what one undisturbed run writes.
        repeated: what happened twice, each place once.
        problems: sentences on second runs that failed, and on writes that were not met again.
    """

    task: str
    inputs: dict[str, Any] = field(repr=False)
    writes: tuple[Write, ...]
    repeated: tuple[Repeated, ...]
    problems: tuple[str, ...]

    @property
    def is_repeatable(self) -> bool:
        """True where nothing happened twice, and each second run ended well."""
        return not self.repeated and not self.problems

    def check(self) -> Report:
        """Return the report.

        Raises:
            AssertionError: the task is not repeatable; with the report's text.
        """
        if not self.is_repeatable:
            raise AssertionError(str(self))
        return self

    def __str__(self) -> str:
        if self.is_repeatable:
            return (
                f"{self.task} is repeatable: the worker was lost after each of its {len(self.writes)} writes."
            )
        lines = [f"{self.task} is not repeatable; a second run of the same job gave:"]
        lines += [f"  {each}" for each in (*self.repeated, *self.problems)]
        lines.append("Seen in one undisturbed run:")
        lines += [f"  {number}. {write}" for number, write in enumerate(self.writes, 1)]
        lines.append(
            "Cures: a unique key with update_or_create, an idempotency key made of self.execution.uuid."
        )
        return "\n".join(lines)


def compare(
    whole: Sequence[Write], first: Sequence[Write], second: Sequence[Write], after: str
) -> list[Repeated]:
    """Return what a second run did again.

    Args:
        whole: what stands of one undisturbed run.
        first: what stands of the run whose worker was lost.
        second: what stands of the run after it.
        after: what went before the loss, for the text.
    """
    values = {(write.what, write.values) for write in first}
    again = [write for write in second if not (write.same and (write.what, write.values) in values)]
    excess: Counter[str] = Counter()
    for write in (*first, *again):
        excess[write.what] += write.adds
    for write in whole:
        excess[write.what] -= write.adds
    for write in second:
        if write.what.startswith("DELETE "):  # emptied and filled anew
            excess[f"INSERT {write.what[7:]}"] -= int(write.values)
    found = []
    for what in [what for what, count in excess.items() if count > 0]:
        twins = [write for write in again if write.what == what and write.adds]
        twins.sort(key=lambda write: (what, write.values) not in values)
        while twins and excess[what] > 0:
            found.append(Repeated(twins[0], after))
            excess[what] -= twins.pop(0).adds
    return found + _overwritten(whole, first, second, after)


def _overwritten(
    whole: Sequence[Write], first: Sequence[Write], second: Sequence[Write], after: str
) -> list[Repeated]:
    """Return what overwrote a row with something else than a run by itself leaves there, on its way or in the end."""
    rows = _rows(first)
    # A lost run is the beginning of a whole one: rows come in the same order, though a job may have rows of its own.
    for row, values in zip(rows, _rows(whole).values(), strict=False):
        rows[row] |= values
    return [
        Repeated(write, after, "other values")
        for write in second
        if write.row in rows and write.values not in rows[write.row]
    ]


def _rows(writes: Sequence[Write]) -> dict[str, set[str]]:
    """Return the rows that were overwritten, by when they were first, and with what."""
    rows: dict[str, set[str]] = {}
    for write in writes:
        if write.row:
            rows.setdefault(write.row, set()).add(write.values)
    return rows
