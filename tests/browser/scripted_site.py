"""A site that serves the app's pages and static files, and answers the task URLs from a script."""

import json
import mimetypes
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "django_integration" / "static"
UUID = "0b9f7a52-6a1c-4a3e-9c53-1d2f3a4b5c6d"

# Strict, so that the pages prove to need nothing from elsewhere and nothing inline.
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'"

BLANK = """<!doctype html><html lang="en"><head><title>Blank</title>
<script src="/static/django-task-api.min.js"></script></head><body></body></html>"""


def record(**changes: Any) -> dict[str, Any]:
    """A running task's record, with changes."""
    return {
        "uuid": UUID,
        "task": "sum",
        "status": "running",
        "progress": 0,
        "target": None,
        "outputs": {},
        "messages": [],
        "error": None,
        "attempt": 1,
        "created": "2026-03-04T10:15:00.000Z",
        "started": "2026-03-04T10:15:02.250Z",
        "finished": None,
    } | changes


def succeeded(**changes: Any) -> dict[str, Any]:
    ended = {"status": "succeeded", "outputs": {"sum": 3}, "finished": "2026-03-04T10:15:14.750Z"}
    return record(**(ended | changes))


@dataclass
class Answer:
    """What the site says once: a JSON body, or records streamed as events, or nothing at all.

    A stream that is held stays open after its events, until the site ends.
    """

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    stream: bool = False
    held: bool = False


@dataclass
class Request:
    """What the site was asked."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class ScriptedSite:
    """The script: answers by method and path, given in order, the last one again and again."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    pages: dict[str, str] = field(default_factory=dict)
    answers: dict[tuple[str, str], list[Answer]] = field(default_factory=dict)
    ends: threading.Event = field(default_factory=threading.Event)

    def on(self, method: str, path: str, *answers: Answer | dict[str, Any]) -> None:
        """Script the answers to a call; a dictionary is a body with status 200."""
        made = [answer if isinstance(answer, Answer) else Answer(answer) for answer in answers]
        self.answers[method, path] = made

    def polls(self, *answers: Answer | dict[str, Any]) -> None:
        self.on("GET", f"/tasks/{UUID}/", *answers)

    def shows(self, page: str, context: dict[str, Any], language: str = "en", *locales: Path) -> str:
        """Serve one of the app's pages, rendered with this context, and return its address."""
        command = [
            sys.executable,
            "-W",
            "error",
            "-m",
            "tests.browser.render",
            page,
            language,
            *map(str, locales),
        ]
        done = subprocess.run(
            command, cwd=ROOT, input=json.dumps(context), text=True, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
        self.pages["/page/"] = done.stdout
        return f"{self.url}/page/"

    def asked(self, method: str, path: str) -> list[Request]:
        return [request for request in self.requests if (request.method, request.path) == (method, path)]


class _Handler(BaseHTTPRequestHandler):
    site: ScriptedSite
    protocol_version = "HTTP/1.1"  # Chromium heeds no ETag of an older one

    def do_GET(self) -> None:
        if self.path.startswith("/static/"):
            file = STATIC / self.path.removeprefix("/static/")
            self._send(200, file.read_bytes(), mimetypes.guess_type(file)[0] or "text/plain")
        elif self.path in self.site.pages:
            self._send(200, self.site.pages[self.path].encode(), "text/html; charset=utf-8")
        else:
            self._answer(None)

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        self._answer(json.loads(self.rfile.read(length) or "null"))

    def _answer(self, body: Any) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.site.requests.append(Request(self.command, self.path, headers, body))
        answers = self.site.answers.get((self.command, self.path), [Answer({"detail": "unknown"}, 404)])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if answer.stream:
            events = "".join(f"data: {json.dumps(each)}\n\n" for each in answer.body)
            self._send(answer.status, events.encode(), "text/event-stream", answer.headers, held=answer.held)
        else:
            body = b"" if answer.body is None else json.dumps(answer.body).encode()
            self._send(answer.status, body, "application/json", answer.headers)

    def _send(
        self,
        status: int,
        body: bytes,
        kind: str,
        headers: dict[str, str] | None = None,
        *,
        held: bool = False,
    ) -> None:
        self.send_response(status)
        own = {"Content-Type": kind, "Content-Security-Policy": POLICY}
        own |= {"Connection": "close"} if held else {"Content-Length": str(len(body))}
        if kind.startswith("text/html"):
            own["Set-Cookie"] = "csrftoken=s3cret; Path=/; SameSite=Lax"
        for name, value in (own | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        if held:
            self.wfile.flush()
            self.site.ends.wait()

    def log_message(self, format: str, *args: Any) -> None:
        """Tests look at `ScriptedSite.requests` instead."""


@contextmanager
def serving() -> Iterator[ScriptedSite]:
    """A site on a free port of this machine, for as long as the block lasts."""
    site = ScriptedSite(pages={"/": BLANK, "/favicon.ico": ""})
    handler = type("Handler", (_Handler,), {"site": site})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        site.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield site
        finally:
            site.ends.set()
            server.shutdown()
            thread.join()
