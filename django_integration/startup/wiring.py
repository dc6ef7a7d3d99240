"""Joining the core with a Django project: its settings, its apps' tasks, its transactions."""

from __future__ import annotations

import logging
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.utils.module_loading import module_has_submodule

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
from serverless_tasks.errors import ConfigurationError, DuplicateTask, TaskDefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.apps import AppConfig

logger = logging.getLogger(__name__)
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

    An error inside a module of ``SERVERLESS_TASKS_MODULES`` that is not one of configuration is raised here.

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

    A module that cannot be imported and an entry that is no task are left out, logged, and kept in `Registry.faults`.

    Raises:
        ConfigurationError: two tasks share a name.
    """
    modules = [module for app in apps.get_app_configs() for module in _imported_modules(app, registry)]
    for module in modules:
        registry.add_defined_in(module)
        adopt(sys.modules[module])
    for entry in conf.current().served:
        try:
            registry.add(conf.task_class(entry))
        except DuplicateTask:
            raise
        except ConfigurationError as error:
            _leave_out(registry, error)


def _imported_modules(app: AppConfig, registry: Registry) -> Iterator[str]:
    """Import an app's modules of tasks, and yield their names."""
    excluded = {app.name, app.label} & conf.current().exclude_apps
    for name in TASK_MODULES:
        module = f"{app.name}.{name}"
        if excluded or not module_has_submodule(app.module, name):
            continue
        try:
            import_module(module)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a script of this name may exit where it is imported
            _leave_out(registry, _not_imported(module, app, error))
        else:
            yield module


def _not_imported(module: str, app: AppConfig, error: BaseException) -> ConfigurationError:
    """Forget the tasks that the module defined before its error, which lack what comes after it."""
    IMPORTED[:] = [task for task in IMPORTED if task.__module__ != module]
    MADE[:] = [task for task in MADE if task.__module__ != module]
    reason = str(error) if isinstance(error, TaskDefinitionError) else f"{type(error).__name__}: {error}"
    fault = ConfigurationError(
        f"{module} cannot be imported, so that its tasks are unknown: {reason.removesuffix('.')}. Mend it; or, if it is"
        f" none of Serverless Tasks, set SERVERLESS_TASKS['EXCLUDE_APPS'] = [{app.name!r}]."
    )
    fault.__cause__ = error
    return fault


def _leave_out(registry: Registry, fault: ConfigurationError) -> None:
    logger.error("%s", fault, exc_info=fault.__cause__)
    registry.faults.append(fault)
