"""A small world to break: processes, queues, a table, a clock that only tests move, and what happens in it."""

from __future__ import annotations

import gc
import logging
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from types import SimpleNamespace
from typing import Any
from unittest import mock
from uuid import uuid4

import botocore.endpoint
from botocore.retries import standard
from moto.core.botocore_stubber import BotocoreStubber
from moto.s3.models import s3_backends

import lambda_handlers.dead_letter
import lambda_handlers.telemetry
import lambda_handlers.worker
from serverless_tasks.engine.aws.session import client, meter
from serverless_tasks.engine.aws.sqs.receiving import ReceivingQueue
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.definition.base import BaseTask
from serverless_tasks.engine.definition.manifest.entry import DeployedTask
from serverless_tasks.engine.definition.registry import Registry
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.job.place import continuation_id, member_id
from serverless_tasks.engine.job.plan import END, Plan
from serverless_tasks.engine.job.record import ENDED, EXPIRED, FAILED, SUCCEEDED, Record
from serverless_tasks.engine.services import Services, use
from serverless_tasks.engine.store.group import Group
from serverless_tasks.engine.store.groups import group_of
from serverless_tasks.engine.submit.options import Options
from serverless_tasks.engine.submit.submission import Submission, message_for
from serverless_tasks.engine.submit.workflow import Workflow
from serverless_tasks.errors import ServerlessTasksError, SubmitFailed, SubmitUncertain, TaskNotFound
from serverless_tasks.poller.mapping import Mapping
from serverless_tasks.poller.queue_worker import QueueWorker
from serverless_tasks.testing import MovableClock
from tests.chaos.audit import Audit, Violation
from tests.chaos.dynamodb import Table
from tests.chaos.faults import Fault, Killed, Network, Process
from tests.chaos.queues import ACCOUNT, Queue, Scheduler, Sqs
from tests.support.aws import BUCKET, REGION
from tests.support.botocore_speed import quick_requests

FUNCTION_TIMEOUT = 120.0
LONGEST_DRAIN = 3_000
# Seconds between one delivery that came to nothing and the next.
PAUSE = 5
PROGRESS_THREAD = "progress"


class SimulatedClock(MovableClock):
    """Time that only the world moves; it knows which threads wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self.start = self.now()
        self._waiting: dict[threading.Thread, tuple[threading.Event, float]] = {}
        self._begun = threading.Condition()

    def move(self, seconds: float) -> None:
        """See `MovableClock.move`; whoever waits looks at the time."""
        super().move(seconds)
        for event, _ in list(self._waiting.values()):
            with event._cond:
                event._cond.notify_all()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """See `Clock.wait`. Threads that asked again and again would take turns with the one that works."""
        end = self.now() + seconds
        me = threading.current_thread()
        with event._cond:
            self._waiting[me] = (event, end)
            with self._begun:
                self._begun.notify_all()
            while not event.is_set() and self.now() < end:
                event._cond.wait()
            del self._waiting[me]
        return event.is_set()

    def settle(self) -> None:
        """Return when every progress thread has nothing to do until the time is moved."""
        for _ in range(10_000):
            with self._begun:
                threads = [thread for thread in threading.enumerate() if thread.name == PROGRESS_THREAD]
                if all(self._idle(thread) for thread in threads):
                    return
                self._begun.wait(0.002)  # a thread that ends tells nobody
        raise Violation("a progress thread hangs")

    def _idle(self, thread: threading.Thread) -> bool:
        waiting = self._waiting.get(thread)
        if waiting is None:
            return not thread.is_alive()
        event, end = waiting
        return not event.is_set() and self.now() < end


@dataclass
class Submitted:
    """One job that a caller tried to submit.

    Attributes:
        uuid: its id.
        task: its class.
        error: what the caller was told, None when it was sent, or `Killed`.
    """

    uuid: str
    task: type[BaseTask]
    error: BaseException | None = None


@dataclass
class World:
    """Everything of one run.

    Args:
        tasks: the tasks that are deployed.
        seed: of the chance that the product itself takes, such as jitter.
        watched: whether its workers count what they do, and look at what is paused.
    """

    tasks: tuple[type[BaseTask], ...]
    faults: list[Fault] = field(default_factory=list)
    seed: int = 0
    watched: bool = False

    def __post_init__(self) -> None:
        """Make the resources."""
        self.clock = SimulatedClock()
        self.table = Table("jobs")
        self.dead = Queue("dead-letter", self.clock, visibility=360, retention=14 * 86_400)
        self.queues = {
            name: Queue(name, self.clock, visibility=6 * FUNCTION_TIMEOUT, dead_letters=self.dead)
            for name in ("high", "default", "low")
        }
        queues = (*self.queues.values(), self.dead)
        self.scheduler = Scheduler(*queues)
        self.network = Network(
            self.clock, self.table, Sqs(*queues), self.scheduler, forward, faults=self.faults, on=False
        )
        self.submitted: list[Submitted] = []
        self.cancels: dict[str, BaseException | None] = {}
        self.unreadable: list[str] = []
        self.deleted: set[str] = set()
        self._services: list[Services] = []
        self.registry = _registry(self.tasks)

    @contextmanager
    def running(self) -> Iterator[World]:
        """Let this world be the one that the process's clients and handlers see."""
        random.seed(self.seed)
        with ExitStack() as stack:
            # The end of a task's time is raised wherever Python is; in a function that Python calls it would be lost,
            # such as that of a weak reference to what the collector takes of an earlier world.
            stack.callback(gc.enable)
            gc.disable()
            stack.callback(gc.callbacks.extend, gc.callbacks.copy())
            gc.callbacks.clear()
            stack.enter_context(mock.patch.object(BotocoreStubber, "__call__", self._send))
            stack.enter_context(
                mock.patch.object(botocore.endpoint, "time", SimpleNamespace(sleep=self.clock.sleep))
            )
            if not self.network.whole:
                stack.enter_context(quick_requests())
            self.config = Config(
                table=self.table.name,
                bucket=BUCKET,
                queue_urls={name: queue.url for name, queue in self.queues.items()},
                dead_letter_queue_url=self.dead.url,
                schedule_group="group",
                scheduler_role="arn:aws:iam::123456789012:role/scheduler",
                statistics=self.watched,
                pauses=self.watched,
            )
            stack.callback(meter, None)
            stack.callback(self._empty_bucket)
            self.audit = Audit(self.table, self.clock)
            self.network.applied = self.audit.applied
            self.watch_sends()
            for handlers in (lambda_handlers.worker, lambda_handlers.dead_letter):
                stack.enter_context(mock.patch.object(handlers, "ready", self._ready))
            _worlds.append(self)
            stack.callback(_worlds.pop)
            self.network.on = True
            yield self

    # -- processes -----------------------------------------------------------------------------------------------

    @contextmanager
    def process(self, name: str) -> Iterator[Services]:
        """A process of its own; when it is killed inside, the block just ends."""
        process = Process(name)
        services = self.services()
        self.network.processes.append(process)
        self._services.append(services)
        try:
            with use(services):
                yield services
        except Killed:
            pass
        finally:
            process.alive = False
            self._services.pop()
            self.network.processes.pop()

    def submit(self, task: type[BaseTask], /, *inputs: dict[str, Any], **options: Any) -> list[Submitted]:
        """Submit a job for each dictionary of inputs, in a process of its own, and note what its caller is told."""
        if len(inputs) == 1 and "uuid" not in options:
            options["uuid"] = str(uuid4())
        jobs = [Submitted(options.get("uuid", ""), task, Killed()) for _ in inputs]
        with self.process("site") as services:
            try:
                handles = Submission(task, Options.parse(options), services).submit_many(inputs)
            except ServerlessTasksError as error:
                for job in jobs:
                    job.error = error
            else:
                for job, handle in zip(jobs, handles, strict=True):
                    job.uuid, job.error = handle.uuid, handle.publication_error
        self.submitted += [job for job in jobs if job.uuid]
        return jobs

    def submit_group(self, workflow: Workflow, **options: Any) -> Submitted:
        """Submit a group or a chain, in a process of its own, and note what its caller is told."""
        options.setdefault("uuid", str(uuid4()))
        job = Submitted(options["uuid"], BaseTask, Killed())
        with self.process("site"):
            try:
                workflow.options(**options).submit()
                job.error = None
            except ServerlessTasksError as error:
                job.error = error
        self.submitted = [other for other in self.submitted if other.uuid != job.uuid] + [job]
        return job

    def submit_group_surely(self, workflow: Workflow) -> Submitted:
        """Submit as a careful caller does: again with the same uuid until it is sure."""
        uuid = str(uuid4())
        for _ in range(60):
            job = self.submit_group(workflow, uuid=uuid)
            if job.error is None:
                return job
            self.clock.move(60)
        raise Violation("a repeated submit of a group is never accepted")

    def submit_surely(self, task: type[BaseTask], /, inputs: dict[str, Any], **options: Any) -> Submitted:
        """Submit as a careful caller does: again with the same uuid while nothing sure is known."""
        options["uuid"] = str(uuid4())
        (job,) = self.submit(task, inputs, **options)
        for _ in range(3):
            if job.error is None:
                break
            self.clock.move(30)
            self.submitted.remove(job)
            # What is sure of a later try says nothing of an earlier one that may have been sent.
            doubt = None if type(job.error) is SubmitFailed else job.error
            (job,) = self.submit(task, inputs, **options)
            job.error = job.error and (doubt or job.error)
        return job

    def submit_until_accepted(self, task: type[BaseTask], /, inputs: dict[str, Any], **options: Any) -> str:
        """Submit under a key, or a unique job, as a caller does who repeats it until it is accepted."""
        for _ in range(60):
            with self.process("site") as services:
                try:
                    handle = Submission(task, Options.parse(options), services).submit(**inputs)
                except ServerlessTasksError:
                    pass
                else:
                    if handle.uuid not in [job.uuid for job in self.submitted]:
                        self.submitted.append(Submitted(handle.uuid, task))
                    return handle.uuid
            self.clock.move(60)
        raise Violation("a repeated submit is never accepted")

    def delete(self, uuid: str) -> None:
        """Delete an ended job, again while nothing sure is known, as an operator does."""
        for _ in range(60):
            with self.process("site") as services:
                try:
                    services.delete(uuid)
                except TaskNotFound:
                    self.deleted.add(uuid)
                    return
                except ServerlessTasksError:
                    pass
            self.clock.move(60)
        raise Violation("a repeated deletion is never done")

    def release(self) -> None:
        """Every message that waits becomes a dead letter now."""
        for queue in self.queues.values():
            for held in queue.messages:
                self.dead.send(held.body, group=held.group)
            queue.messages.clear()

    def cancel(self, uuid: str, message: Message | None = None) -> BaseException | None:
        """Cancel a job from a process of its own; returns what the caller is told."""
        told: BaseException | None = Killed()
        self.cancels[uuid] = told
        with self.process("site") as services:
            try:
                services.cancel(uuid, message=message)
                told = None
            except ServerlessTasksError as error:
                told = error
        self.cancels[uuid] = told
        return told

    def services(self) -> Services:
        """The services of one more process."""
        return Services(self.config, registry=self.registry, clock=self.clock)

    def message(self, task: type[BaseTask], inputs: dict[str, Any], **options: Any) -> Message:
        """The message of a job, as submit makes it."""
        return message_for(self.services(), task, inputs, Options.parse(options))

    def deliver(self, queue: Queue, *, timeout: float | None = FUNCTION_TIMEOUT) -> None:
        """Let a worker take a batch of a queue."""
        module = "dead_letter" if queue is self.dead else "worker"
        handler = getattr(lambda_handlers, module).handler
        with self.process(module):
            mapping = Mapping(queue.url, f"lambda_handlers.{module}.handler", timeout=timeout)
            was, self.network.on = self.network.on, False
            source = QueueWorker(
                mapping, queue=ReceivingQueue(queue.url), handler=handler, clock=self.clock, wait=0
            )
            self.network.on = was
            try:
                source.run_once()
            except ServerlessTasksError:
                pass
            else:
                return
        self.clock.move(PAUSE)  # the poller's own, or until another process is there

    def drain(self, *, within: float = float("inf")) -> None:
        """Deliver whatever is due, moving the time to what is not, until nothing is left or so much time has passed.

        Raises:
            Violation: there is no end to it.
        """
        end = self.clock.now() + within
        for _ in range(LONGEST_DRAIN):
            queues = [*self.queues.values(), self.dead]
            parts = [*queues, self.scheduler]
            due = [(when, number) for number, part in enumerate(parts) if (when := part.due()) is not None]
            if not due or min(due)[0] > end:
                return
            when, number = min(due)
            self.clock.move(max(0.0, when - self.clock.now()))
            self.scheduler.fire(self.clock.now())
            if number < len(queues):
                self.deliver(queues[number])
        raise Violation("the queues never become empty")

    # -- what became of it -----------------------------------------------------------------------------------------

    def read(self, uuid: str) -> Record | None:
        """A job's record, read without faults."""
        with self.calm():
            return self.services().store.read(uuid)

    @contextmanager
    def calm(self) -> Iterator[None]:
        """No faults inside, and no call is counted."""
        was, self.network.on = self.network.on, False
        try:
            yield
        finally:
            self.network.on = was

    def verify(self) -> dict[str, Record | None]:
        """See that nothing was lost and that everything ended, once; returns the records by uuid.

        Raises:
            Violation: something does not hold.
        """
        self._verify_groups()
        known = {job.uuid for job in self.submitted}
        strays = [uuid for uuid in self.audit.uuids() if uuid not in known and "#" not in uuid]
        killed = [Submitted(uuid, self.tasks[0], Killed()) for uuid in strays]
        ended = {job.uuid: self._verify_job(job) for job in [*self.submitted, *killed]}
        left = {name: [held.body for held in queue.messages] for name, queue in self.queues.items()}
        for name, bodies in {**left, "dead-letter": [held.body for held in self.dead.messages]}.items():
            if bodies:
                self.audit.complain(name, f"messages are left: {bodies}")
        self._verify_unreadable()
        self.audit.verify()
        return ended

    def _verify_groups(self) -> None:
        """See that each group has ended, all its members before it, and what follows after it."""
        for uuid in self.audit.uuids():
            group = self._group(uuid)
            if group is None:
                continue
            record = self.read(uuid)
            assert record is not None
            if not record.ended or record.failure == EXPIRED:
                self.audit.complain(uuid, f"the group never ended: {record.members}")
                continue
            statuses = [
                self.audit.items(member_id(uuid, index)).get("s#state", {}).get("status", "")
                for index in range(group.total)
            ]
            if set(statuses) - ENDED:
                self.audit.complain(uuid, f"members have no end: {statuses}")
            counted = record.members and (record.members.succeeded, record.members.failed)
            if counted != (statuses.count(SUCCEEDED), statuses.count(FAILED)):
                self.audit.complain(uuid, f"counted {record.members}, and recorded are {statuses}")
            self._verify_continuation(record)

    def _verify_continuation(self, record: Record) -> None:
        with self.calm():
            job = self.services().store.job(record.uuid)
        plan = Plan.of(job.inputs) if job is not None else None
        following = self.read(continuation_id(record.uuid))
        if plan is None or plan.then is None:
            wanted = False
        else:
            wanted = record.status == SUCCEEDED or (plan.on == END and record.status == FAILED)
        if wanted and (following is None or not following.ended):
            self.audit.complain(record.uuid, f"what follows the group is lost: {following}")
        if following is not None and not wanted:
            self.audit.complain(record.uuid, f"the group ended {record.status}, and something follows it")

    def _group(self, uuid: str) -> Group | None:
        if "s#state" not in self.table.partition(uuid):
            return None
        return group_of(self.audit.items(uuid)["s#state"])

    def watch_sends(self) -> None:
        """See that nothing is sent that follows a group before all its members have a recorded end."""
        for queue in self.queues.values():
            send = queue.send

            def watched(body: str, *given: Any, send: Any = send, **named: Any) -> Any:
                self._check_early(Message.decode(body) if body.startswith("{") else None)
                return send(body, *given, **named)

            queue.send = watched  # type: ignore[method-assign]

    def _check_early(self, message: Message | None) -> None:
        if message is None or message.previous is None or message.uuid != continuation_id(message.previous):
            return
        state = self.audit.items(message.previous)["s#state"]
        for index in range(state.get("total", 0)):
            member = self.audit.items(member_id(message.previous, index)).get("s#state", {})
            if member.get("status") not in ENDED:
                self.audit.complain(message.previous, f"early: member {index} is {member.get('status')}")

    def _verify_unreadable(self) -> None:
        """See that bodies which are no jobs are kept in the bucket."""
        if not self.unreadable:
            return
        with self.calm():
            s3 = client("s3")
            found = s3.list_objects_v2(Bucket=BUCKET, Prefix="dead-letters/").get("Contents", [])
            kept = [s3.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read().decode() for each in found]
        for body in self.unreadable:
            if body not in kept:
                self.audit.complain("dead letters", f"{body!r} is lost")

    def _verify_job(self, job: Submitted) -> Record | None:
        complain = self.audit.complain
        items, runs = self.audit.items(job.uuid), self.audit.runs[job.uuid]
        if isinstance(job.error, ServerlessTasksError) and not isinstance(job.error, SubmitUncertain):
            if items or runs:
                complain(job.uuid, f"{job.error!r} left {sorted(items)} and {len(runs)} runs")
            return None
        record = self.read(job.uuid)
        if job.uuid in self.deleted:
            if record is not None or set(items) != {"s#state"}:
                complain(job.uuid, f"the job was deleted, and {sorted(items)} are left")
            return None
        if record is None:
            if job.error is None:
                complain(job.uuid, "the job is lost: nothing is known of it")
            return None
        if not record.ended and job.error is None:
            complain(job.uuid, f"the job never ended: {record}, state {items.get('s#state')}")
        if not record.ended:
            expires = [item["expires"] / 1000 for item in items.values() if "expires" in item]
            self.clock.move(max(0.0, max(expires) - self.clock.now()) + 1000)
            record = self.read(job.uuid)
            assert record is not None
            if not record.ended:
                complain(job.uuid, f"past its expiry the job reads as {record.status}")
        self._verify_effects(record)
        return record

    def _verify_effects(self, record: Record) -> None:
        """See that everything recorded comes from one run."""
        complain = self.audit.complain
        runs = self.audit.runs[record.uuid]
        if record.members is not None:
            return
        if not runs and record.task == "unique" and record.group is not None:
            return  # it ended as another one did
        if record.outputs:
            number = record.outputs["run"]
            if not 1 <= number <= len(runs) or runs[number - 1].attempt != record.attempt:
                complain(
                    record.uuid, f"the outputs are of run {number}, the record of attempt {record.attempt}"
                )
            told = runs[number - 1].told if 1 <= number <= len(runs) else []
            if list(record.messages) != told:
                complain(record.uuid, f"run {number} told {told}, the record {record.messages}")
        if len({text.split()[1] for text in record.messages}) > 1:
            complain(record.uuid, f"messages of several runs: {record.messages}")
        if len(set(record.messages)) != len(record.messages):
            complain(record.uuid, f"a message is told twice: {record.messages}")
        attempt = self.audit.claims[record.uuid] - self.audit.releases[record.uuid]
        if record.attempt != attempt:
            complain(record.uuid, f"{attempt} attempts were made, and the record says {record.attempt}")

    def _empty_bucket(self) -> None:
        """Leave nothing in the bucket that all worlds of a module share: moto keeps each object that was ever put."""
        if not any(call.service == "s3" for call in self.network.calls):
            return
        backend = s3_backends[ACCOUNT]["aws"]
        backend.reset()
        backend.create_bucket(BUCKET, REGION)

    def _ready(self) -> Services:
        return self._services[-1]

    def _send(self, event_name: str, request: Any, **_: Any) -> Any:
        return self.network.send(event_name, request)


@cache
def _registry(tasks: tuple[type[BaseTask], ...]) -> Registry:
    """The tasks of each world: what follows from their definitions is the same in all."""
    registry = Registry()
    for task in tasks:
        registry.add(task)
    return registry


_worlds: list[World] = []


def world() -> World:
    """The world that runs now."""
    return _worlds[-1]


_stub = BotocoreStubber()
_stub.enabled = True


def forward(event_name: str, request: Any) -> Any:
    """Let moto answer."""
    return _original(_stub, event_name, request)


_original: Callable[..., Any] = BotocoreStubber.__call__


@contextmanager
def quick_and_quiet() -> Iterator[None]:
    """What all worlds of a test module share: botocore's retries never run out, handlers log less.

    The retry quota of a client would let the faults of one world bear on the next.
    """

    def died(args: threading.ExceptHookArgs) -> None:
        if args.exc_type is not Killed:
            before(args)

    before = threading.excepthook
    metrics = lambda_handlers.telemetry.metrics
    logging.disable(logging.CRITICAL)
    try:
        with (
            mock.patch.object(metrics, "flush_metrics", metrics.provider.clear_metrics),
            mock.patch.object(standard.RetryQuotaChecker, "acquire_retry_quota", return_value=True),
            mock.patch.object(threading, "excepthook", died),
            mock.patch.object(DeployedTask, "of", cache(DeployedTask.of)),
        ):
            yield
    finally:
        logging.disable(logging.NOTSET)
