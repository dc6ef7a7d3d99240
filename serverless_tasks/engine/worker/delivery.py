"""One delivery of a message, and the middleware around its run."""

from __future__ import annotations

import sys
from contextvars import copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.job.place import Place
    from serverless_tasks.engine.store.base import Claim
    from serverless_tasks.engine.worker.outcome import DeliveryResult

    # Is given a delivery and what runs it, and returns what that returned.
    type Middleware = Callable[[Delivery, Callable[[Delivery], DeliveryResult]], DeliveryResult]


class WorkflowSteps(Protocol):
    """What a worker does for groups and chains; `serverless_tasks.engine.workflow.workflows.Workflows` does it."""

    def count(self, ends: Mapping[Place, str]) -> None:
        """Count members whose end is recorded."""

    def is_stopped(self, group: str) -> bool:
        """Return whether a group was cancelled."""

    def deliver(self, message: Message) -> float | None:
        """Do what the message of a workflow says; return seconds until it is to be delivered again, or None."""


class DeliverySpans(Protocol):
    """What makes the spans of deliveries; `serverless_tasks.engine.tracing.spans.Spans` does it."""

    def process(self, delivery: Delivery, run: Callable[[Delivery], DeliveryResult]) -> DeliveryResult:
        """Run a delivery within a span."""

    def count(self, ends: Mapping[Place, str], count: Callable[[Mapping[Place, str]], None]) -> None:
        """Count members whose end is recorded; what is sent meanwhile is linked to their spans."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The arguments of `Runner.execute`."""

    message: Message
    deadline: float | None = None
    request_id: str = ""
    message_id: str = ""
    retry: bool = True
    claim: Claim | None = None
    in_flight_work: Callable[[], None] | None = None


def no_spans() -> None:
    """Make no spans."""


def in_own_context[**P, T](work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call something in a copy of this thread's context, so that what a task sets there ends with its run.

    It is neither the next job's, nor that of a request whose backend runs the job at once.
    """

    def isolated() -> T:
        # Tasks change the decimal context itself, and not only the variable that holds it.
        if (decimal := sys.modules.get("decimal")) is not None:
            decimal.setcontext(decimal.getcontext().copy())
        return work(*args, **kwargs)

    return copy_context().run(isolated)
