"""The way of a call over the modules: which it enters, and how often it moves from one to another.

``python -m benchmarks.trips`` prints a row for each trip, with AWS as moto stands in for it. A move is a call, or the
return of one, from one module of this project into another; what other packages do in between is passed over. There is
no goal: a trip is not made shorter by longer modules.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

PACKAGES = ("serverless_tasks", "lambda_handlers", "django_integration")
_TOOL = sys.monitoring.PROFILER_ID
_EVENTS = sys.monitoring.events


@dataclass
class Trip:
    """A trip through the project's modules.

    Attributes:
        path: the modules in order, each named once for as long as the trip stays there.
    """

    path: list[str] = field(default_factory=list)

    def at(self, module: str) -> None:
        """Note that code of this module runs."""
        if module.startswith(PACKAGES) and (not self.path or self.path[-1] != module):
            self.path.append(module)

    @property
    def modules(self) -> int:
        """The number of modules that were entered."""
        return len(set(self.path))

    @property
    def moves(self) -> int:
        """The number of moves from one module to another."""
        return max(0, len(self.path) - 1)

    @property
    def without_aws(self) -> Trip:
        """The same trip, past the modules that call AWS."""
        trip = Trip()
        for module in self.path:
            if ".aws." not in module:
                trip.at(module)
        return trip


@contextmanager
def traced() -> Iterator[Trip]:
    """Trace what this thread runs within the block."""
    trip, thread, stack = Trip(), threading.get_ident(), [""]
    names: dict[str, str] = {}

    def module_of(code: CodeType) -> str:
        return names.setdefault(code.co_filename, _module(code.co_filename))

    def enter(code: CodeType, _offset: int) -> None:
        if threading.get_ident() == thread:
            stack.append(module_of(code))
            trip.at(stack[-1])

    def leave(_code: CodeType, _offset: int, _value: object) -> None:
        if threading.get_ident() == thread and len(stack) > 1:
            stack.pop()
            trip.at(stack[-1])

    callbacks: dict[int, Callable[..., object]] = {
        _EVENTS.PY_START: enter,
        _EVENTS.PY_RESUME: enter,
        _EVENTS.PY_THROW: lambda code, offset, _error: enter(code, offset),
        _EVENTS.PY_RETURN: leave,
        _EVENTS.PY_YIELD: leave,
        _EVENTS.PY_UNWIND: leave,
    }
    sys.monitoring.use_tool_id(_TOOL, "trips")
    try:
        for event, callback in callbacks.items():
            sys.monitoring.register_callback(_TOOL, event, callback)
        sys.monitoring.set_events(_TOOL, sum(callbacks))
        yield trip
    finally:
        sys.monitoring.set_events(_TOOL, 0)
        sys.monitoring.free_tool_id(_TOOL)


def trips() -> dict[str, Trip]:
    """Make each trip once with everything warm, and once more traced."""
    from tests.support.aws import account

    with account():
        return {name: _second(make) for name, make in _ways().items()}


def _second(make: Callable[[], Callable[[], object]]) -> Trip:
    make()()
    step = make()
    with traced() as trip:
        step()
    return trip


def _ways() -> dict[str, Callable[[], Callable[[], object]]]:
    import django

    from tests.support.aws import resources

    config = resources()
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "benchmarks.cases.trips_settings",
        "SERVERLESS_TASKS_MODULES": "benchmarks.cases.tasks",
        "SERVERLESS_TASKS_TABLE": config.table,
        "SERVERLESS_TASKS_QUEUE_URLS": json.dumps(dict(config.queue_urls)),
        "SERVERLESS_TASKS_DEAD_LETTER_QUEUE_URL": config.dead_letter_queue_url,
    }
    django.setup()
    import boto3
    from django.test import Client

    from benchmarks.cases.tasks import Noop
    from benchmarks.context import CONTEXT
    from lambda_handlers.worker import handler

    sqs, url, browser = boto3.client("sqs"), config.queue_urls["default"], Client()

    def received() -> dict[str, Any]:
        Noop.submit(numbers=[1])
        (message,) = sqs.receive_message(QueueUrl=url, AttributeNames=["All"])["Messages"]
        record = {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
            "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:default",
        }
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return {"Records": [record]}

    def one_record() -> Callable[[], object]:
        event = received()
        return lambda: handler(event, CONTEXT)

    def get() -> Callable[[], object]:
        uuid = Noop.submit(numbers=[1]).uuid
        return lambda: browser.get(f"/tasks/{uuid}/")

    body = json.dumps({"task": "noop", "inputs": {"numbers": [1]}})
    return {
        "one record through the worker": one_record,
        "Task.submit": lambda: lambda: Noop.submit(numbers=[1]),
        "POST /tasks/": lambda: lambda: browser.post("/tasks/", body, content_type="application/json"),
        "GET /tasks/<uuid>/": get,
    }


def _module(filename: str) -> str:
    for package in PACKAGES:
        _, found, rest = filename.rpartition(f"/{package}/")
        if found:
            return f"{package}.{rest.removesuffix('.py').replace('/', '.')}"
    return ""


def main() -> None:
    """Print a row for each trip."""
    print(f"{'trip':<32}{'modules':>9}{'moves':>9}{'without AWS':>15}")
    for name, trip in trips().items():
        short = trip.without_aws
        print(f"{name:<32}{trip.modules:>9}{trip.moves:>9}{f'{short.modules} / {short.moves}':>15}")


if __name__ == "__main__":
    main()
