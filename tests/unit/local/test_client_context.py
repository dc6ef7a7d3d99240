"""What a direct invoke says beside its event reaches the handler, as in Lambda."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import pytest

from serverless_tasks.local.aws.functions import ForwardApp, Function, InvokeApp
from serverless_tasks.local.server import LocalServer

FUNCTION = Function("Invoke", "invoke", "handler", 3, 128)
GIVEN = base64.b64encode(json.dumps({"custom": {"traceparent": "x"}}).encode()).decode()


@pytest.fixture
def seen() -> list[Any]:
    return []


@pytest.fixture
def app(seen: list[Any]) -> InvokeApp:
    def handler(event: Any, context: Any) -> Any:
        seen.append(context.client_context)
        return event

    return InvokeApp([FUNCTION], region="us-east-1", handler=lambda name: handler)


def call(app: Any, **environ: str) -> Any:
    """Invoke the function; returns its answer."""
    request = {
        "PATH_INFO": "/2015-03-31/functions/invoke/invocations",
        "REQUEST_METHOD": "POST",
        "CONTENT_LENGTH": "2",
        "wsgi.input": io.BytesIO(b"{}"),
        **environ,
    }
    (body,) = app(request, lambda status, headers: None)
    return json.loads(body)


def test_it_is_in_the_context(app: InvokeApp, seen: list[Any]) -> None:
    assert call(app, HTTP_X_AMZ_CLIENT_CONTEXT=GIVEN) == {}
    assert [context.custom for context in seen] == [{"traceparent": "x"}]


@pytest.mark.parametrize(
    "given", ["", "?", base64.b64encode(b"[]").decode(), base64.b64encode(b"{").decode()]
)
def test_what_cannot_be_read_is_left_out(app: InvokeApp, seen: list[Any], given: str) -> None:
    assert call(app, HTTP_X_AMZ_CLIENT_CONTEXT=given) == {}
    assert seen == [None]


def test_it_is_sent_on_to_the_process_with_the_code(app: InvokeApp, seen: list[Any]) -> None:
    with LocalServer(app) as server:
        forward = ForwardApp(server.port, app)
        assert call(forward, HTTP_X_AMZ_CLIENT_CONTEXT=GIVEN) == {}
    assert [context.custom for context in seen] == [{"traceparent": "x"}]
