"""One delivery of a message, and the code of others that may stand around its run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from serverless_tasks.engine.worker.runner import Runner

if TYPE_CHECKING:
    from collections.abc import Callable

    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.store.base import Claim
    from serverless_tasks.engine.worker.outcome import DeliveryResult

    type Around = Callable[[Delivery, Callable[[Delivery], DeliveryResult]], DeliveryResult]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The arguments of `Runner.execute`."""

    message: Message
    deadline: float | None = None
    request_id: str = ""
    retry: bool = True
    claim: Claim | None = None
    meanwhile: Callable[[], None] | None = None


class ObservedRunner(Runner):
    """A runner whose every delivery goes through a function of others, as Django's app does to tend its connections.

    Args:
        around: is given the delivery and what runs it; returns what that returned.
        parts: the arguments of `Runner`.
        options: those that it takes by name.
    """

    def __init__(self, around: Around, *parts: Any, **options: Any) -> None:
        super().__init__(*parts, **options)
        self._around = around

    def execute(self, message: Message, **given: Any) -> DeliveryResult:
        """See `Runner.execute`."""
        return self._around(Delivery(message=message, **given), self._execute)

    def _execute(self, delivery: Delivery) -> DeliveryResult:
        return super().execute(
            delivery.message,
            deadline=delivery.deadline,
            request_id=delivery.request_id,
            retry=delivery.retry,
            claim=delivery.claim,
            meanwhile=delivery.meanwhile,
        )
