"""The record by its id, at a function URL with IAM authentication: for scripts and other services."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import LambdaFunctionUrlResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError

from lambda_handlers.bootstrap import initialise
from serverless_tasks.engine.job.job_id import uuid_in
from serverless_tasks.engine.services import current_services

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

app = LambdaFunctionUrlResolver()

# A record says all of itself: the tasks' code is not needed, nor Django, nor secrets.
initialise("store", tasks=False)


@app.get("/<uuid>")
def record(uuid: str) -> Response[str]:
    """The record; 304 when the caller has it already, 404 when nothing is known of it."""
    asked = uuid_in(uuid)
    found = None if asked is None else current_services().store.read(asked)
    if found is None:
        raise NotFoundError(f"No job has the id {uuid}.")
    body = json.dumps(found.to_json(reveal=True), ensure_ascii=False)
    etag = f'"{hashlib.sha256(body.encode()).hexdigest()[:32]}"'
    headers: dict[str, str | list[str]] = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if app.current_event.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(status_code=200, content_type="application/json", body=body, headers=headers)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer a request.

    Args:
        event: a function URL's request, format 2.0.
        context: Lambda's context.
    """
    return app.resolve(event, context)
