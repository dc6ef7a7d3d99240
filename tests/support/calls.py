"""Counting AWS calls."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

from serverless_tasks.engine.aws import session


@contextmanager
def counted_calls(*services: str) -> Iterator[Counter[str]]:
    """Count the calls of the process's shared clients by operation, each try of botocore's among them."""
    calls: Counter[str] = Counter()

    counting = Lock()

    def count(model: Any, **_: Any) -> None:
        with counting:  # listings ask on several threads
            calls[model.name] += 1

    clients = [session.client(service) for service in services or ("dynamodb",)]
    clients += [session.client(service, attempts=1) for service in ("sqs", "scheduler")]
    if (
        not services or "dynamodb" in services
    ):  # those of statistics and of pauses, for which no job waits long
        clients += [session.client("dynamodb", attempts=tries, read_timeout=1) for tries in (1, 2)]
    for client in clients:
        client.meta.events.register("before-call", count)
    try:
        yield calls
    finally:
        for client in clients:
            client.meta.events.unregister("before-call", count)
