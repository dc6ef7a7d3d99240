"""The record by its id, at a function URL for browsers that carry a token: polls go past Django.

The URL asks for no IAM signature, since browsers have none: the token is all that is looked at, before anything is
read. Lambda itself answers preflights and adds the headers of CORS, by the function URL's settings.
"""

from __future__ import annotations

import hashlib
import json
import logging
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import LambdaFunctionUrlResolver, Response

from lambda_handlers.bootstrap import initialise
from serverless_tasks.engine.job.job_id import uuid_in
from serverless_tasks.engine.services import current_services
from serverless_tasks.engine.tokens.token import READ, Token, bearer_of
from serverless_tasks.errors import AwsError, InvalidToken

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = logging.getLogger(__name__)
app = LambdaFunctionUrlResolver()

# Neither tasks nor Django nor their secrets are needed: a record says all of itself, and a token too.
initialise("store", "token_keys", tasks=False)


@app.get("/<uuid>")
def record(uuid: str) -> Response[str]:
    """The record as Django serves it; 304 when the caller has it already.

    401 without a valid token, 403 for one that does not allow to read, 404 for every job but the token's.
    """
    services = current_services()
    text = bearer_of(app.current_event.headers.get("authorization"))
    if text is None:
        return _refused(401, "NotAuthenticated", "Send a token of the site's tasks in Authorization: Bearer.")
    try:
        token = Token.read(text, services.token_keys, services.clock.now())
        if READ not in token.allow:
            return _refused(403, "InsufficientToken", "The token does not allow to read the job.")
        asked = uuid_in(uuid)
        found = None if asked is None else services.store.read(asked)
    except InvalidToken as error:
        return _refused(401, type(error).__name__, str(error))
    except AwsError as error:
        logger.error("a job, or the key of its token, could not be read: %s", error)  # noqa: TRY400 - AWS's word will do
        sentence = "Jobs cannot be read at the moment. Try again later."
        return _refused(503, "Unavailable", sentence, {"Retry-After": "5"})
    if found is None or not token.covers(found.uuid, found.group):
        return _refused(404, "TaskNotFound", f"No job has the id {asked or uuid}.")
    body = json.dumps(found.to_json(), separators=(",", ":"))
    etag = f'"{hashlib.sha256(body.encode()).hexdigest()[:32]}"'
    headers: dict[str, str | list[str]] = {
        "ETag": etag,
        "Cache-Control": "private, no-cache",
        "X-Content-Type-Options": "nosniff",
    }
    if app.current_event.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(status_code=200, content_type="application/json", body=body, headers=headers)


@app.get("/<uuid>/")
def record_at_djangos_path(uuid: str) -> Response[str]:
    """The same at the path that Django's URLs have, which clients keep."""
    return record(uuid)


def _refused(status: int, type: str, message: str, headers: dict[str, str] | None = None) -> Response[str]:
    body = json.dumps({"error": {"type": type, "message": message}})
    sent: dict[str, str | list[str]] = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Response(
        status_code=status, content_type="application/json", body=body, headers={**sent, **(headers or {})}
    )


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer a request.

    Args:
        event: a function URL's request, format 2.0.
        context: Lambda's context.
    """
    return app.resolve(event, context)
