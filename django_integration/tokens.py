"""Tokens that a view hands to its caller; see ``docs/tokens.md``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.exceptions import PermissionDenied
from django.http import Http404

from django_integration.web.auth.actions import Action
from django_integration.web.auth.caller import identify
from django_integration.web.http.responses import HTTPError
from django_integration.web.live.lookup import find_record
from serverless_tasks.engine.services import current_services
from serverless_tasks.engine.tokens.token import CANCEL, READ, Token, expiry, scope
from serverless_tasks.errors import TaskNotFound

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.http import HttpRequest


def browser_token(
    request: HttpRequest, uuid: str, *, minutes: float = 15, allow: Iterable[str] = (READ,)
) -> str:
    """Return a token for a job that whoever sends this request may see, and that allows no more than they may do.

    A request that carries a token itself gets one that allows as much or less, for no longer.

    Args:
        request: the request.
        uuid: the job; of a group or a chain, the members too, unless Django REST framework's permission classes are
            asked about each job: who makes the token may not be allowed all of them.
        minutes: how long it holds, at most 1,440 (a day).
        allow: what it allows: ``"read"``, ``"cancel"``.

    Raises:
        Http404: there is no such job, or the caller may not see it.
        PermissionDenied: they are not logged in, or may not do what the token is to allow.
        ValueError: the minutes are too many, or ``allow`` names something else.
    """
    services = current_services()
    allowed, expires = scope(allow), expiry(minutes, services.clock.now())
    try:
        caller = identify(request, Action.RETRIEVE, limited=False)
        record = find_record(caller, uuid)
        if CANCEL in allowed:
            find_record(identify(request, Action.CANCEL, limited=False), uuid)
    except (TaskNotFound, HTTPError) as error:
        if isinstance(error, TaskNotFound) or error.status == 404:
            raise Http404(str(error)) from None
        raise PermissionDenied(str(error)) from None
    alone = caller.permit is not None
    if caller.token is not None:
        expires, alone = min(expires, caller.token.expires), caller.token.alone
    token = Token(uuid=record.uuid, allow=allowed, expires=expires, alone=alone)
    return token.signed(services.token_keys)
