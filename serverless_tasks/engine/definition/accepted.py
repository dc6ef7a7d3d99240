"""Inputs that a task has accepted: what is sent of them, and by what they are compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class Accepted:
    """The inputs of one job.

    Attributes:
        sent: what validation made of them, as the JSON object that travels.
        given: what they were before, in JSON; None where that was a model or its fields in Python.
        model: what validation made of them.
    """

    sent: dict[str, Any]
    given: dict[str, Any] | None
    model: BaseModel


@dataclass(frozen=True, slots=True)
class Compared:
    """The forms in which the inputs of two jobs are compared; they are the same where one form of each is.

    Attributes:
        made: what validation made, without the defaults that are another value each time.
        given: what they were before: of a request that is sent again the same, whatever validation makes anew. The
            version before this module compared that alone, and its rows count for 25 days, the longest that an
            idempotency key is remembered.
    """

    made: Any
    given: Any
