"""Asking a site how far a task is, in this process."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

UUID = "6f3f5cf2-1c6e-4f36-9f3b-0d3a5ce2b3a1"
# What the endpoint finds, in DynamoDB's notation: the state of a task that is half way.
STATE: dict[str, dict[str, Any]] = {
    "pk": {"S": UUID},
    "sk": {"S": "s#state"},
    "task": {"S": "noop"},
    "status": {"S": "running"},
    "token": {"S": "0123456789abcdef0123456789abcdef"},
    "request_id": {"S": "00000000-0000-0000-0000-000000000000"},
    "attempt": {"N": "1"},
    "failures": {"N": "0"},
    "seq": {"N": "5"},
    "messages": {"N": "0"},
    "progress": {"N": "50"},
    "target": {"N": "100"},
    "created": {"N": "4000000000000"},
    "started": {"N": "4000000000000"},
    "attempted": {"N": "4000000000000"},
    "expires": {"N": "4000000000000"},
    "lease": {"N": "4000000000000"},
    "ttl": {"N": "4000000000"},
}


def ours() -> Callable[[], None]:
    """Our status view, with its read of DynamoDB."""
    return _get(f"/tasks/{UUID}/", "200")


def unchanged() -> Callable[[], None]:
    """The same, where the caller has that answer already."""
    headers: dict[str, str] = {}
    ask = _get(f"/tasks/{UUID}/", "200", headers)
    ask()
    etag = headers["ETag"]
    return _get(f"/tasks/{UUID}/", "304", HTTP_IF_NONE_MATCH=etag)


def task_api() -> Callable[[], None]:
    """django-task-api's view, with its read of SQLite."""
    ask = _get(f"/old/tasks/{UUID}/", "200")
    from django.core.management import call_command
    from django.utils.timezone import now
    from task_api.models import TaskInfo

    call_command("migrate", verbosity=0)
    TaskInfo.objects.get_or_create(
        uuid=UUID,
        defaults={
            "task": "noop",
            "status": "running",
            "progress": 50,
            "target": 100,
            "created": now(),
            "started": now(),
        },
    )
    return ask


def _get(path: str, status: str, headers: dict[str, str] | None = None, **sent: str) -> Callable[[], None]:
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.cases.site_settings"
    from django.core.wsgi import get_wsgi_application

    application = get_wsgi_application()

    def step() -> None:
        told: list[str] = []

        def start(said: str, fields: list[tuple[str, str]], *_: Any) -> Any:
            told.append(said)
            if headers is not None:
                headers.update(fields)

        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": path,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_ACCEPT": "application/json",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": io.StringIO(),
            "wsgi.url_scheme": "http",
            **sent,
        }
        answer: Any = application(environ, start)
        body = b"".join(answer)
        answer.close()
        assert told[0].startswith(status), (told, body)

    return step
