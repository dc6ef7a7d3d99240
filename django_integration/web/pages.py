"""The pages for people: a task's status page, and the description of all tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from django_integration.web.auth.actions import Action
from django_integration.web.auth.caller import csrf_header, identify
from django_integration.web.excerpt import excerpts, last_messages
from django_integration.web.http.responses import HTTPError, record_json
from django_integration.web.live.lookup import find
from serverless_tasks.engine.job.record import PENDING, iso
from serverless_tasks.errors import TaskNotFound

if TYPE_CHECKING:
    from django.http import HttpRequest


@never_cache
@require_safe
def view(request: HttpRequest, uuid: str) -> HttpResponse:
    """The status page of one task."""
    try:
        found = find(identify(request, Action.RETRIEVE), uuid)
    except TaskNotFound as error:
        raise Http404(str(error)) from None
    except HTTPError as refused:
        return _refusal(request, refused)
    record, due = record_json(found), iso(found.run_at) if found.status == PENDING else None
    shown = {
        "record": record,
        "due": due,
        "outputs": excerpts(record["outputs"]),
        "messages": last_messages(record["messages"]),
        "task_api_base": request.path.removesuffix(f"{uuid}/view/"),
    }
    return _page(request, "view", shown)


@never_cache
@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """The page of the OpenAPI document."""
    try:
        identify(request, Action.METADATA)
    except HTTPError as refused:
        return _refusal(request, refused)
    base = request.path.removesuffix("docs")
    return _page(request, "docs", {"openapi_url": f"{base}openapi.json", "task_api_base": base})


def _refusal(request: HttpRequest, refused: HTTPError) -> HttpResponse:
    """The answer to those who may not see a page: the site's own pages of errors, or the login."""
    if refused.status == 401:
        return _login(request)
    if refused.status == 403:
        raise PermissionDenied(str(refused))
    if refused.status == 404:
        raise Http404(str(refused))
    return HttpResponse(
        str(refused), status=refused.status, headers=refused.headers, content_type="text/plain; charset=utf-8"
    )


def _login(request: HttpRequest) -> HttpResponse:
    if not apps.is_installed("django.contrib.auth"):
        raise PermissionDenied("This site has no login, and requires one unless DEBUG is on.")
    from django.contrib.auth.views import redirect_to_login

    return redirect_to_login(request.get_full_path())


def _page(request: HttpRequest, name: str, context: dict[str, Any]) -> HttpResponse:
    get_token(request)  # sets the cookie that the page's buttons need
    csrf = {"csrf_cookie_name": settings.CSRF_COOKIE_NAME, "csrf_header_name": csrf_header()}
    return render(request, f"serverless_tasks/{name}.html", context | csrf)
