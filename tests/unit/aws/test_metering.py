"""Counting calls of AWS: the call comes first."""

import logging
from typing import Any

import pytest

from serverless_tasks.engine.aws.metering import Meter
from serverless_tasks.errors import TaskTimeout


def update_item(**parameters: Any) -> dict[str, Any]:
    return {"ConsumedCapacity": "much", "asked": parameters}


def test_a_call_whose_answer_cannot_be_counted_is_answered_all_the_same(
    caplog: pytest.LogCaptureFixture,
) -> None:
    meter = Meter(lambda *_: None)
    for _ in range(3):
        assert meter(update_item, {"Key": {"pk": {"S": "1"}}})["ConsumedCapacity"] == "much"
    assert [record.levelno for record in caplog.records] == [logging.WARNING]  # once


def test_a_task_whose_time_is_over_meanwhile_is_told() -> None:
    def count(*_: object) -> None:
        raise TaskTimeout("60 s are over")

    with pytest.raises(TaskTimeout):
        Meter(count)(_named("put_object"), {})


def _named(name: str) -> Any:
    def method(**_: Any) -> dict[str, Any]:
        return {}

    method.__name__ = name
    return method
