"""Initialisation before a handler's first event: settings, Django where the tasks need it, tasks and clients."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING

from lambda_handlers.cold_start import started, with_room
from serverless_tasks.engine.config import OF_A_STACK
from serverless_tasks.engine.services import Services, current_services

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.utilities.typing import LambdaContext

# What refers to secrets begins so, and so does their age; see `serverless_tasks.engine.aws.secrets`.
_SECRETS, _MAX_AGE = "SERVERLESS_TASKS_SECRET", "SERVERLESS_TASKS_SECRETS_MAX_AGE"
# The error of this process's start, where it was left to the first event.
_deferred: list[BaseException] = []


def ready() -> Services:
    """The process's services, with the tasks imported; all of it is made once an execution environment.

    Raises:
        ConfigurationError: a setting is missing or cannot be used, a secret cannot be read, or no task can be
            imported.
        Exception: whatever Django or the project's settings raise when they are loaded.
    """
    if _deferred:
        raise _deferred[0]
    if has_secrets():
        from serverless_tasks.engine.aws.secrets import put_secrets

        put_secrets()
    if os.environ.get("DJANGO_SETTINGS_MODULE"):
        _set_up_django()
    services = current_services()
    len(services.registry)
    return services


@functools.cache
def has_secrets() -> bool:
    """Return whether the environment refers to secrets: else what reads them is not even imported."""
    return any(name.startswith(_SECRETS) and name != _MAX_AGE for name in os.environ)


def renewed[E, R](handler: Callable[[E, LambdaContext], R]) -> Callable[[E, LambdaContext], R]:
    """Let a process whose secrets are too old start anew after an invocation; see `lambda_handlers.renewal`."""

    @functools.wraps(handler)
    def renewing(event: E, context: LambdaContext) -> R:
        response = handler(event, context)
        if has_secrets():
            from lambda_handlers.renewal import renew

            renew(response, context)
        return response

    return renewing


@functools.cache
def _set_up_django() -> None:
    import django

    # The settings are the site's, and may name the stack of another environment.
    os.environ[OF_A_STACK] = "true"
    django.setup()


def initialise(*parts: str, defer_errors: bool = False, tasks: bool = True) -> None:
    """Make services during Lambda's INIT, where a cold start is not billed twice; elsewhere they wait for an event.

    Args:
        parts: attributes of `Services` that the handler uses.
        defer_errors: leave an error to `ready`, for a handler that has something to do with its first event all the
            same. Otherwise it fails the start, and Lambda starts anew.
        tasks: whether the handler needs the tasks, and with them Django and secrets.
    """
    if not os.environ.get("AWS_LAMBDA_FUNCTION_NAME"):
        return
    try:
        services = with_room(ready if tasks else current_services)
        for part in parts:
            getattr(services, part)
    except (Exception, SystemExit) as error:  # settings may exit where they are imported
        if not defer_errors:
            raise
        _deferred.append(error)
    finally:
        started()
