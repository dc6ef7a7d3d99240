"""In which order the tasks of an endpoint run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from serverless_tasks.errors import TaskDefinitionError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Step:
    """A task as the order sees it.

    Attributes:
        rank: what runs first where nothing else decides: smaller ones.
        needs: the names of the tasks that run before it, whatever the ranks.
    """

    rank: tuple[bool, float]
    needs: tuple[str, ...]


def arrange(steps: Mapping[str, Step], where: str) -> list[str]:
    """The names of tasks in the order that they run in: by rank, then as they were defined, what is needed first.

    Args:
        steps: the tasks by name, as they were defined.
        where: whose tasks they are, for the error's sentence.

    Raises:
        TaskDefinitionError: tasks need each other; it shows which.
    """
    ordered: list[str] = []
    path: list[str] = []

    def visit(name: str) -> None:
        if name in ordered:
            return
        if name in path:
            circle = " -> ".join([*path[path.index(name) :], name])
            raise TaskDefinitionError(
                f"The tasks of {where} depend on each other: {circle}. Remove one depends_on."
            )
        path.append(name)
        for need in steps[name].needs:
            visit(need)
        path.pop()
        ordered.append(name)

    for name in sorted(steps, key=lambda each: steps[each].rank):
        visit(name)
    return ordered
