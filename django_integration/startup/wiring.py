"""Joining the core with a Django project: its settings, its apps' tasks, its transactions."""

from __future__ import annotations

import sys
from typing import Any

from django.apps import apps
from django.utils.module_loading import autodiscover_modules

from django_integration import conf
from django_integration.django_tasks.deliveries import middleware
from django_integration.django_tasks.function import MADE
from django_integration.generic_tasks import GenericBackend, backend_of
from django_integration.own_backend import OwnBackend, backend_class
from django_integration.startup.adoption import adopt
from django_integration.startup.commit import defer
from django_integration.startup.task_classes import IMPORTED
from django_integration.web.live.shared_reads import SharedReads, share
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.definition.registry import Registry
from serverless_tasks.engine.job.clock import Clock
from serverless_tasks.engine.services import configure
from serverless_tasks.engine.store.memory import MemoryStore
from serverless_tasks.errors import ConfigurationError

TASK_MODULES = ("background", "tasks")


class Misconfigured:
    """Stands where a part of the services should be and raises the reason whenever it is used.

    A wrong setting must not stop ``manage.py check`` from naming it.

    Args:
        reason: what is wrong.
    """

    def __init__(self, reason: ConfigurationError) -> None:
        self._reason = reason

    def __getattr__(self, name: str) -> Any:
        raise self._reason


def wire() -> ConfigurationError | None:
    """Configure the process's services from the project's settings and register its tasks.

    Any error inside a module of tasks that is not one of configuration is raised here.

    Returns:
        What is wrong with the configuration, for the system check; submitting a task raises it as well.
    """
    registry = Registry(IMPORTED, MADE)
    hooks: dict[str, Any] = {"registry": registry, "defer": defer, "middleware": middleware}
    try:
        given, clock = conf.current(), Clock()
        reads = SharedReads(given.shared_read, clock) if given.shared_read > 0 else None
        on_write = None if reads is None else reads.drop
        services = configure(given.config, clock=clock, on_write=on_write, **hooks, **_parts(given))
        if reads is not None:
            share(services, reads)
        register(registry)
        services.registry  # noqa: B018 - imports SERVERLESS_TASKS_MODULES now rather than in the first request
    except ConfigurationError as error:
        stand_in: Any = Misconfigured(error)
        configure(Config(), backend=stand_in, store=stand_in, problem=error, **hooks)
        return error
    return None


def _parts(given: conf.TaskSettings) -> dict[str, Any]:
    """The backend, and for a backend of the project's own the store as well: its jobs run without a table too."""
    backend: OwnBackend | GenericBackend
    if given.generic_backend is not None:
        if given.own_backend is not None:
            raise ConfigurationError(
                "TASKS_BACKEND and TASK_API_BACKEND both select a backend; set only one of them."
            )
        backend = GenericBackend(backend_of(given.generic_backend))
    elif given.own_backend is not None:
        backend = OwnBackend(backend_class(given.own_backend))
    else:
        return {"backend": given.backend}
    own: dict[str, Any] = {"backend": backend}
    return own if given.config.table else {**own, "store": MemoryStore(Clock())}


def register(registry: Registry) -> None:
    """Register the tasks of the installed apps, and those that the settings serve.

    Raises:
        ConfigurationError: an entry is no task, or two tasks share a name.
    """
    autodiscover_modules(*TASK_MODULES)
    for app in apps.get_app_configs():
        for module in (f"{app.name}.{name}" for name in TASK_MODULES):
            if module in sys.modules:
                registry.add_defined_in(module)
                adopt(sys.modules[module])
    for task in conf.served_tasks().values():
        registry.add(task)
