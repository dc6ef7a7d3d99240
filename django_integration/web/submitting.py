"""Submitting the job of a request, for who is logged in or has a token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django_integration.web import idempotency
from serverless_tasks.engine.services import current_services
from serverless_tasks.engine.submit.options import Options
from serverless_tasks.engine.submit.submission import submit_json, submit_with_token

if TYPE_CHECKING:
    from django.http import HttpRequest

    from django_integration.web.auth.caller import Caller
    from serverless_tasks.engine.submit.handle import Handle


def submit(request: HttpRequest, caller: Caller, task: str, inputs: Any) -> Handle:
    """Submit a task by its name, or give back the job that the request is a repetition of.

    Of a token the header ``Idempotency-Key`` is not read: it is for one job.

    Raises:
        Refused: the key cannot be used, or the site's permission classes refuse the job that is given back.
        ServerlessTasksError: see `submit_json` and `submit_with_token`.
    """
    services = current_services()
    if caller.token is not None:
        return submit_with_token(services, task, inputs, caller.token)
    key = idempotency.key_of(request, caller)
    options = Options(owner=caller.owner, on_commit=False, idempotency_key=key)
    handle = submit_json(services, task, inputs, options, anonymous=caller.owner is None)
    if handle.repeated:
        caller.check_may(handle.record)
    return handle
