"""Pieces of the pages that are generated."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_ATTRIBUTES = re.compile(r"^\s*Attributes:\n(.*?)(?:\n\s*\n|\Z)", re.DOTALL | re.MULTILINE)
_ENTRY = re.compile(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)


def text(value: str) -> str:
    """Return a docstring's or a help's text as it stands in a cell of a table."""
    return re.sub(r"\s+", " ", value).replace("``", "`").replace("|", "\\|").strip()


def code(value: object) -> str:
    """Return a value as code; nothing for what is empty."""
    return f"`{str(value).replace('|', chr(92) + '|')}`" if value not in (None, "", "''", '""') else ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a column without a heading has an empty one."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def attributes(docstring: str | None) -> dict[str, str]:
    """Return what a class's docstring says of its attributes, by their names.

    Args:
        docstring: with the indentation of the class taken away, as `inspect.getdoc` does.
    """
    section = _ATTRIBUTES.search((docstring or "") + "\n")
    if section is None:
        return {}
    return {name: text(says) for name, says in _ENTRY.findall(section[1])}


def sentence(value: str) -> str:
    """Return a text with a capital letter at its beginning, and without a full stop at its end."""
    return (value[:1].upper() + value[1:]).rstrip(".")
