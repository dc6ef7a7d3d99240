"""Django REST framework's authentication and permission classes; imported only where they are configured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.http import Http404

from django_integration import conf
from django_integration.answers import Refused
from serverless_tasks.errors import ConfigurationError

try:
    from rest_framework.exceptions import APIException
    from rest_framework.views import APIView
except ImportError as error:
    raise ConfigurationError(
        "TASK_API_AUTHENTICATION_CLASSES and TASK_API_PERMISSIONS_CLASSES need Django REST framework; install"
        " serverless-tasks[drf]."
    ) from error

if TYPE_CHECKING:
    from django.http import HttpRequest


def classes(setting: str) -> list[type] | None:
    """The classes of a setting, or None when it is not set.

    Raises:
        ConfigurationError: naming an entry that cannot be imported or is no class.
    """
    given = conf.current()
    fields = {
        "TASK_API_AUTHENTICATION_CLASSES": given.authentication_classes,
        "TASK_API_PERMISSIONS_CLASSES": given.permission_classes,
    }
    entries = fields[setting]
    if entries is None:
        return None
    found = [conf.imported(setting, entry) for entry in entries]
    for entry in found:
        if not isinstance(entry, type):
            raise ConfigurationError(f"{setting} names {entry!r}, which is not a class.")
    return found


def user_of(request: HttpRequest) -> Any:
    """The user that the authentication classes find, once the permission classes agree.

    Without permission classes, callers who are not logged in are refused unless the site opens itself to them.

    Raises:
        Refused: 401 or 403, as Django REST framework answers.
    """
    view = _view(request)
    try:
        view.perform_authentication(view.request)
        view.check_permissions(view.request)
        user = view.request.user
        may_be_anonymous = conf.current().permission_classes is not None or conf.current().serves_anonymous
        if not may_be_anonymous and not getattr(user, "is_authenticated", False):
            view.permission_denied(view.request)
    except (APIException, Http404, PermissionDenied) as error:
        raise _refused(view.handle_exception(error)) from None
    return user


def _refused(answer: Any) -> Refused:
    headers = {name: value for name, value in answer.items() if name in ("WWW-Authenticate", "Retry-After")}
    kind = "NotAuthenticated" if answer.status_code == 401 else "PermissionDenied"
    return Refused(answer.status_code, kind, str(answer.data.get("detail", kind)), headers=headers)


def _view(request: HttpRequest) -> Any:
    """A view for the classes to look at: they expect one, and it knows how to answer for them."""
    view = APIView()
    authentication = classes("TASK_API_AUTHENTICATION_CLASSES")
    if authentication is not None:
        view.authentication_classes = authentication
    view.permission_classes = classes("TASK_API_PERMISSIONS_CLASSES") or []
    view.args, view.kwargs, view.headers = (), {}, {}
    view.request = view.initialize_request(request)
    return view
