"""System checks: what ``manage.py check`` says about the configuration."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings
from django.core import checks

from django_integration import conf
from django_integration.django_tasks.availability import check_entries, hint_of
from django_integration.own_backend import backend_class
from django_integration.startup.checks import stack as stack_settings
from serverless_tasks.engine.definition.base import replaced_names
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from serverless_tasks.engine.definition.base import BaseTask
    from serverless_tasks.engine.definition.schema import Definition

AUTHENTICATION = "django.contrib.auth.middleware.AuthenticationMiddleware"


def register() -> None:
    """Add the checks."""
    checks.register(check_configuration, "serverless_tasks")
    checks.register(check_access, "serverless_tasks", deploy=True)
    checks.register(check_typed_calls, "serverless_tasks", deploy=True)


def check_configuration(app_configs: Any, **_: Any) -> list[checks.CheckMessage]:
    """Check settings, entries and definitions for what keeps tasks from being submitted or called."""
    problems = [getattr(apps.get_app_config("serverless_tasks"), "problem", None)]
    try:
        conf.current()
    except ConfigurationError as error:
        return [checks.Error(str(error), id="serverless_tasks.E001")]
    messages = [
        *stack_settings.look(),
        *_wrong_entries(),
        *_own_backend(),
        *_drf(),
        *_authentication(),
        *_csrf_cookie(),
        *_definitions(),
        *_unroutable(),
        *_new_error_hook(),
        *check_entries(),
    ]
    with suppress(ConfigurationError):  # _definitions says it
        problems += current_services().registry.faults
    said = {message.msg for message in messages}
    missing = [problem for problem in problems if problem is not None and str(problem) not in said]
    return [
        *(checks.Error(str(each), hint=hint_of(each), id="serverless_tasks.E001") for each in missing),
        *messages,
    ]


def _new_error_hook() -> Iterator[checks.CheckMessage]:
    """A worker calls it, and would not start."""
    name = current_services().config.on_new_error
    if not name:
        return
    from serverless_tasks.engine.counting import named_hook  # most projects have none

    try:
        named_hook(name)
    except ConfigurationError as error:
        yield checks.Error(str(error), id="serverless_tasks.E001")


def check_access(app_configs: Any, **_: Any) -> list[checks.CheckMessage]:
    """Check who may call in production."""
    try:
        current = conf.current()
    except ConfigurationError:
        return []  # reported by check_configuration
    if current.permission_classes is not None:
        return []
    if current.allow_anonymous:
        message = "SERVERLESS_TASKS['ALLOW_ANONYMOUS'] is True: anyone may submit the tasks of this site."
        hint = "Remove it to serve only callers who are logged in."
        return [checks.Warning(message, hint=hint, id="serverless_tasks.W001")]
    if current.authentication_classes is None and AUTHENTICATION not in settings.MIDDLEWARE:
        message = "No authentication is configured, so unless DEBUG is on, every request is rejected."
        hint = (
            f"Add {AUTHENTICATION} or set TASK_API_AUTHENTICATION_CLASSES; to allow anonymous callers, set"
            " SERVERLESS_TASKS['ALLOW_ANONYMOUS'] to True."
        )
        return [checks.Warning(message, hint=hint, id="serverless_tasks.W002")]
    return []


def check_typed_calls(app_configs: Any, **_: Any) -> list[checks.CheckMessage]:
    """Check who may use the typed calls in production."""
    given = getattr(settings, "TASKS_API_AUTHENTICATION", "")
    messages: list[checks.CheckMessage] = []
    if given is None:
        message = (
            "TASKS_API_AUTHENTICATION is None: anyone may submit and run the pydantic tasks of this site."
        )
        messages.append(checks.Warning(message, id="serverless_tasks.W003"))
    elif opened := _opened():
        message = (
            f"TASKS_API_AUTHENTICATION is None in the class of {', '.join(map(repr, opened))}: anyone may submit and"
            " run that task, regardless of the site's setting."
        )
        messages.append(checks.Warning(message, id="serverless_tasks.W003"))
    issuer = getattr(settings, "TASKS_API_OIDC_ISSUER", None)
    if given == "oidc" and issuer is None and getattr(settings, "TASKS_API_OIDC_EMAILS", None) is None:
        message = "Every Google account may call: Google signs tokens for any requested audience."
        hint = "List the permitted service accounts in TASKS_API_OIDC_EMAILS."
        messages.append(checks.Warning(message, hint=hint, id="serverless_tasks.W004"))
    return messages


def _opened() -> list[str]:
    """The tasks whose own class opens them to everybody."""
    with suppress(ConfigurationError):  # reported by _definitions
        return [
            task.name
            for task in current_services().registry
            if getattr(task, "TASKS_API_AUTHENTICATION", "") is None
        ]
    return []


def _wrong_entries() -> Iterator[checks.CheckMessage]:
    for entry in conf.current().served:
        yield from _errors("E003", conf.task_class, entry)


def _own_backend() -> Iterator[checks.CheckMessage]:
    entry = conf.current().own_backend
    if entry is not None:
        yield from _errors("E006", backend_class, entry)


def _authentication() -> Iterator[checks.CheckMessage]:
    """Of all typed calls, and of those whose task says otherwise."""
    from django_integration.web.auth import typed_calls as router_auth

    given = [getattr(settings, router_auth.NAME, None)]
    with suppress(ConfigurationError):  # reported by _definitions
        given += [getattr(task, router_auth.NAME, None) for task in current_services().registry]
    for place, entry in enumerate(given):
        if entry is not None and entry not in given[:place]:
            yield from _errors("E007", router_auth.authenticator, entry)


def _csrf_cookie() -> Iterator[checks.CheckMessage]:
    """A session's calls need the token, and the client reads it from the cookie."""
    if not conf.current().uses_drf and AUTHENTICATION not in settings.MIDDLEWARE:
        return
    from django_integration.web.auth.openapi_schemes import CSRF, Schemes

    with suppress(ConfigurationError):  # reported by _drf
        if not any(CSRF in need for need in Schemes().of_site(reads=False)):
            return
        for name in ("CSRF_COOKIE_HTTPONLY", "CSRF_USE_SESSIONS"):
            if getattr(settings, name):
                message = (
                    f"{name} is True: the JavaScript client cannot read the CSRF token and cannot submit."
                )
                hint = "Set it to False; according to Django's documentation it adds no practical protection."
                yield checks.Warning(message, hint=hint, id="serverless_tasks.W006")


def _drf() -> Iterator[checks.CheckMessage]:
    current = conf.current()
    if not current.uses_drf and not current.is_throttled:
        return
    try:
        from django_integration.web.auth import drf
    except ConfigurationError as error:
        yield checks.Error(str(error), id="serverless_tasks.E004")
        return
    found = [message for setting in drf.SETTINGS for message in _errors("E004", drf.classes, setting)]
    yield from found or _errors("E004", lambda look: look(), drf.check_throttles)


def _definitions() -> Iterator[checks.CheckMessage]:
    registry = current_services().registry
    try:
        tasks = list(registry)
    except ConfigurationError as error:  # two tasks of one name, one of them imported after our own `ready`
        yield checks.Error(str(error), id="serverless_tasks.E001")
        return
    for task in tasks:
        yield from _replaced(task)
        contradictions = list(_errors("E005", registry.definition, task.name))
        yield from contradictions or _undescribed(registry.definition(task.name))


def _replaced(task: type[BaseTask]) -> Iterator[checks.CheckMessage]:
    """A class of an earlier version may have an attribute of a name that is a method or a property now."""
    for name in replaced_names(task):
        message = f"{task.__qualname__}.{name} takes the place of {name!r} of Task: it is the task's own."
        hint = (
            "Rename it; or take self.execution.group for the group that came before a job."
            if name == "group"
            else f"Rename it; or write options().{name}(...), which does the same."
        )
        yield checks.Warning(message, hint=hint, id="serverless_tasks.W014")


def _undescribed(definition: Definition) -> Iterator[checks.CheckMessage]:
    """What has no JSON Schema runs as any other task, and is not in the document of those that are served."""
    try:
        definition.input_schema()
        definition.output_schema()
    except ConfigurationError as error:
        hint = "It can be submitted and runs, but openapi.json and the page made of it leave it out."
        yield checks.Warning(str(error), hint=hint, id="serverless_tasks.W012")


def _unroutable() -> Iterator[checks.CheckMessage]:
    """A name that no path can hold leaves its task without the typed call that its author expects."""
    from django_integration.web.typed_calls import is_routable

    with suppress(ConfigurationError):  # reported by _definitions
        for task in current_services().registry:
            if task.http and task.params_model is not None and not is_routable(task.name):
                message = f"Task {task.name!r} has no typed endpoint: its name contains invalid characters."
                hint = "Use only letters, digits and . _ ~ - in its name, or set http = False in its class."
                yield checks.Warning(message, hint=hint, id="serverless_tasks.W010")


def _errors[What](number: str, look: Callable[[What], Any], what: What) -> Iterator[checks.CheckMessage]:
    try:
        look(what)
    except ConfigurationError as error:
        yield checks.Error(str(error), id=f"serverless_tasks.{number}")
