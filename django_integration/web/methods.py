"""The methods that a call does not have, answered in JSON as all else, and OPTIONS."""

from __future__ import annotations

import functools
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.http import HttpResponse, HttpResponseNotAllowed

from django_integration.web.http.responses import HTTPError, error_response

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase


def reads_and_others(reads: Callable[..., Any], others: Callable[..., Any]) -> Callable[..., Any]:
    """Return a view that leaves GET and HEAD to one view, and all other methods to another.

    Args:
        reads: a view that is a coroutine function.
        others: one that is not.
    """

    @functools.wraps(reads)
    async def view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method in ("GET", "HEAD"):
            answer: HttpResponseBase = await reads(request, *args, **kwargs)
        else:
            answer = await sync_to_async(others)(request, *args, **kwargs)
        return answer

    return view


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
