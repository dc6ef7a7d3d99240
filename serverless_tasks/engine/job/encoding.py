"""The one form of JSON that is stored and sent."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from serverless_tasks.params import plain_advice


def encode(value: Any) -> str:
    """A JSON value as compact text.

    Raises:
        ValueError: for NaN, the infinities, nesting without end, and halves of characters, which UTF-8 has no form
            for.
        TypeError: for what JSON has no form for.
    """
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"), default=_refuse)
    if not text.isascii():
        text.encode()
    return text


def _refuse(value: Any) -> NoReturn:
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable{plain_advice(value)}")


def other_key(value: Any) -> str | None:
    """A name in a dictionary that is no text: JSON has no others, and Python's writer turns them into texts."""
    parts: list[Any] = [value]
    while parts:
        part = parts.pop()
        if isinstance(part, dict):
            for key in part:
                if not isinstance(key, str):
                    return repr(key)
            parts.extend(part.values())
        elif isinstance(part, (list, tuple)):
            parts.extend(part)
    return None


def is_json(value: Any) -> bool:
    """Return whether a value has a form in JSON."""
    try:
        encode(value)
    except (ValueError, TypeError, RecursionError):
        return False
    return True
