"""What a call asks for, in the words that a view of Django REST framework has for it."""

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
        """Whether throttles count it. A push queue delivers what was counted when it was submitted."""
        return self is not Action.DELIVER
