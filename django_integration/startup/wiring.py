"""Joining the core with a Django project: its settings, its apps' tasks, its transactions."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.utils.module_loading import module_has_submodule

from django_integration import conf
from django_integration.django_tasks.availability import HAS_TASKS
from django_integration.django_tasks.deliveries import middleware
from django_integration.generic_tasks import GenericBackend, backend_of
from django_integration.own_backend import OwnBackend, backend_class
from django_integration.startup.commit import beside_transaction, defer
from django_integration.startup.task_classes import IMPORTED
from django_integration.startup.token_keys import keys_of_site
from django_integration.web.live.shared_reads import SharedReads, share
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.definition.registry import Registry
from serverless_tasks.engine.job.clock import Clock
from serverless_tasks.engine.services import configure
from serverless_tasks.engine.store.memory import MemoryStore
from serverless_tasks.errors import ConfigurationError, DuplicateTask

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.apps import AppConfig

TASK_MODULES = ("background", "tasks")
# Modules that apps have not.
_absent: set[str] = set()


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

    Returns:
        What is wrong with the configuration, for the system check; submitting a task raises it as well.
    """
    registry = Registry(IMPORTED, *_functions(), served=conf.served_tasks)
    hooks: dict[str, Any] = {
        "registry": registry,
        "defer": defer,
        "beside_transaction": beside_transaction,
        "middleware": middleware,
        "token_keys": keys_of_site,
    }
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

    A module that cannot be imported and an entry that is no task are left out, and kept in `Registry.faults`.

    Raises:
        ConfigurationError: two tasks share a name.
    """
    modules = [module for app in apps.get_app_configs() for module in _imported_modules(app, registry)]
    for module in modules:
        registry.add_defined_in(module)
        _adopt(module)
    for entry in conf.current().served:
        try:
            registry.add(conf.task_class(entry))
        except DuplicateTask:
            raise
        except ConfigurationError as error:
            registry.faults.append(error)


def _functions() -> list[list[Any]]:
    """The list of the classes that Django's ``@task`` makes of functions, where this Django has it."""
    if not HAS_TASKS:
        return []
    from django_integration.django_tasks.function import MADE

    return [MADE]


def _adopt(module: str) -> None:
    if HAS_TASKS:
        from django_integration.startup.adoption import adopt

        adopt(sys.modules[module])


def _imported_modules(app: AppConfig, registry: Registry) -> Iterator[str]:
    """Import an app's modules of tasks, and yield their names."""
    excluded = {app.name, app.label} & conf.current().exclude_apps
    for name in TASK_MODULES:
        module = f"{app.name}.{name}"
        if excluded or not _has_module(app, name):
            continue
        hint = (
            " Mend it; or, if its tasks are not for Serverless Tasks, set"
            f" SERVERLESS_TASKS['EXCLUDE_APPS'] = [{app.name!r}]."
        )
        if registry.import_tasks(module, f"{module}, of the installed app {app.name!r},", hint):
            yield module


def _has_module(app: AppConfig, name: str) -> bool:
    """Return whether an app has a module. One that it has not is looked for once: settings change often in tests."""
    module = f"{app.name}.{name}"
    if module in sys.modules:
        return True
    if module in _absent:
        return False
    found = module_has_submodule(app.module, name)
    if not found:
        _absent.add(module)
    return found
