"""System checks: what ``manage.py check`` says about the configuration."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings
from django.core import checks

from django_integration import conf
from django_integration.own_backend import backend_class
from serverless_tasks.aws.sender import SETTINGS
from serverless_tasks.errors import ConfigurationError
from serverless_tasks.message import MAX_DELAY
from serverless_tasks.services import services

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from serverless_tasks.declaration import Declaration

NEEDED_FOR_SQS = ("table", "queue_urls")
AUTHENTICATION = "django.contrib.auth.middleware.AuthenticationMiddleware"


def register() -> None:
    """Add the checks."""
    checks.register(check_configuration, "serverless_tasks")
    checks.register(check_stack, "serverless_tasks", deploy=True)
    checks.register(check_access, "serverless_tasks", deploy=True)
    checks.register(check_typed_calls, "serverless_tasks", deploy=True)
    checks.register(check_scheduler, "serverless_tasks", deploy=True)


def check_configuration(app_configs: Any, **_: Any) -> list[checks.CheckMessage]:
    """What keeps tasks from being submitted or called: settings, entries, definitions."""
    problem = getattr(apps.get_app_config("serverless_tasks"), "problem", None)
    try:
        conf.current()
    except ConfigurationError as error:
        return [checks.Error(str(error), id="serverless_tasks.E001")]
    found = [
        *(_no_stack_yet() if _lacks_a_stack() else _missing_settings()),
        *_wrong_entries(),
        *_own_backend(),
        *_drf(),
        *_authentication(),
        *_csrf_cookie(),
        *_definitions(),
        *_unroutable(),
    ]
    if problem is not None and all(str(problem) != message.msg for message in found):
        found.insert(0, checks.Error(str(problem), id="serverless_tasks.E001"))
    return found


def check_stack(app_configs: Any, **_: Any) -> list[checks.CheckMessage]:
    """What a site without a stack lacks in production."""
    try:
        conf.current()
    except ConfigurationError:
        return []  # check_configuration says it
    return _missing_settings() if _lacks_a_stack() else []


def check_access(app_configs: Any, **_: Any) -> list[checks.CheckMessage]:
    """Who may call in production."""
    try:
        given = conf.current()
    except ConfigurationError:
        return []  # check_configuration says it
    if given.permission_classes is not None:
        return []
    if given.allow_anonymous:
        message = "SERVERLESS_TASKS['ALLOW_ANONYMOUS'] is True: everybody may submit the tasks of this site."
        hint = "Take it away to serve only callers who are logged in."
        return [checks.Warning(message, hint=hint, id="serverless_tasks.W001")]
    if given.authentication_classes is None and AUTHENTICATION not in settings.MIDDLEWARE:
        message = "No authentication is configured, so outside DEBUG nobody may submit or see a task."
        hint = (
            f"Add {AUTHENTICATION} or set TASK_API_AUTHENTICATION_CLASSES; to serve everybody, set"
            " SERVERLESS_TASKS['ALLOW_ANONYMOUS'] to True."
        )
        return [checks.Warning(message, hint=hint, id="serverless_tasks.W002")]
    return []


def check_typed_calls(app_configs: Any, **_: Any) -> list[checks.CheckMessage]:
    """Who may use the typed calls in production."""
    given = getattr(settings, "TASKS_API_AUTHENTICATION", "")
    if given is None:
        message = (
            "TASKS_API_AUTHENTICATION is None: everybody may submit and run the pydantic tasks of this site."
        )
        return [checks.Warning(message, id="serverless_tasks.W003")]
    issuer = getattr(settings, "TASKS_API_OIDC_ISSUER", None)
    if given == "oidc" and issuer is None and getattr(settings, "TASKS_API_OIDC_EMAILS", None) is None:
        message = "Every Google account may call: Google signs tokens for any audience that is asked for."
        hint = "Name the service accounts that may in TASKS_API_OIDC_EMAILS."
        return [checks.Warning(message, hint=hint, id="serverless_tasks.W004")]
    return []


def check_scheduler(app_configs: Any, **_: Any) -> list[checks.CheckMessage]:
    """Whether what the tasks declare takes EventBridge Scheduler, and the settings do not name one."""
    try:
        given = conf.current().config
        tasks = sorted(services().registry, key=lambda task: task.name)
    except ConfigurationError:
        return []  # check_configuration says it
    missing = [name for name in SETTINGS if not getattr(given, name)]
    if not missing or not _needs_a_stack() or _lacks_a_stack():
        return []
    named = f"SERVERLESS_TASKS lacks {' and '.join(name.upper() for name in missing)}"
    needing = [why for task in tasks for why in _asks_the_scheduler(task)]
    if given.schedule_group or given.scheduler_role:
        needing = ["the scheduler's other settings are there", *needing]
    if not needing:
        return []
    more = f" (and {len(needing) - 3} more)" if len(needing) > 3 else ""
    message = f"{named}, and {'; '.join(needing[:3])}{more}."
    hint = (
        "Without it a delay of more than 15 minutes is refused, schedules cannot be synced, and those of deleted jobs"
        " stay; the stack's outputs have the values."
    )
    return [checks.Warning(message, hint=hint, id="serverless_tasks.W009")]


def _asks_the_scheduler(task: type[Declaration]) -> Iterator[str]:
    if task.schedule is not None:
        yield f"task {task.name!r} has a schedule"
    if task.retries and task.backoff_cap > MAX_DELAY:
        longest = f"{task.backoff_cap:g} seconds"
        yield f"task {task.name!r} may wait {longest} for a retry (SQS holds a message for {MAX_DELAY})"


def _missing_settings() -> list[checks.CheckMessage]:
    given = conf.current()
    needed = NEEDED_FOR_SQS if _needs_a_stack() else ()
    return [message for name in needed for message in _errors("E002", given.config.require, name)]


def _needs_a_stack() -> bool:
    given = conf.current()
    return given.backend == "sqs" and given.own_backend is None and given.generic_backend is None


def _lacks_a_stack() -> bool:
    return _needs_a_stack() and len(_missing_settings()) == len(NEEDED_FOR_SQS)


def _no_stack_yet() -> list[checks.CheckMessage]:
    """No errors: without a stack `migrate` and `test` have to work all the same."""
    hint = "Until there is a stack, `serverless-tasks dev --django` runs the site with one on this machine."
    return [
        checks.Warning(message.msg, hint=hint, id="serverless_tasks.W005") for message in _missing_settings()
    ]


def _wrong_entries() -> Iterator[checks.CheckMessage]:
    for entry in conf.current().served:
        yield from _errors("E003", conf.task_class, entry)


def _own_backend() -> Iterator[checks.CheckMessage]:
    entry = conf.current().own_backend
    if entry is not None:
        yield from _errors("E006", backend_class, entry)


def _authentication() -> Iterator[checks.CheckMessage]:
    """Of all typed calls, and of those whose task says otherwise."""
    from django_integration import router_auth

    given = [getattr(settings, router_auth.NAME, None)]
    with suppress(ConfigurationError):  # _definitions says it
        given += [getattr(task, router_auth.NAME, None) for task in services().registry]
    for entry in dict.fromkeys(given):
        if entry is not None:
            yield from _errors("E007", router_auth.authenticator, entry)


def _csrf_cookie() -> Iterator[checks.CheckMessage]:
    """A session's calls need the token, and the client reads it from the cookie."""
    if not conf.current().uses_drf and AUTHENTICATION not in settings.MIDDLEWARE:
        return
    from django_integration.schemes import CSRF, Schemes

    with suppress(ConfigurationError):  # _drf says it
        if not any(CSRF in need for need in Schemes().of_site(reads=False)):
            return
        for name in ("CSRF_COOKIE_HTTPONLY", "CSRF_USE_SESSIONS"):
            if getattr(settings, name):
                message = f"{name} is True: the JavaScript client finds no CSRF token, so that sessions cannot submit."
                hint = "Take it away; Django's documentation says that it keeps nobody out."
                yield checks.Warning(message, hint=hint, id="serverless_tasks.W006")


def _drf() -> Iterator[checks.CheckMessage]:
    if not conf.current().uses_drf:
        return
    found = list(_errors("E004", _drf_classes, "TASK_API_AUTHENTICATION_CLASSES"))
    again = _errors("E004", _drf_classes, "TASK_API_PERMISSIONS_CLASSES")
    yield from found
    yield from (message for message in again if message not in found)


def _drf_classes(setting: str) -> None:
    from django_integration import drf

    drf.classes(setting)


def _definitions() -> Iterator[checks.CheckMessage]:
    registry = services().registry
    try:
        tasks = list(registry)
    except ConfigurationError as error:  # two tasks of one name, one of them imported after our own `ready`
        yield checks.Error(str(error), id="serverless_tasks.E001")
        return
    for task in tasks:
        yield from _errors("E005", lambda name: registry.definition(name).output_schema(), task.name)


def _unroutable() -> Iterator[checks.CheckMessage]:
    """A name that no path can hold leaves its task without the typed call that its author expects."""
    from django_integration.router import is_routable

    with suppress(ConfigurationError):  # _definitions says it
        for task in services().registry:
            if task.http and task.params_model is not None and not is_routable(task.name):
                message = (
                    f"Task {task.name!r} has no typed call: its name holds a character that no path takes."
                )
                hint = "Name it with letters, digits and . _ ~ - alone, or set http = False in its class."
                yield checks.Warning(message, hint=hint, id="serverless_tasks.W010")


def _errors[What](number: str, look: Callable[[What], Any], what: What) -> Iterator[checks.CheckMessage]:
    try:
        look(what)
    except ConfigurationError as error:
        yield checks.Error(str(error), id=f"serverless_tasks.{number}")
