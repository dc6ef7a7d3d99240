"""A query of an index: what is left out of it on the way, and what comes of it. A worker queries none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from serverless_tasks.engine.store.items import Item
    from serverless_tasks.engine.store.listing import IndexFilter

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html: IN takes 100.
MOST_NAMES: Final = 100


@dataclass(frozen=True, slots=True)
class Selection:
    """A filter expression, and the names and values that stand in it."""

    expression: str
    names: dict[str, str]
    values: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexPage:
    """What a query has found.

    Attributes:
        items: the items, newest first.
        looked_at: how many were looked at for them.
        end: the ``created_uuid`` at which it stopped; None when there is nothing behind it.
    """

    items: list[Item]
    looked_at: int
    end: str | None


def selection(where: IndexFilter | None) -> Selection | None:
    """Return the filter expression of a filter, or None when it leaves nothing out that DynamoDB can."""
    if where is None:
        return None
    values: dict[str, Any] = {}
    conditions = []
    if 0 < len(where.tasks) <= MOST_NAMES:
        names = {f":task{number}": name for number, name in enumerate(where.tasks)}
        conditions.append(f"#task IN ({', '.join(names)})")
        values |= names
    if where.owner is not None:
        conditions.append("#owner = :owner")
        values[":owner"] = where.owner
    if where.id_prefix:
        conditions.append("begins_with(#pk, :prefix)")
        values[":prefix"] = where.id_prefix
    if where.since:
        conditions.append("#created >= :since")
        values[":since"] = where.since
    if where.until is not None:
        conditions.append("#created < :until")
        values[":until"] = where.until
    if not conditions:
        return None
    expression = " AND ".join(conditions)
    used = {f"#{name}": name for name in ("task", "owner", "pk", "created") if f"#{name}" in expression}
    return Selection(expression, used, values)
