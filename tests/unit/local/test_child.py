"""What the process with the user's code says when it starts."""

import logging

import pytest

from serverless_tasks import Task
from serverless_tasks.local.processes import child
from serverless_tasks.testing import recorded


class Slow(Task):
    name = "slow"
    timeout = 200

    def run(self) -> None: ...


def told(caplog: pytest.LogCaptureFixture, seconds: float | None) -> list[str]:
    with caplog.at_level(logging.WARNING), recorded(Slow):
        child._tell_tasks(seconds)
    return caplog.messages


def test_a_worker_with_time_for_one_message_of_a_batch_alone(caplog: pytest.LogCaptureFixture) -> None:
    [said] = told(caplog, 300)
    assert said.startswith("The worker has 300 seconds (WorkerTimeout), less than 405")


@pytest.mark.parametrize("seconds", [600, None])
def test_a_worker_with_time_enough(caplog: pytest.LogCaptureFixture, seconds: float | None) -> None:
    assert told(caplog, seconds) == []
