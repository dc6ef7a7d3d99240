"""`ServerlessResult`: what ``django.tasks`` calls the result of a task, made of a job's record."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.tasks.base import TASK_REFRESH_ATTRS, Task, TaskError, TaskResult, TaskResultStatus
from django.tasks.exceptions import TaskResultDoesNotExist
from django.utils import timezone

from serverless_tasks import errors
from serverless_tasks.engine.job.record import CANCELLED, FAILED, PENDING, RUNNING, SUCCEEDED, Failure, Record
from serverless_tasks.engine.worker.outcome import failure_of
from serverless_tasks.errors import SubmitUncertain, TaskFailed

if TYPE_CHECKING:
    from serverless_tasks.engine.submit.handle import Handle

STATUSES: Final = {
    PENDING: TaskResultStatus.READY,
    RUNNING: TaskResultStatus.RUNNING,
    SUCCEEDED: TaskResultStatus.SUCCESSFUL,
    FAILED: TaskResultStatus.FAILED,
    CANCELLED: TaskResultStatus.FAILED,
}
RETURN_VALUE: Final = "return_value"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptError(TaskError):  # type: ignore[misc]  # its stub leaves out that it is frozen
    """The reason why an attempt failed."""

    @property
    def exception_class(self) -> type[BaseException]:
        """The exception's class; `TaskFailed` for one that this process does not have, or that has no path."""
        try:
            # Without arguments `super()` would ask the class that stood here before dataclass gave it slots.
            found: type[BaseException] = TaskError.exception_class.fget(self)  # type: ignore[attr-defined]
        except (ImportError, ValueError):
            return TaskFailed
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerlessResult(TaskResult):  # type: ignore[misc, type-arg]  # only in its stub it has parameters
    """The result of a task that this backend took.

    Attributes:
        record: the job's record, as it was when this was made or refreshed: ``progress``, ``target``, ``messages``.
        handle: the job's handle until it is published; it knows of the transaction that it waits for.
    """

    record: Record = field(compare=False, repr=False)
    handle: Handle | None = field(default=None, compare=False, repr=False)

    def refresh(self) -> None:
        """Read the result again.

        Raises:
            TaskResultDoesNotExist: nothing is known of it, or no longer.
        """
        if self._is_local():
            return
        try:
            self._take(self.task.get_backend().get_result(self.id))
        except TaskResultDoesNotExist:
            self._take_unsent()

    async def arefresh(self) -> None:
        """See `refresh`."""
        if self._is_local():
            return
        try:
            self._take(await self.task.get_backend().aget_result(self.id))
        except TaskResultDoesNotExist:
            self._take_unsent()

    def _is_local(self) -> bool:
        """Return whether no other process can know the job: it waits here, was rolled back or not sent."""
        handle = self.handle
        if handle is None or handle.in_store or isinstance(handle.publication_error, SubmitUncertain):
            return False
        self._take(result_of(self.task, unsent(handle), self.args, self.kwargs))
        return True

    def _take_unsent(self) -> None:
        """Treat a job that may have been sent, and cannot be found, as not sent."""
        if self.handle is None or self.handle.publication_error is None:
            raise TaskResultDoesNotExist(self.id) from None
        self._take(result_of(self.task, unsent(self.handle), self.args, self.kwargs))

    def _take(self, other: TaskResult[..., Any]) -> None:
        """Take over what changes, as Django's own refresh does."""
        for name in (*TASK_REFRESH_ATTRS, "record"):
            object.__setattr__(self, name, getattr(other, name))


def unsent(handle: Handle) -> Record:
    """The record of a job that has not been published: it waits, or failed with the reason."""
    error = handle.publication_error
    if error is None:
        return handle.record
    known = handle.record
    return replace(known, finished=known.created, status=FAILED, failure=failure_of(error))


def result_of(
    task: Task[..., Any],
    record: Record,
    args: list[Any],
    kwargs: dict[str, Any],
    *,
    handle: Handle | None = None,
) -> ServerlessResult:
    """The result that a job's record stands for.

    Args:
        task: the task as it was enqueued.
        record: the job's record.
        args: the positional arguments.
        kwargs: the arguments by name.
        handle: the job's handle while it is not published.
    """
    result = ServerlessResult(
        task=task,
        id=record.uuid,
        status=STATUSES[record.status],
        enqueued_at=moment(record.created),
        started_at=moment(record.started),
        last_attempted_at=moment(record.attempted),
        finished_at=moment(record.finished),
        args=args,
        kwargs=kwargs,
        backend=task.backend,
        errors=_errors(record),
        worker_ids=_workers(record),
        record=record,
        handle=handle,
    )
    # A field that Django's own backends set like this: it is no argument.
    object.__setattr__(result, "_return_value", record.outputs.get(RETURN_VALUE))
    return result


def moment(milliseconds: int | None) -> datetime | None:
    """A time as Django's settings want it: aware, unless ``USE_TZ`` is off."""
    if milliseconds is None:
        return None
    aware = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return aware if settings.USE_TZ else timezone.make_naive(aware)


def _workers(record: Record) -> list[str]:
    """Return the worker ids of the attempts."""
    known = {attempt.number: attempt.request_id for attempt in record.history}
    known.setdefault(record.attempt, record.request_id)
    return [known.get(number, "") for number in range(1, record.attempt + 1)]


def _errors(record: Record) -> list[TaskError]:
    """Return the errors of the attempts, or of the job where it expired or was cancelled before it ran."""
    failures = [attempt.failure for attempt in record.history]
    last = record.failure
    if last is not None and not (
        failures and record.history[-1].number == record.attempt and failures[-1].type == last.type
    ):
        failures.append(last)
    return [
        AttemptError(
            exception_class_path=_path(failure),
            traceback=failure.traceback or f"{failure.type}: {failure.message}\n",
        )
        for failure in failures
    ]


def _path(failure: Failure) -> str:
    if failure.path:
        return failure.path
    home = errors if hasattr(errors, failure.type) else None
    return f"{errors.__name__}.{failure.type if home else TaskFailed.__name__}"
