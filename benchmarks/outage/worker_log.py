"""What the workers of the week have logged: by the product's own logger, and as Lambda does around it."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.outage.counted import MEMORY
from lambda_handlers.telemetry import job, logger, metrics, report
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.record import iso

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serverless_tasks.engine.job.clock import Clock
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.worker.outcome import DeliveryResult

# Where the code lies: here, and in Lambda.
HERE, THERE = str(Path(__file__).resolve().parents[2]), "/var/task"


@dataclass(frozen=True, slots=True)
class LogEvent:
    """A line of the log, and its log stream: the execution environment that has written it."""

    stream: str
    at: int
    text: str


class WorkerLog:
    """Collects the log of each delivery, and keeps what it is told to.

    Args:
        clock: the time.
        own: the logger of the tasks' own code.
    """

    def __init__(self, clock: Clock, own: logging.Logger) -> None:
        self.events: list[LogEvent] = []
        self._clock = clock
        self._own = own
        self._request = ""
        self._lines: list[tuple[int, str]] = []

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Take what the product and the tasks log, in place of standard output, until the block ends."""
        handler, tasks = logger.registered_handler, _Handler(self)
        assert isinstance(handler, logging.StreamHandler), "the product logs to standard output"
        before, propagates = handler.setStream(self), self._own.propagate
        handler.addFilter(self._now)
        self._own.addHandler(tasks)
        self._own.propagate = False
        try:
            yield
        finally:
            self._own.propagate = propagates
            self._own.removeHandler(tasks)
            handler.removeFilter(self._now)
            handler.setStream(before)

    def begin(self, request_id: str) -> None:
        """Begin the log of an invocation."""
        self._request = request_id
        self._lines = []
        self._add(f"START RequestId: {request_id} Version: $LATEST")

    def end(self, message: Message, result: DeliveryResult) -> None:
        """Log what became of a job, and the end of its invocation."""
        with job(message):
            report(result)
        metrics.clear_metrics()
        used = f"Memory Size: {MEMORY} MB\tMax Memory Used: 148 MB"
        billed = (
            f"Duration: {result.duration * 1000:.2f} ms\tBilled Duration: {result.duration * 1000:.0f} ms"
        )
        self._add(f"END RequestId: {self._request}")
        self._add(f"REPORT RequestId: {self._request}\t{billed}\t{used}")

    def kill(self) -> None:
        """End an invocation whose process was killed."""
        self._add(
            f"RequestId: {self._request} Error: Runtime exited with error: signal: killed\nRuntime.ExitError"
        )

    def keep(self, worker: str) -> None:
        """Keep the log of the invocation, in the stream of a worker."""
        day = (iso(self._lines[0][0]) or "")[:10].replace("-", "/")
        self.events += (LogEvent(f"{day}/[$LATEST]{worker}", at, text) for at, text in self._lines)

    def write(self, text: str) -> None:
        """Take what the product's logger writes to its stream."""
        self._add(text)

    def flush(self) -> None:
        """Do nothing, as a stream of a logging handler that writes at once."""

    def plain(self, record: logging.LogRecord) -> None:
        """Take a line of Python's logging, as Lambda's own handler writes it.

        https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html
        """
        moment = iso(to_ms(self._clock.now()))
        self._add(f"[{record.levelname}]\t{moment}\t{self._request}\t{record.getMessage()}")

    def _add(self, text: str) -> None:
        if text.strip():
            self._lines.append((to_ms(self._clock.now()), text.rstrip("\n").replace(HERE, THERE)))

    def _now(self, record: logging.LogRecord) -> bool:
        record.created = self._clock.now()
        return True


class _Handler(logging.Handler):
    def __init__(self, log: WorkerLog) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log.plain(record)
