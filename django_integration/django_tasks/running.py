"""The delivery that the current thread runs."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from serverless_tasks.engine.services import current_services
from serverless_tasks.engine.worker.attempt import MARGIN

if TYPE_CHECKING:
    from django_integration.django_tasks.result import ServerlessResult
    from serverless_tasks.engine.definition.base import BaseTask
    from serverless_tasks.engine.job.execution import Execution
    from serverless_tasks.engine.worker.delivery import Delivery

# A coroutine's own limit ends before the runner's, which cannot wait for it to clean up.
_EARLIER = 0.05


@dataclass(slots=True)
class FunctionRun:
    """The run of a function, as far as it has come; `deliveries.middleware` makes it, the run fills it in.

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


CURRENT: ContextVar[FunctionRun | None] = ContextVar("serverless_tasks_attempt", default=None)


def seconds_left(run: BaseTask) -> float:
    """Return the seconds that a coroutine of the run that has just begun may take."""
    left, attempt = run.timeout, CURRENT.get()
    if attempt is not None and attempt.delivery.deadline is not None:
        left = min(left, attempt.delivery.deadline - current_services().clock.now() - MARGIN)
    return max(left - _EARLIER, 0.001)
