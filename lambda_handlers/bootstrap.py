"""Initialisation before a handler's first event: settings, Django where the tasks need it, tasks and clients."""

from __future__ import annotations

import functools
import os

from lambda_handlers.cold_start import started, with_room
from serverless_tasks.engine.services import Services, current_services

# The error of this process's start, where it was left to the first event.
_deferred: list[BaseException] = []


def ready() -> Services:
    """The process's services, with the tasks imported; all of it is made once an execution environment.

    Raises:
        ConfigurationError: a setting is missing or cannot be used, or no task can be imported.
        Exception: whatever Django or the project's settings raise when they are loaded.
    """
    if _deferred:
        raise _deferred[0]
    if os.environ.get("DJANGO_SETTINGS_MODULE"):
        _set_up_django()
    services = current_services()
    len(services.registry)
    return services


@functools.cache
def _set_up_django() -> None:
    import django

    django.setup()


def initialise(*parts: str, defer_errors: bool = False) -> None:
    """Make services during Lambda's INIT, where a cold start is not billed twice; elsewhere they wait for an event.

    Args:
        parts: attributes of `Services` that the handler uses.
        defer_errors: leave an error to `ready`, for a handler that has something to do with its first event all the
            same. Otherwise it fails the start, and Lambda starts anew.
    """
    if not os.environ.get("AWS_LAMBDA_FUNCTION_NAME"):
        return
    try:
        services = with_room(ready)
        for part in parts:
            getattr(services, part)
    except (Exception, SystemExit) as error:  # settings may exit where they are imported
        if not defer_errors:
            raise
        _deferred.append(error)
    finally:
        started()
