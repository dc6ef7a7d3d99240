"""A job's own log lines, from the log group of the workers.

A Lambda execution environment has a log stream of its own and runs one message after another. What it wrote while an
attempt ran is therefore the attempt's: also what the task printed, which names no job. The stream is found by the id of
the Lambda request that ran the attempt, or else by the job's id; lines that name another job of the batch are left out.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from serverless_tasks.client.timeline import milliseconds_of, timeline
from serverless_tasks.engine.aws.logs import LogGroup
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.record import iso
from serverless_tasks.errors import TaskNotFound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serverless_tasks.engine.aws.logs import LogEvent
    from serverless_tasks.engine.job.record import Record
    from serverless_tasks.engine.services import Services

# The last attempts whose lines are read, and the most lines of all that are returned.
ATTEMPTS: Final = 10
MOST_LINES: Final = 5_000
# A Lambda request runs for a quarter of an hour at most, and may have begun with other jobs of its batch.
REQUEST_MS: Final = 15 * 60_000
# The lines that name the job come so long after the end of its attempt, which is told before it is recorded.
AFTER_MS: Final = 10_000
# CloudWatch shows a line some seconds after it was written.
LATE_MS: Final = 10_000
PAUSE: Final = 2.0
# https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html
_PLATFORM: Final = re.compile(
    r"(START|END|REPORT) RequestId: (\S+)|RequestId: (\S+) Error: |\S+ (\S+) Task timed out after "
)
_PLAIN: Final = re.compile(r"\[(DEBUG|INFO|WARNING|ERROR|CRITICAL)\]\t\S+Z\t(\S+)\t(.*)", re.DOTALL)
# Of a structured line: what the other members of a `LogLine` say, and what is the same in all of them.
_LEFT_OUT: Final = ("uuid", "task", "timestamp", "service", "location", "xray_trace_id", "attempt")
# The member of a line that is no log but metrics:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
_METRICS: Final = "_aws"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A line of a job's log.

    Attributes:
        at: when it was written, in milliseconds since the epoch.
        level: ``INFO``, ``ERROR``...; "" where the line has none.
        message: what it says.
        exception: the traceback that goes with it, or "".
        attempt: the attempt that it belongs to, or None.
        request_id: the Lambda request that wrote it, or "".
        fields: what else a structured line says.
    """

    at: int
    level: str
    message: str
    exception: str = ""
    attempt: int | None = None
    request_id: str = ""
    fields: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the line as JSON."""
        body: dict[str, Any] = {"at": iso(self.at), "level": self.level or None, "message": self.message}
        body |= {"exception": self.exception} if self.exception else {}
        body |= {"attempt": self.attempt, "request_id": self.request_id or None}
        return body | ({"fields": self.fields} if self.fields else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    """The time of one attempt, and the request that ran it."""

    attempt: int
    request_id: str
    start: int
    end: int


def job_log(services: Services, record: Record, *, since: int = 0) -> list[LogLine]:
    """Return what a job's attempts have logged so far, oldest first: at most the lines of its last ten attempts.

    Args:
        services: the services to use.
        record: the job.
        since: only lines from then on, in milliseconds since the epoch.

    Raises:
        ConfigurationError: no log group is configured.
        AwsError: the log could not be read.
    """
    group = LogGroup.of(services.config)
    now = to_ms(services.clock.now())
    found: dict[str, LogLine] = {}
    for window in _windows(record, now)[-ATTEMPTS:]:
        for event in _events(group, record.uuid, window, since):
            line = _line(event, record.uuid, window)
            if line is not None and event.at >= since and len(found) < MOST_LINES:
                found.setdefault(event.id, line)
    return sorted(found.values(), key=lambda line: line.at)


def follow_log(services: Services, uuid: str) -> Iterator[LogLine]:
    """Yield a job's log lines as they come, until it has ended and its last lines had the time to come.

    Raises:
        TaskNotFound: nothing is known of it (any more).
        ConfigurationError: no log group is configured.
        AwsError: the log could not be read.
    """
    told: set[tuple[int, str]] = set()
    since, last_look = 0, False
    while True:
        record = services.store.read(uuid, whole=False)
        if record is None:
            raise TaskNotFound(uuid)
        lines = job_log(services, record, since=since)
        for line in lines:
            if (line.at, line.message) not in told:
                told.add((line.at, line.message))
                yield line
        if lines:
            since = max(since, lines[-1].at - LATE_MS)
        if last_look:
            return
        last_look = record.ended
        services.clock.sleep(LATE_MS / 1000 if last_look else PAUSE)


def _windows(record: Record, now: int) -> list[_Window]:
    """Return the times of the attempts that a worker has begun, as far as they were recorded."""
    windows = []
    for event in timeline(record):
        start = milliseconds_of(event.at)
        if event.event != "attempt" or start is None or event.attempt is None:
            continue
        end = milliseconds_of(event.ended) or record.finished or now
        windows.append(
            _Window(attempt=event.attempt, request_id=event.request_id or "", start=start, end=end)
        )
    return windows


def _events(group: LogGroup, uuid: str, window: _Window, since: int) -> Iterator[LogEvent]:
    """Yield what was logged about an attempt: what names its request, and what its environment wrote meanwhile.

    Where nothing names the request, as outside Lambda, the lines that name the job do.
    """
    streams: dict[str, int] = {}
    begun, ended = window.start - REQUEST_MS, window.end + REQUEST_MS
    of_request: list[LogEvent] = []
    if window.request_id:
        of_request += group.events(begun, ended, phrase=window.request_id, most=MOST_LINES)
    if not of_request:
        of_request += group.events(window.start, window.end + AFTER_MS, phrase=uuid, most=MOST_LINES)
    for event in of_request:
        until = streams.setdefault(event.stream, window.end + AFTER_MS)
        platform = _PLATFORM.match(event.text)
        if platform is not None and platform[1] in ("END", "REPORT"):  # what follows is another request's
            streams[event.stream] = min(until, event.at)
    for stream, until in streams.items():  # first: lines of one millisecond keep their order so
        yield from group.events(max(window.start, since), until, stream=stream, most=MOST_LINES)
    yield from of_request


def _line(event: LogEvent, uuid: str, window: _Window) -> LogLine | None:
    """Return a line of an attempt, or None of one that another job has written."""
    within = window.start <= event.at <= window.end
    base: dict[str, Any] = {"at": event.at, "attempt": window.attempt, "request_id": window.request_id}
    body = _json(event.text)
    if body is not None:
        if body.get("uuid", uuid) != uuid or not (within or "uuid" in body) or _METRICS in body:
            return None
        return LogLine(
            level=str(body.pop("level", "")),
            message=str(body.pop("message", "")),
            exception=str(body.pop("exception", "")),
            fields={name: value for name, value in body.items() if name not in _LEFT_OUT},
            **base,
        )
    if platform := _PLATFORM.match(event.text):
        named = next(each for each in platform.groups()[1:] if each is not None)
        return LogLine(level="", message=event.text.strip(), **base) if named == window.request_id else None
    if not within:
        return None
    if plain := _PLAIN.fullmatch(event.text):
        if plain[2] != window.request_id:
            return None
        message, _, exception = plain[3].partition("\nTraceback ")
        return LogLine(
            level=plain[1], message=message, exception=f"Traceback {exception}" if exception else "", **base
        )
    return LogLine(level="", message=event.text, **base)


def _json(text: str) -> dict[str, Any] | None:
    if not text.startswith("{"):
        return None
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None
