"""Authentication of typed calls: ``TASKS_API_AUTHENTICATION``, for all tasks or in a task's class."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final

from asgiref.sync import async_to_sync
from django.conf import settings
from ninja.errors import AuthenticationError, HttpError
from ninja.security import APIKeyHeader, APIKeyQuery
from ninja.security.http import HttpAuthBase

from django_integration import conf
from django_integration.web.auth.actions import Action
from django_integration.web.auth.bearer import has_token, refused
from django_integration.web.auth.caller import Caller, accept_csrf_headers, check_csrf, identify, limit
from django_integration.web.http.responses import HTTPError
from django_integration.web.http.signed_job import HEADER
from serverless_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from django.http import HttpRequest

    from serverless_tasks.engine.definition.base import BaseTask

NAME: Final = "TASKS_API_AUTHENTICATION"
UNSET: Final = object()
# What these read, a browser does not add by itself to a request of another site.
_SENT_ON_PURPOSE = (HttpAuthBase, APIKeyHeader, APIKeyQuery)


def authentication_of(task: type[BaseTask]) -> Any:
    """Return the class's setting, else the site's; `UNSET` when neither is set."""
    return getattr(task, NAME, getattr(settings, NAME, UNSET))


def caller_of(request: HttpRequest, task: type[BaseTask], action: Action = Action.CREATE) -> Caller:
    """Find out who calls, and refuse those who may not.

    Unset, the site's callers are asked as by all other calls: a login, or Django REST framework's classes; anonymous
    ones are served under ``DEBUG`` or where the site has opened itself. None opens the call to everybody.

    Raises:
        Refused: 401, 403, 429, or 503 when it cannot be found out.
    """
    authentication = authentication_of(task)
    if authentication is UNSET or has_token(request):
        return identify(request, action, submits=action is Action.CREATE)
    found = None if authentication is None else _authenticated(request, authenticator(authentication))
    if conf.current().throttle_classes:
        limit(request, action, found)
    return _owner(found)


def allows_run_in_request(task: type[BaseTask]) -> bool:
    """Return whether anything authorises callers who have this task run in a request."""
    return authentication_of(task) is not UNSET or conf.current().uses_drf


def sent_on_purpose(ask: Any) -> bool:
    """Return whether an authenticator reads only what a browser does not add by itself."""
    return isinstance(ask, _SENT_ON_PURPOSE)


def runner_of(request: HttpRequest, task: type[BaseTask]) -> Caller:
    """As `caller_of`, for a task that is run in the request: off where nothing says who may ask for that.

    Raises:
        Refused: 401, 403, 429, or 503 when it cannot be found out.
    """
    if not allows_run_in_request(task):
        message = f"Running tasks within the request requires {NAME} to be set."
        raise HTTPError(403, "RunDisabled", message)
    if has_token(request):
        raise refused("No token allows to run a task within the request; submit it.")
    action = Action.DELIVER if HEADER in request.headers else Action.CREATE
    if authentication_of(task) is not UNSET:
        return caller_of(request, task, action)
    caller = identify(request, action)
    if caller.owner is None:
        raise _not_authenticated(None)
    return caller


def authenticator(given: Any) -> Any:
    """Return the authenticator: "oidc", or a ninja auth class as a dotted path, a class or an instance.

    Raises:
        ConfigurationError: it cannot be imported, made, or called.
    """
    if given == "oidc":
        try:
            from django_integration.web.auth.oidc import OIDCAuth, trust
        except ImportError as error:
            raise ConfigurationError(
                f"{NAME} is 'oidc', which needs PyJWT and cryptography; install serverless-tasks[oidc]."
            ) from error
        trust()
        return OIDCAuth()
    found = conf.imported(NAME, given)
    if isinstance(found, type):
        try:
            found = found()
        except TypeError as error:
            raise ConfigurationError(
                f"{NAME} is {given!r}, which cannot be instantiated without arguments: {error}."
            ) from error
    if not callable(found):
        raise ConfigurationError(
            f"{NAME} is {given!r}; expected 'oidc', None, or a dotted path to a ninja auth class."
        )
    return found


def _authenticated(request: HttpRequest, ask: Any) -> Any:
    accept_csrf_headers(request)
    try:
        found = ask(request)
        if inspect.isawaitable(found):  # it would pass for an answer
            found = async_to_sync(_awaited)(found)
    except AuthenticationError as error:
        raise _not_authenticated(ask) from error
    except HttpError as error:
        kind = "NotAuthenticated" if error.status_code == 401 else "PermissionDenied"
        raise HTTPError(error.status_code, kind, str(error)) from error
    if not found:
        raise _not_authenticated(ask)
    if request.COOKIES and not sent_on_purpose(ask):
        check_csrf(request)
    return found


async def _awaited(answer: Awaitable[Any]) -> Any:
    return await answer


def _not_authenticated(ask: Any) -> HTTPError:
    scheme = getattr(ask, "openapi_scheme", None)
    headers = {"WWW-Authenticate": str(scheme).title()} if scheme else {}
    return HTTPError(401, "NotAuthenticated", "The request has no valid credentials.", headers=headers)


def _owner(found: Any) -> Caller:
    """A user of this site owns what they submit; a token's bearer, who has no login here, does not."""
    key = getattr(found, "pk", None)
    return Caller(None if key is None else str(key))
