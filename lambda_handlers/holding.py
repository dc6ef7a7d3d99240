"""Messages of paused tasks: they go back to their queue unbegun, and before the queue gives one up it is sent anew."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lambda_handlers.redelivery import NOT_YET_KNOWN, deliveries, doubled
from lambda_handlers.telemetry import logger
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.message import MAX_DELAY, expires_at
from serverless_tasks.errors import ServerlessTasksError

if TYPE_CHECKING:
    from lambda_handlers.redelivery import Redelivery
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.services import Services
    from serverless_tasks.engine.worker.pauses import Pause

# Deliveries after which a held message is sent anew: the queue moves it to the dead letters after a hundred.
SENT_ANEW = 90


def hold(
    services: Services, redelivery: Redelivery, record: dict[str, Any], message: Message, pause: Pause
) -> None:
    """Hold a message back: its job says why, no attempt is begun, and none is counted.

    Returns only when the message was sent anew, so that this delivery of it is done with.

    Raises:
        GiveBack: it goes back to its queue.
    """
    if deliveries(record) >= SENT_ANEW and _send_anew(services, redelivery, message, pause):
        return
    redelivery.explain(message, pause.failure)
    raise redelivery.back(record, doubled(record, NOT_YET_KNOWN), pause.sentence)


def _send_anew(services: Services, redelivery: Redelivery, message: Message, pause: Pause) -> bool:
    now = to_ms(services.clock.now())
    run_at = now + MAX_DELAY * 1000
    again = replace(message, run_at=run_at, expires=max(message.expires, expires_at(now, run_at)))
    redelivery.explain(again, pause.failure)  # until when the job is not to read as expired
    try:
        services.backend.resend(again)
    except ServerlessTasksError:
        logger.exception("a held message could not be sent anew")
        return False
    return True
