"""`ServerlessTask`: what ``@task`` makes of a function, with the options of ours besides Django's own."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict, Unpack

from django.tasks.base import Task

from django_integration.django_tasks.function import declared
from serverless_tasks.engine.definition.base import BaseTask
from serverless_tasks.errors import UnknownOption, WorkflowError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime, timedelta

    from django_integration.django_tasks.function import FunctionTask
    from django_integration.django_tasks.result import ServerlessResult
    from serverless_tasks.engine.submit.workflow import Signature

    type Call = tuple[Sequence[Any], Mapping[str, Any]]


class Using(TypedDict, total=False):
    """The arguments of ``using()`` besides Django's own."""

    owner: str
    tenant: str
    idempotency_key: str
    idempotency_ttl: int
    uuid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerlessTask(Task):  # type: ignore[type-arg]  # only in its stub it has parameters
    """A task of Django's that runs on this backend.

    The first group is said where the task is defined, ``@task(retries=3)``, and holds for every run. The second is
    said when it is enqueued, ``send.using(tenant="acme").enqueue(...)``.

    Attributes:
        retries: how often it is run again after an exception.
        timeout: the longest run of one attempt, in seconds.
        retry_on: the exceptions after which it is run again.
        never_retry: those of them after which it is not.
        backoff: the longest wait before the first retry, in seconds; each further one may be twice as long.
        backoff_cap: the longest wait before any retry, in seconds.
        on_lost: what becomes of it when its worker was lost: ``"retry"``, or ``"fail"`` when it must not run twice.
        aliases: module paths that it had before: what was enqueued under one is run by this function.
        unique: whether one job of it with the same arguments may wait or run at a time.
        owner: who may see the job over HTTP, and in whose listing it is.
        tenant: its share of a fair queue (SQS message group).
        idempotency_key: gives back the first job that was enqueued with it, for the same owner, task and arguments.
        idempotency_ttl: how long the key is remembered, in seconds.
        uuid: the id of the job, to enqueue again what may have been sent already.

    Raises:
        UnknownOption: ``@task`` was given a name that is no option.
        TaskDefinitionError: a value does not fit its option.
    """

    retries: int = BaseTask.retries
    timeout: float = BaseTask.timeout
    retry_on: tuple[type[BaseException], ...] = BaseTask.retry_on
    never_retry: tuple[type[BaseException], ...] = BaseTask.never_retry
    backoff: float = BaseTask.backoff
    backoff_cap: float = BaseTask.backoff_cap
    on_lost: Literal["retry", "fail"] = BaseTask.on_lost
    unique: bool = BaseTask.unique
    aliases: tuple[str, ...] = ()

    owner: str | None = None
    tenant: str | None = None
    idempotency_key: str | None = None
    idempotency_ttl: int | None = None
    uuid: str | None = None

    def __new__(cls, **given: Any) -> ServerlessTask:
        names = [option.name for option in fields(cls)]
        unknown = sorted(set(given) - set(names))
        if unknown:
            options = ", ".join(name for name in names if name not in ("func", "run_after", *ENQUEUE_OPTIONS))
            raise UnknownOption(f"{unknown[0]!r} is not an option of @task; the options are {options}.")
        return object.__new__(cls)

    def __post_init__(self) -> None:
        Task.__post_init__(self)  # `super()` would not find the class that dataclass gave slots
        function_of(self)

    def using(
        self,
        *,
        priority: int | None = None,
        queue_name: str | None = None,
        run_after: datetime | timedelta | None = None,
        backend: str | None = None,
        **options: Unpack[Using],
    ) -> ServerlessTask:
        """A new task with other words on how it is enqueued.

        Args:
            priority: above 0 means queue ``high``, below 0 ``low``, unless a queue is named.
            queue_name: one of ``QUEUES``.
            run_after: when it may run, or how long from its enqueueing on.
            backend: the alias of another backend.
            options: ``owner``, ``tenant``, ``idempotency_key``, ``idempotency_ttl`` and ``uuid``: see the class.

        Raises:
            UnknownOption: a name is none of these.
            InvalidTask: the backend refuses the task.
        """
        unknown = sorted(set(options) - set(ENQUEUE_OPTIONS))
        if unknown:
            hint = " It is an option of @task." if unknown[0] in TASK_OPTIONS else ""
            raise UnknownOption(f"using() does not take {unknown[0]!r}.{hint}")
        changed: dict[str, Any] = {
            "priority": priority,
            "queue_name": queue_name,
            "run_after": run_after,
            "backend": backend,
            **options,
        }
        return replace(self, **{name: value for name, value in changed.items() if value is not None})

    def enqueue_many(self, calls: Iterable[Call]) -> list[ServerlessResult]:
        """Enqueue the task many times, ten to a call; see `ServerlessBackend.enqueue_many`.

        Args:
            calls: for each job the positional arguments, and those by name.
        """
        backend: Any = self.get_backend()
        results: list[ServerlessResult] = backend.enqueue_many(
            [(self, args, kwargs) for args, kwargs in calls]
        )
        return results

    async def aenqueue_many(self, calls: Iterable[Call]) -> list[ServerlessResult]:
        """See `enqueue_many`."""
        backend: Any = self.get_backend()
        results: list[ServerlessResult] = await backend.aenqueue_many(
            [(self, args, kwargs) for args, kwargs in calls]
        )
        return results

    def signature(self, /, *args: Any, **kwargs: Any) -> Signature:
        """Return a call of the task, for a group or a chain; nothing is sent.

        Args:
            args: its positional arguments; results of earlier jobs are ``previous["return_value"]`` and
                ``results["return_value"]``.
            kwargs: those by name.

        Raises:
            WorkflowError: ``run_after`` is a datetime, or the task is enqueued with another kind of backend.
            TypeError: an argument has no form in JSON.
        """
        backend: Any = self.get_backend()
        signature = getattr(backend, "signature", None)
        if signature is None:
            raise WorkflowError(
                f"{self.module_path} runs on TASKS[{self.backend!r}], a {type(backend).__qualname__}, which has no"
                " groups and chains: use a ServerlessBackend."
            )
        made: Signature = signature(self, args, kwargs)
        return made


# Django says the queue, the priority and the time in words of its own.
ENQUEUE_OPTIONS: Final = tuple(Using.__annotations__)
_DJANGOS: Final = frozenset(each.name for each in fields(Task))
TASK_OPTIONS: Final = tuple(
    each.name
    for each in fields(ServerlessTask)
    if each.name not in _DJANGOS and each.name not in ENQUEUE_OPTIONS
)


def function_of(task: Task[..., Any]) -> type[FunctionTask]:
    """The class that runs a task's function; of one that another backend's ``@task`` made, without options."""
    options = {
        name: value
        for name in TASK_OPTIONS
        if (value := getattr(task, name, None)) is not None and value != getattr(BaseTask, name)
    }
    return declared(task, options)
