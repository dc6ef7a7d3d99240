"""The week as it comes to pass: the product's own code submits and runs the planned jobs on a clock that is moved."""

from __future__ import annotations

import heapq
import random
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from benchmarks.outage.counted import Counted
from benchmarks.outage.plan import plan
from benchmarks.outage.tasks import TASKS, clock
from serverless_tasks.engine.backends.base import Backend
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.definition.registry import Registry
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.record import no_such_task
from serverless_tasks.engine.services import Services, use
from serverless_tasks.engine.store.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.outage.plan import Planned
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.store.items import Item
    from serverless_tasks.errors import ServerlessTasksError

# How many jobs of a queue run at one time.
CONCURRENCY = {"high": 10, "default": 5, "low": 2}
# Seconds between a message's sending and its delivery to a free worker.
DELIVERY = 0.15
# Workers that died and left nothing behind; jobs of a task that no worker has.
LOST, UNDEPLOYED = 3, 40


class _Messages(Backend):
    """What was published, and when it is due."""

    def __init__(self) -> None:
        self.published: list[Message] = []
        self.store: MemoryStore

    def publish(self, messages: Sequence[Message]) -> list[ServerlessTasksError | None]:
        """See `Backend.publish`."""
        self.store.put_jobs(messages)
        self.published += messages
        return [None] * len(messages)

    def resend(self, message: Message) -> None:
        """See `Backend.resend`."""
        self.published.append(message)


@dataclass(frozen=True, slots=True)
class Week:
    """The week at its end.

    Attributes:
        items: all items of the table.
        waiting: the messages that still lie in their queues.
    """

    items: list[Item]
    waiting: list[Message]


def live_through(jobs: int, end: float, seed: int = 1) -> Week:
    """Submit and run the jobs of the week that ends at ``end`` (seconds since the epoch)."""
    messages, registry, chance = _Messages(), Registry(), random.Random(seed)
    for task in TASKS:
        registry.add(task)
    store = messages.store = MemoryStore(clock)
    services = Services(Config(), backend=messages, clock=clock, store=store, registry=registry)
    counted = Counted(clock)
    vars(services)["statistics"] = counted.gatherer
    with use(services):
        waiting = _run(services, messages, plan(jobs, end, seed), end, chance, counted)
        _leave_behind(services, waiting, end, chance)
    clock.move(end - clock.now())
    # A kind of failure has one first item, of all its days the same.
    kept = {(item["pk"], item["sk"]): item for item in counted.items()}
    return Week(
        [*(item for each in store._items.values() for item in each.values()), *kept.values()], waiting
    )


def _run(
    services: Services,
    messages: _Messages,
    planned: list[Planned],
    end: float,
    chance: random.Random,
    counted: Counted,
) -> list[Message]:
    """Submit each job at its time, and run each message when it is due and a worker is free."""
    free = {queue: [0.0] * count for queue, count in CONCURRENCY.items()}
    due: list[tuple[float, int, Message]] = []
    waiting: list[Message] = []
    for number, (moment, message) in enumerate(_moments(planned, due, messages, chance)):
        begin = max(moment + DELIVERY, heapq.heappop(free[message.queue]))
        if begin >= end:
            waiting.append(message)
            heapq.heappush(free[message.queue], begin)
            continue
        _set(begin)
        counted.run(services, message, deadline=begin + 300, request_id=str(_uuid(chance)))
        heapq.heappush(free[message.queue], clock.now())
        for again in messages.published:
            heapq.heappush(due, ((again.run_at or to_ms(clock.now())) / 1000, number, again))
        messages.published.clear()
    return waiting


def _moments(
    planned: list[Planned],
    due: list[tuple[float, int, Message]],
    messages: _Messages,
    chance: random.Random,
) -> Iterator[tuple[float, Message]]:
    """Yield the messages in the order in which they are due: those of submissions, and those of retries."""
    left = iter(planned)
    job = next(left, None)
    while job is not None or due:
        if job is None or (due and due[0][0] < job.at):
            moment, _, message = heapq.heappop(due)
            yield moment, message
            continue
        _set(job.at)
        inputs = {"number": job.number, "seconds": job.seconds} | ({"fails": job.fails} if job.fails else {})
        options = {"owner": job.owner, "tenant": job.tenant, "uuid": str(_uuid(chance))}
        job.task.options(**options).submit(**inputs)
        message = messages.published.pop()
        yield job.at, message
        job = next(left, None)


def _leave_behind(services: Services, waiting: list[Message], end: float, chance: random.Random) -> None:
    """Leave what is stuck: runs whose workers died, and jobs of a task that is not deployed."""
    for message in chance.sample(waiting, min(LOST, len(waiting))):
        waiting.remove(message)
        _set(end - 1800)
        services.store.claim(message, token=_uuid(chance).hex, lease=to_ms(end - 1500), request_id="")
    for message in chance.sample(waiting, min(UNDEPLOYED, len(waiting))):
        _set(end - 600)
        services.store.returned(message, no_such_task(message.task))


def _set(moment: float) -> None:
    clock.move(moment - clock.now())


def _uuid(chance: random.Random) -> UUID:
    return UUID(int=chance.getrandbits(128), version=4)


if __name__ == "__main__":
    import time

    began = time.perf_counter()
    lived = live_through(int(sys.argv[1]), time.time())
    print(len(lived.items), len(lived.waiting), round(time.perf_counter() - began, 1))
