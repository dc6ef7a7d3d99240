"""Messages for tests."""

from typing import Any
from uuid import uuid4

from serverless_tasks.engine.job.message import RETENTION, Message
from tests.support.clock import FakeClock


def a_message(clock: FakeClock, **given: Any) -> Message:
    """A message submitted now, of the task ``sum`` unless said otherwise."""
    created = given.pop("created", clock.ms)
    defaults: dict[str, Any] = {
        "uuid": str(uuid4()),
        "task": "sum",
        "inputs": {"numbers": [1, 2]},
        "created": created,
        "expires": created + RETENTION * 1000,
    }
    return Message(**{**defaults, **given})
