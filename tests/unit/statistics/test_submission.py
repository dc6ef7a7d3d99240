"""What a worker reckons that a submission is billed for."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from serverless_tasks.engine.job.message import Message, expires_at
from serverless_tasks.engine.job.options import JobOptions
from serverless_tasks.engine.job.place import Place
from serverless_tasks.engine.statistics.counts import CALLS
from serverless_tasks.engine.statistics.submission import requests_of, submission_counts
from serverless_tasks.engine.store.items import job_item

UUID = "6f3f5cf2-0000-4000-8000-000000000001"
NOW = 1_769_860_800_000
JOB = Message(uuid=UUID, task="sum", inputs={"numbers": [1]}, created=NOW, expires=expires_at(NOW, None))


def of(message: Message) -> dict[str, float]:
    return submission_counts(message, len(message.encode()))


def test_a_job_is_a_message_an_item_and_an_index() -> None:
    assert of(JOB) == {"sub_sqs": 1, "sub_wu": 2}


def test_one_with_an_owner_is_in_two_indexes() -> None:
    assert of(replace(JOB, owner="7"))["sub_wu"] == 3


def test_one_that_is_not_tracked_is_a_message_alone() -> None:
    assert of(replace(JOB, options=JobOptions(track=False))) == {"sub_sqs": 1}


@pytest.mark.parametrize("size", [100, 1_000, 10_000, 150_000])
def test_each_kb_is_a_unit_and_each_64_kb_a_request(size: int) -> None:
    message = replace(JOB, inputs={"text": "x" * size})
    length = sum(len(name) + len(str(value)) for name, value in job_item(message).items())
    assert of(message) == {
        "sub_sqs": math.ceil(len(message.encode()) / 65_536),
        "sub_wu": math.ceil(length / 1024) + 1,
    }


def test_text_beyond_ascii_is_counted_in_bytes() -> None:
    assert of(replace(JOB, task="ü" * 600))["sub_wu"] > of(replace(JOB, task="u" * 600))["sub_wu"]


def test_large_inputs_are_put_into_the_bucket() -> None:
    assert of(replace(JOB, inputs={}, inputs_key=f"inputs/{UUID}"))["sub_s3p"] == 1


def test_ten_members_of_a_group_are_sent_together() -> None:
    member = replace(JOB, owner="7", member=Place(group=UUID, index=0, total=10, until=NOW + 1))
    assert of(member) == {"sub_sqs": 0.1, "sub_wu": 2}  # its group is what the owner's index has


@pytest.mark.parametrize(("delay", "schedules"), [(0, 0), (900, 0), (901, 1), (86_400, 1)])
def test_a_long_delay_is_an_invocation_of_the_scheduler(delay: int, schedules: int) -> None:
    due = NOW + delay * 1000
    message = replace(JOB, expires=expires_at(NOW, due if delay else None))
    assert of(message).get("sub_sch", 0) == schedules


def test_no_message_is_a_request_all_the_same() -> None:
    assert [requests_of(size) for size in (0, 1, 65_536, 65_537)] == [1, 1, 1, 2]


def test_everything_has_a_name_for_readers() -> None:
    message: Any = replace(JOB, inputs_key=f"inputs/{UUID}", inputs={}, schedule="s")
    assert set(submission_counts(message, 1)) <= set(CALLS)
