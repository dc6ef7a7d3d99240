"""The methods that a call does not have, answered in JSON as all else, and OPTIONS."""

from __future__ import annotations

import functools
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from django.http import HttpResponse, HttpResponseNotAllowed

from django_integration.web.http.responses import HTTPError, error_response

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase


def in_json(view: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a view of ninja's so that a wrong method is refused in JSON, where ninja answers plain text."""
    if iscoroutinefunction(view):

        @functools.wraps(view)
        async def awaited(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            return _said(request, await view(request, *args, **kwargs))

        return awaited

    @functools.wraps(view)
    def called(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return _said(request, view(request, *args, **kwargs))

    return called


def _said(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    if not isinstance(response, HttpResponseNotAllowed):
        return response
    allowed = sorted({*response["Allow"].split(", "), "OPTIONS"})
    headers = {"Allow": ", ".join(allowed)}
    if request.method == "OPTIONS":
        return HttpResponse(status=204, headers=headers)
    message = f"{(request.method or '')[:20]} is not allowed here; use {' or '.join(allowed)}."
    refused = error_response(HTTPError(405, "MethodNotAllowed", message, headers=headers))
    assert refused is not None
    return refused
