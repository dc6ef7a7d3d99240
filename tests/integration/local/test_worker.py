"""`serverless-tasks worker`: the real handlers in a process without a deadline, against a local stack."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from serverless_tasks import TaskClient
from serverless_tasks.engine.aws.session import client
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.services import configure, reset
from serverless_tasks.errors import ConfigurationError
from serverless_tasks.local.in_process import local_stack
from serverless_tasks.poller import Poller, run_worker
from serverless_tasks.poller.worker import worker_mappings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from serverless_tasks.local.aws.stack import LocalStack

ROOT = Path(__file__).parents[3]
PATIENCE = 60

TASKS = """
import time
from pathlib import Path
from serverless_tasks import Task
from serverless_tasks.params import NumberParameter, StringParameter

class Double(Task):
    name = "double"
    queue = "high"
    inputs = {"number": NumberParameter()}
    outputs = {"doubled": NumberParameter()}

    def run(self, number):
        return 2 * number

class UntilThere(Task):
    name = "until_there"
    inputs = {"path": StringParameter()}
    outputs = {"found": StringParameter()}

    def run(self, path):
        self.set_target(1)
        while not Path(path).exists():
            time.sleep(0.05)
        return path
"""


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalStack]:
    (tmp_path / "local_worker_tasks.py").write_text(TASKS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "local_worker_tasks", raising=False)
    with local_stack(ROOT / "template.yaml", modules=["local_worker_tasks"]) as stack:
        configure()
        yield stack
    reset()


class Worker:
    """A worker process."""

    def __init__(self, directory: Path, call: str) -> None:
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                f"from serverless_tasks.poller import run_worker; print(run_worker({call}))",
            ],
            cwd=directory,
            env={**os.environ, "PYTHONPATH": f"{ROOT}:{directory}"},
            stdout=subprocess.PIPE,
            text=True,
        )

    def stop(self, in_flight_work: Callable[[], None] = lambda: None) -> str:
        """End it as a container's runtime does; the last line that it printed."""
        self.process.send_signal(signal.SIGTERM)
        in_flight_work()
        output, _ = self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == 0
        return output.splitlines()[-1]

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


@pytest.fixture
def start(stack: LocalStack, tmp_path: Path) -> Iterator[Callable[[str], Worker]]:
    workers: list[Worker] = []

    def start(call: str) -> Worker:
        workers.append(Worker(tmp_path, call))
        return workers[-1]

    yield start
    for worker in workers:
        worker.end()


def lease(stack: LocalStack, uuid: str) -> float:
    """Seconds that the running attempt's lease still has."""
    key = {"pk": {"S": uuid}, "sk": {"S": "s#state"}}
    item: dict[str, Any] = client("dynamodb").get_item(TableName=stack.outputs["TableName"], Key=key)["Item"]
    return float(item["lease"]["N"]) / 1000 - time.time()


def until(what: Callable[[], bool]) -> None:
    """Wait for another process."""
    end = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


def in_flight(stack: LocalStack, queue: str) -> tuple[str, str]:
    url = stack.queue_urls[queue]
    attributes = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return attributes["ApproximateNumberOfMessages"], attributes["ApproximateNumberOfMessagesNotVisible"]


def test_the_whole_way_in_one_process(stack: LocalStack) -> None:
    tasks = TaskClient()
    with Poller(stack.mappings, wait=1):
        handle = tasks.submit("double", number=4)

        assert handle.wait(PATIENCE) is not None
    assert handle.status == "succeeded"
    assert handle.outputs == {"doubled": 8}
    assert tasks.run("double", number=5) == {"doubled": 10}
    assert TaskClient.from_stack("local").get(handle.uuid).outputs == {"doubled": 8}


def test_a_worker_finishes_its_task_and_leaves_the_other_queues_alone(
    stack: LocalStack, start: Callable[[str], Worker], tmp_path: Path
) -> None:
    there = tmp_path / "there"
    tasks = TaskClient()
    handle = tasks.submit("until_there", path=str(there))
    worker = start("['default'], grace=30")
    until(lambda: handle.refresh().status == "running")
    other = tasks.submit("double", number=1)
    left = lease(stack, handle.uuid)

    assert worker.stop(in_flight_work=there.touch) == "0"
    assert 30 < left <= 60
    assert handle.refresh().status == "succeeded"
    assert other.refresh().status == "pending"


def test_a_worker_that_has_ended_has_counted_every_job(
    stack: LocalStack, start: Callable[[str], Worker]
) -> None:
    """Those of its first batch at once, and the others, which follow too soon to be written, at its end."""
    tasks = TaskClient()
    worker = start("['high'], grace=30")
    for number in range(4):
        assert tasks.submit("double", number=number).wait(PATIENCE) is not None
    worker.stop()
    hours = tasks.services.statistics_store.hours("double", "2000", "2100").values()
    assert sum(counts.succeeded for counts in hours) == 4
    assert sum(counts.submitted for counts in hours) == 4
    assert sum(counts.calls["dynamodb_write_units"] for counts in hours) == 8


def test_a_worker_gives_back_what_its_grace_is_too_short_for(
    stack: LocalStack, start: Callable[[str], Worker], tmp_path: Path
) -> None:
    handle = TaskClient().submit("until_there", path=str(tmp_path / "never"))
    worker = start("['default'], grace=0.1")
    until(lambda: handle.refresh().status == "running")
    assert in_flight(stack, "default") == ("0", "1")

    assert worker.stop() == "1"
    assert in_flight(stack, "default") == ("1", "0")


def test_a_worker_takes_one_message_at_a_time_from_the_queues_that_it_is_told() -> None:
    config = Config(
        queue_urls={"default": "http://q/d", "long": "http://q/l"}, dead_letter_queue_url="http://q/x"
    )
    made = worker_mappings(
        ["long", "http://q/other"], {"long": 3}, "a.handler", dead_letter=True, config=config
    )

    assert [(one.queue_url, one.concurrency, one.handler) for one in made] == [
        ("http://q/l", 3, "a.handler"),
        ("http://q/other", 1, "a.handler"),
        ("http://q/x", 1, "lambda_handlers.dead_letter.handler"),
    ]
    assert all(one.batch_size == 1 and one.timeout is None for one in made)


def test_a_worker_takes_all_queues_unless_told() -> None:
    config = Config(queue_urls={"default": "http://q/d", "long": "http://q/l"})
    made = worker_mappings([], 2, "a.handler", dead_letter=False, config=config)

    assert {one.queue_name: one.concurrency for one in made} == {"d": 2, "l": 2}


def test_a_worker_names_what_it_cannot_poll() -> None:
    config = Config(queue_urls={"default": "http://q/d"})

    with pytest.raises(ConfigurationError, match="'gone'"):
        run_worker(["gone"], config=config)
    with pytest.raises(ConfigurationError, match="'low', which is not polled"):
        run_worker(["default"], {"low": 2}, config=config)
    with pytest.raises(ConfigurationError, match="QUEUE_URLS"):
        run_worker(config=Config())
    with pytest.raises(ConfigurationError, match="DEAD_LETTER_QUEUE_URL"):
        run_worker(["default"], dead_letter=True, config=config)
