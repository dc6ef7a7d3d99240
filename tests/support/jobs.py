"""Messages for tests."""

from typing import Any
from uuid import uuid4

from serverless_tasks.engine.job.message import RETENTION, Message
from serverless_tasks.engine.job.options import JobOptions
from tests.support.clock import FakeClock


def a_message(clock: FakeClock, **given: Any) -> Message:
    """A message submitted now, of the task ``sum`` unless said otherwise."""
    created = given.pop("created", clock.ms)
    options = {name: given.pop(name) for name in ("tenant", "track") if name in given}
    defaults: dict[str, Any] = {
        "uuid": str(uuid4()),
        "task": "sum",
        "inputs": {"numbers": [1, 2]},
        "created": created,
        "expires": created + RETENTION * 1000,
        "options": JobOptions(**options),
    }
    return Message(**{**defaults, **given})
