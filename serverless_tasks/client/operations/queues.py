"""The queues as an operator sees them: what waits in each, since when, for whom, and what is paused."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from serverless_tasks.client.search import known_names
from serverless_tasks.client.ways import LOOKED_AT
from serverless_tasks.engine.aws.mappings import mappings_of
from serverless_tasks.engine.aws.sqs.queue_metrics import DEAD_LETTERS
from serverless_tasks.engine.job.record import PENDING, iso
from serverless_tasks.engine.worker.pauses import QUEUE
from serverless_tasks.errors import AwsError, ConfigurationError

if TYPE_CHECKING:
    from serverless_tasks.engine.aws.scheduler.one_time import ScheduledCounts
    from serverless_tasks.engine.services import Services
    from serverless_tasks.engine.worker.pauses import Pause


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """One queue; the numbers of messages are approximate, as SQS gives them.

    Attributes:
        name: its name.
        visible: messages that a worker may take.
        in_flight: messages that a worker has taken, or that are hidden until they come again.
        delayed: messages that SQS holds back.
        oldest: seconds since the oldest message was sent; None when CloudWatch does not say.
        scheduled: jobs that wait in EventBridge Scheduler; None when that is not known.
        pause: the operator's pause, or None.
        receiving: whether Lambda receives from it; None when that is not known, or no mapping does.
    """

    name: str
    visible: int
    in_flight: int
    delayed: int
    oldest: float | None = None
    scheduled: int | None = None
    pause: Pause | None = None
    receiving: bool | None = None

    @property
    def empty(self) -> bool:
        """True if SQS counts no message in it."""
        return not (self.visible or self.in_flight or self.delayed)

    @property
    def stopped(self) -> bool:
        """True if it is paused, or Lambda's mapping is disabled."""
        return self.pause is not None or self.receiving is False

    def to_json(self) -> dict[str, Any]:
        """The queue for programs."""
        return {
            "queue": self.name,
            "visible": self.visible,
            "in_flight": self.in_flight,
            "delayed": self.delayed,
            "oldest_seconds": self.oldest,
            "scheduled": self.scheduled,
            "paused": None if self.pause is None else self.pause.to_json(),
            "receiving": self.receiving,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """How many jobs of a tenant wait for a queue, among those of a sample; ``tenant`` is None for jobs without one."""

    queue: str
    tenant: str | None
    jobs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantSample:
    """The waiting jobs among the newest ones, counted by queue and tenant, the most first.

    Attributes:
        counts: the counts.
        looked_at: how many jobs were looked at.
        looked_back_to: when the oldest of them was submitted, milliseconds since the epoch; None when that is all.
    """

    counts: tuple[Waiting, ...] = ()
    looked_at: int = 0
    looked_back_to: int | None = None

    @property
    def waiting(self) -> int:
        """How many of them wait."""
        return sum(count.jobs for count in self.counts)

    def to_json(self) -> dict[str, Any]:
        """The sample for programs."""
        return {
            "looked_at": self.looked_at,
            "looked_back_to": iso(self.looked_back_to),
            "waiting": [
                {"queue": count.queue, "tenant": count.tenant, "jobs": count.jobs} for count in self.counts
            ],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Queues:
    """All queues of a stack.

    Attributes:
        queues: the queues that jobs travel through.
        dead_letters: the dead-letter queue; None where none is configured.
        scheduled: what waits in the scheduler; None when that is not known.
        pauses: all pauses, those of tasks among them.
        unknown: what could not be asked, in sentences.
        sample: who waits; None when that was not wanted, or is not known.
    """

    queues: tuple[QueueState, ...]
    dead_letters: QueueState | None = None
    scheduled: ScheduledCounts | None = None
    pauses: tuple[Pause, ...] = ()
    unknown: tuple[str, ...] = ()
    sample: TenantSample | None = None

    def to_json(self) -> dict[str, Any]:
        """The queues for programs."""
        return {
            "queues": [queue.to_json() for queue in self.queues],
            "dead_letters": None if self.dead_letters is None else self.dead_letters.to_json(),
            "scheduled_with_tenant": None if self.scheduled is None else self.scheduled.other,
            "scheduled_counted_all": None if self.scheduled is None else not self.scheduled.more,
            "paused_tasks": [pause.to_json() for pause in self.pauses if pause.kind != QUEUE],
            "sample": None if self.sample is None else self.sample.to_json(),
            "unknown": list(self.unknown),
        }


def read_queues(services: Services, *, sample: bool = True) -> Queues:
    """Look at all queues, without receiving a message.

    Args:
        services: the services of the stack.
        sample: whether to look for who waits; see `tenant_sample`.

    Raises:
        ConfigurationError: jobs run in this process, or no queue is configured.
        AwsError: SQS could not be asked. What else cannot be asked is named in ``unknown``.
    """
    if services.backend_kind.in_process:
        raise ConfigurationError("There are no queues: jobs run in the process that submits them.")
    unknown: list[str] = []
    scheduled = _scheduled(services, unknown)
    pauses = _pauses(services, unknown)
    of_queues = {pause.name: pause for pause in pauses if pause.kind == QUEUE}
    receiving = _receiving(services, unknown)
    states = {}
    for depth in services.queue_metrics.read():
        states[depth.queue] = QueueState(
            name=depth.queue,
            visible=depth.waiting,
            in_flight=depth.running,
            delayed=depth.delayed,
            oldest=depth.oldest,
            scheduled=None if scheduled is None else scheduled.by_queue.get(depth.queue),
            pause=of_queues.get(depth.queue),
            receiving=receiving.get(depth.queue),
        )
    dead_letters = states.pop(DEAD_LETTERS, None)
    found = None
    if sample:
        try:
            found = tenant_sample(services)
        except (AwsError, ConfigurationError) as error:
            unknown.append(f"Who waits is not known: {error}")
    return Queues(
        queues=tuple(states.values()),
        dead_letters=dead_letters,
        scheduled=scheduled,
        pauses=tuple(pauses),
        unknown=tuple(unknown),
        sample=found,
    )


def tenant_sample(services: Services) -> TenantSample:
    """Count the waiting jobs among the newest `LOOKED_AT` of all tasks that are known, by queue and tenant.

    Raises:
        AwsError: the table could not be asked.
        ConfigurationError: no table is configured.
    """
    page = services.store.list_tasks(known_names(services), limit=LOOKED_AT, whole=False)
    waiting = Counter((record.queue, record.tenant) for record in page.records if record.status == PENDING)
    return TenantSample(
        counts=tuple(
            Waiting(queue=queue, tenant=tenant, jobs=jobs)
            for (queue, tenant), jobs in sorted(waiting.items(), key=_most_first)
        ),
        looked_at=page.looked_at,
        looked_back_to=page.records[-1].created if page.cursor is not None and page.records else None,
    )


def _most_first(counted: tuple[tuple[str, str | None], int]) -> tuple[int, str, str]:
    (queue, tenant), jobs = counted
    return -jobs, queue, tenant or ""


def _scheduled(services: Services, unknown: list[str]) -> ScheduledCounts | None:
    if not services.config.schedule_group:
        return None
    try:
        return services.schedules.waiting()
    except AwsError as error:
        unknown.append(f"The number of scheduled jobs is not known: {error}")
        return None


def _pauses(services: Services, unknown: list[str]) -> list[Pause]:
    if services.pauses is None:
        return []
    try:
        return services.pauses.all(fresh=True)
    except AwsError as error:
        unknown.append(f"What is paused is not known: {error}")
        return []


def _receiving(services: Services, unknown: list[str]) -> dict[str, bool | None]:
    found: dict[str, bool | None] = {}
    for name, url in services.config.queue_urls.items():
        try:
            mappings = mappings_of(url)
        except AwsError as error:
            unknown.append(f"Whether Lambda receives from the queues is not known: {error}")
            return found
        found[name] = any(mapping.enabled for mapping in mappings) if mappings else None
    return found
