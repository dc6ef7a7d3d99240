"""The deferral of a task: delay, queue, retries."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings

from django_integration.declarative.job import RUNS_DEFERRED_JOBS
from serverless_tasks.engine.services import current_services
from serverless_tasks.engine.submit.options import LONGEST_DELAY, Options
from serverless_tasks.engine.submit.submission import Submission
from serverless_tasks.errors import TaskDefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from django_integration.declarative.job import DeferredJob
    from serverless_tasks.engine.submit.handle import Handle

    type Exceptions = type[BaseException] | Collection[type[BaseException]]

# Django's settings: run deferred tasks in the request; the queues that routing keys stand for.
FORCE_SYNCHRONOUS = "DECLARATIVE_ENDPOINT_TASKS_FORCE_SYNCHRONOUS"
ROUTING_KEYS = "DECLARATIVE_ENDPOINT_TASKS_ROUTING_KEYS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferral:
    """The options of a deferrable task, checked as the class is made.

    Attributes:
        delay: seconds to hold the job back; or a function of the endpoint that gives them.
        always_defer: False runs the task in the request where there is no delay; or a function of the endpoint.
        queue: the queue's name.
        routing_key: stands for a queue in ``DECLARATIVE_ENDPOINT_TASKS_ROUTING_KEYS``, else is its name; `queue` wins.
        retries: how often it is run again after an exception.
        retry_exception_filter: the exceptions that are worth it, subclasses included: one class, or several in a tuple,
            a list or a set; empty means all.
        execute_unless: a function of the endpoint; the task is left out when it gives true.

    Raises:
        TaskDefinitionError: one of them does not fit.
    """

    delay: float | Callable[[Any], float | None] | None = None
    always_defer: bool | Callable[[Any], bool] = True
    queue: str | None = None
    routing_key: str | None = None
    retries: int = 0
    retry_exception_filter: Exceptions = ()
    execute_unless: Callable[[Any], Any] | None = None

    def __post_init__(self) -> None:
        for name in ("delay", "always_defer", "execute_unless"):
            asked = getattr(self, name)
            # Its coroutine would pass for true, with nothing asked.
            _check(name, asked, not _is_asynchronous(asked), "a function that is not asynchronous")
        if not callable(self.delay):
            _check(
                "delay",
                self.delay,
                _is_delay(self.delay),
                f"seconds from 0 to {LONGEST_DELAY}, or a function",
            )
        fits = isinstance(self.always_defer, bool) or callable(self.always_defer)
        _check("always_defer", self.always_defer, fits, "True, False or a function")
        for name, value in (("queue", self.queue), ("routing_key", self.routing_key)):
            _check(name, value, value is None or (isinstance(value, str) and value != ""), "a text")
        fits = isinstance(self.retries, int) and not isinstance(self.retries, bool) and self.retries >= 0
        _check("retries", self.retries, fits, "a whole number from 0")
        allowed = self.retry_exception_filter
        fits = isinstance(allowed, (type, tuple, list, set, frozenset)) and all(
            isinstance(each, type) and issubclass(each, BaseException) for each in _several(allowed)
        )
        _check("retry_exception_filter", allowed, fits, "a class of exceptions, or a tuple of them")
        fits = self.execute_unless is None or _takes_the_endpoint(self.execute_unless)
        _check("execute_unless", self.execute_unless, fits, "a function that takes only self, the endpoint")

    def delay_for(self, endpoint: Any) -> float:
        """The delay of this request's job, in seconds."""
        return (self.delay(endpoint) if callable(self.delay) else self.delay) or 0

    def runs_now(self, endpoint: Any, delay: float) -> bool:
        """Return whether the task is run in this request."""
        always = self.always_defer(endpoint) if callable(self.always_defer) else self.always_defer
        return (delay == 0 and not always) or bool(getattr(settings, FORCE_SYNCHRONOUS, False))

    def retries_after(self, error: BaseException) -> int:
        """Return how often a job may be run again after this error."""
        wanted = _several(self.retry_exception_filter)
        if wanted and not isinstance(error, wanted):
            return 0
        return self.retries

    def publish(self, job: DeferredJob, delay: float) -> Handle:
        """Submit a job, on commit when a transaction is open.

        Args:
            job: the job.
            delay: seconds to hold it back.

        Raises:
            InvalidInputs: its arguments would not survive the way there.
            SubmitFailed: it was certainly not sent.
            SubmitUncertain: it may have been sent.
        """
        options = Options.parse({"delay": delay, "queue": self._queue()})
        return Submission(current_services().registry.get(RUNS_DEFERRED_JOBS), options).start(job)

    def _queue(self) -> str | None:
        if self.queue is not None or self.routing_key is None:
            return self.queue
        queues: dict[str, str] = getattr(settings, ROUTING_KEYS, {})
        return queues.get(self.routing_key, self.routing_key)


def _several(kinds: Exceptions) -> tuple[type[BaseException], ...]:
    return (kinds,) if isinstance(kinds, type) else tuple(kinds)


def _is_delay(value: Any) -> bool:
    if value is None:
        return True
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= LONGEST_DELAY


def _is_asynchronous(function: Any) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def _takes_the_endpoint(function: Any) -> bool:
    return callable(function) and len(inspect.signature(function).parameters) == 1


def _check(name: str, value: Any, fits: bool, wanted: str) -> None:
    if not fits:
        raise TaskDefinitionError(f"The deferrable task's {name} is {value!r}; expected {wanted}.")
