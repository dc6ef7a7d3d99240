"""``CloudTasksBackend``: Google Cloud Tasks carries the jobs and delivers them to ``POST <name>/run``.

HTTP target tasks: https://cloud.google.com/tasks/docs/creating-http-target-tasks. The library
(``serverless-tasks[google]``) is imported when the first job is sent.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.urls import NoReverseMatch, reverse

from django_integration.generic_tasks import job_of
from django_integration.web.http.signed_job import HEADER, signed
from django_integration.web.namespaces import path_of
from serverless_tasks.engine.job.encoding import encode
from serverless_tasks.engine.job.forks import renew_when_forked
from serverless_tasks.errors import ConfigurationError, PayloadTooLarge, SubmitFailed, SubmitUncertain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serverless_tasks.engine.job.message import Message

# https://cloud.google.com/tasks/docs/quotas: a task has 1 MB, headers and all.
LARGEST = 1_000_000
# https://cloud.google.com/tasks/docs/reference/rest/v2/projects.locations.queues.tasks: dispatchDeadline, in seconds
DEADLINES = (15, 1_800)


class CloudTasksBackend:
    """``TASKS_BACKEND = CloudTasksBackend(...)``.

    Args:
        project: the project's id.
        location: the queue's region.
        queue: the queue's name.
        base_url: this site as Cloud Tasks reaches it, such as ``https://shop.example.com``.
        service_account: the account whose identity token each delivery carries.
        audience: whom the tokens are for, as ``TASKS_API_OIDC_AUDIENCE`` has it; `base_url` unless given.
        namespace: the URL namespace of the API that the router is on; ``django_integration.urls``, or else the first
            that has it, unless given.
        client: a ``CloudTasksClient`` to use instead of a new one.
    """

    runs_here = False

    def __init__(
        self,
        project: str,
        location: str,
        queue: str,
        base_url: str,
        service_account: str,
        audience: str | None = None,
        *,
        namespace: str | None = None,
        client: Any = None,
    ) -> None:
        self.project = project
        self.location = location
        self.queue = queue
        self.base_url = base_url
        self.service_account = service_account
        self.audience = base_url if audience is None else audience
        self.namespace = namespace
        self._given_client = client
        self._of_parents: list[Any] = []
        renew_when_forked(self)

    def forked(self) -> None:
        """See `Renewed.forked`: gRPC's channels are of one process. The parent's is kept, so that it is not closed."""
        self._of_parents.append(self.__dict__.pop("_client", None))

    def run(self, task: Any) -> None:
        """Send a task.

        Raises:
            SubmitFailed: it was certainly not sent.
            SubmitUncertain: it may have been sent.
            PayloadTooLarge: Cloud Tasks does not carry so much.
            ConfigurationError: the task has no URL, or the library is missing.
        """
        message = job_of(task)
        body = encode(message.inputs).encode()
        if len(body) > LARGEST:
            raise PayloadTooLarge(f"inputs of task {message.task!r}", len(body), LARGEST)
        parent = f"projects/{self.project}/locations/{self.location}/queues/{self.queue}"
        self._create({"parent": parent, "task": self._task(message, body, task.timeout)}, message.uuid)

    def _task(self, message: Message, body: bytes, timeout: float) -> dict[str, Any]:
        made: dict[str, Any] = {
            "http_request": {
                "http_method": "POST",
                "url": self.base_url.rstrip("/") + self._path(message.task),
                "headers": {"Content-Type": "application/json", HEADER: signed(message)},
                "body": body,
                "oidc_token": {"service_account_email": self.service_account, "audience": self.audience},
            },
            "dispatch_deadline": timedelta(seconds=min(max(timeout, DEADLINES[0]), DEADLINES[1])),
        }
        if message.run_at is not None:
            made["schedule_time"] = datetime.fromtimestamp(message.run_at / 1000, UTC)
        return made

    def _create(self, request: Mapping[str, Any], uuid: str) -> None:
        client = self._client
        from google.api_core import exceptions
        from google.auth.exceptions import GoogleAuthError

        try:
            client.create_task(request=request)
        except (exceptions.ServerError, exceptions.Cancelled, exceptions.RetryError) as error:
            raise SubmitUncertain(uuid, str(error)) from error
        except (exceptions.GoogleAPICallError, GoogleAuthError) as error:
            raise SubmitFailed(f"Job {uuid} was not sent: {error}") from error

    @cached_property
    def _client(self) -> Any:
        if self._given_client is not None:
            return self._given_client
        try:
            from google.cloud import tasks_v2
        except ImportError as error:
            raise ConfigurationError(
                "CloudTasksBackend needs google-cloud-tasks; install serverless-tasks[google]."
            ) from error
        return tasks_v2.CloudTasksClient()

    def _path(self, task: str) -> str:
        """Return the path of the URL that runs the task.

        Raises:
            ConfigurationError: the router is on no API, or the task is not on the router.
        """
        call = f"run-{task}"
        try:
            return path_of(call, app=None) if self.namespace is None else reverse(f"{self.namespace}:{call}")
        except NoReverseMatch:
            raise ConfigurationError(
                f"Task {task!r} has no URL to be run at: include django_integration.urls or put"
                " django_integration.api.router on an API of yours, and let the task be in pydantic style with"
                " http = True."
            ) from None
