"""Telemetry of the handlers: structured logs with the job's id and name, EMF metrics, traces."""

from __future__ import annotations

import functools
import os
import threading
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from serverless_tasks.engine.job.record import PENDING
from serverless_tasks.engine.services import current_services

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aws_lambda_powertools import Tracer
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.services import Services
    from serverless_tasks.engine.worker.outcome import DeliveryResult

_SERVICE = os.environ.get("POWERTOOLS_SERVICE_NAME", "serverless-tasks")

logger = Logger(service=_SERVICE)
metrics = Metrics(
    namespace=os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "ServerlessTasks"), service=_SERVICE
)

# Seconds for which the answer may wait for the spans of its invocation.
_FLUSH_SECONDS = 2.0

_COUNTED = {
    "succeeded": "TaskSucceeded",
    "failed": "TaskFailed",
    "pending": "TaskRetried",
    "cancelled": "TaskCancelled",
    "lost": "TaskLost",
}


# A container's threads share one metric set, which Powertools flushes without a lock.
_counting = threading.Lock()


def count(name: str) -> None:
    """Count one of something, in the metrics of this invocation."""
    _add(name, MetricUnit.Count, 1)


def _add(name: str, unit: MetricUnit, value: float) -> None:
    with _counting:
        metrics.add_metric(name=name, unit=unit, value=value)


def counted[**P, R](handler: Callable[P, R]) -> Callable[P, R]:
    """Publish what a handler has counted when it is done; one that counted nothing prints nothing."""

    @functools.wraps(handler)
    def counting(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return handler(*args, **kwargs)
        finally:
            with _counting:
                if metrics.provider.metric_set:
                    metrics.flush_metrics()

    return counting


def _segment(name: str) -> AbstractContextManager[Any]:
    """A trace segment, in an invocation that X-Ray samples; Lambda says so in a variable that it sets for each one.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    if "Sampled=1" not in os.environ.get("_X_AMZN_TRACE_ID", ""):
        return nullcontext()
    segment: AbstractContextManager[Any] = _tracer().provider.in_subsegment(name=name)
    return segment


@functools.cache
def _tracer() -> Tracer:
    # X-Ray's SDK would take a third of a cold start's CPU time, and most invocations are not sampled.
    from aws_lambda_powertools import Tracer

    return Tracer(service=_SERVICE, auto_patch=False)


@contextmanager
def job(message: Message) -> Iterator[None]:
    """Let every log line and a trace segment carry the job."""
    logger.thread_safe_append_keys(uuid=message.uuid, task=message.task)
    try:
        with _segment(f"## {message.task}"):
            yield
    finally:
        logger.thread_safe_clear_keys()


def flush_spans(services: Services, context: LambdaContext) -> None:
    """Export the spans of an invocation, where there are any: Lambda freezes the process between two of them.

    A container's worker, which has no deadline, is not frozen: its exporter does that meanwhile.
    """
    if (spans := services.spans) is None or not getattr(context, "has_deadline", True):
        return
    try:
        spans.flush(min(_FLUSH_SECONDS, context.get_remaining_time_in_millis() / 2_000))
    except Exception:
        logger.warning("the spans could not be exported", exc_info=True)


def flush_statistics(*, last: bool = False) -> None:
    """Write the statistics that are due outside of a batch.

    Args:
        last: the process is to end: write all that it has gathered, which nobody else knows.
    """
    if (statistics := current_services().statistics) is not None:
        statistics.flush(last=last)


def report(outcome: DeliveryResult) -> None:
    """Log and count what became of a job."""
    keys: dict[str, Any] = {"attempt": outcome.attempt, "seconds": round(outcome.duration, 3)}
    text = "task will be retried" if outcome.job_status == PENDING else f"task {outcome.status}"
    if outcome.failure is not None and outcome.failure.traceback:
        # As in the record: without secret inputs.
        keys |= {"exception_name": outcome.failure.type, "exception": outcome.failure.traceback}
        logger.error(text, **keys)
    elif outcome.exception is not None and outcome.failure is None:
        logger.error(text, exc_info=outcome.exception, **keys)
    else:
        logger.info(text, **keys)
    if outcome.status in _COUNTED:
        count(_COUNTED[outcome.status])
    if outcome.attempt:
        _add("TaskDuration", MetricUnit.Milliseconds, outcome.duration * 1000)
