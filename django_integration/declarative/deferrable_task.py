"""`deferrable_task` and `deferrable_generic_task`: what an endpoint leaves to a worker."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Protocol

from django.db import models

from django_integration.declarative.correlation import correlation_id
from django_integration.declarative.deferral import Deferral
from django_integration.declarative.endpoint_task import EndpointTask
from django_integration.declarative.job import DeferredJob, as_lists, job_on, save_first
from django_integration.declarative.registration import register
from django_integration.django_tasks.coroutine import completed
from serverless_tasks.errors import TaskDefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from django_integration.declarative.deferral import Exceptions

    type Arguments = tuple[Sequence[Any], Mapping[str, Any]]

HINT = "Put @staticmethod below it: the task gets its data from the resource and its arguments."


class DeferrableEndpointTask(EndpointTask):
    """``@deferrable_task`` over ``@staticmethod``: called in a worker with the endpoint's resource.

    The resource is an instance of a Django model; one that is not saved yet is saved first. The job is published after
    the request's own tasks, and on commit when a transaction is open.

    Args:
        task_runner: the decorated static method, or one that is not decorated.
        delay: see `Deferral`, as for the arguments up to `execute_unless`; each of them is an attribute as well.
        task_args_factory: a function of the endpoint that gives further arguments: ``(args, kwargs)``, in JSON.
        options: what `EndpointTask` takes by name.

    Attributes:
        key: the name that jobs call it by.
        deferral: when and where it is run.
        task_runner: the static method itself, for a unit test.

    Raises:
        TaskDefinitionError: it does not decorate a static method, or an argument does not fit.
    """

    deferred = True

    def __init__(
        self,
        task_runner: Callable[..., Any] | None = None,
        delay: float | Callable[[Any], float | None] | None = None,
        always_defer: bool | Callable[[Any], bool] = True,
        task_args_factory: Callable[[Any], Arguments] | None = None,
        queue: str | None = None,
        routing_key: str | None = None,
        retries: int = 0,
        retry_exception_filter: Exceptions = (),
        execute_unless: Callable[[Any], Any] | None = None,
        **options: Any,
    ) -> None:
        try:
            super().__init__(task_runner, **options)
        except TypeError as error:
            if isinstance(error, TaskDefinitionError):
                raise
            raise TaskDefinitionError(f"A deferrable task does not take these options: {error}.") from None
        if task_args_factory is not None and not callable(task_args_factory):
            raise TaskDefinitionError(f"task_args_factory is {task_args_factory!r}; give a function.")
        self.key = ""
        self.task_args_factory = task_args_factory
        self.deferral = Deferral(
            delay=delay,
            always_defer=always_defer,
            queue=queue,
            routing_key=routing_key,
            retries=retries,
            retry_exception_filter=retry_exception_filter,
            execute_unless=execute_unless,
        )

    def __getattr__(self, name: str) -> Any:
        if name in Deferral.__slots__:
            return getattr(self.deferral, name)
        raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}.", name=name, obj=self)

    def __set_name__(self, owner: type, name: str) -> None:
        super().__set_name__(owner, name)
        self.key = self.key or f"{owner.__module__}.{owner.__qualname__}.{name}"
        self._check_resource(owner)
        register(self)

    def execute(self, endpoint: Any) -> None:
        """Publish the job, or do the work where it is not to be deferred."""
        if self.deferral.execute_unless is not None and self.deferral.execute_unless(endpoint):
            return
        delay = self.deferral.delay_for(endpoint)
        if self.deferral.runs_now(endpoint, delay):
            self.call_here(endpoint)
        else:
            self.deferral.publish(self.job(endpoint), delay)

    def call(self, job: DeferredJob) -> Any:
        """Do the work of a job, in a worker; see `Registered.call`."""
        return self._function(job.instance(), *job.args, **job.kwargs)

    def retries_after(self, error: BaseException) -> int:
        """Return how often a job may be run again after this error."""
        return self.deferral.retries_after(error)

    def call_here(self, endpoint: Any) -> None:
        """Do the work in the request."""
        resource = self._resource(endpoint)
        save_first(resource)
        args, kwargs = self._arguments(endpoint)
        completed(self._function(resource, *args, **kwargs))

    def job(self, endpoint: Any) -> DeferredJob:
        """Return the job for this request."""
        return job_on(self._resource(endpoint), self.key, *self._arguments(endpoint))

    @property
    def _function(self) -> Callable[..., Any]:
        assert self.task_runner is not None
        return self.task_runner

    def _accept(self, method: Callable[..., Any]) -> Callable[..., Any]:
        if not isinstance(method, staticmethod):
            raise TaskDefinitionError(
                f"A deferrable task must be a static method; {method!r} is none. {HINT}"
            )
        return method.__func__

    def _decorate(self, method: Callable[..., Any]) -> Callable[..., Any]:
        if self.task_runner is not None:
            raise TaskDefinitionError(
                f"A deferrable task runs one static method; it has {self.task_runner!r}, and decorates {method!r}."
            )
        return method

    def _arguments(self, endpoint: Any) -> Arguments:
        return self.task_args_factory(endpoint) if self.task_args_factory is not None else ((), {})

    def _resource(self, endpoint: Any) -> models.Model:
        resource = endpoint.resource
        if not isinstance(resource, models.Model):
            raise TaskDefinitionError(
                f"The resource of {type(endpoint).__qualname__} is {resource!r}; deferrable task {self.name!r} needs an"
                " instance of a Django model. Use @task, or @deferrable_generic_task with its own arguments."
            )
        return resource

    def _check_resource(self, owner: type) -> None:
        """Refuse a class whose resource can be seen to be no model instance, before any request is made."""
        resource = inspect.getattr_static(owner, "resource", None)
        getter = getattr(resource, "fget", None) or getattr(resource, "func", None)
        annotated = getattr(getter, "__annotations__", {}).get("return")
        declared = annotated if isinstance(annotated, type) else None
        plain = isinstance(resource, (dict, list, tuple, set, str, int, float))
        if plain or (declared is not None and declared in (dict, list, tuple, set, str, int, float)):
            raise TaskDefinitionError(
                f"The resource of {owner.__module__}.{owner.__qualname__} is {declared or resource!r}; deferrable task"
                f" {self.name!r} needs an instance of a Django model. Use @task, or @deferrable_generic_task with its"
                " own arguments."
            )


class Packer(Protocol):
    """Says what a generic task is called with: ``pack`` in the request, ``unpack`` in the worker."""

    def pack(self, endpoint: Any, /) -> Any:
        """Return what travels, in JSON."""

    def unpack(self, packed: Any, /) -> Arguments:
        """The arguments: ``(args, kwargs)``."""


class DeferrableGenericEndpointTask(DeferrableEndpointTask):
    """``@deferrable_generic_task(task_args_packer=...)`` over ``@staticmethod``: the resource may be anything.

    Args:
        task_args_packer: makes the arguments: a class or object with ``pack`` and ``unpack``.
        options: what `DeferrableEndpointTask` takes by name, apart from ``task_args_factory``.

    Raises:
        TaskDefinitionError: as for `DeferrableEndpointTask`, or the packer is missing.
    """

    def __init__(self, task_args_packer: Any = None, **options: Any) -> None:
        super().__init__(**options)
        for needed in ("pack", "unpack"):
            if not callable(getattr(task_args_packer, needed, None)):
                raise TaskDefinitionError(
                    f"task_args_packer is {task_args_packer!r}; expected a class with static methods pack(endpoint) and"
                    " unpack(packed)."
                )
        self.task_args_packer: Packer = task_args_packer

    def call(self, job: DeferredJob) -> Any:
        """Do the work of a job, in a worker; see `Registered.call`."""
        args, kwargs = self.task_args_packer.unpack(job.packed)
        return self._function(*args, **kwargs)

    def call_here(self, endpoint: Any) -> None:
        """Do the work in the request."""
        completed(self.call(self.job(endpoint)))

    def job(self, endpoint: Any) -> DeferredJob:
        """Return the job for this request."""
        return DeferredJob(
            task=self.key,
            packed=as_lists(self.task_args_packer.pack(endpoint)),
            correlation_id=correlation_id(),
        )

    def _check_resource(self, owner: type) -> None:
        """Any resource will do."""


deferrable_task = DeferrableEndpointTask
deferrable_generic_task = DeferrableGenericEndpointTask
