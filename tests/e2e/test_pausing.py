"""Queues and tasks of a deployed stack are paused and resumed by an operator who holds the operator's policy."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from serverless_tasks.cli.app import app
from serverless_tasks.client.task_client import TaskClient
from serverless_tasks.engine.aws import session
from tests.e2e.deployment import REGION, Stack, eventually

SECONDS = 60


@pytest.fixture
def as_operator(
    stack: Stack, operator: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[None]:
    """The library in this process acts as the operator."""
    for name, value in {**operator, "AWS_ENDPOINT_URL": stack.endpoint, "AWS_DEFAULT_REGION": REGION}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    session.reset()
    yield
    session.reset()


@pytest.fixture
def client(stack: Stack, as_operator: None) -> TaskClient:
    return TaskClient.from_stack(stack.name)


def run(stack: Stack, *words: str) -> Any:
    result = CliRunner().invoke(app, [*words, "--stack", stack.name, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def submit(client: TaskClient, **options: Any) -> Any:
    [handle] = client.submit_many("sum", [{"numbers": [20, 22]}], **options)
    return handle


def given_back(client: TaskClient) -> Any:
    """Submit a job; return its handle when a worker gives it back, None when it is run."""
    handle = submit(client)
    eventually(lambda: (record := client.get(handle.uuid)).ended or record.returned)
    return handle if client.get(handle.uuid).returned else None


def mapping_states(stack: Stack) -> dict[str, str]:
    found = stack.client("lambda").list_event_source_mappings(FunctionName=stack.physical("WorkerFunction"))
    return {each["EventSourceArn"].split("-")[-2]: each["State"] for each in found["EventSourceMappings"]}


def test_a_paused_queue_keeps_its_jobs_until_it_is_resumed(stack: Stack, client: TaskClient) -> None:
    assert run(stack, "pause", "low", "--why", "The database moves")["mappings"] == 1
    try:
        eventually(lambda: mapping_states(stack)["LowQueue"] == "Disabled")
        assert mapping_states(stack)["DefaultQueue"] == "Enabled"
        held = submit(client, queue="low")
        for _ in range(3):  # others run meanwhile, one after another
            assert submit(client).wait(SECONDS) == {"sum": 42}
        assert client.get(held.uuid).status == "pending"
        [low] = [queue for queue in run(stack, "queues")["queues"] if queue["queue"] == "low"]
        assert (low["visible"], low["receiving"], low["paused"]["why"]) == (1, False, "The database moves")
    finally:
        run(stack, "resume", "low")
    assert held.wait(SECONDS) == {"sum": 42}
    assert mapping_states(stack)["LowQueue"] == "Enabled"


def test_a_paused_task_is_held_back_and_says_why(stack: Stack, client: TaskClient) -> None:
    assert stack.outputs["TaskPauses"] == "true"
    run(stack, "pause", "--task", "sum", "--why", "The sums are wrong")
    try:
        # Workers that have looked just before go by that for ten seconds, and run what comes.
        held = eventually(lambda: given_back(client), SECONDS)
        record = client.get(held.uuid)
        assert (record.status, record.attempt) == ("pending", 0)
        assert "The sums are wrong" in record.returned.message
        [job] = [job for job in run(stack, "stuck")["jobs"] if job["uuid"] == held.uuid]
        assert job["kind"] == "paused"
    finally:
        run(stack, "resume", "--task", "sum")
    assert held.wait(120) == {"sum": 42}
