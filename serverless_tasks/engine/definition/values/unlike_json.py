"""Python values that JSON would hold as something else without a word."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_SEVERAL: Final = (
    "has several values of one name in a {}, of which one would be sent: give a dictionary of lists"
)


def is_multiple(value: Any) -> bool:
    """Return whether a dictionary holds several values under a name, such as Django's ``QueryDict``."""
    return callable(getattr(type(value), "getlist", None))


def dropped_values(inputs: Any) -> dict[str, str]:
    """Return the inputs of whose values only a part would be sent, and why, in the words of a refusal."""
    if not isinstance(inputs, dict):
        return {}
    found = {
        name: _dropped(value) for name, value in inputs.items() if isinstance(value, (dict, list, tuple))
    }
    if is_multiple(inputs):
        several: Any = inputs
        reason = _SEVERAL.format(type(inputs).__name__)
        found |= {name: reason for name in inputs if len(several.getlist(name)) != 1}
    return {str(name): text for name, text in found.items() if text is not None}


def changed_value(value: Any) -> str | None:
    """Return what is in a value that would come back from JSON as something else, in the words of a refusal."""
    for part in _within(value, (dict, list, tuple, Enum)):
        if isinstance(part, Enum):
            return f"has {part!r}, which would come back as {part.value!r}: give its value"
        if isinstance(part, tuple):
            return "has a tuple, which would come back as a list: give a list"
        if isinstance(part, dict) and (named := [name for name in part if isinstance(name, Enum)]):
            return f"has the name {named[0]!r}, which would come back as {named[0].value!r}: give its value"
    return None


def _dropped(value: Any) -> str | None:
    for part in _within(value, (dict, list, tuple)):
        if is_multiple(part) and any(len(part.getlist(name)) != 1 for name in part):
            return _SEVERAL.format(type(part).__name__)
    return None


def _within(value: Any, kinds: tuple[type, ...]) -> Iterator[Any]:
    """A value of one of these kinds, and those in it, however deep. Of a million numbers, one type is looked at."""
    parts = [value] if isinstance(value, kinds) else []
    seen: set[int] = set()  # what holds itself is refused later, with its reason
    while parts:
        part = parts.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        yield part
        held = part.values() if isinstance(part, dict) else part if isinstance(part, (list, tuple)) else ()
        wanted = {kind for kind in set(map(type, held)) if issubclass(kind, kinds)}
        if wanted:
            parts.extend(each for each in held if type(each) in wanted)
