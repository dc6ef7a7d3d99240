"""The outcome of one delivery of a message."""

from __future__ import annotations

import os
import threading
import traceback
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeGuard

from serverless_tasks.engine.job.masking import NO_MASK, Mask
from serverless_tasks.engine.job.record import ENDED, Failure
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
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from serverless_tasks.engine.definition.base import BaseTask
    from serverless_tasks.engine.store.base import Claim

    # Is given a task's name, a final failure and the exception behind it; returns the failure with its fingerprint.
    type Mark = Callable[[str, Failure, BaseException | None], Failure]

_OURS = ("serverless_tasks", "django_integration")
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
_RUNTIME = "AWS_EXECUTION_ENV"


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
        OPENED: it saw to a group or a chain, which ends when its members do.
    """

    DECIDED = "decided"
    BUSY = "busy"
    WAITING = "waiting"
    ENDED = "ended"
    LOST = "lost"
    OPENED = "opened"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryResult:
    """The outcome of one delivery of a message.

    Attributes:
        disposition: what it did about the job.
        job_status: the job's status now (``pending``: it will be retried), where this delivery decided it; else "".
        recorded: the terminal status that the job had already, where this delivery found it ended.
        give_back: None when the message is done with; else seconds until it should be delivered again.
        attempt: the attempt's number, 0 when none was begun.
        failure: why it did not succeed, the run's secrets masked: what may be told.
        exception: the exception behind it as it was raised, secrets in its text and its frames included: for code of
            this process alone, and never for a log.
        duration: how long the task ran, in seconds.
        claim: the store's answer to the claim, or to the settling of a job that was not claimed; None where it was
            not asked.
    """

    disposition: Disposition = Disposition.DECIDED
    job_status: str = ""
    recorded: str = ""
    give_back: float | None = None
    attempt: int = 0
    failure: Failure | None = None
    exception: BaseException | None = None
    duration: float = 0.0
    claim: Claim | None = None

    @property
    def terminal(self) -> str:
        """The terminal status that is recorded of the job, or ""."""
        return self.job_status if self.job_status in ENDED else self.recorded

    @property
    def status(self) -> str:
        """The job's status where this delivery decided it, else the disposition: in one word, for people and logs."""
        return self.job_status or self.disposition.value


def unmarked(task: str, failure: Failure, error: BaseException | None) -> Failure:
    """Return a final failure as it is, where failures are not counted by their kind."""
    return failure


def failure_of(error: BaseException, mask: Mask = NO_MASK) -> Failure:
    """Return the failure that the record keeps of an exception, the run's secrets masked.

    What an exception is asked is code of its class, which may itself raise: the record then says so in the answer's
    place, and the job ends all the same.
    """
    kind = type(error)
    return Failure(
        type=_ask(lambda: kind.__name__, lambda broken: "Exception"),
        message=mask(_text(error)),
        public=is_a(error, TaskError, InvalidInputs, PayloadTooLarge),
        traceback=mask(_ask(lambda: _printed(error), lambda broken: _outlined(error, broken))),
        path=_ask(lambda: f"{kind.__module__}.{kind.__qualname__}", lambda broken: ""),
    )


def printable(error: BaseException) -> BaseException:
    """Return an exception, or one that says the same where Python cannot print it and logging it would raise."""

    def outline(broken: BaseException) -> BaseException:
        return RuntimeError(_outlined(error, broken))

    def printed() -> BaseException:
        traceback.format_exception(error)
        return error

    return _ask(printed, outline)


def is_a[E: BaseException](error: BaseException, *kinds: type[E]) -> TypeGuard[E]:
    """Return whether an exception is of a type, as an ``except`` does: ``isinstance`` runs its ``__class__``."""
    return issubclass(type(error), kinds)


def is_from_outside(raised: BaseException) -> bool:
    """Return whether this is Ctrl-C, which comes to the main thread and never in Lambda; else the task raised it."""
    on_main = threading.current_thread() is threading.main_thread()
    return is_a(raised, KeyboardInterrupt) and on_main and _RUNTIME not in os.environ


def _ask[T](question: Callable[[], T], otherwise: Callable[[BaseException], T]) -> T:
    """Return what code of the user's answers, or, of what it raises, something else; Ctrl-C is raised."""
    try:
        return question()
    except BaseException as broken:
        if is_from_outside(broken):
            raise
        return otherwise(broken)


def _printed(error: BaseException) -> str:
    return "".join(traceback.format_exception(type(error), error, _from_task(error)))


def _outlined(error: BaseException, broken: BaseException) -> str:
    """Return a traceback without source lines and causes, for an exception that Python cannot print."""
    frames = traceback.walk_tb(_from_task(error))
    codes = [(frame.f_code, line) for frame, line in frames]
    lines = [f'  File "{code.co_filename}", line {line}, in {code.co_name}\n' for code, line in codes]
    name = _ask(lambda: type(error).__qualname__, lambda broken: "Exception")
    return (
        f"Traceback (most recent call last):\n{''.join(lines)}{name}: {_text(error)}\n"
        f"Python cannot print the whole traceback of this exception: that raised {type(broken).__name__}.\n"
    )


def _from_task(error: BaseException) -> TracebackType | None:
    """A traceback without the frames of ours that led to the task; all of it where there is none but ours."""
    # Whatever the exception's class makes of names.
    trace: TracebackType | None = object.__getattribute__(error, "__traceback__")
    left = trace
    while left is not None and _module(left).partition(".")[0] in _OURS:
        left = left.tb_next
    return left or trace


def _module(trace: TracebackType) -> str:
    name = trace.tb_frame.f_globals.get("__name__")  # code that was made with `exec` may have anything there
    return name if isinstance(name, str) else ""


def _text(error: BaseException) -> str:
    return _ask(
        # Of a subclass of str, which may replace what is done with it, the text.
        lambda: str.__str__(str(error)),
        lambda broken: f"The exception has no message: its __str__ raised {type(broken).__name__}.",
    )


def unwrap_group(error: BaseException) -> BaseException:
    """Return the exception that decides: of a coroutine's exception group, the one that ends or retries the job."""
    if is_a(error, BaseExceptionGroup):
        leaves = list(_leaves(error))
        for kind in (LeaseLost, TaskCancelled, TaskTimeout, TaskStopped, TaskRetry):
            for leaf in leaves:
                if is_a(leaf, kind):
                    return _as_recorded(leaf)
    return error


def _as_recorded(error: BaseException) -> BaseException:
    if not is_a(error, TaskStopped):
        return error
    timeout = TaskTimeout(*error.args)
    timeout.__cause__ = error
    return timeout


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield what a group holds, in order; groups may be nested deeper than calls, and `subgroup` runs ``derive``."""
    waiting = [error]
    while waiting:
        first = waiting.pop()
        if is_a(first, BaseExceptionGroup):
            waiting.extend(reversed(BaseExceptionGroup.exceptions.__get__(first)))
        else:
            yield first


def is_final(error: BaseException) -> bool:
    """Return whether running the task again would end the same way."""
    return is_a(error, BucketMissing, InvalidInputs, InvalidOutputs, PayloadTooLarge, TaskDefinitionError)


def retries_after(task: type[BaseTask] | BaseTask, error: BaseException) -> int:
    """Return how often a job may be run again after an error, by its task, or by its class when none could be made."""
    if isinstance(task, type):
        return task.retries

    def none(broken: BaseException) -> int:  # the job has to end, and its error to say why
        reason = f"{type(broken).__name__}: {_text(broken)}"
        note = f"It is not retried: {type(task).__qualname__}.retries_after() raised {reason}"
        _ask(lambda: BaseException.add_note(error, note), lambda broken: None)
        return 0

    return _ask(lambda: int(task.retries_after(error)), none)
