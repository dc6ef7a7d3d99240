"""What the child prints and logs, sent to the local CloudWatch Logs as well, where `serverless-tasks logs` reads it.

A thread runs one message after another, as an execution environment of Lambda does, and has a log stream of its own.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TextIO

from botocore.exceptions import BotoCoreError, ClientError

from serverless_tasks.local.aws.client import local_client

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PAUSE: Final = 0.3
# Lines that wait to be sent, and lines of a call; what is more is not sent.
MOST_WAITING: Final = 10_000
MOST_SENT: Final = 1_000
# After so many lines new streams are begun, and those before the last ones deleted: the server keeps them in memory.
MOST_KEPT: Final = 20_000
LONGEST: Final = 10_000

type Line = tuple[str, int, str]


class LogShipping:
    """Sends lines to a log group, from a thread of its own.

    Args:
        client: a CloudWatch Logs client.
        group: the log group's name.
    """

    def __init__(self, client: Any, group: str) -> None:
        self._client = client
        self._group = group
        self._waiting: deque[Line] = deque(maxlen=MOST_WAITING)
        self._streams: dict[str, list[str]] = {"now": [], "before": []}
        self._sent = 0
        self._age = 0
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log shipping", daemon=True)

    @classmethod
    def start(cls, environ: Mapping[str, str] = os.environ) -> LogShipping | None:
        """Send what this process writes from now on, where a local server and a log group are named."""
        group, endpoint = environ.get("SERVERLESS_TASKS_LOG_GROUP"), environ.get("AWS_ENDPOINT_URL")
        if not group or not endpoint:
            return None
        shipping = cls(local_client("logs", endpoint), group)
        for name in ("stdout", "stderr"):
            setattr(sys, name, _Tee(getattr(sys, name), shipping))
        shipping._thread.start()
        return shipping

    def add(self, line: str) -> None:
        """Send a line of the calling thread's, soon."""
        if line.strip():
            self._waiting.append((threading.current_thread().name, round(time.time() * 1000), line[:LONGEST]))

    def close(self) -> None:
        """Send what waits, and stop."""
        self._closed.set()
        self._thread.join(timeout=2)

    def _run(self) -> None:
        last = False
        while not last:
            last = self._closed.wait(PAUSE)
            while self._waiting:
                try:
                    self._send()
                except (BotoCoreError, ClientError):  # the server has gone, or is on its way out
                    self._waiting.clear()

    def _send(self) -> None:
        lines = [self._waiting.popleft() for _ in range(min(MOST_SENT, len(self._waiting)))]
        for thread, events in _by_thread(lines):
            stream = f"{os.getpid()}-{self._age}-{thread}".replace(":", "_").replace("*", "_")
            if stream not in self._streams["now"]:
                self._client.create_log_stream(logGroupName=self._group, logStreamName=stream)
                self._streams["now"].append(stream)
            self._client.put_log_events(logGroupName=self._group, logStreamName=stream, logEvents=events)
        self._sent += len(lines)
        if self._sent > MOST_KEPT:
            self._begin_anew()

    def _begin_anew(self) -> None:
        for stream in self._streams["before"]:
            with suppress(ClientError):
                self._client.delete_log_stream(logGroupName=self._group, logStreamName=stream)
        self._streams = {"now": [], "before": self._streams["now"]}
        self._sent, self._age = 0, self._age + 1


def _by_thread(lines: list[Line]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for thread in dict.fromkeys(name for name, _, _ in lines):
        yield thread, [{"timestamp": at, "message": text} for name, at, text in lines if name == thread]


class _Tee:
    """A stream that also hands each whole line over."""

    def __init__(self, inner: TextIO, shipping: LogShipping) -> None:
        self._inner = inner
        self._shipping = shipping
        self._begun = threading.local()

    def write(self, text: str) -> int:
        """Write as the stream does."""
        written = self._inner.write(text)
        *lines, rest = (getattr(self._begun, "text", "") + text).split("\n")
        self._begun.text = rest[-LONGEST:]
        for line in lines:
            self._shipping.add(line)
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
