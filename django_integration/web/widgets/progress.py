"""A job's progress as a piece of a page, and the view that answers this piece alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from django.http import Http404, HttpResponse, HttpResponseNotModified
from django.template.loader import render_to_string
from django.utils.cache import patch_vary_headers
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from django_integration.web.auth.actions import Action
from django_integration.web.auth.caller import identify
from django_integration.web.http.responses import HTTPError, error_response, record_json
from django_integration.web.live.job_view import JobView
from django_integration.web.live.lookup import find_record, find_shared
from django_integration.web.live.polling import seen_by
from django_integration.web.live.shared_reads import shared_reads
from django_integration.web.namespaces import path_of
from serverless_tasks.engine.job.job_id import uuid_in
from serverless_tasks.engine.job.record import ENDED, Record
from serverless_tasks.errors import ServerlessTasksError, TaskNotFound

if TYPE_CHECKING:
    from django.http import HttpRequest

TEMPLATE: Final = "serverless_tasks/widgets/task_progress.html"
# On this status htmx puts the answer into the page and polls no more: https://htmx.org/docs/#polling
STOP_POLLING: Final = 286
_VARY: Final = ("Cookie", "Authorization", "Accept-Language", "HX-Request")


def by_htmx(request: HttpRequest) -> bool:
    """Return whether htmx asks."""
    return request.headers.get("HX-Request") == "true"


def namespaces_of(request: HttpRequest) -> list[str]:
    """Return the namespaces of a request's URL, outermost first."""
    return [] if request.resolver_match is None else request.resolver_match.namespaces


def context_of(
    request: HttpRequest, record: dict[str, Any] | None, *, htmx: bool, static: bool = False
) -> dict[str, Any]:
    """Return the context of the piece.

    Args:
        request: the request; of several places with our URLs, the nearest is linked to.
        record: the record, as the JSON interface serves it; None of a job that cannot be read here.
        htmx: whether htmx follows the job, in place of our script.
        static: whether the piece stands in a whole page, which can be loaded again.
    """
    if record is None:
        return {"record": None, "ended": True, "static": static}
    uuid, near = record["uuid"], namespaces_of(request)
    return {
        "record": record,
        "message": record["messages"][-1] if record["messages"] else "",
        "ended": record["status"] in ENDED,
        "htmx": htmx,
        "static": static,
        "fragment_url": path_of("progress", near=near, args=[uuid]),
        "view_url": path_of("view", near=near, args=[uuid]),
    }


def shown_to(request: HttpRequest, job: Any) -> dict[str, Any] | None:
    """Return a job's record as whoever asks may see it, or None where they may not, or there is none.

    Args:
        request: the request of the page.
        job: a handle or a record, which is not read again; or a job's id, or what has one.

    Raises:
        TypeError: it is none of these.
    """
    record = job if isinstance(job, Record) else getattr(job, "record", None)
    uuid = None if isinstance(record, Record) else uuid_in(str(getattr(job, "id", job)))
    if uuid is None and not isinstance(record, Record):
        raise TypeError(
            f"{{% task_progress %}} takes a handle, a record or a job's id; it was given {job!r}."
        )
    try:
        caller = identify(request, Action.RETRIEVE, limited=False)
        if uuid is not None:
            return record_json(find_record(caller, uuid))
        return record_json(record) if caller.sees(record) else None  # type: ignore[arg-type]
    except (HTTPError, TaskNotFound):
        return None


@require_safe
def fragment(request: HttpRequest, uuid: str) -> HttpResponse:
    """Answer the piece of one job alone: for htmx, for the script of the pieces, or for a page's own."""
    htmx = by_htmx(request)
    try:
        view = _view_of(request, uuid)
    except (HTTPError, TaskNotFound) as error:
        return _refusal(request, error)
    except ServerlessTasksError as error:
        return _unavailable(error)
    etag = f'"{view.id}-{get_language()}-{htmx:d}"'
    if not view.last and request.headers.get("If-None-Match") == etag:
        response: HttpResponse = HttpResponseNotModified()
    else:
        response = _piece(context_of(request, json.loads(view.data), htmx=htmx))
        if view.last and htmx:
            response.status_code = STOP_POLLING
    if not view.last:
        response["ETag"] = etag
    return _headed(response, "private, no-store" if view.last else "private, no-cache")


def _view_of(request: HttpRequest, uuid: str) -> JobView:
    """Return the view of a job that whoever asks may see; see `poll`."""
    caller, reads = identify(request, Action.RETRIEVE), shared_reads()
    if reads is None or caller.permit is not None:
        return JobView.of(find_record(caller, uuid))
    return find_shared(caller, uuid, reads, seen_by(request))


def _refusal(request: HttpRequest, error: Exception) -> HttpResponse:
    """Return the answer to one who may not see a job: htmx would go on polling after any error."""
    answer = error_response(error)
    status = 404 if answer is None else answer.status_code
    if by_htmx(request) and status in (401, 403, 404):
        return _headed(_piece(context_of(request, None, htmx=True), STOP_POLLING), "private, no-store")
    if status == 404:
        raise Http404(str(error))
    response = HttpResponse(str(error), status=status, content_type="text/plain; charset=utf-8")
    for name, value in getattr(error, "headers", {}).items():
        response[name] = value
    return _headed(response, "private, no-store")


def _unavailable(error: ServerlessTasksError) -> HttpResponse:
    answer = error_response(error)
    if answer is None:
        raise error
    message = json.loads(answer.content)["error"]["message"]
    response = HttpResponse(message, status=answer.status_code, content_type="text/plain; charset=utf-8")
    if "Retry-After" in answer:
        response["Retry-After"] = answer["Retry-After"]
    return _headed(response, "private, no-store")


def _piece(context: dict[str, Any], status: int = 200) -> HttpResponse:
    return HttpResponse(render_to_string(TEMPLATE, context), status=status)


def _headed(response: HttpResponse, caching: str) -> HttpResponse:
    response["Cache-Control"] = caching
    response["X-Content-Type-Options"] = "nosniff"
    patch_vary_headers(response, _VARY)
    return response
