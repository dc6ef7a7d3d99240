"""Django's signals of a function's job: enqueued and finished. `function` sends the one of its start."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.tasks.signals import task_enqueued, task_finished

from django_integration.django_tasks.function import FunctionTask
from django_integration.django_tasks.reading import read_result
from django_integration.django_tasks.result import result_of
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.record import ENDED, EndedAttempt, Record
from serverless_tasks.engine.services import current_services
from serverless_tasks.engine.worker.outcome import printable

if TYPE_CHECKING:
    from django_integration.django_tasks.running import FunctionRun
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.worker.outcome import DeliveryResult


def tell_enqueued(message: Message) -> None:
    """Before the first attempt of a job that is run while it is enqueued: afterwards would be too late."""
    if message.member is not None or message.previous is not None:
        return  # a job of a workflow is enqueued by nobody
    result = read_result(message.uuid) if _is_function(message) else None
    if result is not None and not result.record.attempt:
        task_enqueued.send_robust(type(result.task.get_backend()), task_result=result)


def tell_finished(attempt: FunctionRun, outcome: DeliveryResult) -> None:
    """After the attempt that ended a job, if the job is a function's."""
    message = attempt.delivery.message
    if outcome.job_status not in ENDED or not outcome.attempt or not _is_function(message):
        return
    begun = attempt.result
    if begun is not None:
        result = result_of(begun.task, _ended(attempt, begun.record, outcome), begun.args, begun.kwargs)
    else:  # its function was not called: it was cancelled, or too many workers were lost
        known = read_result(message.uuid)
        if known is None:
            return
        result = known
    sender = type(result.task.get_backend())
    if outcome.exception is None:
        task_finished.send_robust(sender, task_result=result)
        return
    exception = printable(outcome.exception)  # Django's own receiver logs it
    traceback = exception.__traceback__
    try:
        raise exception
    except BaseException:  # noqa: BLE001 - receivers find it in sys.exc_info(), as with Django's own backends
        task_finished.send_robust(sender, task_result=result)
    finally:
        exception.__traceback__ = traceback


def _ended(attempt: FunctionRun, begun: Record, outcome: DeliveryResult) -> Record:
    now = to_ms(current_services().clock.now())
    history = begun.history
    if outcome.failure is not None:
        ended = EndedAttempt(
            number=outcome.attempt,
            started=begun.attempted or now,
            ended=now,
            failure=outcome.failure,
            request_id=attempt.delivery.request_id,
        )
        history = (*history, ended)
    counted: dict[str, Any] = {}
    if attempt.execution is not None:
        progress = attempt.execution.progress
        counted = {"progress": progress.progress, "target": progress.target}
    return replace(
        begun,
        status=outcome.job_status,
        outputs=(attempt.outputs or {}) if outcome.failure is None else {},
        failure=outcome.failure,
        finished=now,
        history=history,
        **counted,
    )


def _is_function(message: Message) -> bool:
    return issubclass(current_services().registry.for_message(message.task), FunctionTask)
