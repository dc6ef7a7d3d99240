"""The week of `benchmarks.outage` has an answer to each of the six questions of docs/operating.md."""

from __future__ import annotations

import json
from collections import Counter
from statistics import median

import pytest

from benchmarks.outage.plan import DAY, HOUR, SLOWER, outage
from benchmarks.outage.week import LOST, VANISHED, Week, live_through
from benchmarks.outage.worker_log import WorkerLog
from lambda_handlers.telemetry import logger

# A Friday at 15:00 UTC.
END = 1_795_791_600.0


@pytest.fixture(scope="module")
def week() -> Week:
    return live_through(3_000, END, seed=5)


def states(week: Week, status: str) -> list[dict[str, object]]:
    return [item for item in week.items if item.get("sk") == "s#state" and item.get("status") == status]


def test_the_gateway_fails_while_it_is_down_and_not_else(week: Week) -> None:
    down_from, down_to = outage(END)
    ends = [
        int(str(item["created_uuid"]).split("#")[0]) / 1000
        for item in states(week, "failed")
        if "GatewayDown" in str(item)
    ]
    assert ends
    assert all(down_from <= end <= down_to + HOUR / 4 for end in ends)


def test_the_reports_get_slower(week: Week) -> None:
    slower = END - SLOWER * DAY
    seconds: dict[bool, list[float]] = {False: [], True: []}
    for item in states(week, "succeeded"):
        if item["task"] == "reports.monthly":
            began, ended = (int(str(item[name])) / 1000 for name in ("started", "finished"))
            seconds[began > slower].append(ended - began)
    assert median(seconds[True]) > 1.5 * median(seconds[False])


def test_a_tenant_floods_a_queue(week: Week) -> None:
    waiting = Counter((message.queue, message.options.tenant) for message in week.waiting)
    [(most, jobs), *_] = waiting.most_common()
    assert most == ("low", "acme")
    assert jobs > len(week.waiting) / 2


def test_jobs_are_stuck_in_three_ways(week: Week) -> None:
    running = states(week, "running")
    assert len(running) == LOST
    assert all(int(str(item["lease"])) < END * 1000 for item in running)
    returned = [item for item in states(week, "pending") if "no task named" in str(item)]
    assert {item["task"] for item in returned} == {"search.index"}
    began = {item["pk"] for item in week.items if item.get("sk") == "s#state"}
    wait = {message.uuid for message in week.waiting}
    jobs = [item for item in week.items if item.get("sk") == "job"]
    gone = [item for item in jobs if item["pk"] not in began and str(item["pk"]) not in wait]
    assert len(gone) == VANISHED


def test_failed_jobs_have_a_log(week: Week) -> None:
    told = Counter(
        json.loads(event.text)["uuid"]
        for event in week.log
        if event.text.startswith("{") and "Gateway" in event.text
    )
    assert set(told.values()) == {3}  # attempts
    assert sum("signal: killed" in event.text for event in week.log) == LOST
    assert any("order" in event.text and "[WARNING]" in event.text for event in week.log)


def test_the_products_logger_writes_to_standard_output_again(week: Week) -> None:
    assert week.log
    assert logger.registered_handler.stream is not None
    assert not isinstance(logger.registered_handler.stream, WorkerLog)
