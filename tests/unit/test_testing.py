"""What users' own tests are written with."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from serverless_tasks import Task, TaskNotFound, UnknownTask, rate, services
from serverless_tasks.engine.services import Services
from serverless_tasks.errors import TaskDefinitionError
from serverless_tasks.params import IntParameter
from serverless_tasks.testing import RecordedTasks, recorded

ROOT = Path(__file__).resolve().parents[2]


class Receipt(Task):
    name = "receipt"
    inputs = {"order": IntParameter(), "copies": IntParameter(required=False)}
    outputs = {"sent": IntParameter()}
    retries = 1

    def run(self, order: int, copies: int = 1) -> int:
        if order == 13 and self.execution.attempt == 1:
            raise ValueError("not at once")
        if order > 100:
            Receipt.submit(order=order - 100)
        return copies


@pytest.fixture
def jobs() -> Iterator[RecordedTasks]:
    with recorded(Receipt) as jobs:
        yield jobs


def test_what_is_no_task_is_refused() -> None:
    class Base(Task):
        pass

    for wrong in (5, Base, Receipt()):
        with pytest.raises(TaskDefinitionError, match="takes task classes"), recorded(wrong):  # type: ignore[arg-type]
            pass


def test_a_task_that_the_block_does_not_know_is_told_what_to_do() -> None:
    with recorded() as jobs:
        Receipt.submit(order=7)
        with pytest.raises(UnknownTask) as raised:
            jobs.drain()
    assert "pass other task classes to recorded()" in raised.value.__notes__[0]


def test_a_task_may_be_asserted_by_its_name(jobs: RecordedTasks) -> None:
    Receipt.submit(order=7)

    assert jobs.assert_submitted("receipt", order=7).task == "receipt"


def test_a_time_without_a_zone_is_refused(jobs: RecordedTasks) -> None:
    class Nightly(Task):
        name = "nightly"
        schedule = rate(hours=1)

        def run(self) -> None:
            return None

    with recorded(Nightly) as jobs, pytest.raises(ValueError, match="no time zone"):
        jobs.fire(Nightly, at=datetime(2026, 1, 1))  # noqa: DTZ001


def test_jobs_are_recorded_and_not_run(jobs: RecordedTasks) -> None:
    handle = Receipt.submit(order=7)

    message = jobs.assert_submitted(Receipt, order=7)
    assert message.uuid == handle.uuid
    assert jobs.record(handle.uuid).status == "pending"


def test_drain_runs_them_and_what_they_submit(jobs: RecordedTasks) -> None:
    handle = Receipt.submit(order=107, copies=2)

    outcomes = jobs.drain()

    assert [outcome.status for outcome in outcomes] == ["succeeded", "succeeded"]
    assert handle.refresh().outputs == {"sent": 2}
    jobs.assert_submitted(Receipt, order=7)


def test_a_delayed_job_is_due_when_the_time_was_moved(jobs: RecordedTasks) -> None:
    Receipt.options(delay=60).submit(order=7)

    assert jobs.run_due() == []
    jobs.move(59)
    assert jobs.run_due() == []
    jobs.move(1)
    assert [outcome.status for outcome in jobs.run_due()] == ["succeeded"]


def test_drain_moves_the_time_on_to_delays_and_retries(jobs: RecordedTasks) -> None:
    begun = jobs.clock.now()
    Receipt.options(delay=60).submit(order=13)

    outcomes = jobs.drain()

    assert [outcome.status for outcome in outcomes] == ["pending", "succeeded"]
    assert jobs.clock.now() > begun + 60


def test_an_assertion_that_fails_shows_what_was_submitted(jobs: RecordedTasks) -> None:
    Receipt.submit(order=7)

    with pytest.raises(
        AssertionError, match=r"receipt {'order': 8} was not submitted\. Submitted:\n  receipt"
    ):
        jobs.assert_submitted(Receipt, order=8)
    with pytest.raises(AssertionError, match="but \\['receipt'\\] were"):
        jobs.assert_nothing_submitted()


def test_nothing_submitted(jobs: RecordedTasks) -> None:
    jobs.assert_nothing_submitted()
    with pytest.raises(AssertionError, match="Submitted: nothing"):
        jobs.assert_submitted(Receipt)
    with pytest.raises(TaskNotFound):
        jobs.record("0b0e64f7-7d0b-4d6c-8a3a-1f5f3d8f1c11")


def test_what_was_configured_is_back_afterwards(immediate: Services) -> None:
    with recorded():
        assert services() is not immediate
    assert services() is immediate


def test_the_projects_own_tasks_can_be_run(immediate: Services) -> None:
    immediate.registry.add(Receipt)
    with recorded() as jobs:
        Receipt.submit(order=7)

        assert [outcome.status for outcome in jobs.drain()] == ["succeeded"]


def test_the_fixture_of_the_pytest_plugin(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["serverless_tasks.pytest_plugin"]\n')
    (tmp_path / "shop.py").write_text(
        "from serverless_tasks import Task\n\n\nclass Greet(Task):\n    name = 'greet'\n\n"
        "    def run(self):\n        return None\n\n\n"
        "class Once(Task):\n    name = 'once'\n\n    def run(self):\n        assert self.execution.attempt == 1\n"
    )
    (tmp_path / "test_shop.py").write_text(
        "from shop import Greet\n\n\n"
        "def test_greets(recorded_tasks):\n    Greet.submit()\n    recorded_tasks.assert_submitted(Greet)\n"
        "    assert recorded_tasks.drain()[0].status == 'succeeded'\n\n\n"
        "def test_starts_empty(recorded_tasks):\n    recorded_tasks.assert_nothing_submitted()\n"
    )
    (tmp_path / "test_repeatable.py").write_text(
        "import pytest\nfrom shop import Greet, Once\n\n"
        "runs = []\npytestmark = pytest.mark.repeatable_tasks(reset=lambda: runs.append(1))\n\n\n"
        "def test_greets(recorded_tasks):\n    Greet.submit()\n    recorded_tasks.drain()\n"
        "    assert len(runs) == 2\n\n\n"
        "def test_is_not_repeatable(recorded_tasks):\n    Once.submit()\n"
        "    with pytest.raises(AssertionError, match='once is not repeatable'):\n        recorded_tasks.drain()\n"
    )
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}:{tmp_path}"}
    environment["SERVERLESS_TASKS_MODULES"] = "shop"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--strict-markers", "-p", "no:cacheprovider", tmp_path],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "4 passed" in done.stdout, done.stdout
