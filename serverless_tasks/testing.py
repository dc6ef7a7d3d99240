"""For the tests of one's own project: jobs are recorded instead of sent, and run when the test says so.

No AWS, no thread to wait for, no time that passes by itself; nothing here needs pytest.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from serverless_tasks.engine.backends.base import Backend
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.definition.base import is_task_class
from serverless_tasks.engine.definition.recurring import recurring_of
from serverless_tasks.engine.definition.registry import Registry
from serverless_tasks.engine.job.clock import Clock
from serverless_tasks.engine.job.message import SETTLE, Message
from serverless_tasks.engine.job.record import FAILED, PENDING
from serverless_tasks.engine.services import Services, current_services, use
from serverless_tasks.engine.store.memory import MemoryStore
from serverless_tasks.engine.submit.options import Options
from serverless_tasks.engine.submit.submission import Submission
from serverless_tasks.errors import ServerlessTasksError, TaskDefinitionError, TaskNotFound, UnknownTask
from serverless_tasks.repeatable.check import Check
from serverless_tasks.repeatable.write import Crash, Write, place, values_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from serverless_tasks.engine.definition.base import BaseTask
    from serverless_tasks.engine.job.progress import Snapshot
    from serverless_tasks.engine.job.record import Failure, Record
    from serverless_tasks.engine.store.base import Claim
    from serverless_tasks.engine.worker.delivery import Middleware
    from serverless_tasks.engine.worker.outcome import DeliveryResult
    from serverless_tasks.repeatable.report import Report
    from serverless_tasks.repeatable.write import Recorder

# 2026-01-01T00:00:00Z
START = 1_767_225_600.0


class MovableClock(Clock):
    """A clock that stands still until it is moved; sleeping moves it.

    Args:
        start: the first moment, in seconds since the epoch.
    """

    def __init__(self, start: float = START) -> None:
        self._now = start

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Move on."""
        self.move(seconds)

    async def pause(self, seconds: float) -> None:
        """Move on, and let the other coroutines go on."""
        import asyncio

        self.sleep(seconds)
        await asyncio.sleep(0)

    def move(self, seconds: float) -> None:
        """Move on by so many seconds."""
        self._now += seconds


@dataclass(frozen=True, slots=True)
class _Delivery:
    due: float
    message: Message


class RecordedTasks(Backend):
    """The jobs that were submitted, and the means to run them; `recorded` makes it.

    Args:
        registry: the tasks that can be run.
        middleware: stands around each delivery.

    Attributes:
        services: what the block uses.
        clock: the time of everything in the block.
        submitted: every message that was published, retries included, oldest first.
        reset: None, or what is called before each run of `check_repeatable`, which each job then goes through first.
    """

    def __init__(self, registry: Registry, middleware: Middleware | None = None) -> None:
        self.clock = MovableClock()
        self.submitted: list[Message] = []
        self.reset: Callable[[], object] | None = None
        self._queue: list[_Delivery] = []
        self._store = self._new_store()
        self.services = Services(
            Config(),
            backend=self,
            clock=self.clock,
            store=self._store,
            registry=registry,
            middleware=middleware,
        )

    def __repr__(self) -> str:
        return f"<RecordedTasks submitted={len(self.submitted)}>"

    def publish(self, messages: Sequence[Message]) -> list[ServerlessTasksError | None]:
        """Keep messages instead of sending them; see `Backend.publish`."""
        self._store.put_jobs([message for message in messages if message.options.track])
        for message in messages:
            self.submitted.append(message)
            sent = Message.decode(message.encode())
            self._queue.append(_Delivery(self.clock.now() + message.delay(self.clock.now()), sent))
        return [None] * len(messages)

    def fire(self, task: type[BaseTask], at: datetime | None = None) -> Message:
        """Let the schedule of a task come round, as EventBridge Scheduler would; ``run_due`` or ``drain`` runs the job.

        Args:
            task: a task that has a ``schedule``.
            at: the time for which it fires, with a time zone; now unless given. One that is to come is waited for.

        Returns:
            The job's message.

        Raises:
            TaskDefinitionError: the task has no schedule, or its ``schedule_inputs`` do not fit.
            ValueError: the time has no time zone.
        """
        if task.schedule is None:
            raise TaskDefinitionError(f"{task.__qualname__} has no schedule; add one, such as rate(hours=1).")
        if at is not None and at.utcoffset() is None:
            raise ValueError(f"{at!r} has no time zone; expected one, such as datetime(..., tzinfo=UTC).")
        now = self.clock.now()
        moment = datetime.fromtimestamp(now, UTC) if at is None else at.astimezone(UTC)
        tick = recurring_of(self.services.registry, task).tick(f"{moment:%Y-%m-%dT%H:%M:%SZ}")
        message = Message.decode(tick)
        self.submitted.append(message)
        self._queue.append(_Delivery(max(now, message.created / 1000), message))
        return message

    def run_due(self) -> list[DeliveryResult]:
        """Run the jobs that are due now, and those that they submit for now; returns what became of them."""
        outcomes = []
        while (due := self._due()) is not None:
            outcomes.append(self._run(self._queue.pop(due).message))
        return outcomes

    def drain(self) -> list[DeliveryResult]:
        """Run jobs until none is left, moving the time on to those that wait: delays and retries included.

        The deadlines of groups that have ended are not waited for.
        """
        outcomes = self.run_due()
        while self._waits():
            self.move(min(delivery.due for delivery in self._queue) - self.clock.now())
            outcomes += self.run_due()
        return outcomes

    def move(self, seconds: float) -> None:
        """Move the time on by so many seconds; nothing is run by it."""
        self.clock.move(seconds)

    def record(self, uuid: str) -> Record:
        """The record of a job.

        Raises:
            TaskNotFound: nothing is known of it.
        """
        record = self._store.read(uuid)
        if record is None:
            raise TaskNotFound(uuid)
        return record

    def assert_submitted(self, task: type[BaseTask] | Any, /, **inputs: Any) -> Message:
        """See that a task was submitted, with these inputs at least; returns the latest such message.

        Args:
            task: the task class, its name, or a function that Django's ``@task`` decorated.
            inputs: inputs as they travel, in JSON; of a decorated function ``args`` and ``kwargs``.

        Raises:
            AssertionError: it was not.
        """
        name = task if isinstance(task, str) else getattr(task, "module_path", None) or task.name
        for message in reversed(self.submitted):
            if message.task == name and message.inputs | inputs == message.inputs:
                return message
        text = "".join(f"\n  {message.task} {message.inputs}" for message in self.submitted) or " nothing"
        raise AssertionError(f"{name} {inputs} was not submitted. Submitted:{text}")

    def assert_nothing_submitted(self) -> None:
        """See that no job was submitted.

        Raises:
            AssertionError: one was.
        """
        if self.submitted:
            names = [message.task for message in self.submitted]
            raise AssertionError(f"Nothing should have been submitted, but {names} were.")

    def _due(self) -> int | None:
        now = self.clock.now()
        return next((index for index, delivery in enumerate(self._queue) if delivery.due <= now), None)

    def _waits(self) -> bool:
        """Return whether there is something to wait for; deadlines of groups that have ended are dropped."""
        self._queue = [delivery for delivery in self._queue if not self._is_over(delivery.message)]
        return bool(self._queue)

    def _is_over(self, message: Message) -> bool:
        if message.workflow != SETTLE:
            return False
        group = self._store.groups.get(message.uuid)
        return group is None or group.ended

    def _new_store(self) -> MemoryStore:
        return MemoryStore(self.clock)

    def _run(self, message: Message) -> DeliveryResult:
        if self.reset is not None and message.workflow is None:
            _report(message, self.services, self.reset, crashes=CRASHES).check()
        try:
            outcome = self.services.runner.execute(message)
        except UnknownTask as error:
            error.add_note(
                "The block knows only the project's own tasks; pass other task classes to recorded()."
            )
            raise
        if outcome.give_back is not None:
            self._queue.append(_Delivery(self.clock.now() + outcome.give_back, message))
        return outcome


# After how many writes of a task `check_repeatable` loses the worker at most.
CRASHES = 50
# A lease ends, whatever the task's timeout, and before a message does.
_LEASE_OVER = 86_400.0


class _MortalStore(MemoryStore):
    """The store of a worker that may be lost: nothing is recorded by it from then on."""

    lost: Callable[[], None] = staticmethod(lambda: None)

    def succeed(self, uuid: str, claim: Claim, snapshot: Snapshot, outputs: dict[str, Any]) -> None:
        self.lost()
        super().succeed(uuid, claim, snapshot, outputs)

    def fail(
        self, uuid: str, claim: Claim, snapshot: Snapshot, failure: Failure, *, status: str = FAILED
    ) -> None:
        self.lost()
        super().fail(uuid, claim, snapshot, failure, status=status)

    def retry(
        self, message: Message, claim: Claim, snapshot: Snapshot, failure: Failure, *, not_before: int
    ) -> bool:
        self.lost()
        return super().retry(message, claim, snapshot, failure, not_before=not_before)


class _OneJob(RecordedTasks):
    """A job that is delivered again and again; what it submits is seen and never run.

    Args:
        registry: the tasks that can be run.
        middleware: stands around each delivery.
        message: the job.
    """

    _recorder: Recorder | None = None

    def __init__(self, registry: Registry, middleware: Middleware | None, message: Message) -> None:
        super().__init__(registry, middleware)
        self._message = message

    def _new_store(self) -> MemoryStore:
        self._mortal = _MortalStore(self.clock)
        return self._mortal

    def publish(self, messages: Sequence[Message]) -> list[ServerlessTasksError | None]:
        recorder = self._recorder
        if recorder is None:
            return super().publish(messages)
        for message in messages:
            if message.uuid == self._message.uuid:  # a retry
                super().publish([message])
                continue
            recorder.before()
            super().publish([message])
            what, values = f"submit {message.task}", f"{message.uuid} {values_of(message.inputs)}"
            recorder.after(Write(kind="task", what=what, place=place(), values=values, same=True))
        return [None] * len(messages)

    def deliver(self, recorder: Recorder, *, keeps_outcome: bool) -> DeliveryResult:
        """Deliver the job with its retries; see `Delivered.deliver`."""

        def lost() -> None:
            if not keeps_outcome:
                raise Crash

        self._recorder, self._mortal.lost, self._queue = recorder, lost, []
        result = self.services.runner.execute(self._message)
        while result.job_status == PENDING:
            again = [each for each in self._queue if each.message.uuid == self._message.uuid]
            self._queue = []
            self.clock.move(max(again[-1].due - self.clock.now(), 0))
            result = self.services.runner.execute(again[-1].message)
        return result

    def lose(self) -> None:
        """Let the lease of the lost worker end."""
        self.clock.move(_LEASE_OVER)


def check_repeatable(
    task: type[BaseTask],
    inputs: dict[str, Any] | None = None,
    *,
    reset: Callable[[], object] | None = None,
    crashes: int = CRASHES,
    fail: bool = True,
) -> Report:
    """See that a task may run twice, as happens when its worker is lost.

    It runs undisturbed, then anew for each of its writes: the worker is lost after the write, and the job is delivered
    again; once more the whole run is lost. Writes are those of Django's databases, boto3, Django's mails and submitted
    tasks. What was written to databases is taken back after each run.

    Args:
        task: the task class.
        inputs: its inputs by name.
        reset: called before each run, to put back what no database holds: it empties a bucket of moto's, for example.
        crashes: after how many writes the worker is lost at most; of more, these are chosen evenly.
        fail: whether what is wrong is raised; else the report alone says it.

    Raises:
        AssertionError: something happened twice, or a second run failed; the text names each write and its line.
    """
    with recorded(task) as jobs:
        Submission(task, Options()).submit(**(inputs or {}))
        report = _report(jobs.submitted[0], jobs.services, reset, crashes=crashes)
    return report.check() if fail else report


def _report(
    message: Message, services: Services, reset: Callable[[], object] | None, *, crashes: int
) -> Report:
    @contextmanager
    def job() -> Iterator[_OneJob]:
        one = _OneJob(services.registry, services.middleware, replace(message, uuid=str(uuid4())))
        with use(one.services):
            yield one

    return Check(message.task, message.inputs, job, reset or (lambda: None), crashes).report()


@contextmanager
def recorded(*tasks: type[BaseTask]) -> Iterator[RecordedTasks]:
    """Record what is submitted inside the block, in place of the configured backend and store.

    Jobs are published at once there, whether a database transaction is open or not.

    Args:
        tasks: task classes to register besides the project's own.

    Raises:
        TaskDefinitionError: one is no class of a task.
    """
    for task in tasks:
        if not is_task_class(task):
            raise TaskDefinitionError(f"recorded() takes task classes with a run(); it was given {task!r}.")
    registry = Registry()
    for task in (*current_services().registry, *tasks):
        registry.add(task)
    jobs = RecordedTasks(registry, current_services().middleware)
    with use(jobs.services):
        yield jobs
