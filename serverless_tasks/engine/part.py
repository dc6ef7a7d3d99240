"""A part of the services, made when it is first asked for."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING


class part[T](cached_property[T]):  # noqa: N801 - stands where cached_property would
    """A part that is made once, whichever thread asks first: Python's own has no lock."""

    if not TYPE_CHECKING:

        def __get__(self, instance, owner=None):
            if instance is None:
                return self
            with instance.making:
                return super().__get__(instance, owner)
