"""`ServerlessBackend`: the backend of Django's own tasks framework.

``TASKS = {"default": {"BACKEND": "django_integration.tasks_backend.ServerlessBackend"}}``. What a backend is:
https://docs.djangoproject.com/en/6.1/ref/tasks/#backends.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cached_property
from types import NoneType, SimpleNamespace
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async

from django_integration.django_tasks.availability import advice

try:
    from django.tasks.backends.base import BaseTaskBackend
    from django.tasks.exceptions import InvalidTask, TaskResultDoesNotExist
except ModuleNotFoundError as error:
    raise ImportError(advice()) from error

from django_integration.django_tasks.checks import check
from django_integration.django_tasks.enqueueing import Enqueueing, signature_of, submit, submit_many
from django_integration.django_tasks.reading import read_result
from django_integration.django_tasks.settings import BackendOptions
from django_integration.django_tasks.task import ServerlessTask
from serverless_tasks.engine.job.job_id import uuid_in
from serverless_tasks.engine.services import current_services

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from django.core.checks import CheckMessage
    from django.tasks.base import Task

    from django_integration.django_tasks.result import ServerlessResult
    from serverless_tasks.engine.submit.workflow import Signature


class ServerlessBackend(BaseTaskBackend):
    """Runs tasks where ``SERVERLESS_TASKS`` says: on Lambda through SQS, on threads of this process, or at once.

    Args:
        alias: the entry's name in ``TASKS``.
        params: the entry: ``QUEUES``, and ``OPTIONS`` as `BackendOptions` reads them.
    """

    task_class = ServerlessTask
    supports_defer = True
    supports_async_task = True
    supports_get_result = True
    supports_priority = True

    @cached_property
    def _given(self) -> BackendOptions:
        return BackendOptions.parse(self.alias, self.options)

    def validate_task(self, task: Task[..., Any]) -> None:
        """See Django.

        Raises:
            InvalidTask: the task cannot be run by this backend.
        """
        if getattr(task.func, "__name__", "") == "<lambda>":
            raise InvalidTask(
                "A task function must have a name, which a lambda does not; define it with def."
            )
        described = {
            name: getattr(task, name) for name in ("func", "priority", "queue_name", "takes_context")
        }
        run_after = None if isinstance(task.run_after, timedelta) else task.run_after
        if not isinstance(run_after, (datetime, NoneType)):
            raise InvalidTask(f"run_after is {run_after!r}; expected a datetime or a timedelta.")
        # Django's documentation allows a timedelta here, which its own check does not expect.
        super().validate_task(SimpleNamespace(**described, run_after=run_after))  # type: ignore[arg-type]

    def enqueue(
        self, task: Task[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> ServerlessResult:
        """Enqueue a task; inside a transaction it is sent when that commits.

        Raises:
            InvalidTask: the task cannot be run by this backend.
            TypeError: an argument has no form in JSON.
            SubmitFailed: it was certainly not sent.
            SubmitUncertain: it may have been sent; ``task.using(uuid=error.uuid)`` enqueues it again safely.
        """
        self.validate_task(task)
        enqueueing = Enqueueing.of(task, args, kwargs, self._given)
        handle = submit(enqueueing)
        result = enqueueing.result(handle)
        return self._as_run(result) if handle.published else result

    def enqueue_many(
        self, calls: Iterable[tuple[Task[..., Any], Sequence[Any], Mapping[str, Any]]]
    ) -> list[ServerlessResult]:
        """Enqueue many, ten to a call. All are checked before the first is sent.

        Args:
            calls: for each the task, its positional arguments, and those by name.

        Returns:
            A result for each, in order. One that could not be sent is ``FAILED``: its error says why, and it alone has
            to be enqueued again (with ``using(uuid=result.id)`` where the error is `SubmitUncertain`).

        Raises:
            InvalidTask: a task cannot be run by this backend; nothing was sent.
            TypeError: an argument has no form in JSON; nothing was sent.
        """
        checked = []
        for task, args, kwargs in calls:
            self.validate_task(task)
            checked.append(Enqueueing.of(task, args, kwargs, self._given))
        return [self._as_run(result) for result in submit_many(checked)]

    async def aenqueue_many(
        self, calls: Iterable[tuple[Task[..., Any], Sequence[Any], Mapping[str, Any]]]
    ) -> list[ServerlessResult]:
        """See `enqueue_many`."""
        # On the thread of other synchronous code, whose transaction may be open.
        return await sync_to_async(self.enqueue_many, thread_sensitive=True)(calls)

    def signature(self, task: Task[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Signature:
        """Return a call of a task, for a group or a chain; nothing is sent.

        Raises:
            InvalidTask: the task cannot be run by this backend.
            WorkflowError: it has a time of its own.
            TypeError: an argument has no form in JSON.
        """
        self.validate_task(task)
        return signature_of(task, args, kwargs, self._given)

    def get_result(self, result_id: str) -> ServerlessResult:
        """The result of a task.

        Raises:
            TaskResultDoesNotExist: nothing is known of the id, or it is no task of Django's.
        """
        result = read_result(_uuid(result_id))
        if result is None:
            raise TaskResultDoesNotExist(result_id)
        return result

    async def aget_result(self, result_id: str) -> ServerlessResult:
        """See `get_result`."""
        # Any thread will do: the database is not asked.
        return await sync_to_async(self.get_result, thread_sensitive=False)(result_id)

    def check(self, **_: Any) -> list[CheckMessage]:
        """Return what keeps tasks from being enqueued or run; ``SERVERLESS_TASKS`` has a check of its own."""
        return list(check(self.alias, self.queues, self.options))

    def _as_run(self, result: ServerlessResult) -> ServerlessResult:
        """The result as it is now, where the job has been run already."""
        waits = result.handle is not None or result.is_finished
        return (
            result if waits or not current_services().backend_kind.synchronous else self.get_result(result.id)
        )


def _uuid(result_id: str) -> str:
    found = uuid_in(result_id)
    if found is None:
        raise TaskResultDoesNotExist(result_id)
    return found
