"""The week as it comes to pass: the product's own code submits and runs the planned jobs on a clock that is moved."""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import UUID

from benchmarks.outage.counted import Counted
from benchmarks.outage.plan import DAY, HOUR, SHARES, UNDEPLOYED, plan
from benchmarks.outage.tasks import PrintLabel, ReserveStock, SearchIndex, clock, log
from benchmarks.outage.worker_log import WorkerLog
from serverless_tasks.engine.aws.dynamodb.manifest import PK, SK
from serverless_tasks.engine.backends.base import Backend
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.definition.manifest.build import Manifest
from serverless_tasks.engine.definition.registry import Registry
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.record import no_such_task
from serverless_tasks.engine.services import Services, use
from serverless_tasks.engine.store.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.outage.plan import Planned
    from benchmarks.outage.worker_log import LogEvent
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.store.items import Item
    from serverless_tasks.errors import ServerlessTasksError

# How many jobs of a queue run at one time.
CONCURRENCY = {"high": 10, "default": 5, "low": 2}
# Seconds between a message's sending and its delivery to a free worker.
DELIVERY = 0.15
# Seconds that a run may last.
LEASE = 300.0
# Workers that died, and jobs whose messages somebody has purged, from so many seconds before the end on.
LOST, VANISHED, PURGE = 3, 2, 2 * HOUR


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
        log: what the workers have logged, of the last day and of all failures.
    """

    items: list[Item]
    waiting: list[Message]
    log: list[LogEvent]


def live_through(jobs: int, end: float, seed: int = 1) -> Week:
    """Submit and run the jobs of the week that ends at ``end`` (seconds since the epoch)."""
    messages, registry = _Messages(), Registry()
    for task, _, _ in SHARES:
        registry.add(task)
    store = messages.store = MemoryStore(clock)
    services = Services(Config(), backend=messages, clock=clock, store=store, registry=registry)
    workers = _Workers(services, messages, end, random.Random(seed))
    vars(services)["statistics"] = workers.counted.gatherer
    with use(services), workers.log.collecting():
        workers.run(plan(jobs, end, seed))
    clock.move(end - clock.now())
    # A kind of failure has one first item, of all its days the same.
    kept = {(item["pk"], item["sk"]): item for item in workers.counted.items()}
    items = [*(item for each in store._items.values() for item in each.values()), *kept.values()]
    # The table is a week old: without that, listings would believe its stand-in, which was made a moment ago.
    manifest = replace(Manifest.of(registry, end), first=to_ms(end - 8 * DAY))
    items.append({"pk": PK, "sk": SK, **manifest.to_item()})
    return Week(items, workers.waiting, workers.log.events)


class _Workers:
    """The workers of the week, and what becomes of the messages.

    Args:
        services: the services of the week.
        messages: what is published.
        end: when the week ends, in seconds since the epoch.
        chance: makes ids.
    """

    def __init__(self, services: Services, messages: _Messages, end: float, chance: random.Random) -> None:
        self.waiting: list[Message] = []
        self.counted = Counted(clock)
        self.log = WorkerLog(clock, log)
        self._services = services
        self._messages = messages
        self._end = end
        self._chance = chance
        self._free = {
            queue: [(0.0, number) for number in range(count)] for queue, count in CONCURRENCY.items()
        }
        self._lost, self._vanished = LOST, VANISHED

    def run(self, planned: list[Planned]) -> None:
        """Submit each job at its time, and run each message when it is due and a worker is free."""
        due: list[tuple[float, int, Message]] = []
        for number, (moment, message) in enumerate(_moments(planned, due, self._messages, self._chance)):
            if self._vanishes(moment, message):
                continue
            since, worker = heapq.heappop(self._free[message.queue])
            begin = max(moment + DELIVERY, since)
            if begin >= self._end:
                self.waiting.append(message)
                heapq.heappush(self._free[message.queue], (begin, worker))
                continue
            _set(begin)
            self._deliver(begin, worker, message)
            heapq.heappush(self._free[message.queue], (clock.now(), worker))
            for again in self._messages.published:
                heapq.heappush(due, ((again.run_at or to_ms(clock.now())) / 1000, number, again))
            self._messages.published.clear()

    def _vanishes(self, moment: float, message: Message) -> bool:
        """Return whether a message is purged from its queue, as somebody did two hours ago."""
        if not self._vanished or message.task != PrintLabel.name or moment < self._end - PURGE:
            return False
        self._vanished -= 1
        return True

    def _deliver(self, begin: float, worker: int, message: Message) -> None:
        if message.task == SearchIndex.name and begin > self._end - UNDEPLOYED:
            self._services.store.returned(message, no_such_task(message.task))
            self.waiting.append(message)
            return
        request = str(_uuid(self._chance))
        self.log.begin(request)
        if self._lost and message.task == ReserveStock.name and begin > self._end - PURGE:
            # Its worker dies, and its message has gone with the queue's others.
            self._lost -= 1
            token, lease = _uuid(self._chance).hex, to_ms(begin + LEASE)
            self._services.store.claim(message, token=token, lease=lease, request_id=request)
            clock.move(LEASE / 10)
            self.log.kill()
            self.log.keep(f"{message.queue}{worker:02}")
            return
        result = self.counted.run(self._services, message, deadline=begin + LEASE, request_id=request)
        self.log.end(message, result)
        if result.failure is not None or begin > self._end - DAY:
            self.log.keep(f"{message.queue}{worker:02}")


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


def _set(moment: float) -> None:
    clock.move(moment - clock.now())


def _uuid(chance: random.Random) -> UUID:
    return UUID(int=chance.getrandbits(128), version=4)
