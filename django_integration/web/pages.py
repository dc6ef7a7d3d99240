"""The pages for people: a task's status page, and the description of all tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from django_integration.web.auth.actions import Action
from django_integration.web.auth.caller import csrf_header, identify
from django_integration.web.excerpt import MOST_FAILED, FailedMember, FailedMembers, excerpts, last_messages
from django_integration.web.http.responses import HTTPError, record_json
from django_integration.web.live.job_view import shows_internal_errors
from django_integration.web.live.lookup import find_record
from django_integration.web.namespaces import path_of
from django_integration.web.timeline import drawing_of
from serverless_tasks.client.members import members_page
from serverless_tasks.engine.job.record import FAILED, PENDING, iso
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import TaskNotFound

if TYPE_CHECKING:
    from django.http import HttpRequest

    from django_integration.web.auth.caller import Caller
    from django_integration.web.timeline import Drawing
    from serverless_tasks.engine.job.record import Record


@never_cache
@require_safe
def view(request: HttpRequest, uuid: str) -> HttpResponse:
    """The status page of one task."""
    try:
        caller = identify(request, Action.RETRIEVE)
        found = find_record(caller, uuid)
        failed = _failed_members(caller, found)
        base = request.path.removesuffix(f"{uuid}/view/")
        timeline = _timeline(caller, found, base)
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
        "failed": failed,
        "timeline": timeline,
        "admin_url": _admin_url(request, found.uuid),
        "task_api_base": base,
    }
    return _page(request, "view", shown)


def status_url(request: HttpRequest, record: Record) -> str:
    """Return the path of a job's status page, or "" where whoever asks may not read it, or the site has none."""
    try:
        caller = identify(request, Action.RETRIEVE, limited=False)
        return path_of("view", args=[record.uuid]) if caller.sees(record) else ""
    except (HTTPError, NoReverseMatch):
        return ""


def _admin_url(request: HttpRequest, uuid: str) -> str:
    """Return the path of a job's page in the admin, or "" where whoever asks may not read it."""
    user = getattr(request, "user", None)
    if user is None or not (user.is_active and user.is_staff):
        return ""
    if not any(user.has_perm(f"serverless_tasks.{verb}_job") for verb in ("view", "change")):
        return ""
    try:
        return reverse("admin:serverless_tasks_job_change", args=[uuid])
    except NoReverseMatch:
        return ""


def _timeline(caller: Caller, record: Record, base: str) -> Drawing | None:
    """Return the timeline of a job, as its owner may see it."""
    services = current_services()
    return drawing_of(
        services,
        record,
        services.store.job(record.uuid),
        reveal=shows_internal_errors(),
        page_of=lambda uuid: f"{base}{uuid}/view/",
        sees=caller.sees,
    )


def _failed_members(caller: Caller, group: Record) -> FailedMembers | None:
    """Return the failed members of a group, None of anything else; where none has failed, nothing is read."""
    if group.members is None:
        return None
    if not group.members.failed:
        return FailedMembers((), 0)
    page = members_page(current_services().store, group.uuid, status=FAILED, limit=MOST_FAILED, whole=False)
    shown = [
        FailedMember(index, member.uuid, member.task, (record_json(member)["error"] or {}).get("message", ""))
        for index, member in zip(page.indices, page.records, strict=True)
        if caller.may(member)
    ]
    return FailedMembers(shown, max(0, group.members.failed - len(shown)))


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
    """Return the response to a caller who may not see a page: the site's error page, or the login."""
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
