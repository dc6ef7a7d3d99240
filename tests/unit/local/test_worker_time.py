"""A worker that has time for one message of a batch alone is warned of."""

import pytest
from samtranslator.yaml_helper import yaml_parse

from serverless_tasks.project.worker_time import (
    ALLOWED,
    DEFAULT,
    PARAMETER,
    deployed_seconds,
    worker_time_advice,
)
from tests.support.ministack import ROOT


@pytest.mark.parametrize(("seconds", "timeout"), [(125, 60), (300, 60), (60, 27.5), (900, 447.5), (60, 0)])
def test_a_worker_with_twice_the_longest_timeout_is_well(seconds: float, timeout: float) -> None:
    assert worker_time_advice(seconds, [("sum", timeout), ("quick", 1)]) is None


@pytest.mark.parametrize(
    ("seconds", "timeout", "advice"),
    [
        (60, 60, "deploy with WorkerTimeout=150, or reduce the task's timeout"),
        (60, 30, "deploy with WorkerTimeout=90, or"),
        (300, 240, "deploy with WorkerTimeout=510, or"),
        (
            900,
            448,
            "WorkerTimeout is 900 at most, so reduce the task's timeout, or run it in a container's worker",
        ),
    ],
)
def test_a_worker_with_less_is_told_what_to_deploy(seconds: float, timeout: float, advice: str) -> None:
    said = worker_time_advice(seconds, [("quick", 1), ("slow", timeout)])
    assert said is not None
    assert said.startswith(f"The worker has {seconds} seconds (WorkerTimeout), less than {2 * timeout + 5:g}")
    assert f"task 'slow' ({timeout} seconds)" in said
    assert advice in said


def test_without_tasks_there_is_nothing_to_say() -> None:
    assert worker_time_advice(60, []) is None


def test_the_timeout_of_a_deployment() -> None:
    assert deployed_seconds({"WorkerTimeout": "60"}) == 60
    assert deployed_seconds({}) == DEFAULT
    assert deployed_seconds({"WorkerTimeout": "long"}) is None


def test_what_may_be_deployed_is_what_the_template_says() -> None:
    parameter = yaml_parse((ROOT / "template.yaml").read_text())["Parameters"][PARAMETER]
    assert [str(seconds) for seconds in ALLOWED] == parameter["AllowedValues"]
    assert str(round(DEFAULT)) == parameter["Default"]
