"""Direct invoke on a laptop: Lambda's Invoke call, answered by the template's handlers in process."""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from base64 import b64decode
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from serverless_tasks.engine.job.clock import Clock
from serverless_tasks.poller.invocation import ClientContext, Context
from serverless_tasks.poller.mapping import load_handler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from serverless_tasks.local.server import WsgiApp
    from serverless_tasks.poller.mapping import Handler

log = logging.getLogger(__name__)

_CLIENT_CONTEXT = "HTTP_X_AMZ_CLIENT_CONTEXT"
_PATH = re.compile(r"/2015-03-31/functions/(?P<name>[^/]+)/invocations/?")


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the template.

    Args:
        logical_id: its name in the template.
        name: its name in the stack.
        handler: the dotted name of its handler.
        timeout: seconds that one call may take.
        memory: MB, for the context.
    """

    logical_id: str
    name: str
    handler: str
    timeout: float
    memory: int


@dataclass(frozen=True, slots=True)
class InvocationResult:
    """The result of an invocation: the payload, and whether it is an error of the function."""

    payload: bytes
    failed: bool = False


def invoke(
    function: Function,
    payload: bytes,
    *,
    region: str,
    handler: Handler,
    clock: Clock,
    beside: ClientContext | None = None,
) -> InvocationResult:
    """Call a function's handler as Lambda does; an exception becomes an answer with ``errorType``."""
    context = Context(
        function_name=function.name,
        region=region,
        memory_limit_in_mb=function.memory,
        deadline=clock.now() + function.timeout,
        now=clock.now,
        client_context=beside,
    )
    try:
        response = handler(json.loads(payload or b"{}"), context)
        text = json.dumps(response).encode()
    except (Exception, SystemExit) as error:  # as in Lambda, a function error is returned as the response
        log.exception("%s failed", function.name)
        return _error(type(error).__name__, str(error))
    if context.get_remaining_time_in_millis() == 0:
        return _error("Sandbox.Timedout", f"Task timed out after {function.timeout:.2f} seconds")
    return InvocationResult(text)


class InvokeApp:
    """WSGI: answers Lambda's Invoke with handlers in this process, and hands everything else on.

    Args:
        functions: what can be invoked; may be given later.
        region: the region that the context shows.
        fallback: answers all other paths.
        clock: the time.
        handler: finds a handler by its dotted name.
    """

    def __init__(
        self,
        functions: Sequence[Function] = (),
        *,
        region: str,
        fallback: WsgiApp | None = None,
        clock: Clock | None = None,
        handler: Callable[[str], Handler] = load_handler,
    ) -> None:
        self.functions = functions
        self._region = region
        self._fallback = fallback
        self._clock = clock or Clock()
        self._load = handler

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        name = invoked_name(environ)
        if name is None and self._fallback is not None:
            return self._fallback(environ, start_response)
        function = next((one for one in self.functions if name in (one.name, one.logical_id)), None)
        if function is None:
            return _respond(
                start_response,
                "404 Not Found",
                _message(f"Function not found: {name}"),
                "ResourceNotFoundException",
            )
        payload = _body(environ)
        kind = environ.get("HTTP_X_AMZ_INVOCATION_TYPE", "RequestResponse")
        if kind == "DryRun":
            return _respond(start_response, "204 No Content", b"")
        if kind == "Event":
            threading.Thread(target=self._invoke, args=(function, payload, None), daemon=True).start()
            return _respond(start_response, "202 Accepted", b"")
        response = self._invoke(function, payload, _beside(environ))
        headers = [("X-Amz-Executed-Version", "$LATEST")]
        if response.failed:
            headers.append(("X-Amz-Function-Error", "Unhandled"))
        return _respond(start_response, "200 OK", response.payload, headers=headers)

    def _invoke(self, function: Function, payload: bytes, beside: ClientContext | None) -> InvocationResult:
        try:
            handler = self._load(function.handler)
        except Exception as error:  # corresponds to Lambda's Runtime.ImportModuleError
            log.exception("%s could not be loaded", function.handler)
            return _error("Runtime.ImportModuleError", str(error))
        return invoke(
            function, payload, region=self._region, handler=handler, clock=self._clock, beside=beside
        )


class ForwardApp:
    """WSGI: sends Lambda's Invoke on to another process, and hands everything else on.

    Args:
        port: where that process listens on 127.0.0.1.
        fallback: answers all other paths.
        patience: seconds to wait for the process to come up, as after a reload.
        timeout: seconds to wait for an answer.
    """

    def __init__(
        self, port: int, fallback: WsgiApp, *, patience: float = 15.0, timeout: float = 900.0
    ) -> None:
        self._port = port
        self._fallback = fallback
        self._patience = patience
        self._timeout = timeout

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        if invoked_name(environ) is None:
            return self._fallback(environ, start_response)
        kind = environ.get("HTTP_X_AMZ_INVOCATION_TYPE", "RequestResponse")
        path = environ.get("REQUEST_URI") or environ["PATH_INFO"]
        try:
            connection = self._connect()
            headers = {"X-Amz-Invocation-Type": kind}
            if context := environ.get(_CLIENT_CONTEXT):
                headers["X-Amz-Client-Context"] = context
            connection.request("POST", path, _body(environ), headers)
            response = connection.getresponse()
            body = response.read()
            connection.close()
        except OSError as error:
            text = f"The process with the task code does not respond ({error}); see its output."
            return _respond(start_response, "502 Bad Gateway", _message(text), "ServiceException")
        fields = [pair for pair in response.getheaders() if pair[0].lower().startswith("x-amz")]
        return _respond(start_response, f"{response.status} {response.reason}", body, headers=fields)

    def _connect(self) -> HTTPConnection:
        until = time.monotonic() + self._patience
        while True:
            connection = HTTPConnection("127.0.0.1", self._port, timeout=self._timeout)
            try:
                connection.connect()
            except ConnectionRefusedError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)
            else:
                return connection


def invoked_name(environ: dict[str, Any]) -> str | None:
    """The name of the function that a request invokes, without the rest of an ARN; None for other requests."""
    match = _PATH.fullmatch(environ.get("PATH_INFO", ""))
    if match is None or environ.get("REQUEST_METHOD") != "POST":
        return None
    name = unquote(match["name"])
    parts = name.split(":")
    return parts[parts.index("function") + 1] if "function" in parts else parts[0]


def _body(environ: dict[str, Any]) -> bytes:
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    return body


def _beside(environ: dict[str, Any]) -> ClientContext | None:
    """Return what a request says beside its event: JSON in base64, as Lambda takes it."""
    try:
        given = json.loads(b64decode(environ.get(_CLIENT_CONTEXT, ""), validate=True))
    except ValueError:  # no base64, or no JSON
        return None
    return ClientContext(given.get("custom")) if isinstance(given, dict) else None


def _error(type_: str, message: str) -> InvocationResult:
    return InvocationResult(json.dumps({"errorMessage": message, "errorType": type_}).encode(), failed=True)


def _message(text: str) -> bytes:
    return json.dumps({"Message": text}).encode()


def _respond(
    start_response: Callable[..., Any],
    status: str,
    body: bytes,
    error: str = "",
    *,
    headers: Sequence[tuple[str, str]] = (),
) -> list[bytes]:
    fields = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *headers]
    if error:
        fields.append(("X-Amzn-ErrorType", error))
    start_response(status, fields)
    return [body]
