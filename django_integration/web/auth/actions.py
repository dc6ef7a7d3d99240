"""The actions of HTTP calls, named as a view set of Django REST framework names them."""

from __future__ import annotations

from enum import StrEnum


class Action(StrEnum):
    """``view.action``, as permission and throttle classes see it.

    A class that knows the first two alone, as there were no others in Django Task API, rules over every way to make a
    job and every way to look at one.
    """

    CREATE = "create"
    RETRIEVE = "retrieve"
    LIST = "list"
    CANCEL = "cancel"
    DELIVER = "deliver"
    METADATA = "metadata"

    @property
    def is_limited(self) -> bool:
        """True if throttles count it. A push queue delivers what was counted when it was submitted."""
        return self is not Action.DELIVER
