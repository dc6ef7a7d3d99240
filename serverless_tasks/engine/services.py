"""The wiring: which store, queue, backend and runner a process uses, decided once."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from serverless_tasks.engine.config import Config
from serverless_tasks.engine.definition.registry import Registry
from serverless_tasks.engine.job.clock import Clock
from serverless_tasks.engine.job.forks import call_when_forked, notice_fork, renew_when_forked
from serverless_tasks.engine.part import part
from serverless_tasks.engine.store.locks import Locks
from serverless_tasks.engine.worker.runner import Runner
from serverless_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from serverless_tasks.engine.aws.scheduler.one_time import Schedules
    from serverless_tasks.engine.aws.scheduler.recurring import ScheduleGroup
    from serverless_tasks.engine.aws.sender import Sender
    from serverless_tasks.engine.aws.sqs.queue_metrics import QueueMetrics
    from serverless_tasks.engine.aws.sqs.sending import DeadLetterQueue, QueueSender, Visibility
    from serverless_tasks.engine.backends.base import Backend
    from serverless_tasks.engine.job.dead_letter import DeadLetterStore
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.store.base import Blobs, Store
    from serverless_tasks.engine.worker.delivery import Around

    # Leaves publications, which the room above makes, to the commit of an open transaction; False where none is open.
    type Defer = Callable[[Services, Sequence[Any]], bool]


class Services:
    """Everything that a process needs, each part made when it is first used.

    Args:
        config: the settings.
        backend: ``"sqs"``, ``"threading"``, ``"immediate"`` or an object with ``publish``.
        clock: the time.
        store: a store to use instead of the one that the settings name.
        registry: a registry to use instead of a new one.
    """

    def __init__(
        self,
        config: Config,
        *,
        backend: str | Backend = "sqs",
        clock: Clock | None = None,
        store: Store | None = None,
        registry: Registry | None = None,
    ) -> None:
        self.config = config
        self.clock = clock or Clock()
        self.defer: Defer | None = None
        self.around: Around | None = None
        self.written: Callable[[str], object] | None = None
        self.problem: ConfigurationError | None = None
        self._backend = backend
        self._store = store
        self._registry = registry
        self.making = threading.RLock()
        renew_when_forked(self)

    def forked(self) -> None:
        """See `Renewed.forked`: the parts stay, and each renews what it holds."""
        self.making = threading.RLock()

    @property
    def backend_name(self) -> str:
        """The backend's name, or "" for an object."""
        return self._backend if isinstance(self._backend, str) else ""

    @property
    def runs_here(self) -> bool:
        """True if this process runs the jobs, and so needs no list of modules to find a submitted class."""
        named = self._backend in ("threading", "immediate")
        return named or bool(getattr(self._backend, "runs_here", False))

    @part
    def registry(self) -> Registry:
        """The tasks of this process; the configured modules are imported."""
        registry = Registry() if self._registry is None else self._registry
        registry.load(self.config.modules)
        return registry

    @part
    def store(self) -> Store:
        """The table; without one, the in-process backends keep jobs in memory. `written` is told of what it writes."""
        store = self._own_store()
        if self.written is None:
            return store
        from serverless_tasks.engine.store.observed import observed

        return observed(store, self.written)

    def _own_store(self) -> Store:
        if self._store is not None:
            return self._store
        if not self.config.table and self.runs_here:
            from serverless_tasks.engine.store.memory import MemoryStore

            return MemoryStore(self.clock)
        from serverless_tasks.engine.aws.dynamodb.table import Table
        from serverless_tasks.engine.aws.session import client

        table = self.config.require("table")
        return Table(client("dynamodb"), table, self.clock, self.blobs, self._unschedule)

    def _unschedule(self, uuid: str, run_at: int) -> None:
        self.schedules.delete(uuid, run_at)

    @part
    def locks(self) -> Locks:
        """Idempotency keys and the places of unique jobs; their rows lie where the jobs do."""
        if self._store is not None or (not self.config.table and self.runs_here):
            from serverless_tasks.engine.store.memory_locks import MemoryLocks

            return Locks(MemoryLocks(self.clock), self.store, self.clock)
        from serverless_tasks.engine.aws.dynamodb.locks import TableLocks
        from serverless_tasks.engine.aws.session import client

        table = self.config.require("table")
        return Locks(TableLocks(client("dynamodb"), table, self.clock), self.store, self.clock)

    @part
    def blobs(self) -> Blobs | None:
        """The payload bucket, or None when none is configured."""
        if not self.config.bucket:
            return None
        from serverless_tasks.engine.aws.s3.payloads import BucketBlobs

        return BucketBlobs(self.config.bucket)

    @part
    def queue(self) -> QueueSender:
        """The sender to the configured queues."""
        from serverless_tasks.engine.aws.session import client
        from serverless_tasks.engine.aws.sqs.sending import QueueSender

        self.config.require("queue_urls")
        return QueueSender(client("sqs", attempts=1), self.config, self.clock)

    @part
    def schedules(self) -> Schedules:
        """The schedules that send what is due later than SQS can hold it back."""
        from serverless_tasks.engine.aws.scheduler.one_time import Schedules
        from serverless_tasks.engine.aws.session import client

        self.config.require("schedule_group")
        return Schedules(client("scheduler", attempts=1), self.config, self.clock)

    @part
    def schedule_group(self) -> ScheduleGroup:
        """The recurring schedules of the stack."""
        from serverless_tasks.engine.aws.scheduler.recurring import ScheduleGroup
        from serverless_tasks.engine.aws.session import client

        self.config.require("schedule_group")
        return ScheduleGroup(client("scheduler"), self.config)

    @part
    def sender(self) -> Sender:
        """Sends messages, soon ones by SQS and late ones by a schedule."""
        from serverless_tasks.engine.aws.sender import Sender

        return Sender(self.queue, lambda: self.schedules, self.blobs, self.config, self.clock)

    @part
    def visibility(self) -> Visibility:
        """Changes when received messages come back."""
        from serverless_tasks.engine.aws.session import client
        from serverless_tasks.engine.aws.sqs.sending import Visibility

        return Visibility(client("sqs"))

    @part
    def dead_letter_queue(self) -> DeadLetterQueue:
        """The queue for undecodable messages."""
        from serverless_tasks.engine.aws.session import client
        from serverless_tasks.engine.aws.sqs.sending import DeadLetterQueue

        url = self.config.require("dead_letter_queue_url")
        return DeadLetterQueue(client("sqs"), url)

    @part
    def dead_letter_store(self) -> DeadLetterStore:
        """The store of kept dead letters."""
        from serverless_tasks.engine.aws.s3.dead_letters import BucketDeadLetters
        from serverless_tasks.engine.aws.s3.payloads import BucketBlobs
        from serverless_tasks.engine.aws.session import client

        bucket = self.config.require("bucket")
        return BucketDeadLetters(client("s3"), bucket, BucketBlobs(bucket))

    @part
    def queue_metrics(self) -> QueueMetrics:
        """The metrics of the queues, the dead-letter queue among them where it is configured."""
        from serverless_tasks.engine.aws.session import client
        from serverless_tasks.engine.aws.sqs.queue_metrics import QueueMetrics

        urls = dict(self.config.require("queue_urls"))
        if self.config.dead_letter_queue_url:
            urls["dead letters"] = self.config.dead_letter_queue_url
        return QueueMetrics(client("sqs"), client("cloudwatch"), urls, self.clock)

    @part
    def runner(self) -> Runner:
        """Runs messages; a retry is published through the backend's own way."""
        parts = (self.registry, self.store, self.blobs, self._republish, self.clock)
        return self._runner_kind()(*parts, acquire=self._acquire, redelivers=not self.runs_here)

    @part
    def backend(self) -> Backend:
        """The backend of submitted jobs.

        Raises:
            ConfigurationError: the name is none that there is.
        """
        if not isinstance(self._backend, str):
            return self._backend
        if self._backend == "sqs":
            from serverless_tasks.engine.backends.sqs import SqsBackend

            self.config.require("queue_urls")
            store = self.store  # before the sender makes a client: its table may be what is missing
            return SqsBackend(self.sender, store, self.blobs)
        if self._backend == "threading":
            from serverless_tasks.engine.backends.threading import ThreadingBackend

            return ThreadingBackend(self.runner, self.store, self.blobs, self.clock)
        if self._backend == "immediate":
            from serverless_tasks.engine.backends.immediate import ImmediateBackend

            return ImmediateBackend(self.runner, self.store, self.blobs, self.clock)
        raise ConfigurationError(
            f"There is no backend {self._backend!r}; use 'sqs', 'threading' or 'immediate'."
        )

    def _runner_kind(self) -> Callable[..., Runner]:
        if self.around is None:
            return Runner
        from serverless_tasks.engine.worker.delivery import ObservedRunner

        return partial(ObservedRunner, self.around)

    def require_reach(self, messages: Sequence[Message]) -> None:
        """See that messages can be held back for as long as they want to be: before an open transaction is committed.

        Raises:
            ConfigurationError: a setting of the scheduler is missing.
        """
        if self._backend == "sqs" and any(message.run_at for message in messages):
            self.sender.check(messages)

    def _acquire(self, name: str, uuid: str) -> bool:
        return self.locks.acquire(name, uuid)

    def _republish(self, message: Message) -> None:
        if self._backend == "sqs":
            self.sender.resend(message)
            return
        (error,) = self.backend.publish([message])
        if error is not None:
            raise error


_lock = threading.Lock()
_current: Services | None = None


def current_services() -> Services:
    """The process's services, made from its environment when first asked for.

    Raises:
        ConfigurationError: a setting cannot be read.
    """
    global _current  # noqa: PLW0603 - the one piece of process-wide state, and this function guards it
    notice_fork()
    if _current is None:
        with _lock:
            if _current is None:
                _current = Services(Config.from_environ())
    return _current


@call_when_forked
def _forked() -> None:
    global _lock  # noqa: PLW0603 - another thread of the parent's may have had it
    _lock = threading.Lock()


def configure(config: Config | None = None, **overrides: Any) -> Services:
    """Set the process's services.

    Args:
        config: the settings; the environment's unless given.
        overrides: arguments of `Services`, such as ``backend="immediate"``.
    """
    global _current  # noqa: PLW0603
    _current = Services(config or Config.from_environ(), **overrides)
    return _current


@contextmanager
def use(these: Services) -> Iterator[Services]:
    """Let the process use other services for the length of a block, as tests do."""
    global _current  # noqa: PLW0603
    before, _current = _current, these
    try:
        yield these
    finally:
        _current = before


def reset() -> None:
    """Forget the process's services, so that the next use reads the environment again."""
    global _current  # noqa: PLW0603
    _current = None
