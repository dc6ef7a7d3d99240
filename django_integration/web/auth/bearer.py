"""Callers with a token of ours in ``Authorization: Bearer`` (RFC 6750), in place of a login.

A browser adds that header to no request by itself, so that CSRF is no matter here; neither cookies nor the site's
authentication and permission classes are asked. What the header holds else is left to these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django_integration.web.auth.actions import Action
from django_integration.web.http.responses import HTTPError
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import InvalidToken

if TYPE_CHECKING:
    from django.http import HttpRequest

    from serverless_tasks.engine.tokens.token import Token

_NEEDS: Final = {Action.RETRIEVE: "read", Action.CANCEL: "cancel"}


def has_token(request: HttpRequest) -> bool:
    """Return whether a request carries a token of ours, valid or not."""
    return _text(request) is not None


def token_of(request: HttpRequest, action: Action, *, submits: bool = False) -> Token | None:
    """Return the token that a request carries, checked but for the job; None where it carries none of ours.

    Args:
        request: the request.
        action: what is asked for.
        submits: whether the call makes no other job than that of a token that allows to submit.

    Raises:
        HTTPError: 401, it is not valid; 403, it does not allow that.
    """
    text = _text(request)
    if text is None:
        return None
    from serverless_tasks.engine.tokens.token import Token

    services = current_services()
    try:
        token = Token.read(text, services.token_keys, services.clock.now())
    except InvalidToken as error:
        headers = {"WWW-Authenticate": f'Bearer error="invalid_token", error_description="{error}"'}
        raise HTTPError(401, type(error).__name__, str(error), headers=headers) from None
    need = "submit" if submits and action is Action.CREATE else _NEEDS.get(action)
    if need not in token.allow:
        raise refused(f"The token does not allow this; it allows {', '.join(sorted(token.allow))} alone.")
    return token


def refused(message: str) -> HTTPError:
    """Return the answer to a caller whose token does not go so far."""
    headers = {"WWW-Authenticate": 'Bearer error="insufficient_scope"'}
    return HTTPError(403, "InsufficientToken", message, headers=headers)


def _text(request: HttpRequest) -> str | None:
    header = request.META.get("HTTP_AUTHORIZATION")
    if header is None:  # most have none, and a site without tokens does not load what reads them
        return None
    from serverless_tasks.engine.tokens.token import bearer_of

    return bearer_of(header)
