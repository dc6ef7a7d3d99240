"""A WSGI application on a loopback port, in threads of this process."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any, Self

from werkzeug.serving import WSGIRequestHandler, make_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

DEFAULT_PORT = 4580
"""Where `serverless-tasks dev` listens when nobody else does."""


class QuietHandler(WSGIRequestHandler):
    """Reads requests without a line for each."""

    def log_request(self, *_: object, **__: object) -> None:
        """Say nothing."""


class LocalServer:
    """Serves a WSGI application on 127.0.0.1 in threads of this process.

    Args:
        app: the application.
        port: the port; 0 takes a free one.
        reader: how requests are read.
    """

    def __init__(
        self, app: WsgiApp, port: int = 0, *, reader: type[WSGIRequestHandler] = QuietHandler
    ) -> None:
        self._server = make_server("127.0.0.1", port, app, threaded=True, request_handler=reader)
        self._thread = threading.Thread(target=self._server.serve_forever, name="local-server", daemon=True)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_port)

    @property
    def endpoint(self) -> str:
        """The value for ``AWS_ENDPOINT_URL``."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        """Start serving."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving and close the port."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def free_port(preferred: int = 0) -> int:
    """The preferred port when it is free on 127.0.0.1, else any free one."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no port is free on 127.0.0.1")
