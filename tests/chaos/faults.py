"""Faults at the AWS boundary: what a call meets on its way out of botocore, and on the way back.

The library knows nothing of it: moto's stand-in for the network (botocore's ``before-send``) is asked first.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from moto.core.botocore_stubber import MockRawResponse

from serverless_tasks.engine.job.clock import Clock
from serverless_tasks.engine.store.overlap import sent
from tests.chaos.dynamodb import WATCHING, Table
from tests.chaos.queues import Refused, Scheduler, Sqs


class Killed(BaseException):
    """The process is gone: nothing that it would still do has an effect."""


class Kind(StrEnum):
    """What happens to a call."""

    REFUSED = "connection refused"
    ERROR = "500, not applied"
    ERROR_APPLIED = "500, applied"
    LOST = "timed out, not applied"
    ANSWER_LOST = "timed out, applied"
    THROTTLED = "throttled"
    PART = "a batch is done in part"
    KILLED_BEFORE = "killed before"
    KILLED_AFTER = "killed after"


# The services that are answered here; moto answers for the others.
SIMULATED = ("dynamodb", "sqs", "scheduler")
BATCHES = ("SendMessageBatch", "DeleteMessageBatch", "ChangeMessageVisibilityBatch", "BatchWriteItem")


@dataclass(frozen=True)
class Fault:
    """What is to happen, and to which calls.

    Attributes:
        at: the number of the first call that meets it, from 0.
        kind: what happens.
        lasting: whether every try meets it, botocore's own and the library's, as long as the process lives; else the
            first alone. Of a call about what is no job's, as statistics are, calls about the same item alone meet it.
        seconds: how long, from that call on, every call of the same service meets it as well.
    """

    at: int
    kind: Kind
    lasting: bool = False
    seconds: float = 0

    def __str__(self) -> str:
        extent = " at each try" if self.lasting else ""
        return f"{self.kind}{extent}{f' for {self.seconds:g} s' if self.seconds else ''}"


@dataclass
class Call:
    """One call of a client, with all its tries, the kind of process that makes it, and the item that it is about."""

    number: int
    service: str
    operation: str
    process: str
    about: str = ""
    tries: int = 0


@dataclass
class _Active:
    fault: Fault
    service: str
    until: float


@dataclass
class Process:
    """A process that makes calls, until it is killed."""

    name: str
    alive: bool = True


@dataclass
class Network:
    """What stands where the network is.

    Args:
        clock: the time.
        table: what DynamoDB holds.
        sqs: the queues.
        scheduler: the schedules.
        forward: moto, which answers for everything else.
        applied: told of each DynamoDB call that was applied.
    """

    clock: Clock
    table: Table
    sqs: Sqs
    scheduler: Scheduler
    forward: Callable[[str, AWSPreparedRequest], AWSResponse | None]
    applied: Callable[[str, dict[str, Any]], None] = lambda operation, body: None
    faults: list[Fault] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    processes: list[Process] = field(default_factory=list)
    on: bool = True
    # Whether requests are made whole, for a server that reads their headers.
    whole: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Start with no call made."""
        self._by_id: dict[str, Call] = {}
        self._threads: dict[threading.Thread, Process] = {}
        self._active: list[_Active] = []
        self._lasting: list[tuple[Fault, Call, Process | None]] = []
        self._lock = threading.Lock()
        self._atomic = threading.Lock()

    def send(self, event_name: str, request: AWSPreparedRequest) -> AWSResponse | None:
        """Carry one request, or let it fail as it is to."""
        _, service, operation = event_name.split(".")
        given = _given(service, request)
        if not self.on:
            return self._deliver(service, operation, event_name, request, given)
        process = self._process()
        if process is not None and not process.alive:
            raise Killed
        with self._lock:
            call = self._call(service, operation, process, request, given)
            call.tries += 1
            kind = self._kind(call, process)
        if kind == Kind.KILLED_BEFORE:
            raise self._kill(process)
        if kind == Kind.REFUSED:
            raise EndpointConnectionError(endpoint_url=request.url)
        # Of two calls that are on their way together either may arrive first.
        if call.number % 2:
            sent()
        answer = self._meet(kind, process, call, event_name, request, given)
        sent()
        return answer

    def _meet(
        self,
        kind: Kind | None,
        process: Process | None,
        call: Call,
        event_name: str,
        request: AWSPreparedRequest,
        given: dict[str, Any],
    ) -> AWSResponse | None:
        url = request.url
        if kind == Kind.LOST:
            raise ReadTimeoutError(endpoint_url=url)
        if kind == Kind.ERROR:
            return _failure(call.service, url, 500, "InternalServerError")
        if kind == Kind.THROTTLED:
            return _throttle(call.service, url)
        if kind == Kind.PART and call.operation in BATCHES:
            return self._partly(call, event_name, request, given)
        answer = self._deliver(call.service, call.operation, event_name, request, given)
        if kind == Kind.KILLED_AFTER:
            raise self._kill(process)
        if kind == Kind.ANSWER_LOST:
            raise ReadTimeoutError(endpoint_url=url)
        if kind == Kind.ERROR_APPLIED:
            return _failure(call.service, url, 500, "InternalServerError")
        return answer

    def _deliver(
        self,
        service: str,
        operation: str,
        event_name: str,
        request: AWSPreparedRequest,
        given: dict[str, Any],
    ) -> AWSResponse | None:
        if service not in SIMULATED:
            return self.forward(event_name, request)
        try:
            if service == "dynamodb":
                with self._atomic:  # another thread does not look at an item half changed
                    body = self.table.answer(operation, given)
                    self.applied(operation, given)
            elif service == "sqs":
                body = self.sqs.answer(operation, given)
            else:
                self.scheduler.create(request.url.rsplit("/", 1)[-1], given)
                body = {"ScheduleArn": "arn:aws:scheduler:::schedule"}
        except Refused as error:
            status = 409 if service == "scheduler" else 400
            return _failure(service, request.url, status, error.code, error.text, **error.more)
        return _json(request.url, 200, body)

    def _partly(
        self, call: Call, event_name: str, request: AWSPreparedRequest, body: dict[str, Any]
    ) -> AWSResponse | None:
        """Do the first half of a batch; the answer says so."""
        if call.operation == "BatchWriteItem":
            ((table, writes),) = body["RequestItems"].items()
            half = (len(writes) + 1) // 2
            part = {"RequestItems": {table: writes[:half]}}
            request.body = json.dumps(part).encode()
            self._deliver(call.service, call.operation, event_name, request, part)
            left = {table: writes[half:]} if writes[half:] else {}
            return _json(request.url, 200, {"UnprocessedItems": left})
        entries = body["Entries"]
        half = len(entries) // 2
        answer: dict[str, Any] = {"Successful": []}
        if half:
            answer = self.sqs.answer(call.operation, {**body, "Entries": entries[:half]})
        failed = [
            {"Id": entry["Id"], "Code": "InternalError", "SenderFault": False} for entry in entries[half:]
        ]
        return _json(request.url, 200, {**answer, "Failed": [*answer.get("Failed", []), *failed]})

    def _kind(self, call: Call, process: Process | None) -> Kind | None:
        now = self.clock.now()
        for fault in self.faults:
            if fault.at == call.number and call.tries == 1:
                if fault.lasting:
                    self._lasting.append((fault, call, process))
                if fault.seconds:
                    self._active.append(_Active(fault, call.service, now + fault.seconds))
                return fault.kind
        for lasting, first, whose in self._lasting:
            alike = first.about == call.about or not first.about.startswith(WATCHING)
            if first.operation == call.operation and alike and whose is process:
                return lasting.kind
        for active in self._active:
            if active.service == call.service and now < active.until:
                return active.fault.kind
        return None

    def _call(
        self,
        service: str,
        operation: str,
        process: Process | None,
        request: AWSPreparedRequest,
        given: dict[str, Any],
    ) -> Call:
        """The call that a request is a try of: botocore gives all tries of one the same id."""
        made = request.headers["amz-sdk-invocation-id"]
        name = made.decode() if isinstance(made, bytes) else str(made)
        if name not in self._by_id:
            self._by_id[name] = Call(
                len(self.calls), service, operation, process.name if process else "", _about(service, given)
            )
            self.calls.append(self._by_id[name])
        return self._by_id[name]

    def _process(self) -> Process | None:
        """Which process calls: a thread of one stays one of its."""
        current = self.processes[-1] if self.processes else None
        if threading.current_thread() is threading.main_thread():
            return current
        if current is None:
            return None
        return self._threads.setdefault(threading.current_thread(), current)

    @staticmethod
    def _kill(process: Process | None) -> Killed:
        if process is not None:
            process.alive = False
        return Killed()


def _about(service: str, given: dict[str, Any]) -> str:
    """Return the partition key of the item that a call names, or ""."""
    key = given.get("Key", {}) if service == "dynamodb" else {}
    return str(key.get("pk", {}).get("S", ""))


def _given(service: str, request: AWSPreparedRequest) -> dict[str, Any]:
    """Return what a call is given, where it is answered here."""
    if service not in SIMULATED:
        return {}
    given: dict[str, Any] = json.loads(request.body or "{}")
    return given


def _json(url: str, status: int, body: dict[str, Any]) -> AWSResponse:
    headers = {"Content-Type": "application/x-amz-json-1.0"}
    return AWSResponse(url, status, headers, MockRawResponse(json.dumps(body)))  # type: ignore[arg-type]


def _failure(
    service: str, url: str, status: int, code: str, text: str = "injected", **more: Any
) -> AWSResponse:
    if service == "s3":
        xml = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{text}</Message></Error>"
        return AWSResponse(url, status, {"Content-Type": "application/xml"}, MockRawResponse(xml))  # type: ignore[arg-type]
    return _json(url, status, {"__type": f"com.amazonaws#{code}", "message": text, **more})


def _throttle(service: str, url: str) -> AWSResponse:
    """How each service says that it is asked too often."""
    if service == "s3":
        return _failure(service, url, 503, "SlowDown")
    if service == "dynamodb":
        return _failure(service, url, 400, "ProvisionedThroughputExceededException")
    return _failure(service, url, 400, "ThrottlingException")
