"""Tasks over HTTP, as a browser runs them: submit, then ask for the record until it has ended."""

import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

ENDED = ("succeeded", "failed", "cancelled")
PAUSE = 0.1

# Straight to this machine, whatever proxies the environment names.
_open = build_opener(ProxyHandler({})).open


class Refused(Exception):
    """The site refused a request.

    Args:
        status: the HTTP status.
        body: the answer's JSON.
    """

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(f"HTTP {status}: {body['error']['message']}")
        self.status = status
        self.body = body


def submit(site: str, task: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """`POST /tasks/`.

    Raises:
        Refused: with the reason.
    """
    return _json(f"{site}/tasks/", json.dumps({"task": task, "inputs": inputs}).encode())


def records(site: str, uuid: str, *, within: float = 60) -> Iterator[dict[str, Any]]:
    """`GET /tasks/<uuid>/` again and again: every record that differs from the one before, the last one ended.

    Raises:
        TimeoutError: the task has not ended in so many seconds.
    """
    until = time.monotonic() + within
    last: dict[str, Any] = {}
    while last.get("status") not in ENDED:
        if time.monotonic() > until:
            raise TimeoutError(f"Task {uuid} is still {last.get('status')} after {within:g} seconds.")
        record = _json(f"{site}/tasks/{uuid}/")
        if record != last:
            yield record
        last = record
        time.sleep(PAUSE)


def wait_for(site: str, *, within: float = 30) -> None:
    """Wait until the site answers.

    Raises:
        TimeoutError: it does not, in so many seconds.
    """
    until = time.monotonic() + within
    while True:
        try:
            with _open(site, timeout=5):
                return
        except HTTPError:
            raise
        except (URLError, OSError) as error:
            if time.monotonic() > until:
                raise TimeoutError(f"{site} does not answer: {error}") from error
            time.sleep(PAUSE)


def _json(url: str, data: bytes | None = None) -> dict[str, Any]:
    request = Request(url, data, {"Content-Type": "application/json"})  # noqa: S310 - the demo's own site
    try:
        with _open(request, timeout=30) as answer:
            body: dict[str, Any] = json.load(answer)
            return body
    except HTTPError as error:
        text = error.read().decode(errors="replace")
        try:
            refused = json.loads(text)
        except ValueError:
            raise RuntimeError(f"{url} answered {error.code}: {text[:500]}") from error
        raise Refused(error.code, refused) from error
