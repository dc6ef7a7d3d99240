"""Django's settings as this app reads them: one typed object, read when it is first asked for."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils.module_loading import import_string

from serverless_tasks.engine.config import Config
from serverless_tasks.engine.definition.base import BaseTask, is_task_class
from serverless_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

BACKENDS = ("sqs", "threading", "immediate")
MAX_BODY = 10_000_000
SHARED_READ = 0.0
# What SERVERLESS_TASKS has in a Django project alone.
OWN = ("BACKEND", "ALLOW_ANONYMOUS", "MAX_BODY", "SHARED_READ", "EXCLUDE_APPS")
SERVED = ("TASK_API_BACKGROUND_TASKS", "TASK_API_BACKGROUND_CLASSES")
READ = (
    "SERVERLESS_TASKS",
    *SERVED,
    "TASK_API_BACKEND",
    "TASKS_BACKEND",
    "SECRET_KEY",
    "SECRET_KEY_FALLBACKS",
    "TASK_API_AUTHENTICATION_CLASSES",
    "TASK_API_PERMISSIONS_CLASSES",
    "TASK_API_THROTTLE_CLASSES",
    "REST_FRAMEWORK",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSettings:
    """The project's settings for tasks.

    Attributes:
        config: the core's settings: the environment's, with those in ``SERVERLESS_TASKS`` in their place;
            in a worker, what the stack says of itself stays.
        backend: ``SERVERLESS_TASKS["BACKEND"]``: ``"sqs"``, ``"threading"`` or ``"immediate"``.
        allow_anonymous: ``SERVERLESS_TASKS["ALLOW_ANONYMOUS"]``: serve callers without a login outside ``DEBUG`` too.
        max_body: ``SERVERLESS_TASKS["MAX_BODY"]``: the largest request body that is read, in bytes.
        shared_read: ``SERVERLESS_TASKS["SHARED_READ"]``: how old, in seconds, the read of a job may be that answers
            several who ask for it; 0 for a read each.
        exclude_apps: ``SERVERLESS_TASKS["EXCLUDE_APPS"]``: the installed apps, by name or label, whose modules of tasks
            are left alone.
        own_backend: ``TASK_API_BACKEND``: a backend of the project's own, as a dotted path or a class, or None.
        generic_backend: ``TASKS_BACKEND``: a backend with ``run(task)``, or None.
        served: ``TASK_API_BACKGROUND_TASKS``, and its alias ``TASK_API_BACKGROUND_CLASSES``: the tasks at
            ``POST /tasks/``, each as the setting's name and the entry, a dotted path or a class.
        authentication_classes: ``TASK_API_AUTHENTICATION_CLASSES``, or None when it is not set.
        permission_classes: ``TASK_API_PERMISSIONS_CLASSES``, or None when it is not set.
        throttle_classes: ``TASK_API_THROTTLE_CLASSES``, or None when it is not set.
        is_throttled: whether there are throttle classes: these, or else Django REST framework's own setting.
    """

    config: Config
    backend: str
    allow_anonymous: bool
    max_body: int
    shared_read: float
    exclude_apps: frozenset[str]
    own_backend: Any
    generic_backend: Any
    served: tuple[tuple[str, Any], ...]
    authentication_classes: tuple[Any, ...] | None
    permission_classes: tuple[Any, ...] | None
    throttle_classes: tuple[Any, ...] | None
    is_throttled: bool

    @property
    def uses_drf(self) -> bool:
        """True if Django REST framework identifies and authorises callers."""
        return self.authentication_classes is not None or self.permission_classes is not None

    @property
    def serves_anonymous(self) -> bool:
        """True if anonymous callers are served where no permission classes decide."""
        return self.allow_anonymous or (bool(settings.DEBUG) and not self.uses_drf)


@cache
def current() -> TaskSettings:
    """The settings.

    Raises:
        ConfigurationError: naming the one that cannot be used.
    """
    given = getattr(settings, "SERVERLESS_TASKS", {})
    if not isinstance(given, dict):
        raise ConfigurationError(
            f"SERVERLESS_TASKS is {given!r}; expected a dictionary such as {{'TABLE': 'tasks'}}."
        )
    backend = given.get("BACKEND", "sqs")
    if backend not in BACKENDS:
        raise ConfigurationError(
            f"SERVERLESS_TASKS['BACKEND'] is {backend!r}; use one of {', '.join(BACKENDS)}."
        )
    throttle_classes = _sequence("TASK_API_THROTTLE_CLASSES")
    return TaskSettings(
        config=Config.from_environ().merged(given, besides=OWN).kept_by_a_stack(),
        backend=backend,
        allow_anonymous=_allow_anonymous(given),
        max_body=_max_body(given),
        shared_read=_shared_read(given),
        exclude_apps=_exclude_apps(given),
        own_backend=getattr(settings, "TASK_API_BACKEND", None),
        generic_backend=getattr(settings, "TASKS_BACKEND", None),
        served=tuple((name, entry) for name in SERVED for entry in _sequence(name) or ()),
        authentication_classes=_sequence("TASK_API_AUTHENTICATION_CLASSES"),
        permission_classes=_sequence("TASK_API_PERMISSIONS_CLASSES"),
        throttle_classes=throttle_classes,
        is_throttled=bool(_site_throttles() if throttle_classes is None else throttle_classes),
    )


def forget(name: str) -> bool:
    """Read the settings again when this one of Django's changed; says whether it is one of ours."""
    if name in READ:
        current.cache_clear()
        served_tasks.cache_clear()
    return name in READ


@cache
def served_tasks() -> Mapping[str, type[BaseTask]]:
    """The tasks that ``POST /tasks/`` takes, by name; an entry that is no task keeps none of the others from it."""
    found = {}
    for entry in current().served:
        with suppress(ConfigurationError):  # startup logs it, and `manage.py check` says it
            task = task_class(entry)
            found[task.name] = task
    return found


def task_class(served: tuple[str, Any]) -> type[BaseTask]:
    """The task class that an entry of `TaskSettings.served` stands for.

    Raises:
        ConfigurationError: naming the setting and its entry that is no task.
    """
    setting, entry = served
    found = imported(setting, entry)
    if not is_task_class(found):
        raise ConfigurationError(
            f"{setting} names {entry!r}, which is not a task: derive it from serverless_tasks.Task and define run()."
        )
    task: type[BaseTask] = found
    return task


def imported(setting: str, entry: Any) -> Any:
    """Return the object that a dotted path in a setting names; anything but a string is returned as it is.

    Raises:
        ConfigurationError: the path leads nowhere.
    """
    if not isinstance(entry, str):
        return entry
    try:
        return import_string(entry)
    except ImportError as error:
        raise ConfigurationError(f"{setting} names {entry!r}, which cannot be imported: {error}.") from error
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise ConfigurationError(f"{setting} names {entry!r}, which cannot be imported: {reason}.") from error


def _sequence(name: str) -> tuple[Any, ...] | None:
    value = getattr(settings, name, None)
    if value is None:
        return None
    if not isinstance(value, (list, tuple)):
        raise ConfigurationError(f"{name} is {value!r}; expected a list of dotted paths or classes.")
    return tuple(value)


def _site_throttles() -> Any:
    """Return the throttle classes of the site's REST_FRAMEWORK setting, where that framework is installed."""
    of_site = getattr(settings, "REST_FRAMEWORK", None) or {}
    return of_site.get("DEFAULT_THROTTLE_CLASSES") if find_spec("rest_framework") else None


def _allow_anonymous(given: Mapping[str, Any]) -> bool:
    value = given.get("ALLOW_ANONYMOUS", False)
    if not isinstance(value, bool):
        raise ConfigurationError(f"SERVERLESS_TASKS['ALLOW_ANONYMOUS'] is {value!r}; expected True or False.")
    return value


def _max_body(given: Mapping[str, Any]) -> int:
    value = given.get("MAX_BODY", MAX_BODY)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigurationError(f"SERVERLESS_TASKS['MAX_BODY'] is {value!r}; expected a number of bytes.")
    return value


def _shared_read(given: Mapping[str, Any]) -> float:
    value = given.get("SHARED_READ", SHARED_READ)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= 1:
        raise ConfigurationError(
            f"SERVERLESS_TASKS['SHARED_READ'] is {value!r}; expected a number of seconds from 0 to 1."
        )
    return value


def _exclude_apps(given: Mapping[str, Any]) -> frozenset[str]:
    value = given.get("EXCLUDE_APPS", ())
    if not isinstance(value, (list, tuple, set, frozenset)) or not all(isinstance(app, str) for app in value):
        raise ConfigurationError(
            f"SERVERLESS_TASKS['EXCLUDE_APPS'] is {value!r}; give a list of installed apps, such as ['shop']."
        )
    return frozenset(value)
