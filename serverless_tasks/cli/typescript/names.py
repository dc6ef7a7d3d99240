"""Names and texts of TypeScript."""

from __future__ import annotations

import json
import re
from itertools import chain, count
from typing import Final

# What stands in each generated file, or means something to TypeScript.
RESERVED: Final = frozenset({"Tasks", "Partial", "Record"})
_WORD: Final = re.compile(r"[^\W_]+")
_PROPERTY: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")


class Names:
    """Names of types, each given once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def give(self, *names: str) -> str:
        """Return the first of these names that was not given before, else the last one with a number behind it."""
        numbered = (f"{names[-1]}{number}" for number in count(2))
        found = next(name for name in chain(names, numbered) if name not in self._taken)
        self._taken.add(found)
        return found


def type_name(*parts: str) -> str:
    """Return the name of a type made of these parts: ``("reports.monthly", "inputs")`` is ``ReportsMonthlyInputs``."""
    words = [word for part in parts for word in _WORD.findall(part)]
    name = "".join(word[0].upper() + word[1:] for word in words)
    if not name.isidentifier():
        name = f"Type{''.join(letter for letter in name if letter.isidentifier() or letter.isdigit())}"
    return f"{name}2" if name in RESERVED else name


def literal(value: str) -> str:
    """Return a text as TypeScript writes it."""
    written = json.dumps(value, ensure_ascii=False)
    try:
        written.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return json.dumps(value)
    return written


def property_name(name: str) -> str:
    """Return the name of a property, in quotes where it needs them."""
    return name if _PROPERTY.fullmatch(name) else literal(name)


def comment(lines: list[str], indent: str = "") -> str:
    """Return a documentation comment with a line break at its end; empty without lines."""
    texts = [line.replace("*/", "*\\/").rstrip() for text in lines for line in text.strip().splitlines()]
    if not texts:
        return ""
    if len(texts) == 1:
        return f"{indent}/** {texts[0]} */\n"
    body = "".join(f"{indent} * {text}".rstrip() + "\n" for text in texts)
    return f"{indent}/**\n{body}{indent} */\n"
