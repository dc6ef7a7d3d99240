"""Authentication and authorisation of callers: Django's login, or Django REST framework's classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpResponseForbidden
from django.middleware.csrf import CsrfViewMiddleware

from django_integration import conf
from django_integration.web.auth import bearer
from django_integration.web.http.responses import HTTPError
from serverless_tasks.errors import TaskNotFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from django_integration.web.auth.actions import Action
    from serverless_tasks.engine.job.record import Record
    from serverless_tasks.engine.tokens.token import Token

SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")
# Django's own header, and what the client of Django Task API sends; they serve where the site names another as well.
CSRF_HEADERS = ("HTTP_X_CSRFTOKEN", "HTTP_X_CSRF_TOKEN")


class Owned(Protocol):
    """An owned thing: a job's record, or a view of it."""

    @property
    def uuid(self) -> str:
        """The job's id."""

    @property
    def owner(self) -> str | None:
        """Whose it is, or None."""

    @property
    def group(self) -> str | None:
        """The id of the group or the chain that it is a member of, or None."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of a request.

    Attributes:
        owner: the owner of what they submit, or None for callers who are not logged in.
        permit: asks Django REST framework's permission classes about one job, where some of them look at jobs.
        token: the token that they carry in place of a login.
    """

    owner: str | None = None
    permit: Callable[[Record], None] | None = None
    token: Token | None = None

    def check_sees(self, job: Owned) -> None:
        """Refuse another owner's job exactly as if it did not exist, and of a token's bearer every other job.

        Raises:
            TaskNotFound: it is not theirs.
        """
        if self.token is not None:
            if not self.token.covers(job.uuid, job.group):
                raise TaskNotFound(job.uuid)
            return
        if job.owner is not None and job.owner != self.owner:
            raise TaskNotFound(job.uuid)

    def check_may(self, record: Record) -> None:
        """Refuse a job that the site's permission classes, or the limits of a token, keep from the caller.

        Raises:
            Refused: as the classes have it.
            TaskNotFound: they say that there is none, or the token is not for it.
        """
        if self.token is not None and not self.token.covers(record.uuid, record.group):
            raise TaskNotFound(record.uuid)
        if self.permit is not None:
            self.permit(record)

    def may(self, record: Record) -> bool:
        """Return whether `check_may` lets a job pass."""
        try:
            self.check_may(record)
        except (HTTPError, TaskNotFound):
            return False
        return True

    def sees(self, record: Record) -> bool:
        """Return whether `check_sees` and `check_may` let a job pass."""
        try:
            self.check_sees(record)
        except TaskNotFound:
            return False
        return self.may(record)


def identify(request: HttpRequest, action: Action, *, limited: bool = True, submits: bool = False) -> Caller:
    """Find out who calls, and refuse those who may not, or who call too often.

    Args:
        request: the request.
        action: what they ask for.
        limited: whether it is a call, which throttles count; False to ask whether one would be let in.
        submits: whether the call makes no other job than that of a token that allows to submit.

    Raises:
        Refused: 401, 403 or 429; what a class of the site's own says.
    """
    if (token := bearer.token_of(request, action, submits=submits)) is not None:
        if limited and conf.current().is_throttled:
            limit(request, action, None)
        return Caller(token=token)
    accept_csrf_headers(request)
    permit = None
    if conf.current().uses_drf:
        from django_integration.web.auth import drf

        user, permit = drf.enter(request, action, limited=limited)
    else:
        user = _session_user(request)
        if limited and conf.current().is_throttled:
            limit(request, action, user)
    key = getattr(user, "pk", None) if getattr(user, "is_authenticated", False) else None
    return Caller(None if key is None else str(key), permit)


def limit(request: HttpRequest, action: Action, user: Any) -> None:
    """Refuse a caller who calls more often than the throttle classes allow.

    Raises:
        Refused: 429.
    """
    if action.is_limited:
        from django_integration.web.auth import drf

        drf.limit(request, action, user)


def accept_csrf_headers(request: HttpRequest) -> None:
    """Let each of `CSRF_HEADERS` stand for the header of ``CSRF_HEADER_NAME`` when that is absent."""
    for name in CSRF_HEADERS:
        if (token := request.META.get(name)) is not None:
            request.META.setdefault(settings.CSRF_HEADER_NAME, token)


def csrf_header() -> str:
    """Return the request header that carries the CSRF token, by ``CSRF_HEADER_NAME``."""
    name = settings.CSRF_HEADER_NAME.removeprefix("HTTP_").replace("_", "-")
    return "X-CSRFToken" if name == "X-CSRFTOKEN" else name.title()


def _session_user(request: HttpRequest) -> Any:
    user = getattr(request, "user", None)
    if user is not None and user.is_authenticated:
        check_csrf(request)
        return user
    if not conf.current().serves_anonymous:
        raise HTTPError(401, "NotAuthenticated", "Log in first.", headers={"WWW-Authenticate": "Session"})
    return user


def check_csrf(request: HttpRequest) -> None:
    """Refuse a request without the CSRF token, unless it only reads.

    The views are exempt from Django's check, so that callers with a token need no cookie; a session needs it.

    Raises:
        Refused: 403.
    """
    if request.method in SAFE:
        return
    check = _CsrfCheck(_no_answer)
    check.process_request(request)
    if (refusal := check.process_view(request, _no_answer, (), {})) is not None:
        reason = refusal.content.decode()
        token = f"Send the token of the cookie {settings.CSRF_COOKIE_NAME} in the {csrf_header()} header."
        advice = _origin_advice(request, reason) or token
        raise HTTPError(403, "CSRFFailed", f"CSRF check failed: {reason} {advice}")


def _origin_advice(request: HttpRequest, reason: str) -> str:
    """Return what to do about a refused origin; ``""`` where the token was refused."""
    if not reason.startswith(("Origin checking failed", "Referer checking failed")):
        return ""
    if "does not match" not in reason:
        return "The browser has to send one of the headers Origin and Referer, of a page that is served by HTTPS."
    page = urlsplit(request.META.get("HTTP_ORIGIN") or request.META.get("HTTP_REFERER", ""))
    return (
        f"If its pages may submit tasks, add '{page.scheme}://{page.netloc}' to CSRF_TRUSTED_ORIGINS; if it is this"
        " site, behind a proxy, see to the Host header and SECURE_PROXY_SSL_HEADER."
    )


class _CsrfCheck(CsrfViewMiddleware):
    """Django's check, with the reason as its answer."""

    def _reject(self, request: HttpRequest, reason: str) -> HttpResponseForbidden:
        return HttpResponseForbidden(reason)


def _no_answer(request: HttpRequest) -> HttpResponseBase:
    return HttpResponseForbidden()
