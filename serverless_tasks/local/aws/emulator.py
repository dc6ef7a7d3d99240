"""moto's server as a WSGI application of this process."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app

from serverless_tasks.errors import ConfigurationError
from serverless_tasks.local.aws import moto_answers, moto_queries
from serverless_tasks.local.server import LocalServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from serverless_tasks.local.server import WsgiApp

_LONG_POLL = "AmazonSQS.ReceiveMessage"


class MotoApp:
    """WSGI: moto, one request at a time but for receives.

    moto guards its queues and tables against threads in few places; two conditional writes at one time could both win.
    """

    def __init__(self) -> None:
        moto_queries.install()
        moto_answers.install()
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._one_at_a_time = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        if environ.get("HTTP_X_AMZ_TARGET") == _LONG_POLL:
            return self._answer(environ, start_response)
        with self._one_at_a_time:
            return self._answer(environ, start_response)

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        response: Iterable[bytes] = self._moto(environ, start_response)
        return response


class MotoHandler(MotoRequestHandler):
    """Reads requests as moto wants them, without a line for each."""

    def log_request(self, *_: object, **__: object) -> None:
        """Say nothing."""


@contextmanager
def aws_stand_in(app: WsgiApp, port: int) -> Iterator[LocalServer]:
    """Serve an application that falls back to MotoApp, until the block ends; then its state is gone.

    Args:
        app: the application.
        port: the port on 127.0.0.1; 0 takes a free one.

    Raises:
        ConfigurationError: the port cannot be used.
    """
    try:
        server = LocalServer(app, port, reader=MotoHandler)
    except OSError as error:
        raise ConfigurationError(
            f"Port {port} on 127.0.0.1 cannot be used ({error}); choose another."
        ) from error
    with server:
        try:
            yield server
        finally:
            _forget_state(server.port)


def _forget_state(port: int) -> None:
    """moto's state is a global of the process, and outlives its server."""
    connection = HTTPConnection("127.0.0.1", port)
    connection.request("POST", "/moto-api/reset")
    connection.getresponse().read()
    connection.close()
