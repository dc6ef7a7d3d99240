"""moto's server as a WSGI application of this process."""

from __future__ import annotations

import threading
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_LONG_POLL = "AmazonSQS.ReceiveMessage"


class MotoApp:
    """WSGI: moto, one request at a time but for receives.

    moto guards its queues and tables against threads in few places; two conditional writes at one time could both win.
    """

    def __init__(self) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._one_at_a_time = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        if environ.get("HTTP_X_AMZ_TARGET") == _LONG_POLL:
            return self._answer(environ, start_response)
        with self._one_at_a_time:
            return self._answer(environ, start_response)

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        answer: Iterable[bytes] = self._moto(environ, start_response)
        return answer


class MotoHandler(MotoRequestHandler):
    """Reads requests as moto wants them, without a line for each."""

    def log_request(self, *_: object, **__: object) -> None:
        """Say nothing."""


def forget_state(port: int) -> None:
    """Empty the stand-in: its state is a global of the process, and outlives the server.

    Args:
        port: where it listens on 127.0.0.1.
    """
    connection = HTTPConnection("127.0.0.1", port)
    connection.request("POST", "/moto-api/reset")
    connection.getresponse().read()
    connection.close()
