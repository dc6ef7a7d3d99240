"""Answering those who ask for a task again and again: 304 while nothing has changed, without its JSON."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Final

from django.http import HttpResponse, HttpResponseNotModified
from django.utils.cache import get_conditional_response

from django_integration.web.http.responses import signals
from django_integration.web.live.job_view import etag_of, to_json
from django_integration.web.live.lookup import find_record, find_shared
from django_integration.web.live.shared_reads import ANY, shared_reads

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from django_integration.web.auth.caller import Caller
    from django_integration.web.live.job_view import Version

_SEEN: Final = re.compile(r'"([01])\.(\d{1,9})\.(\d{1,9})-')
_HEADERS: Final = {
    "Cache-Control": "private, no-cache",
    "Vary": "Cookie, Authorization",
    "X-Content-Type-Options": "nosniff",
}


def poll(request: HttpRequest, caller: Caller, uuid: str) -> HttpResponseBase:
    """Answer one who asks how far a job is.

    Raises:
        TaskNotFound: nothing is known of it, or the caller may not see it.
        Refused: the site's permission classes refuse this job.
    """
    reads = shared_reads()
    if reads is None or caller.permit is not None:  # the classes are asked about the job as it is now
        record = find_record(caller, uuid)
        return _answer(request, etag_of(record), partial(to_json, record))
    view = find_shared(caller, uuid, reads, seen_by(request))
    return _answer(request, view.id, lambda: view.data)


def _answer(request: HttpRequest, state: str, data: Callable[[], str]) -> HttpResponseBase:
    """The answer to one who may have it already.

    Args:
        request: what is asked.
        state: the name of the task's state, which is the ETag; see `django_integration.web.live.job_view.state_id`.
        data: makes the record's JSON, where it is wanted.
    """
    etag = f'"{state}"'
    headers = {"ETag": etag, **_HEADERS}
    asked = request.META
    if asked.get("HTTP_IF_NONE_MATCH") == etag and "HTTP_IF_MATCH" not in asked:
        # What Django finds too, but only once it has taken lists and weak ETags apart.
        return HttpResponseNotModified(headers=headers)
    refused = get_conditional_response(request, etag=etag)
    if refused is not None:
        for name, value in headers.items():
            refused[name] = value
        return refused
    return HttpResponse(data(), content_type="application/json", headers=headers | signals(request))


def seen_by(request: HttpRequest) -> Version:
    """Return the version that the caller has seen, from the ETag that browsers send by themselves."""
    found = _SEEN.search(request.META.get("HTTP_IF_NONE_MATCH", ""))
    if found is None:
        return ANY
    ended, attempt, seq = found.groups()
    return ended == "1", int(attempt), int(seq)
