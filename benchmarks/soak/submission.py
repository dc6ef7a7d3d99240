"""The jobs of a run, submitted in bulk, some of their messages twice."""

from __future__ import annotations

from itertools import batched
from typing import TYPE_CHECKING

from benchmarks.soak.tasks import Soak
from serverless_tasks.engine.submit.options import Options
from serverless_tasks.engine.submit.submission import message_for
from serverless_tasks.errors import SubmitFailed, SubmitUncertain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.soak.plan import Plan
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.services import Services

CHUNK = 100


def submit(plan: Plan, services: Services) -> list[str]:
    """Submit every job of the plan; returns their uuids.

    A doubled job's copy follows at once, so that two workers may hold both at the same time.
    """
    messages = [
        message_for(services, Soak, {"number": number, "doomed": number in plan.doomed}, Options())
        for number in range(plan.jobs)
    ]
    for numbers in batched(range(plan.jobs), CHUNK):
        doubled = [messages[number] for number in numbers if number in plan.doubled]
        single = [messages[number] for number in numbers if number not in plan.doubled]
        _publish(services, single + doubled)
        _send(services, doubled)
    return [message.uuid for message in messages]


def _publish(services: Services, messages: Sequence[Message]) -> None:
    """Publish as `submit_many` does, and again with the same uuid what was refused: what a caller does."""
    left = list(messages)
    while left:
        errors = services.backend.publish(left)
        for error in errors:
            if error is not None and not isinstance(error, (SubmitFailed, SubmitUncertain)):
                raise error
        left = [message for message, error in zip(left, errors, strict=True) if error is not None]


def _send(services: Services, messages: Sequence[Message]) -> None:
    left = list(messages)
    while left:
        unsent = services.queue.send(left)
        left = [message for message, found in zip(left, unsent, strict=True) if found is not None]
