"""``POST <name>/run``: a task run in the request, for a push queue or a caller who waits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.core import signing

from django_integration.own_backend import kept, record_of
from django_integration.web.http.responses import HTTPError, record_response
from django_integration.web.http.signed_job import HEADER, read_signed
from serverless_tasks.engine.services import current_services
from serverless_tasks.engine.submit.options import Options
from serverless_tasks.engine.submit.submission import message_for
from serverless_tasks.errors import MessageError, TaskNotFound

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from django_integration.web.auth.caller import Caller
    from serverless_tasks.engine.job.message import Message


def run_here(request: HttpRequest, caller: Caller, task: str, inputs: Any) -> HttpResponse:
    """Run a task and answer with its record.

    A job that a push queue delivers may be retried: 503 asks the queue to deliver it again. Everything that has ended,
    failed jobs among them, is 200, and a second delivery of it runs nothing.

    Args:
        request: the request.
        caller: who asked for it.
        task: the task's name.
        inputs: its inputs, decoded from JSON.

    Raises:
        InvalidInputs: they do not fit.
        PayloadTooLarge: there is no room to keep them.
        Refused: the site's permission classes refuse the job that is delivered; 400, the header is not ours; 503,
            deliver it again.
    """
    services = current_services()
    definition = services.registry.definition(task)
    token = request.headers.get(HEADER)
    if token is None:
        options = Options(owner=caller.owner, uuid=str(uuid4()))
        message = message_for(services, definition.task, definition.accept_json(inputs).sent, options)
        services.store.put_jobs([kept(message)])
    else:
        definition.parse_json(inputs)
        message = replace(_delivered(token, task), inputs=inputs)
        if caller.permit is not None:
            caller.check_may(record_of(message))
    outcome = services.runner.execute(message, retry=token is not None)
    if outcome.give_back is not None:
        again = str(max(1, round(outcome.give_back)))
        refused = f"Job {message.uuid} is {outcome.status}; deliver it again."
        raise HTTPError(503, "NotNow", refused, headers={"Retry-After": again}, extra={"uuid": message.uuid})
    record = services.store.read(message.uuid)
    if record is None:
        raise TaskNotFound(message.uuid)
    return record_response(request, record)


def _delivered(token: str, task: str) -> Message:
    try:
        message = read_signed(token)
    except (signing.BadSignature, MessageError):
        raise HTTPError(400, "InvalidJob", f"The header {HEADER} was not signed by this site.") from None
    if message.task != task:
        raise HTTPError(400, "InvalidJob", f"The header {HEADER} names a job of task {message.task!r}.")
    return message
