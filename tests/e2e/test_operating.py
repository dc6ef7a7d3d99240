"""An operator who holds the operator's policy reads a job's log, and retries all jobs that failed alike."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from serverless_tasks.cli.app import app
from serverless_tasks.client.task_client import TaskClient
from serverless_tasks.engine.aws import session
from serverless_tasks.errors import TaskFailed
from tests.e2e import deployment
from tests.e2e.deployment import REGION, Stack, eventually

SECONDS = 60


@pytest.fixture(scope="module")
def log_reader(stack: Stack) -> dict[str, str]:
    """Access keys of an operator. AWS names a log group ``<name>:*``, as its `Arn` is, and MiniStack ``<name>``."""
    outputs = f"arn:aws:cloudformation:{REGION}:*:stack/{stack.name}/*"
    group = f"arn:aws:logs:{REGION}:*:log-group:{stack.physical('WorkerLogGroup')}"
    statements = [
        {"Effect": "Allow", "Action": "cloudformation:DescribeStacks", "Resource": outputs},
        {"Effect": "Allow", "Action": "logs:FilterLogEvents", "Resource": group},
    ]
    policies = (stack.outputs["PublisherPolicyArn"], stack.outputs["OperatorPolicyArn"])
    return deployment.user(stack, "log-reader", statements, *policies)


@pytest.fixture
def client(
    stack: Stack, log_reader: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[TaskClient]:
    """What a script of the operator uses."""
    for name, value in {
        **log_reader,
        "AWS_ENDPOINT_URL": stack.endpoint,
        "AWS_DEFAULT_REGION": REGION,
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    session.reset()
    yield TaskClient.from_stack(stack.name)
    session.reset()


def run(stack: Stack, *words: str) -> str:
    result = CliRunner().invoke(app, [*words, "--stack", stack.name, "--json"])
    assert result.exit_code == 0, result.output
    return result.stdout


def lines_of(stack: Stack, *words: str) -> list[Any]:
    """What a command prints that has a document for each line."""
    return [json.loads(line) for line in run(stack, *words).splitlines()]


def refused(client: TaskClient, owner: str) -> str:
    """Submit a job that fails; return its id."""
    handle = client.submit_many("refuse", [{}], owner=owner)[0]
    with pytest.raises(TaskFailed):
        handle.wait(SECONDS)
    return handle.uuid


def test_the_log_of_a_job_is_its_own(stack: Stack, client: TaskClient) -> None:
    handle, other = client.submit_many("second-try", [{}, {}])
    for each in (handle, other):
        each.wait(SECONDS)

    text = eventually(lambda: "never works" in (found := run(stack, "logs", handle.uuid)) and found)

    lines = [json.loads(line) for line in text.splitlines()]
    assert {line["attempt"] for line in lines} == {1, 2}
    assert all(line["request_id"] for line in lines)
    assert other.uuid not in text


def test_all_that_failed_alike_are_retried_by_a_job_on_the_worker(stack: Stack, client: TaskClient) -> None:
    owner = f"ada-{uuid4()}"
    failed = {refused(client, owner) for _ in range(3)}
    which = ("--status", "failed", "--task", "refuse", "--owner", owner)

    *_, last = lines_of(stack, "jobs", *which, "--retry", "--yes")

    assert last["status"] == "succeeded"

    def have_failed() -> set[str]:
        return {job["uuid"] for job in json.loads(run(stack, "jobs", *which))["jobs"]}

    assert len(eventually(lambda: len(have_failed()) == 6 and have_failed() - failed)) == 3
