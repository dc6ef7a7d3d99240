"""A runner with a task whose `run` each test gives."""

from collections.abc import Callable
from typing import Any

from serverless_tasks import Task
from serverless_tasks.engine.definition.registry import Registry
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.job.record import Record
from serverless_tasks.engine.store.base import Blobs
from serverless_tasks.engine.store.memory import MemoryStore
from serverless_tasks.engine.worker.outcome import DeliveryResult
from serverless_tasks.engine.worker.runner import Runner
from serverless_tasks.params import Parameter
from tests.support.clock import FakeClock
from tests.support.jobs import a_message


class World:
    """A runner with a task whose `run` each test gives."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.store = MemoryStore(clock)
        self.registry = Registry()
        self.sent: list[Message] = []
        self.blobs: Blobs | None = None
        self.has_queue = True
        self.message = a_message(clock, task="work", inputs={})
        self.store.put_jobs([self.message])

    def task(self, run: Callable[[Task], Any], **attributes: Any) -> None:
        declared = {"name": "work", "run": run, "outputs": {"result": Parameter()}, **attributes}
        self.registry.add(type("Work", (Task,), {"__module__": "shop", **declared}))

    def republish(self, message: Message) -> None:
        self.sent.append(message)

    def execute(self, message: Message | None = None, **given: Any) -> DeliveryResult:
        parts = (self.registry, self.store, self.blobs, self.republish, self.clock)
        runner = Runner(*parts, has_queue=self.has_queue)
        given.setdefault("deadline", self.clock.now() + 300)
        return runner.execute(message or self.message, **given)

    def lose_a_worker(self) -> None:
        """Claim as a worker does that is then lost."""
        self.store.claim(self.message, token=f"lost-{self.clock.ms}", lease=self.clock.ms, request_id="")
        self.clock.move(1)

    @property
    def record(self) -> Record:
        record = self.store.read(self.message.uuid)
        assert record is not None
        return record


def broken(task: Task) -> None:
    raise ValueError("the password is x")


def asks(after: float | None = None, reason: str = "") -> Callable[[Task], None]:
    def run(task: Task) -> None:
        task.retry(after=after, reason=reason)

    return run
