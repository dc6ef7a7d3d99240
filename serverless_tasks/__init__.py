"""Serverless Tasks: typed background tasks for Django that run on AWS Lambda."""

from typing import TYPE_CHECKING, Any

from serverless_tasks.client.task_client import TaskClient
from serverless_tasks.engine.definition.schedule import cron, rate
from serverless_tasks.engine.job.record import Record
from serverless_tasks.engine.services import configure
from serverless_tasks.engine.services import current_services as services
from serverless_tasks.engine.submit.handle import Handle
from serverless_tasks.errors import (
    AlreadyFinished,
    AlreadyRetried,
    AlreadyRunning,
    ConfigurationError,
    IdempotencyConflict,
    InputsUnavailable,
    InvalidInputs,
    NotFinished,
    NotPublished,
    PayloadTooLarge,
    RetriesExhausted,
    ServerlessTasksError,
    SubmitFailed,
    SubmitUncertain,
    TaskCancelled,
    TaskError,
    TaskFailed,
    TaskNotFound,
    TaskRetry,
    TaskStopped,
    TaskTimeout,
    UnknownTask,
    WaitTimeout,
    WorkflowError,
)
from serverless_tasks.task import Task

if TYPE_CHECKING:
    from serverless_tasks.client.completed import as_completed
    from serverless_tasks.workflow import chain, group, previous, results

__all__ = [
    "AlreadyFinished",
    "AlreadyRetried",
    "AlreadyRunning",
    "ConfigurationError",
    "Handle",
    "IdempotencyConflict",
    "InputsUnavailable",
    "InvalidInputs",
    "NotFinished",
    "NotPublished",
    "PayloadTooLarge",
    "Record",
    "RetriesExhausted",
    "ServerlessTasksError",
    "SubmitFailed",
    "SubmitUncertain",
    "Task",
    "TaskCancelled",
    "TaskClient",
    "TaskError",
    "TaskFailed",
    "TaskNotFound",
    "TaskRetry",
    "TaskStopped",
    "TaskTimeout",
    "UnknownTask",
    "WaitTimeout",
    "WorkflowError",
    "as_completed",
    "chain",
    "configure",
    "cron",
    "group",
    "previous",
    "rate",
    "results",
    "services",
]


def __getattr__(name: str) -> Any:
    if name == "as_completed":
        from serverless_tasks.client.completed import as_completed

        return as_completed
    # Most processes make no workflow, and do without the modules that it takes.
    if name in ("chain", "group", "previous", "results"):
        from serverless_tasks import workflow

        return getattr(workflow, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
