"""Django REST framework's authentication, permission and throttle classes; imported only where they are configured."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import Http404

from django_integration import conf
from django_integration.web.http.responses import HTTPError
from serverless_tasks.errors import ConfigurationError, TaskNotFound

try:
    from rest_framework.authentication import BaseAuthentication
    from rest_framework.exceptions import APIException
    from rest_framework.settings import api_settings
except ImportError as error:
    raise ConfigurationError(
        "TASK_API_AUTHENTICATION_CLASSES, TASK_API_PERMISSIONS_CLASSES and TASK_API_THROTTLE_CLASSES need Django REST"
        " framework; install serverless-tasks[drf]."
    ) from error
from django_integration.web.auth.drf_permissions import check_can_be_had, is_composed, looks_at_jobs
from django_integration.web.auth.drf_view import RequestView

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest

    from django_integration.web.auth.actions import Action
    from serverless_tasks.engine.job.record import Record

# Each, and the attribute of `TaskSettings` that holds it.
SETTINGS = {
    "TASK_API_AUTHENTICATION_CLASSES": "authentication_classes",
    "TASK_API_PERMISSIONS_CLASSES": "permission_classes",
    "TASK_API_THROTTLE_CLASSES": "throttle_classes",
}
_KINDS = {401: "NotAuthenticated", 403: "PermissionDenied", 404: "NotFound", 429: "Throttled"}


def classes(setting: str) -> list[Any] | None:
    """The classes of a setting, or None when it is not set.

    Raises:
        ConfigurationError: naming an entry that cannot be imported, is no class, or lets nobody submit.
    """
    entries = getattr(conf.current(), SETTINGS[setting])
    if entries is None:
        return None
    imported = [conf.imported(setting, entry) for entry in entries]
    for entry in imported:
        if not isinstance(entry, type) and not is_composed(entry):
            raise ConfigurationError(f"{setting} names {entry!r}, which is not a class.")
        check_can_be_had(setting, entry)
    return imported


def check_throttles() -> None:
    """Make each throttle class once.

    Raises:
        ConfigurationError: naming one that cannot be imported or made: it has no rate, as a rule.
    """
    try:
        kinds = _throttles()
    except ImportError as error:
        raise ConfigurationError(f"REST_FRAMEWORK['DEFAULT_THROTTLE_CLASSES']: {error}") from error
    for kind in kinds:
        try:
            kind()
        except ImproperlyConfigured as error:
            raise ConfigurationError(
                f"The throttle class {kind.__qualname__} cannot be used: {error}. Set its rate in"
                " REST_FRAMEWORK['DEFAULT_THROTTLE_RATES'], or in the class."
            ) from error


def enter(
    request: HttpRequest, action: Action, *, limited: bool
) -> tuple[Any, Callable[[Record], None] | None]:
    """Ask the classes about a request.

    Without permission classes, callers who are not logged in are refused unless the site opens itself to them.

    Returns:
        The user that the authentication classes find, and what asks the permission classes about one job; None where
        none of them looks at jobs.

    Raises:
        Refused: as Django REST framework answers: 401, 403, 429, or what a class says.
    """
    authentication = classes("TASK_API_AUTHENTICATION_CLASSES")
    permissions = classes("TASK_API_PERMISSIONS_CLASSES")
    view = RequestView(
        request,
        action,
        authentication=api_settings.DEFAULT_AUTHENTICATION_CLASSES
        if authentication is None
        else authentication,
        permissions=permissions or [],
        throttles=_throttles() if limited and action.is_limited else [],
        needs_login=permissions is None and not conf.current().serves_anonymous,
    )
    _begin(view)
    looks = any(looks_at_jobs(kind) for kind in permissions or [])
    return view.request.user, partial(_permit, view) if looks else None


def limit(request: HttpRequest, action: Action, user: Any) -> None:
    """Ask the throttle classes alone, about a caller whom something else has found out.

    Raises:
        Refused: 429.
    """
    known = [partial(_Known, user)] if hasattr(user, "is_authenticated") else []
    _begin(RequestView(request, action, authentication=known, permissions=[], throttles=_throttles()))


class _Known(BaseAuthentication):  # type: ignore[misc]
    """The user who is known already."""

    def __init__(self, user: Any) -> None:
        self._user = user

    def authenticate(self, request: Any) -> tuple[Any, None]:
        return self._user, None


def _throttles() -> list[Any]:
    given = classes("TASK_API_THROTTLE_CLASSES")
    return list(api_settings.DEFAULT_THROTTLE_CLASSES) if given is None else given


def _begin(view: RequestView) -> None:
    try:
        view.initial(view.request, *view.args, **view.kwargs)
    except (APIException, Http404, PermissionDenied) as error:
        raise _refused(view, error) from None


def _permit(view: RequestView, record: Record) -> None:
    """Ask the permission classes about one job.

    Raises:
        Refused: as Django REST framework answers.
        TaskNotFound: they say that there is none.
    """
    try:
        view.check_object_permissions(view.request, record)
    except (APIException, Http404, PermissionDenied) as error:
        refused = _refused(view, error)
        if refused.status == 404:
            raise TaskNotFound(record.uuid) from None
        raise refused from None


def _refused(view: RequestView, error: Exception) -> HTTPError:
    response = view.handle_exception(error)
    headers = {name: value for name, value in response.items() if name in ("WWW-Authenticate", "Retry-After")}
    kind = _KINDS.get(response.status_code, type(error).__name__)
    return HTTPError(
        response.status_code, kind, _said(getattr(response, "data", None), kind), headers=headers
    )


def _said(data: Any, kind: str) -> str:
    """A site's own exceptions, and its own handler of them, may answer with anything."""
    said = data.get("detail", data) if isinstance(data, dict) else data
    if said is None or isinstance(said, str):
        return str(said or kind)
    return json.dumps(said, default=str)
