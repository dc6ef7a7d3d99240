"""Metrics of a container's worker, whose threads count in one set."""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter
from typing import Any

import pytest

from lambda_handlers import telemetry
from serverless_tasks.engine.worker.outcome import DeliveryResult

THREADS, CALLS = 4, 200


def test_what_threads_count_at_once_is_counted_once_each(
    site: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = DeliveryResult(job_status="succeeded", attempt=1, duration=0.001)
    errors: list[BaseException] = []

    @telemetry.counted
    def handler() -> None:
        telemetry.report(outcome)

    def work() -> None:
        try:
            for _ in range(CALLS):
                handler()
        except BaseException as error:  # noqa: BLE001 - carried to the test's thread
            errors.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=work) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    counted: Counter[str] = Counter()
    for line in capsys.readouterr().out.splitlines():
        told = json.loads(line)
        if "_aws" in told:
            counted.update({name: len(values) for name, values in told.items() if isinstance(values, list)})
    assert errors == []
    assert counted == {"TaskSucceeded": THREADS * CALLS, "TaskDuration": THREADS * CALLS}
