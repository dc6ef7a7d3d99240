"""Outputs of earlier jobs as inputs of later ones, before there are any."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn

from serverless_tasks.engine.worker.references import PREVIOUS, RESULTS, pointer
from serverless_tasks.errors import WorkflowError

if TYPE_CHECKING:
    from serverless_tasks.engine.definition.base import BaseTask


@dataclass(frozen=True, slots=True)
class Reference:
    """An output of an earlier job, as an input of a later one: ``previous["rows"]``, ``results["file"]``.

    Attributes:
        path: ``previous`` or ``results``, and where the value stands in the outputs.
    """

    path: tuple[str | int, ...]

    def __getitem__(self, part: str | int) -> Reference:
        """Return what stands there in this value."""
        if isinstance(part, bool) or not isinstance(part, str | int):
            raise WorkflowError(f"{self!r}[{part!r}]: expected the name of an output, or a number in a list.")
        return Reference((*self.path, part))

    def __iter__(self) -> NoReturn:
        raise WorkflowError(f"{self!r} is not known before its job has ended, and cannot be iterated over.")

    def __repr__(self) -> str:
        kind, *parts = self.path
        return f"{kind}{''.join(f'[{part!r}]' for part in parts)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What comes before a job in its workflow.

    Attributes:
        tasks: the task of the one job, or those of the group's members.
        group: whether it is a group, or a chain.
        nested: whether some of its members are groups or chains themselves.
    """

    tasks: tuple[type[BaseTask], ...] = ()
    group: bool = False
    nested: bool = False


NOTHING: Final = Earlier()
previous: Final = Reference((PREVIOUS,))
results: Final = Reference((RESULTS,))


def without_references(value: Any, where: tuple[str | int, ...] = ()) -> tuple[Any, dict[str, Reference]]:
    """Take the references out of dictionaries and lists.

    Args:
        value: the value; it stays as it is.
        where: where it stands in a job's inputs.

    Returns:
        The value with None in their places, and the references by their pointers.
    """
    if isinstance(value, Reference):
        return None, {pointer(where): value}
    taken: dict[str, Reference] = {}
    if isinstance(value, dict):
        kept: Any = {}
        for key, each in value.items():
            kept[key], found = without_references(each, (*where, key))
            taken |= found
        return kept, taken
    if isinstance(value, list | tuple):
        kept = []
        for index, each in enumerate(value):
            left, found = without_references(each, (*where, index))
            kept.append(left)
            taken |= found
        return kept, taken
    return value, taken
