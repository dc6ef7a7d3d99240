"""What handlers tell of their work: structured logs with the job's id and name, EMF metrics, traces."""

from __future__ import annotations

import functools
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from serverless_tasks.message import Message
    from serverless_tasks.outcome import Outcome

_SERVICE = os.environ.get("POWERTOOLS_SERVICE_NAME", "serverless-tasks")

logger = Logger(service=_SERVICE)
metrics = Metrics(
    namespace=os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "ServerlessTasks"), service=_SERVICE
)
tracer = Tracer(service=_SERVICE, auto_patch=False)

_COUNTED = {
    "succeeded": "TaskSucceeded",
    "failed": "TaskFailed",
    "pending": "TaskRetried",
    "cancelled": "TaskCancelled",
    "lost": "TaskLost",
}


def count(name: str) -> None:
    """Count one of something, in the metrics of this invocation."""
    metrics.add_metric(name=name, unit=MetricUnit.Count, value=1)


def counted[**P, R](handler: Callable[P, R]) -> Callable[P, R]:
    """Publish what a handler has counted when it is done; one that counted nothing prints nothing."""

    @functools.wraps(handler)
    def counting(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return handler(*args, **kwargs)
        finally:
            if metrics.provider.metric_set:
                metrics.flush_metrics()

    return counting


@contextmanager
def job(message: Message) -> Iterator[None]:
    """Let every log line and a trace segment carry the job."""
    logger.thread_safe_append_keys(uuid=message.uuid, task=message.task)
    try:
        with tracer.provider.in_subsegment(name=f"## {message.task}"):
            yield
    finally:
        logger.thread_safe_clear_keys()


def report(outcome: Outcome) -> None:
    """Log and count what became of a job."""
    keys: dict[str, Any] = {"attempt": outcome.attempt, "seconds": round(outcome.duration, 3)}
    said = "task will be retried" if outcome.status == "pending" else f"task {outcome.status}"
    if outcome.exception is not None:
        logger.error(said, exc_info=outcome.exception, **keys)
    else:
        logger.info(said, **keys)
    if outcome.status in _COUNTED:
        count(_COUNTED[outcome.status])
    if outcome.attempt:
        metrics.add_metric(name="TaskDuration", unit=MetricUnit.Milliseconds, value=outcome.duration * 1000)
