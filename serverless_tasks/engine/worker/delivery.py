"""One delivery of a message, and the middleware around its run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.store.base import Claim
    from serverless_tasks.engine.worker.outcome import DeliveryResult

    # Is given a delivery and what runs it, and returns what that returned.
    type Middleware = Callable[[Delivery, Callable[[Delivery], DeliveryResult]], DeliveryResult]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The arguments of `Runner.execute`."""

    message: Message
    deadline: float | None = None
    request_id: str = ""
    retry: bool = True
    claim: Claim | None = None
    in_flight_work: Callable[[], None] | None = None
