"""The outcome of one delivery of a message."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from serverless_tasks.engine.job.masking import NO_MASK, Mask
from serverless_tasks.engine.job.record import Failure
from serverless_tasks.errors import (
    BucketMissing,
    InvalidInputs,
    InvalidOutputs,
    LeaseLost,
    PayloadTooLarge,
    TaskCancelled,
    TaskDefinitionError,
    TaskError,
    TaskRetry,
    TaskStopped,
    TaskTimeout,
)

if TYPE_CHECKING:
    from types import TracebackType

    from serverless_tasks.engine.definition.base import BaseTask

_OURS = ("serverless_tasks", "django_integration")


@dataclass(frozen=True, slots=True)
class RunResult:
    """The result of ``run``: outputs, or an exception.

    Attributes:
        outputs: what it returned, as JSON; None when it did not end well.
        exception: what it raised, or None.
        duration: how long it ran, in seconds.
        retries: how often the job may be run again because of the exception.
        mask: what keeps the run's secrets out of what is told of the exception.
    """

    outputs: dict[str, Any] | None
    exception: BaseException | None
    duration: float
    retries: int = 0
    mask: Mask = NO_MASK


class Disposition(StrEnum):
    """What a delivery of a message did about its job.

    Attributes:
        DECIDED: it decided the job's status.
        BUSY: nothing: another attempt holds the job.
        WAITING: nothing: the job is not due yet.
        ENDED: nothing: the job had ended before.
        LOST: nothing: its attempt lost the job while it ran.
    """

    DECIDED = "decided"
    BUSY = "busy"
    WAITING = "waiting"
    ENDED = "ended"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryResult:
    """The outcome of one delivery of a message.

    Attributes:
        disposition: what it did about the job.
        job_status: the job's status now (``pending``: it will be retried), where this delivery decided it; else "".
        give_back: None when the message is done with; else seconds until it should be delivered again.
        attempt: the attempt's number, 0 when none was begun.
        failure: why it did not succeed, the run's secrets masked: what may be told.
        exception: the exception behind it as it was raised, secrets in its text and its frames included: for code of
            this process alone, and never for a log.
        duration: how long the task ran, in seconds.
    """

    disposition: Disposition = Disposition.DECIDED
    job_status: str = ""
    give_back: float | None = None
    attempt: int = 0
    failure: Failure | None = None
    exception: BaseException | None = None
    duration: float = 0.0

    @property
    def status(self) -> str:
        """The job's status where this delivery decided it, else the disposition: in one word, for people and logs."""
        return self.job_status or self.disposition.value


def failure_of(error: BaseException, mask: Mask = NO_MASK) -> Failure:
    """Return the failure that the record keeps of an exception, the run's secrets masked."""
    public = isinstance(error, (TaskError, InvalidInputs, PayloadTooLarge))
    text = mask("".join(traceback.format_exception(type(error), error, _from_task(error.__traceback__))))
    kind = type(error)
    path = f"{kind.__module__}.{kind.__qualname__}"
    return Failure(type=kind.__name__, message=mask(_text(error)), public=public, traceback=text, path=path)


def _from_task(trace: TracebackType | None) -> TracebackType | None:
    """A traceback without the frames of ours that led to the task; all of it where there is none but ours."""
    left = trace
    while left is not None and left.tb_frame.f_globals.get("__name__", "").partition(".")[0] in _OURS:
        left = left.tb_next
    return left or trace


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:  # noqa: BLE001 - what a user's exception does must not keep its job from ending
        return f"The exception has no message: its __str__ raised {type(broken).__name__}."


def unwrap_group(error: BaseException) -> BaseException:
    """Return the exception that decides: of a coroutine's exception group, the one that ends or retries the job."""
    if isinstance(error, BaseExceptionGroup):
        for kind in (LeaseLost, TaskCancelled, TaskTimeout, TaskStopped, TaskRetry):
            found = error.subgroup(kind)
            if found is not None:
                return _as_recorded(_first(found))
    return error


def _as_recorded(error: BaseException) -> BaseException:
    if not isinstance(error, TaskStopped):
        return error
    timeout = TaskTimeout(*error.args)
    timeout.__cause__ = error
    return timeout


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def is_final(error: BaseException) -> bool:
    """Return whether running the task again would end the same way."""
    return isinstance(
        error, (BucketMissing, InvalidInputs, InvalidOutputs, PayloadTooLarge, TaskDefinitionError)
    )


def retries_after(task: type[BaseTask] | BaseTask, error: BaseException) -> int:
    """Return how often a job may be run again after an error, by its task, or by its class when none could be made."""
    if isinstance(task, type):
        return task.retries
    try:
        return int(task.retries_after(error))
    except Exception as broken:  # noqa: BLE001 - the job has to end, and its error to say why
        error.add_note(f"It is not retried: {type(task).__qualname__}.retries_after() raised {broken!r}.")
        return 0
