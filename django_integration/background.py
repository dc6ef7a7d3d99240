"""The task that runs deferred tasks of endpoints; found, like those of every installed app, by its module's name."""

from __future__ import annotations

from django.conf import settings
from django.db import close_old_connections

from django_integration.declarative.correlation import resume
from django_integration.declarative.job import RUNS_DEFERRED_JOBS, DeferredJob, InstanceDeleted
from django_integration.declarative.registration import UnknownEndpointTask, find, in_use
from django_integration.django_tasks.coroutine import completed
from django_integration.django_tasks.running import seconds_left
from serverless_tasks import Task
from serverless_tasks.engine.definition.base import DEFAULT_TIMEOUT

# A site that is deployed before its workers publishes what they do not know yet: a minute or so of retries.
DEPLOYING = 6
LONGEST = 43_200


class RunDeferred(Task[DeferredJob]):
    """Runs the endpoint task, or the model's method, that its inputs name among the registered ones."""

    name = RUNS_DEFERRED_JOBS
    http = False
    timeout = min(getattr(settings, "DDA_DEFERRED_TASK_TIME_LIMIT", DEFAULT_TIMEOUT), LONGEST)

    @classmethod
    def is_listed(cls) -> bool:
        """Only where the project has tasks of endpoints."""
        return in_use()

    def run(self) -> None:
        """Run it.

        Raises:
            UnknownEndpointTask: no class has registered the name.
            InstanceDeleted: the instance is no longer there.
        """
        close_old_connections()
        resume(self.params.correlation_id)
        try:
            completed(find(self.params.task).call(self.params), seconds_left(self))
        finally:
            close_old_connections()

    def retries_after(self, error: BaseException) -> int:
        """Return the retries that the registered task allows after this error."""
        if isinstance(error, UnknownEndpointTask):
            return DEPLOYING
        if isinstance(error, InstanceDeleted):
            return 0
        return find(self.params.task).retries_after(error)
