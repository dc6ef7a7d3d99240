"""The wiring: which store, queue, backend and runner a process uses, decided once."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from serverless_tasks.engine.backends.base import backend_class
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.definition.registry import Registry
from serverless_tasks.engine.job.clock import Clock
from serverless_tasks.engine.job.forks import call_when_forked, notice_fork, renew_when_forked
from serverless_tasks.engine.locked_property import locked_cached_property
from serverless_tasks.engine.store.locks import Locks
from serverless_tasks.engine.worker.runner import Runner
from serverless_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

    from serverless_tasks.engine.aws.scheduler.one_time import Schedules
    from serverless_tasks.engine.aws.scheduler.recurring import ScheduleGroup
    from serverless_tasks.engine.aws.sender import Sender
    from serverless_tasks.engine.aws.sqs.dead_letter_queue import DeadLetterQueue
    from serverless_tasks.engine.aws.sqs.queue_metrics import QueueMetrics
    from serverless_tasks.engine.aws.sqs.receiving import Visibility
    from serverless_tasks.engine.aws.sqs.sending import QueueSender
    from serverless_tasks.engine.backends.base import Backend
    from serverless_tasks.engine.definition.manifest.build import ManifestStore
    from serverless_tasks.engine.definition.manifest.deployed import DeployedTasks
    from serverless_tasks.engine.definition.manifest.record import BuildRecord
    from serverless_tasks.engine.job.dead_letter import DeadLetterStore
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.job.record import Failure, Record
    from serverless_tasks.engine.statistics.base import StatisticsStore
    from serverless_tasks.engine.statistics.gatherer import Gatherer
    from serverless_tasks.engine.store.base import Blobs, Claim, Store
    from serverless_tasks.engine.tokens.keys import Keys
    from serverless_tasks.engine.tracing.spans import Spans
    from serverless_tasks.engine.worker.delivery import Middleware
    from serverless_tasks.engine.worker.pauses import Pauses
    from serverless_tasks.engine.workflow.workflows import Workflows
    from serverless_tasks.errors import ServerlessTasksError

    # Leaves publications, which the room above makes, to the commit of an open transaction; False where none is open.
    type Defer = Callable[[Services, Sequence[Any]], bool]


logger = logging.getLogger(__name__)


class Services:
    """Everything that a process needs, each part made when it is first used.

    Args:
        config: the settings.
        backend: ``"sqs"``, ``"threading"``, ``"immediate"`` or a `Backend`.
        clock: the time.
        store: a store to use instead of the one that the settings name.
        registry: a registry to use instead of a new one.
        defer: leaves publications to the commit of an open transaction.
        beside_transaction: makes a call, from a coroutine, on the thread that has the open transaction; needed where
            ``defer`` looks for one by the thread.
        middleware: stands around each delivery; see `Runner`.
        on_write: is called with the id of each job that was, or may have been, written.
        problem: why the configuration is wrong, where it is.
        token_keys: gives the keys of tokens where the settings name none.

    Attributes:
        started: when they were made, in seconds since the epoch.
    """

    def __init__(
        self,
        config: Config,
        *,
        backend: str | Backend = "sqs",
        clock: Clock | None = None,
        store: Store | None = None,
        registry: Registry | None = None,
        defer: Defer | None = None,
        beside_transaction: Callable[[Callable[[], Any]], Awaitable[Any]] | None = None,
        middleware: Middleware | None = None,
        on_write: Callable[[str], object] | None = None,
        problem: ConfigurationError | None = None,
        token_keys: Callable[[], Sequence[str]] | None = None,
    ) -> None:
        self.config = config
        self.clock = clock or Clock()
        self.started = self.clock.now()
        self.defer = defer
        self.beside_transaction = beside_transaction
        self.middleware = middleware
        self.problem = problem
        self._backend = backend
        self._store = store
        self._registry = registry
        self._on_write = on_write
        self._token_keys = token_keys
        self._lock = threading.RLock()
        renew_when_forked(self)

    def __repr__(self) -> str:
        backend = self._backend if isinstance(self._backend, str) else type(self._backend).__name__
        return f"<Services backend={backend!r} table={self.config.table!r}>"

    def forked(self) -> None:
        """See `Renewed.forked`: the parts stay, and each renews what it holds."""
        self._lock = threading.RLock()

    @property
    def backend_kind(self) -> Backend | type[Backend]:
        """The backend's class attributes: its class, or the object that was given.

        Raises:
            ConfigurationError: there is no backend of this name.
        """
        return backend_class(self._backend) if isinstance(self._backend, str) else self._backend

    @locked_cached_property
    def registry(self) -> Registry:
        """The tasks of this process; the configured modules are imported, and those that cannot be are logged."""
        registry = Registry() if self._registry is None else self._registry
        registry.load(self.config.modules)
        for fault in registry.faults:
            logger.error("%s", fault, exc_info=fault.__cause__)
        return registry

    @locked_cached_property
    def store(self) -> Store:
        """The table; without one, the in-process backends keep jobs in memory."""
        store = self._own_store()
        if self._on_write is None:
            return store
        from serverless_tasks.engine.store.observed import observed

        return observed(store, self._on_write)

    def _own_store(self) -> Store:
        if self._store is not None:
            return self._store
        if not self.config.table and self.backend_kind.in_process:
            from serverless_tasks.engine.store.memory import MemoryStore

            return MemoryStore(self.clock, self._forget, self.config.build)
        from serverless_tasks.engine.aws.dynamodb.table import Table
        from serverless_tasks.engine.aws.session import client

        table = self.config.require("table")
        return Table(
            client("dynamodb"),
            table,
            self.clock,
            self.blobs,
            self._unschedule,
            self._forget,
            self.config.build,
            compress=self._compress(),
        )

    def _compress(self) -> bool | None:
        """Return whether inputs are stored compressed; where jobs run in this process, only if the settings say so."""
        if self.config.compress_inputs is None and self.backend_kind.in_process:
            return False
        return self.config.compress_inputs

    def _forget(self, fingerprint: str, uuid: str, failed: int) -> None:
        self.statistics_store.forget(fingerprint, uuid, failed)

    def _unschedule(self, uuid: str, run_at: int) -> None:
        self.schedules.delete(uuid, run_at)

    @locked_cached_property
    def locks(self) -> Locks:
        """Idempotency keys and the places of unique jobs; their rows lie where the jobs do."""
        if self._store is not None or (not self.config.table and self.backend_kind.in_process):
            from serverless_tasks.engine.store.memory_locks import MemoryLocks

            return Locks(MemoryLocks(self.clock), self.store, self.clock)
        from serverless_tasks.engine.aws.dynamodb.locks import TableLocks
        from serverless_tasks.engine.aws.session import client

        table = self.config.require("table")
        return Locks(TableLocks(client("dynamodb"), table, self.clock), self.store, self.clock)

    @locked_cached_property
    def statistics_store(self) -> StatisticsStore:
        """The counts of tasks, and failures by their kind; whether this process adds to them or not."""
        from serverless_tasks.engine.counting import statistics_store_of

        return statistics_store_of(self.config, self.clock, in_process=self.backend_kind.in_process)

    @locked_cached_property
    def statistics(self) -> Gatherer | None:
        """The counting of what this process's worker does; None where it is off, or jobs run in this process."""
        if not self.config.statistics or self.backend_kind.in_process:
            return None
        from serverless_tasks.engine.counting import gatherer_of

        return gatherer_of(self.config, self.statistics_store, self.clock)

    @locked_cached_property
    def manifest_store(self) -> ManifestStore | None:
        """The manifest of the deployed build; None where jobs run in this process, or no table is configured."""
        if not self.config.table or self.backend_kind.in_process:
            return None
        from serverless_tasks.engine.aws.dynamodb.items import TableItems
        from serverless_tasks.engine.aws.dynamodb.manifest import TableManifest
        from serverless_tasks.engine.aws.session import client

        return TableManifest(TableItems(client("dynamodb"), self.config.table, self.clock))

    @locked_cached_property
    def deployed_tasks(self) -> DeployedTasks:
        """The tasks of the deployed build, for those that are submitted by their names."""
        from serverless_tasks.engine.definition.manifest.deployed import DeployedTasks

        return DeployedTasks(self.manifest_store, self.clock)

    @locked_cached_property
    def build_record(self) -> BuildRecord:
        """The record of this process's build, for a worker to write."""
        from serverless_tasks.engine.definition.manifest.record import BuildRecord

        return BuildRecord(self.registry, self.manifest_store, self.started, self.config.build)

    @locked_cached_property
    def pauses(self) -> Pauses | None:
        """The queues and tasks that are paused; None where jobs run in this process, or no table is configured."""
        if not self.config.table or self.backend_kind.in_process:
            return None
        from serverless_tasks.engine.aws.dynamodb.items import TableItems
        from serverless_tasks.engine.aws.dynamodb.pauses import TablePauses
        from serverless_tasks.engine.aws.session import client
        from serverless_tasks.engine.worker.pauses import Pauses

        items, reader = (
            TableItems(each, self.config.table, self.clock)
            for each in (client("dynamodb"), client("dynamodb", attempts=2, read_timeout=1))
        )
        return Pauses(TablePauses(items, reader, self.clock), self.clock)

    @locked_cached_property
    def blobs(self) -> Blobs | None:
        """The payload bucket, or None when none is configured."""
        if not self.config.bucket:
            return None
        from serverless_tasks.engine.aws.s3.payloads import BucketBlobs

        return BucketBlobs(self.config.bucket)

    @locked_cached_property
    def queue(self) -> QueueSender:
        """The sender to the configured queues."""
        from serverless_tasks.engine.aws.session import client
        from serverless_tasks.engine.aws.sqs.sending import QueueSender

        self.config.require("queue_urls")
        return QueueSender(client("sqs", attempts=1), self.config, self.clock)

    @locked_cached_property
    def schedules(self) -> Schedules:
        """The schedules that send what is due later than SQS can hold it back."""
        from serverless_tasks.engine.aws.scheduler.one_time import Schedules
        from serverless_tasks.engine.aws.session import client

        self.config.require("schedule_group")
        return Schedules(client("scheduler", attempts=1), self.config, self.clock)

    @locked_cached_property
    def schedule_group(self) -> ScheduleGroup:
        """The recurring schedules of the stack."""
        from serverless_tasks.engine.aws.scheduler.recurring import ScheduleGroup
        from serverless_tasks.engine.aws.session import client

        self.config.require("schedule_group")
        return ScheduleGroup(client("scheduler"), self.config)

    @locked_cached_property
    def sender(self) -> Sender:
        """Sends messages, soon ones by SQS and late ones by a schedule."""
        from serverless_tasks.engine.aws.sender import Sender

        return Sender(self.queue, lambda: self.schedules, self.blobs, self.config, self.clock)

    @locked_cached_property
    def visibility(self) -> Visibility:
        """Changes when received messages come back."""
        from serverless_tasks.engine.aws.session import client
        from serverless_tasks.engine.aws.sqs.receiving import Visibility

        return Visibility(client("sqs"))

    @locked_cached_property
    def dead_letter_queue(self) -> DeadLetterQueue:
        """The queue for undecodable messages."""
        from serverless_tasks.engine.aws.session import client
        from serverless_tasks.engine.aws.sqs.dead_letter_queue import DeadLetterQueue

        url = self.config.require("dead_letter_queue_url")
        return DeadLetterQueue(client("sqs"), url)

    @locked_cached_property
    def dead_letter_store(self) -> DeadLetterStore:
        """The store of kept dead letters."""
        from serverless_tasks.engine.aws.s3.dead_letters import BucketDeadLetters
        from serverless_tasks.engine.aws.s3.payloads import BucketBlobs
        from serverless_tasks.engine.aws.session import client

        bucket = self.config.require("bucket")
        return BucketDeadLetters(client("s3"), bucket, BucketBlobs(bucket))

    @locked_cached_property
    def queue_metrics(self) -> QueueMetrics:
        """The metrics of the queues, the dead-letter queue among them where it is configured."""
        from serverless_tasks.engine.aws.session import client
        from serverless_tasks.engine.aws.sqs.queue_metrics import DEAD_LETTERS, QueueMetrics

        urls = dict(self.config.require("queue_urls"))
        if self.config.dead_letter_queue_url:
            urls[DEAD_LETTERS] = self.config.dead_letter_queue_url
        return QueueMetrics(client("sqs"), client("cloudwatch"), urls, self.clock)

    @locked_cached_property
    def runner(self) -> Runner:
        """The runner of messages; it sends retries by way of the backend."""
        return Runner(
            self.registry,
            self.store,
            self.blobs,
            self._resend,
            self.clock,
            acquire=lambda name, uuid: self.locks.acquire(name, uuid),  # noqa: PLW0108 - few jobs need locks
            has_queue=not self.backend_kind.in_process,
            holds_back=not self.backend_kind.synchronous,
            middleware=self.middleware,
            workflows=lambda: self.workflows,
            mark=None if self.statistics is None else self.statistics.mark,
            spans=lambda: self.spans,
            build=self.config.build,
        )

    @locked_cached_property
    def token_keys(self) -> Keys:
        """The keys of tokens.

        Raises:
            ConfigurationError: there is none, or one cannot be used.
        """
        if self.config.token_secret and not self.config.token_keys:
            from serverless_tasks.engine.aws.session import client
            from serverless_tasks.engine.aws.token_keys import SecretKeys

            secrets = client("secretsmanager", attempts=2, read_timeout=3)
            return SecretKeys(secrets, self.config.token_secret, self.clock)
        from serverless_tasks.engine.tokens.keys import FixedKeys

        return FixedKeys(self.config.token_keys or (self._token_keys() if self._token_keys else ()))

    @locked_cached_property
    def workflows(self) -> Workflows:
        """Groups and chains."""
        from serverless_tasks.engine.workflow.workflows import Workflows

        return Workflows(
            self.store,
            self.blobs,
            self.publish,
            self.clock,
            has_deadlines=not self.backend_kind.synchronous,
        )

    @locked_cached_property
    def backend(self) -> Backend:
        """The backend of submitted jobs.

        Raises:
            ConfigurationError: a setting is missing, or there is no backend of this name.
        """
        if not isinstance(self._backend, str):
            return self._backend
        made: Backend = backend_class(self._backend).of(self)
        return made

    @property
    def spans(self) -> Spans | None:
        """The spans of jobs; None, with nothing imported, where nobody has asked for traces."""
        return self._spans if self.config.traced else None

    @locked_cached_property
    def _spans(self) -> Spans:
        from serverless_tasks.engine.tracing.spans import Spans

        return Spans(self.config, has_queue=self.backend_kind.has_queue)

    def _resend(self, message: Message) -> None:
        self.backend.resend(message)

    def publish(self, messages: Sequence[Message]) -> list[ServerlessTasksError | None]:
        """Hand messages to the backend; see `Backend.publish`."""
        spans = self.spans
        return self.backend.publish(messages) if spans is None else spans.send(messages, self.backend.publish)

    def cancel(self, uuid: str, *, message: Message | None = None) -> Record:
        """Cancel a job, and do what follows from that in its workflow; see `Store.cancel`."""
        record = self.store.cancel(uuid, message=message)
        if record.members is not None or record.group is not None:
            self.workflows.cancelled(record)
        return record

    def browser_token(self, uuid: str, *, minutes: float, allow: Iterable[str]) -> str:
        """Return a token for a job; see `Handle.browser_token`."""
        from serverless_tasks.engine.tokens.token import job_token

        now = self.clock.now()
        return job_token(uuid, minutes=minutes, allow=allow, keys=self.token_keys, now=now)

    def delete(self, uuid: str) -> None:
        """Delete a job, which counts as ended in its workflow; see `Store.delete`."""
        self.store.delete(uuid, ending=self._count_ended)

    def _count_ended(self, member: Record) -> None:
        self.workflows.ended(member)

    def settle(self, message: Message, failure: Failure) -> Claim:
        """End a job that nobody holds, and do what follows from that in its workflow; see `Store.settle`."""
        return self.runner.settle(message, failure)


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
