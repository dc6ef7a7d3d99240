"""The statistics of the week: counted as a worker does, and kept as the items of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lambda_handlers.counting import run_of
from serverless_tasks.engine.statistics.gatherer import Gatherer
from serverless_tasks.engine.statistics.items import (
    EXAMPLE,
    FIRST,
    HOUR_MS,
    example_until,
    first_key,
    hour_start,
    hours_key,
    kept_until,
)
from serverless_tasks.engine.statistics.memory import MemoryStatistics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serverless_tasks.engine.job.clock import Clock
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.services import Services

# Megabytes of the function that is stood in for.
MEMORY = 512
# Write units of the table for an attempt that succeeds, and for one that does not, whose end and index are written too.
SUCCEEDED, OTHERWISE = 2, 4


class Counted:
    """Runs messages and counts them.

    Args:
        clock: the time.
    """

    def __init__(self, clock: Clock) -> None:
        self._store = MemoryStatistics()
        self.gatherer = Gatherer(self._store, clock, name="week", memory=MEMORY)

    def run(self, services: Services, message: Message, *, deadline: float, request_id: str) -> None:
        """Run a message, in a batch of its own."""
        size = len(message.encode())
        with self.gatherer.batch(size) as counts:
            result = services.runner.execute(message, deadline=deadline, request_id=request_id)
            run = run_of(message, result, deliveries=1, size=size)
            if run is not None:
                counts.begin(message.task)
                units = SUCCEEDED if run.status == "succeeded" else OTHERWISE
                self.gatherer.count_call(message.uuid, "wu", units)
                counts.note(run)
            counts.end(write=False)

    def items(self) -> Iterator[dict[str, Any]]:
        """Yield all items, when the week is over."""
        self.gatherer.flush(last=True)
        for (task, hour), counts in self._store._hours.items():
            ttl = kept_until(hour_start(hour) + HOUR_MS)
            yield {"pk": hours_key(task), "sk": f"{hour}#0", "ttl": ttl, **counts}
        for (_, fingerprint), item in self._store._errors.items():
            if fingerprint.endswith(EXAMPLE):
                yield {**item, "ttl": example_until(hour_start(f"{item['pk'][-10:]}T00"))}
                continue
            number = sum(count for name, count in item.items() if name.startswith("h"))
            yield {**item, "n": number, "ttl": kept_until(item["last"])}
            first, last = self._store._kinds[fingerprint]
            kind = {name: item[name] for name in ("task", "type", "frame")}
            yield {
                "pk": first_key(fingerprint),
                "sk": FIRST,
                "first": first,
                "ttl": kept_until(last),
                **kind,
            }
