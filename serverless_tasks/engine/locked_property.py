"""A property that is computed once, whichever thread asks for it first."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING


class locked_cached_property[T](cached_property[T]):  # noqa: N801 - stands where cached_property would
    """A `cached_property` that is made once, whichever thread asks first: Python's own has no lock."""

    if not TYPE_CHECKING:

        def __get__(self, instance, owner=None):
            if instance is None:
                return self
            with instance._lock:
                return super().__get__(instance, owner)
