"""Methods of models that run in a worker: `resource_task` registers one, `schedule_resource_task_runner` defers it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from django.db import models

from django_integration.declarative.deferral import Deferral
from django_integration.declarative.job import job_on
from django_integration.declarative.registration import UnknownEndpointTask, register
from serverless_tasks.errors import TaskDefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from django_integration.declarative.deferral import Exceptions
    from django_integration.declarative.job import DeferredJob
    from serverless_tasks.engine.submit.handle import Handle

_KEY = "_resource_task_key"


class ResourceMethod:
    """A registered method of a model.

    Args:
        function: the method as the class statement defines it.
        deferral: its retries.
    """

    def __init__(self, function: Callable[..., Any], deferral: Deferral) -> None:
        self.key = f"{function.__module__}.{function.__qualname__}"
        self.retries_after = deferral.retries_after
        self._function = function

    def call(self, job: DeferredJob) -> Any:
        """Run it on the job's instance; see `Registered.call`.

        Raises:
            UnknownEndpointTask: the instance's class does not have the method.
        """
        instance = job.instance()
        if not any(self._function in vars(klass).values() for klass in type(instance).__mro__):
            raise UnknownEndpointTask(f"{job.model} has no method registered as {self.key!r}.")
        return self._function(instance, *job.args, **job.kwargs)


@overload
def resource_task[Method: Callable[..., Any]](method: Method, /) -> Method: ...
@overload
def resource_task[Method: Callable[..., Any]](
    *, retries: int = 0, retry_exception_filter: Exceptions = ()
) -> Callable[[Method], Method]: ...
def resource_task(method: Any = None, /, **options: Any) -> Any:
    """Let a model's method run in a worker: ``@resource_task`` or ``@resource_task(retries=3)``.

    The method stays what it is and can be called as before.

    Args:
        method: the decorated method.
        options: ``retries`` and ``retry_exception_filter``, as in `Deferral`.

    Raises:
        TaskDefinitionError: an option does not fit, or it decorates something else.
    """
    deferral = Deferral(**options)

    def decorate(function: Any) -> Any:
        if not hasattr(function, "__qualname__") or isinstance(function, (staticmethod, classmethod, type)):
            raise TaskDefinitionError(
                f"@resource_task decorates {function!r}; put it on a method of a model."
            )
        entry = ResourceMethod(function, deferral)
        register(entry)
        setattr(function, _KEY, entry.key)
        return function

    return decorate if method is None else decorate(method)


def schedule_resource_task_runner(
    resource_bound_method: Callable[..., Any],
    task_args: Sequence[Any] | None = None,
    task_kwargs: Mapping[str, Any] | None = None,
    queue: str | None = None,
    routing_key: str | None = None,
    delay: float = 0,
) -> Handle:
    """Run a method of a model instance in a worker: ``schedule_resource_task_runner(order.send_receipt)``.

    Published on commit when a transaction is open; an instance that is not saved yet is saved first.

    Args:
        resource_bound_method: a method, decorated with `resource_task`, of an instance.
        task_args: its arguments, in JSON.
        task_kwargs: its arguments by name.
        queue: the queue's name.
        routing_key: see `Deferral`.
        delay: seconds to hold it back.

    Returns:
        The job's handle.

    Raises:
        TaskDefinitionError: it is not a registered method of a model instance.
        InvalidInputs: the arguments would not survive the way there.
        SubmitFailed: it was certainly not sent.
        SubmitUncertain: it may have been sent.
    """
    instance = getattr(resource_bound_method, "__self__", None)
    if not isinstance(instance, models.Model):
        raise TaskDefinitionError(
            f"{resource_bound_method!r} is not a method of an instance of a Django model, such as order.send_receipt."
        )
    key = getattr(resource_bound_method, _KEY, None)
    if key is None:
        raise TaskDefinitionError(
            f"{resource_bound_method!r} is not registered. Decorate it with @resource_task: a job can only name what"
            " its project has registered."
        )
    job = job_on(instance, key, task_args or (), task_kwargs or {})
    return Deferral(queue=queue, routing_key=routing_key, delay=delay).publish(job, delay)
