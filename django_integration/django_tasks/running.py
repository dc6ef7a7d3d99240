"""What is known of the delivery that this thread runs."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django_integration.django_tasks.result import ServerlessResult
    from serverless_tasks.delivery import Delivery
    from serverless_tasks.execution import Execution


@dataclass(slots=True)
class Attempt:
    """The run of a function, as far as it has come; `deliveries.around` makes it, the run fills it in.

    Attributes:
        delivery: what is delivered.
        result: the result when the attempt began; None until the function is called.
        execution: its counters.
        outputs: what the function returned.
    """

    delivery: Delivery
    result: ServerlessResult | None = None
    execution: Execution | None = None
    outputs: dict[str, Any] | None = None


CURRENT: ContextVar[Attempt | None] = ContextVar("serverless_tasks_attempt", default=None)
