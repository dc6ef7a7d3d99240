"""DynamoDB as far as following a task asks for it: every task runs, and those that are told to be have moved on."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

OWNER = "1"


class FakeTable:
    """A WSGI application that speaks DynamoDB's JSON.

    Attributes:
        calls: how often each operation was asked for.
    """

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self._progress: dict[str, int] = {}
        self._lock = threading.Lock()
        self._now = int(time.time() * 1000)

    def move(self, uuid: str) -> None:
        """Let a task make progress."""
        self._progress[uuid] = self._progress.get(uuid, 0) + 1

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a call."""
        operation = environ["HTTP_X_AMZ_TARGET"].split(".")[-1]
        with self._lock:
            self.calls[operation] += 1
        asked = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        body = json.dumps(getattr(self, f"_{operation}")(asked)).encode()
        headers = [("Content-Type", "application/x-amz-json-1.0"), ("Content-Length", str(len(body)))]
        start_response("200 OK", headers)
        return [body]

    def _Query(self, asked: Any) -> Any:  # noqa: N802 - the operation's name
        return {"Items": [self._state(asked["ExpressionAttributeValues"][":pk"]["S"])]}

    def _BatchGetItem(self, asked: Any) -> Any:  # noqa: N802
        ((table, keys),) = asked["RequestItems"].items()
        items = [self._state(key["pk"]["S"]) for key in keys["Keys"] if key["sk"]["S"] == "s#state"]
        only = set(keys.get("ExpressionAttributeNames", {}).values())
        if only:
            items = [{name: value for name, value in item.items() if name in only} for item in items]
        return {"Responses": {table: items}, "UnprocessedKeys": {}}

    def _state(self, uuid: str) -> dict[str, Any]:
        progress = str(self._progress.get(uuid, 0))
        texts = {
            "pk": uuid,
            "sk": "s#state",
            "task": "sum",
            "owner": OWNER,
            "status": "running",
            "token": "t",
        }
        day = 86_400_000
        numbers = {
            "attempt": "1",
            "created": str(self._now),
            "started": str(self._now),
            "expires": str(self._now + 10 * day),
            "lease": str(self._now + day),
            "progress": progress,
            "seq": progress,
        }
        return {name: {"S": text} for name, text in texts.items()} | {
            name: {"N": number} for name, number in numbers.items()
        }
