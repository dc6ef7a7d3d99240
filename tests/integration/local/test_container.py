"""The command of infra/container's image, as a process on a local stack with the queue long."""

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
from serverless_tasks.engine.services import configure, reset
from serverless_tasks.local.in_process import local_stack
from tests.support import container
from tests.support.template import decided

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from serverless_tasks.local.aws.stack import LocalStack

ROOT = Path(__file__).parents[3]
PATIENCE = 60

TASKS = """
import time
from pathlib import Path
from serverless_tasks import Task
from serverless_tasks.params import StringParameter

class Report(Task):
    name = "report"
    queue = "long"
    timeout = 7200
    inputs = {"path": StringParameter()}
    outputs = {"found": StringParameter()}

    def run(self, path):
        while not Path(path).exists():
            time.sleep(0.05)
        return path
"""


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalStack]:
    (tmp_path / "container_tasks.py").write_text(TASKS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "container_tasks", raising=False)
    parameters = {"LongWork": "true"}
    with local_stack(ROOT / "template.yaml", modules=["container_tasks"], parameters=parameters) as stack:
        configure()
        yield stack
    reset()


def command(grace: str) -> list[str]:
    """The container's command, with another grace and the default number of tasks at a time."""
    made = decided(container.read(), container.REQUIRED)["Resources"]["TaskDefinition"]["Properties"]
    [only] = made["ContainerDefinitions"]
    words = ["1" if word == {"Ref": "Concurrency"} else word for word in only["Command"]]
    words[words.index("--grace") + 1] = grace
    return words


@pytest.fixture
def start(stack: LocalStack, tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def start(grace: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "serverless_tasks.cli", *command(grace)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": f"{ROOT}:{tmp_path}", "SERVERLESS_TASKS_PAUSES": "true"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def until(what: Callable[[], bool]) -> None:
    """Wait for another process."""
    end = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


def terminate(process: subprocess.Popen[str]) -> str:
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, output
    return output


def messages(stack: LocalStack) -> tuple[str, str]:
    url = stack.queue_urls["long"]
    found = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return found["ApproximateNumberOfMessages"], found["ApproximateNumberOfMessagesNotVisible"]


def end_lease(stack: LocalStack, uuid: str) -> None:
    """Let the minute of the lost attempt's lease be over."""
    client("dynamodb").update_item(
        TableName=stack.outputs["TableName"],
        Key={"pk": {"S": uuid}, "sk": {"S": "s#state"}},
        UpdateExpression="SET #lease = :past",
        ExpressionAttributeNames={"#lease": "lease"},
        ExpressionAttributeValues={":past": {"N": "1"}},
    )


def test_no_function_polls_the_queue_long(stack: LocalStack) -> None:
    assert set(stack.queue_urls) == {"high", "default", "low", "long"}
    polled: set[Any] = {mapping.queue_url for mapping in stack.mappings}
    assert stack.queue_urls["long"] not in polled
    assert stack.queue_urls["default"] in polled


def test_a_job_that_is_stopped_in_its_middle_is_run_again_by_the_next_container(
    stack: LocalStack, start: Callable[[str], subprocess.Popen[str]], tmp_path: Path
) -> None:
    there = tmp_path / "there"
    handle = TaskClient().submit("report", path=str(there))
    first = start("0.1")
    until(lambda: handle.refresh().status == "running")
    assert messages(stack) == ("0", "1")

    assert "1 messages were returned" in terminate(first)
    assert messages(stack) == ("1", "0")
    assert handle.refresh().status == "running"

    end_lease(stack, handle.uuid)
    there.touch()
    second = start("30")
    assert handle.wait(PATIENCE) is not None
    assert (handle.status, handle.outputs) == ("succeeded", {"found": str(there)})
    assert handle.record.attempt == 2
    assert "0 messages were returned" in terminate(second)
    assert messages(stack) == ("0", "0")


def test_a_job_that_ends_within_the_grace_is_finished_once(
    stack: LocalStack, start: Callable[[str], subprocess.Popen[str]], tmp_path: Path
) -> None:
    there = tmp_path / "there"
    handle = TaskClient().submit("report", path=str(there))
    process = start("30")
    until(lambda: handle.refresh().status == "running")
    process.send_signal(signal.SIGTERM)
    there.touch()
    output, _ = process.communicate(timeout=PATIENCE)

    assert (process.returncode, handle.refresh().status) == (0, "succeeded"), output
    assert handle.record.attempt == 1
    assert messages(stack) == ("0", "0")
