"""The filter of a search: which jobs it fits, and its JSON."""

from dataclasses import replace
from typing import Any

import pytest

from serverless_tasks.client.job_filter import JobFilter, duration, queue_wait
from serverless_tasks.engine.job.record import EXPIRED, Failure, Record
from serverless_tasks.errors import ConfigurationError

NOW = 100.0
JOB = Record(
    uuid="0b0e64f7-7d0b-4d6c-8a3a-1f5f3d8f1c11",
    task="sum",
    status="failed",
    owner="7",
    tenant="acme",
    queue="low",
    failure=Failure(type="KeyError", message="'x'"),
    fingerprint="f1",
    group="0b0e64f7-0000-4d6c-8a3a-1f5f3d8f1c11",
    attempt=2,
    created=10_000,
    started=20_000,
    finished=50_000,
)


@pytest.mark.parametrize(
    ("fits", "other"),
    [
        ({"tasks": ("mean", "sum")}, {"tasks": ("mean",)}),
        ({"status": "failed"}, {"status": "cancelled"}),
        ({"owner": "7"}, {"owner": "8"}),
        ({"tenant": "acme"}, {"tenant": "other"}),
        ({"queue": "low"}, {"queue": "high"}),
        ({"error_type": "KeyError"}, {"error_type": "ValueError"}),
        ({"fingerprint": "f1"}, {"fingerprint": "f2"}),
        ({"group": JOB.group}, {"group": JOB.uuid}),
        ({"since": 10_000}, {"since": 10_001}),
        ({"until": 10_001}, {"until": 10_000}),
        ({"time": "started", "since": 20_000}, {"time": "started", "since": 20_001}),
        ({"time": "finished", "until": 50_001}, {"time": "finished", "until": 50_000}),
        ({"longer_than": 29.9}, {"longer_than": 30.0}),
        ({"id_prefix": "0B0E64F7"}, {"id_prefix": "0b0e64f8"}),
        ({"id_prefix": JOB.uuid.replace("-", "").upper()}, {"id_prefix": "7d0b"}),
    ],
)
def test_each_part_leaves_others_out(fits: dict[str, Any], other: dict[str, Any]) -> None:
    assert JobFilter(**fits).fits(JOB, NOW)
    assert not JobFilter(**other).fits(JOB, NOW)


def test_nothing_given_fits_everything() -> None:
    assert JobFilter().fits(JOB, NOW)
    assert JobFilter().fits(Record(uuid=JOB.uuid, task="mean"), NOW)


def test_all_parts_must_fit() -> None:
    assert not JobFilter(status="failed", owner="8").fits(JOB, NOW)


def test_what_has_no_such_time_is_in_no_time() -> None:
    pending = replace(JOB, status="pending", started=None, finished=None)
    assert not JobFilter(time="started", until=10**14).fits(pending, NOW)
    assert not JobFilter(time="finished", until=10**14).fits(pending, NOW)
    assert JobFilter(until=10**14).fits(pending, NOW)


def test_a_type_that_is_kept_shortened_is_found_by_its_whole_name() -> None:
    name = "E" * 100
    clipped = replace(JOB, failure=Failure(type=name[:80], message=""))
    assert JobFilter(error_type=name).fits(clipped, NOW)


def test_waiting_is_for_a_worker_or_for_a_retry_and_not_for_a_turn() -> None:
    waiting = JobFilter(status="waiting")
    pending = replace(JOB, status="pending", failure=None, attempt=0, started=None, finished=None)
    assert not waiting.fits(pending, NOW)
    assert not waiting.fits(replace(pending, run_at=200_000), NOW)  # submitted for later
    assert waiting.fits(replace(pending, attempt=1, run_at=200_000), NOW)
    assert waiting.fits(replace(pending, returned=Failure(type="UnknownTask", message="")), NOW)
    assert not waiting.fits(JOB, NOW)


def test_what_was_not_delivered_in_time_is_found_among_the_waiting_until_somebody_records_it() -> None:
    expired = replace(JOB, failure=EXPIRED)
    recorded = replace(JOB, failure=Failure(type=EXPIRED.type, message=EXPIRED.message))
    assert JobFilter(status="waiting").fits(expired, NOW)
    assert not JobFilter(status="waiting").fits(recorded, NOW)
    assert JobFilter(status="failed").fits(expired, NOW)


def test_the_duration_is_from_the_first_start_to_the_end_or_to_now() -> None:
    assert duration(JOB, NOW) == 30.0
    assert duration(replace(JOB, status="running", finished=None), NOW) == 80.0
    assert duration(replace(JOB, started=None), NOW) is None
    assert not JobFilter(longer_than=0).fits(replace(JOB, started=None), NOW)


def test_the_wait_is_from_the_submission_to_the_first_start() -> None:
    assert queue_wait(JOB) == 10.0
    assert queue_wait(replace(JOB, due=15_000)) == 5.0  # submitted with a delay
    assert queue_wait(replace(JOB, due=21_000)) == 10.0  # a retry's
    assert queue_wait(replace(JOB, started=None)) is None
    assert queue_wait(replace(JOB, started=9_000)) == 0.0  # another machine's clock


WHOLE = JobFilter(
    tasks=("sum", "mean"),
    status="failed",
    owner="7",
    tenant="acme",
    queue="low",
    error_type="KeyError",
    fingerprint="f1",
    group=JOB.group,
    time="finished",
    since=1,
    until=2,
    longer_than=0.5,
    id_prefix="0b",
)


def test_it_travels_as_json() -> None:
    assert JobFilter.from_json(WHOLE.to_json()) == WHOLE
    assert JobFilter().to_json() == {}
    assert JobFilter(tasks=("sum",), until=5).to_json() == {"tasks": ["sum"], "until": 5}
    assert JobFilter.from_json({"tasks": ["sum"], "status": None}) == JobFilter(tasks=("sum",))
    assert len(WHOLE.to_json()) == len(JobFilter.__dataclass_fields__)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"state": "failed"}, "has no 'state'; it has tasks, status"),
        ({"status": "done"}, "No job has the status 'done'; name one of pending"),
        ({"time": "created"}, "'created'; name one of submitted, started, finished"),
        ({"tasks": "sum"}, "'tasks' of jobs cannot be 'sum'"),
        ({"tasks": [1]}, "'tasks' of jobs cannot be"),
        ({"since": "1"}, "'since' of jobs cannot be '1'"),
        ({"since": True}, "'since' of jobs cannot be True"),
        ({"owner": 7}, "'owner' of jobs cannot be 7"),
        ({"owner": ["7"]}, "'owner' of jobs cannot be"),
    ],
)
def test_what_is_no_filter_is_refused(given: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        JobFilter.from_json(given)
