"""moto's queries of DynamoDB, by their key: a table of many thousand jobs then answers about as quickly as a small one.

At each query moto sorts all items of the table, and compares each with the key. A page of the jobs of twelve tasks, of
which a day is 48 queries, took a minute in a table of some thousand jobs.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from moto.dynamodb.models.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# The items of the key that this thread asks for, for as long as it does.
_asked = threading.local()
_all_items = Table.all_items
_query = Table.query


def install() -> None:
    """Let moto look at the items of a query's key alone, for the length of the process; what it answers stays."""
    Table.all_items = all_items  # type: ignore[method-assign]
    Table.query = query  # type: ignore[method-assign]


def all_items(self: Table) -> Any:
    """Return the items of the table; while it is asked for a key, those of the key."""
    items = getattr(_asked, "items", None)
    return _all_items(self) if items is None else items


def query(self: Table, hash_key: Any, *given: Any, **more: Any) -> Any:
    """Answer a query as moto does, among the items of its key."""
    _asked.items = list(_of_key(self, hash_key, more.get("hash_key_conditions") or ()))
    try:
        return _query(self, hash_key, *given, **more)
    finally:
        _asked.items = None


def _of_key(table: Table, hash_key: Any, conditions: Sequence[tuple[str, Any]]) -> Iterator[Any]:
    if [name for name, _ in conditions] == [table.hash_key_attr]:
        rows: Any = table.items.get(hash_key)
        if rows is not None:
            yield from rows.values() if table.range_key_attr else [rows]
        return
    (name, first), *others = conditions  # an index has one
    wanted = first.value
    for item in _rows(table):
        value = item.attrs.get(name)
        if value is not None and value.value == wanted and _fits(item, others):
            yield item


def _fits(item: Any, conditions: Sequence[tuple[str, Any]]) -> bool:
    values = ((item.attrs.get(name), expected) for name, expected in conditions)
    return all(value is not None and value.value == expected.value for value, expected in values)


def _rows(table: Table) -> Iterator[Any]:
    for rows in list(table.items.values()):
        yield from list(rows.values()) if table.range_key_attr else [rows]
