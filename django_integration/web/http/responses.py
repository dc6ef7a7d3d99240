"""JSON answers: records, and the one shape in which every error is said."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.utils.cache import patch_vary_headers

from serverless_tasks.errors import (
    AlreadyFinished,
    AlreadyRunning,
    AwsError,
    ConfigurationError,
    IdempotencyConflict,
    InsufficientToken,
    InvalidCursor,
    InvalidInputs,
    PayloadTooLarge,
    ServerlessTasksError,
    SubmitFailed,
    SubmitUncertain,
    TaskNotFound,
    UnknownTask,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.http import HttpRequest

    from serverless_tasks.engine.job.record import Record

logger = logging.getLogger(__name__)
RETRY_AFTER = "5"
_STATUSES: dict[type[ServerlessTasksError], int] = {
    UnknownTask: 400,
    InvalidInputs: 400,
    InvalidCursor: 400,
    InsufficientToken: 403,
    TaskNotFound: 404,
    AlreadyFinished: 409,
    AlreadyRunning: 409,
    IdempotencyConflict: 409,
    PayloadTooLarge: 413,
    SubmitUncertain: 503,
    SubmitFailed: 503,
    AwsError: 503,
    ConfigurationError: 500,
}


class HTTPError(Exception):
    """A request that is answered with an error instead of what it asked for.

    Args:
        status: the HTTP status.
        type: a short name for programs.
        message: a sentence for people: what was wrong, with which value, and what to do.
        headers: further headers of the answer.
        extra: further members of the error.
    """

    def __init__(
        self,
        status: int,
        type: str,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.type = type
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})


def json_response(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """A JSON answer that no cache keeps, unless its headers say otherwise."""
    text = json.dumps(body, separators=(",", ":"))
    response = HttpResponse(text, status=status, content_type="application/json")
    response["Cache-Control"] = "no-store"
    response["X-Content-Type-Options"] = "nosniff"  # an error says again what was sent
    for name, value in (headers or {}).items():
        response[name] = value
    patch_vary_headers(response, ["Cookie", "Authorization"])
    return response


def record_json(record: Record) -> dict[str, Any]:
    """The record as this site's callers may see it."""
    return record.to_json(reveal=settings.DEBUG)


def record_response(request: HttpRequest, record: Record, status: int = 200) -> HttpResponse:
    """A record that was just made or changed."""
    return json_response(record_json(record), status, signals(request))


def signals(request: HttpRequest) -> dict[str, str]:
    """Tells the JavaScript client that this server can stream a task's changes."""
    return {"X-Task-Events": "1"} if isinstance(request, ASGIRequest) else {}


def error_response(error: Exception) -> HttpResponse | None:
    """The answer for an error that a request can run into, or None for one that is a fault of ours."""
    if isinstance(error, HTTPError):
        return _error(error.status, error.type, str(error), error.extra, error.headers)
    if isinstance(error, (BadRequest, MultiPartParserError, SuspiciousOperation)):
        unread = 413 if isinstance(error, RequestDataTooBig) else 400
        return _error(unread, "BadRequest", f"The request cannot be read: {_said(error)}")
    status = next((status for kind, status in _STATUSES.items() if isinstance(error, kind)), None)
    if status is None:
        return None
    if status == 503:
        return _unavailable(error)
    if status == 500:
        return _misconfigured(error)
    return _error(status, type(error).__name__, _said(error), _extra(error))


def _unavailable(error: Exception) -> HttpResponse:
    """Log an AWS error, whose text names queues, tables and accounts, and return a neutral response."""
    logger.error("a task could not be submitted or read: %s", error)
    headers = {"Retry-After": RETRY_AFTER}
    if isinstance(error, SubmitUncertain):
        sentence = f"Job {error.uuid} may or may not have been submitted. Ask for it by its uuid to find out."
        return _error(503, "SubmitUncertain", sentence, {"uuid": error.uuid}, headers)
    if isinstance(error, SubmitFailed):
        return _error(503, "SubmitFailed", "The job was not submitted. Try again later.", headers=headers)
    return _error(503, "Unavailable", "Jobs cannot be read at the moment. Try again later.", headers=headers)


def _misconfigured(error: Exception) -> HttpResponse:
    """Log a configuration error, and return a neutral response."""
    logger.error("no task can be submitted or read as this site is set up: %s", error, exc_info=error)
    sentence = "This site is not configured to run tasks. See its log for details."
    return _error(500, "ConfigurationError", _said(error) if settings.DEBUG else sentence)


def _error(
    status: int,
    type: str,
    message: str,
    extra: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    return json_response({"error": {"type": type, "message": message, **(extra or {})}}, status, headers)


def _said(error: Exception) -> str:
    text = str(error)
    return text if len(text) <= 1_000 else f"{text[:997]}..."


def _extra(error: Exception) -> dict[str, Any]:
    if isinstance(error, InvalidInputs):
        return {
            "fields": [
                {
                    "field": refused.field,
                    "message": refused.message,
                    "loc": list(refused.loc),
                    "type": refused.type,
                }
                for refused in error.fields
            ]
        }
    if isinstance(error, UnknownTask):
        return {
            "fields": [{"field": "task", "message": _said(error), "loc": ["task"], "type": "unknown_task"}]
        }
    if isinstance(error, PayloadTooLarge):
        return {"size": error.size, "limit": error.limit}
    return {}
