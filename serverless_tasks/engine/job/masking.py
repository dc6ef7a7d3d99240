"""Keeping secrets out of what is stored and told: the mask, and texts with it in a secret's place."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MASK: Final = "**********"
# Shorter texts are too likely to be part of other words.
SHORTEST: Final = 4


class Mask:
    """Puts the mask in the place of texts, in whatever is told of a run.

    Args:
        texts: the secrets.
    """

    __slots__ = ("_texts",)

    def __init__(self, texts: Iterable[str] = ()) -> None:
        forms = {form for text in texts for form in _forms(text) if len(form) >= SHORTEST}
        self._texts = sorted(forms, key=len, reverse=True)  # the longest first: one may hold another

    def __call__(self, text: str) -> str:
        """The text with the mask where a secret stood."""
        for secret in self._texts:
            text = text.replace(secret, MASK)
        return text

    def __repr__(self) -> str:
        return f"<Mask of {len(self._texts)} texts>"


NO_MASK: Final = Mask()


def masked(inputs: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Inputs with the mask in the place of those named."""
    hidden = frozenset(names)
    return {name: MASK if name in hidden else value for name, value in inputs.items()}


def _forms(text: str) -> tuple[str, ...]:
    """Return the forms of a text: as it is, and as Python and JSON write it."""
    return text, repr(text)[1:-1], json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]
